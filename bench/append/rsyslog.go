package append

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// runRsyslog sends to rsyslogd over TCP, which writes a file and does not sync it:
// what it has taken is in the page cache. The sender is told nothing.
func runRsyslog(ctx context.Context, dir string, lines [][]byte, n int) (Figures, error) {
	return rsyslog(ctx, dir, lines, n, "off")
}

// runRsyslogSynced has it sync the file after each batch of its queue.
func runRsyslogSynced(ctx context.Context, dir string, lines [][]byte, n int) (Figures, error) {
	return rsyslog(ctx, dir, lines, n, "on")
}

func rsyslog(ctx context.Context, dir string, lines [][]byte, n int, sync string) (Figures, error) {
	conf, out, sock := filepath.Join(dir, "conf"), filepath.Join(dir, "out.log"), filepath.Join(dir, "sock")
	text := fmt.Sprintf(`global(workDirectory=%q maxMessageSize="64k")
module(load="imptcp" threads="2")
main_queue(queue.size="200000" queue.dequeueBatchSize="4096" queue.minDequeueBatchSize="1024" queue.minDequeueBatchSize.timeout="20")
template(name="line" type="string" string="%%msg%%\n")
input(type="imptcp" path=%q unlink="on" fileCreateMode="0600")
action(type="omfile" file=%q template="line" sync=%q ioBufferSize="256k")
`, dir, sock, out, sync)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return Figures{}, err
	}
	d, err := start(ctx, "rsyslogd", "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	if err != nil {
		return Figures{}, err
	}
	if err := d.appears(sock); err != nil {
		return Figures{}, err
	}
	before, begun := used(syscall.RUSAGE_SELF), time.Now()
	if err := pour(sock, lines, n, 4); err != nil {
		d.stop()
		return Figures{}, err
	}
	c := counter{name: out}
	err = c.reach(ctx, n, []byte("\n"))
	f := Figures{Events: n, Took: time.Since(begun), CPU: used(syscall.RUSAGE_SELF) - before + d.stop()}
	if err != nil {
		return Figures{}, fmt.Errorf("rsyslog: %w: %s", err, &d.said)
	}
	st, err := os.Stat(out)
	if err == nil {
		f.Bytes = st.Size()
	}
	return f, err
}

// pour writes events as syslog messages to a stream socket over some connections.
func pour(sock string, lines [][]byte, n, conns int) error {
	var wg sync.WaitGroup
	errs := make([]error, conns)
	for c := range conns {
		wg.Go(func() {
			conn, err := net.Dial("unix", sock)
			if err != nil {
				errs[c] = err
				return
			}
			defer conn.Close()
			w := bufio.NewWriterSize(conn, 64<<10)
			for i := c; i < n; i += conns {
				w.WriteString("<134>Nov  2 08:30:00 host app: ")
				w.Write(lines[i%len(lines)])
				w.WriteByte('\n')
			}
			errs[c] = w.Flush() // its first error stays
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}
