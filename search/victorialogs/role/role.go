// Package role is VictoriaLogs as a part our binary can play: a process of its
// own that victorialogs.Start runs, watches and kills. It is apart from the
// engine so that only the command carries that code.
//
// It listens on a socket in a folder that only this user can enter, has none of
// the doors of VictoriaLogs open besides, and ends when its standard input does:
// with the process that started it, however that ended.
package role

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/app/vlinsert"
	"github.com/VictoriaMetrics/VictoriaLogs/app/vlinsert/insertutil"
	"github.com/VictoriaMetrics/VictoriaLogs/app/vlselect"
	"github.com/VictoriaMetrics/VictoriaLogs/app/vlstorage"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/logger"
)

// niceness of the whole process: searching gives way to receiving.
const niceness = 10

// Main runs VictoriaLogs with the socket and the flags Start gives, until stdin
// ends, and returns the exit status.
func Main(args []string, stdin io.Reader) int {
	if len(args) < 1 {
		fmt.Fprintln(os.Stderr, "index: started by serve, not by hand")
		return 2
	}
	socket := args[0]
	if err := flag.CommandLine.Parse(args[1:]); err != nil {
		return 2
	}
	// The group is the process alone, and the call reaches each of its threads.
	_ = syscall.Setpriority(syscall.PRIO_PGRP, 0, niceness)
	logger.Init()

	_ = os.Remove(socket)
	l, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, "index: listen:", err)
		return 1
	}
	vlstorage.Init()
	vlselect.Init()
	insertutil.SetLogRowsStorage(&vlstorage.Storage{})
	vlinsert.Init()
	srv := &http.Server{Handler: http.HandlerFunc(serve), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	_, _ = io.Copy(io.Discard, stdin)
	_ = srv.Close()
	<-done
	_ = os.Remove(filepath.Dir(socket)) // a parent that was killed cannot; nothing else is in it
	vlinsert.Stop()
	vlselect.Stop()
	vlstorage.Stop()
	_ = os.Remove(filepath.Dir(socket)) // who made it may have been killed; a folder with something in it stays
	return 0
}

func serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/health" {
		_, _ = io.WriteString(w, "OK")
		return
	}
	if !vlinsert.RequestHandler(w, r) && !vlselect.RequestHandler(w, r) && !vlstorage.RequestHandler(w, r) {
		http.NotFound(w, r)
	}
}
