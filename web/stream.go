package web

import (
	"context"
	"io"
	"net/http"
	"time"
)

// streamFor is how long one stream lasts; the browser then asks again, and the gate
// with it.
const streamFor = 10 * time.Minute

// stream lets run write server-sent events until it returns, the reader goes away
// or streamFor is over.
func stream(w http.ResponseWriter, r *http.Request, run func(context.Context, io.Writer)) {
	ctx, stop := context.WithTimeout(r.Context(), streamFor)
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	run(ctx, flushing{w, http.NewResponseController(w)})
}

// flushing sends each write at once and gives a slow reader 30 seconds for it. The
// deadline is the network's, so it is by the machine's own clock.
type flushing struct {
	io.Writer
	c *http.ResponseController
}

const writeWithin = 30 * time.Second

func (f flushing) Write(b []byte) (int, error) {
	if err := f.c.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return 0, err
	}
	n, err := f.Writer.Write(b)
	if err == nil {
		err = f.c.Flush()
	}
	return n, err
}
