package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"kakusho/trail/seal"
)

// Why a witness does not sign. All but ErrUnreachable are its answer, and stand
// until people have looked at them.
var (
	ErrRolledBack  = errors.New("the witness has seen more of this log than there is")               // an old copy was put back
	ErrForked      = errors.New("the witness has seen another history of this log")                  // it was written anew
	ErrUnknown     = errors.New("the witness does not know this log, or not its key")                // tell its operator
	ErrUnreachable = errors.New("the witness does not answer, or not with a cosignature that holds") // tried again
)

// Source is the log that is to be watched.
type Source interface {
	Checkpoint(ctx context.Context) ([]byte, seal.Checkpoint, error)
	Consistency(ctx context.Context, from, to int64) ([]seal.Hash, error)
}

// maxAnswer is the longest answer that is read.
const maxAnswer = 64 << 10

// submit asks a witness to sign a checkpoint. known is the size it signed last, as
// far as we know; what it turned out to be comes back.
func submit(ctx context.Context, client *http.Client, p Peer, l Source, known int64, text []byte, c seal.Checkpoint) (Cosignature, int64, error) {
	known = min(known, c.Size)
	signed := known
	for range 3 { // the first tells where it stands, the second is right, unless others submit too
		path, err := l.Consistency(ctx, known, c.Size)
		if err != nil {
			return Cosignature{}, known, err
		}
		status, kind, body, err := post(ctx, client, p.URL+"/add-checkpoint", Continuation{known, path, text}.Text())
		if err != nil {
			return Cosignature{}, known, fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		switch status {
		case http.StatusOK:
			sig, err := p.answered(text, body)
			sig.forgot = known < signed
			return sig, c.Size, err
		case http.StatusConflict:
			n, err := strconv.ParseInt(strings.TrimSuffix(string(body), "\n"), 10, 64)
			switch {
			case err != nil || n < 0 || !strings.HasPrefix(kind, "text/x.tlog.size"):
				return Cosignature{}, known, fmt.Errorf("%w: it answers 409 without a size", ErrUnreachable)
			case n > c.Size:
				return Cosignature{}, known, fmt.Errorf("%w: %d segments, here are %d", ErrRolledBack, n, c.Size)
			case n == known && n == c.Size:
				return Cosignature{}, known, fmt.Errorf("%w: of %d segments", ErrForked, n)
			}
			known = n
		case http.StatusUnprocessableEntity:
			return Cosignature{}, known, fmt.Errorf("%w: what it saw had %d segments", ErrForked, known)
		case http.StatusNotFound, http.StatusForbidden:
			return Cosignature{}, known, ErrUnknown
		default:
			return Cosignature{}, known, fmt.Errorf("%w: status %d", ErrUnreachable, status)
		}
	}
	return Cosignature{}, known, fmt.Errorf("%w: it names another size each time", ErrUnreachable)
}

func post(ctx context.Context, client *http.Client, url string, body []byte) (status int, kind string, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	r, err := client.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	answer, err = io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	if err = errors.Join(err, r.Body.Close()); err == nil && len(answer) > maxAnswer {
		err = fmt.Errorf("answer of more than %d bytes", maxAnswer)
	}
	return r.StatusCode, r.Header.Get("Content-Type"), answer, err
}

// answered takes the peer's cosignature out of its answer; lines of others are left.
func (p Peer) answered(checkpoint, answer []byte) (Cosignature, error) {
	body, _, _ := strings.Cut(string(checkpoint), "\n\n")
	var lines []string
	for line := range strings.Lines(string(answer)) {
		lines = append(lines, line)
	}
	c, ok, err := check(body+"\n", lines, p.verifier)
	if err == nil && !ok {
		err = errors.New("no cosignature of its key")
	}
	if err != nil {
		return Cosignature{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	c.Witness = p.Name
	return c, nil
}
