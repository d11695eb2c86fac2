package otlp

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"kakusho/door"
	"kakusho/event"
)

// problem is what a sender is told: a status of HTTP, one of gRPC, and a text.
type problem struct {
	http, grpc int
	text       string
	again      bool
}

func problemOf(err error) problem {
	switch {
	case errors.Is(err, event.ErrFull), errors.Is(err, door.ErrBudget):
		return problem{http.StatusServiceUnavailable, 8, "busy: nothing was taken, send the same again later", true}
	case errors.Is(err, door.ErrTooLarge), errors.Is(err, errMany):
		return problem{http.StatusRequestEntityTooLarge, 3, "too large: send less at once", false}
	case errors.Is(err, door.ErrEncoding):
		return problem{http.StatusUnsupportedMediaType, 12, "unknown compression: gzip and zstd are known", false}
	case errors.Is(err, errBody), errors.Is(err, errWire), errors.Is(err, errJSON), errors.Is(err, errFrame):
		return problem{http.StatusBadRequest, 3, "the request cannot be read", false}
	}
	return problem{http.StatusUnprocessableEntity, 3, "the request will not be taken, and not when sent again either", false}
}

var unknown = problem{http.StatusUnauthorized, 16, "a registered sender's token or certificate is needed", false}

// http answers OTLP over HTTP.
func (h *handler) http(w http.ResponseWriter, r *http.Request) {
	of, known := h.o.Who(r)
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	parse, asJSON := (*reader).fromWire, kind == "application/json"
	if asJSON {
		parse = (*reader).fromJSON
	}
	fail := func(p problem) {
		if p.again {
			w.Header().Set("Retry-After", strconv.Itoa(retrySeconds))
		}
		if p.http == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="kakusho"`)
		}
		body := wireStatus(p.grpc, p.text, false)
		if asJSON {
			body, _ = json.Marshal(map[string]any{"code": p.grpc, "message": p.text})
		}
		w.Header().Set("Content-Type", mediaType(asJSON))
		w.WriteHeader(p.http)
		w.Write(body)
	}
	if !known {
		fail(unknown)
		return
	}
	if !asJSON && kind != "application/x-protobuf" {
		fail(problem{http.StatusUnsupportedMediaType, 3, "use application/x-protobuf or application/json", false})
		return
	}
	rejected, err := h.take(w, r, of, func(body io.Reader) (io.ReadCloser, error) {
		out, err := door.Unpack(body, r.Header.Get("Content-Encoding"), h.o.MaxBody)
		return out, bodyError(err)
	}, parse)
	if err != nil {
		fail(problemOf(err))
		return
	}
	answer := wireAnswer(rejected)
	if asJSON {
		answer = jsonAnswer(rejected)
	}
	w.Header().Set("Content-Type", mediaType(asJSON))
	w.Write(answer)
}

func mediaType(asJSON bool) string {
	if asJSON {
		return "application/json"
	}
	return "application/x-protobuf"
}

func bodyError(err error) error {
	if err == nil || errors.Is(err, door.ErrEncoding) || tooLarge(err) {
		return err
	}
	return errors.Join(errBody, err)
}

var errFrame = errors.New("not a gRPC message")

// grpc answers a call of the method Export.
func (h *handler) grpc(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor < 2 || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		http.Error(w, "gRPC needs HTTP/2", http.StatusUnsupportedMediaType)
		return
	}
	w.Header().Set("Content-Type", "application/grpc")
	end := func(status int, text string, details []byte) {
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(status))
		w.Header().Set(http.TrailerPrefix+"Grpc-Message", text)
		if details != nil {
			w.Header().Set(http.TrailerPrefix+"Grpc-Status-Details-Bin", base64.RawStdEncoding.EncodeToString(details))
		}
	}
	fail := func(p problem) {
		w.WriteHeader(http.StatusOK)
		end(p.grpc, p.text, wireStatus(p.grpc, p.text, p.again))
	}
	of, known := h.o.Who(r)
	if !known {
		fail(unknown)
		return
	}
	rejected, err := h.take(w, r, of, func(body io.Reader) (io.ReadCloser, error) {
		return h.frame(body, r.Header.Get("Grpc-Encoding"))
	}, (*reader).fromWire)
	if err != nil {
		fail(problemOf(err))
		return
	}
	answer := wireAnswer(rejected)
	head := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(answer)))
	w.Write(append(head, answer...))
	end(0, "", nil)
}

// frame is the one message of a call, unpacked.
func (h *handler) frame(body io.Reader, encoding string) (io.ReadCloser, error) {
	var head [5]byte
	if _, err := io.ReadFull(body, head[:]); err != nil {
		return nil, errors.Join(errFrame, err)
	}
	length := int64(binary.BigEndian.Uint32(head[1:]))
	switch {
	case length > h.o.MaxBody:
		return nil, door.ErrTooLarge
	case head[0] == 0:
		encoding = ""
	case head[0] != 1 || encoding == "" || encoding == "identity":
		return nil, errFrame
	}
	message := &exactly{r: body, left: length}
	if length == 0 && encoding == "" {
		return io.NopCloser(message), nil
	}
	out, err := door.Unpack(message, encoding, h.o.MaxBody)
	return out, bodyError(err)
}

// exactly is a message of a length that was said; it must all come.
type exactly struct {
	r    io.Reader
	left int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) {
		if err = nil; e.left > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}
