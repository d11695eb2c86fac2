package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"kakusho/trail"
	"kakusho/trail/seal"
	"kakusho/trail/short"
	"kakusho/trail/witness"
)

// witnesses DATA POLICY: a witness runs until the end of the script; a policy that
// wants it, under the name W, is written to the file.
func witnesses(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: witnesses DATA POLICY")
	}
	exe, err := exec.LookPath("kakusho")
	ts.Check(err)
	cmd := exec.Command(exe, "witness", "--data", ts.MkAbs(args[0]), "--name", "kakusho/"+args[0], "--listen", "127.0.0.1:0", "--lang", "en")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			ts.Logf("witness ended: %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "witness NAME "); ok {
			ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte("witness W "+rest+"\nquorum W\n"), 0o600))
			return
		}
	}
	ts.Fatalf("the witness does not say its line")
}

// opened opens the trail of an installation with a policy, and appends three entries.
func opened(ts *testscript.TestScript, args []string) *trail.Log {
	text, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	policy, err := witness.ParsePolicy(text)
	ts.Check(err)
	l, err := trail.Open(filepath.Join(ts.MkAbs(args[0]), "trail"), trail.Options{Now: time.Now, Witnesses: policy})
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	for i := range 3 {
		_, err = l.Append(context.Background(), trail.Entry{At: time.Now(), Kind: "system.test", Body: json.RawMessage(strconv.Itoa(i))})
		ts.Check(err)
	}
	ts.Check(l.Seal(context.Background()))
	return l
}

// settles waits until the witnesses stand as wanted.
func settles(ts *testscript.TestScript, l *trail.Log, ok func(witness.Status) bool) {
	for deadline := time.Now().Add(20 * time.Second); !ok(l.Witnessed()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("it does not come to that: %+v", l.Witnessed())
		}
	}
}

// grows DATA POLICY: the trail takes entries, and they are witnessed.
func grows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: grows DATA POLICY")
	}
	l := opened(ts, args)
	settles(ts, l, func(s witness.Status) bool { return s.Newest.Size > 0 && s.Newest.Size == s.Current && !s.Refused() })
	ts.Check(l.Close())
}

// refused DATA POLICY STATE: the trail takes entries, but its witness is in this state.
func refused(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: refused DATA POLICY STATE")
	}
	l := opened(ts, args[:2])
	settles(ts, l, func(s witness.Status) bool { return len(s.Peers) == 1 && string(s.Peers[0].State) == args[2] })
	ts.Check(l.Close())
}

// paper CHECKPOINT: SIZE and CODE are what is printed of it.
func paper(ts *testscript.TestScript, neg bool, args []string) {
	text, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	lines := strings.Split(string(text), "\n")
	c := seal.Checkpoint{Origin: lines[0]}
	_, err = fmt.Sscan(lines[1], &c.Size)
	ts.Check(err)
	c.Root, err = seal.ParseHash(lines[2])
	ts.Check(err)
	ts.Setenv("SIZE", lines[1])
	ts.Setenv("CODE", short.Code(c))
}
