// Package lines is the door for events as lines of JSON: POST /api/v1/events.
//
//	POST /api/v1/events
//	Content-Encoding: zstd            or gzip, or none
//	Kakusho-Sender: web-7             with Kakusho-Batch: a repeated delivery is taken once
//	Kakusho-Batch: 42
//
//	{"at":"2026-11-24T09:30:01+09:00","account":"yamada","event":"照会","object":"A-1","result":"success"}
//
// The keys are those of event.Event; others become fields, objects in them with dots.
// The answer comes when all is on disk:
//
//	{"taken":1,"duplicate":false,"faults":[{"line":2,"field":"at","text":{"ja":"…","en":"…"}}],"receipt":"…"}
//
// A line that is wrong harms no other. With 503 nothing was taken; with 400, 413, 415
// and 422 nothing was and nothing will be.
package lines

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"kakusho/bilingual"
	"kakusho/door"
	"kakusho/event"
)

// Options of the door. Sink, Now and Who are needed.
type Options struct {
	Sink event.Sink
	Now  func() time.Time
	Log  *slog.Logger

	// Who says who brings a request; false: nobody we know.
	Who func(*http.Request) (event.Origin, bool)

	MaxBody   int64         // bytes of a request, unpacked. 64 MiB
	MaxEvents int           // lines of a request. 65,536
	MaxMemory int64         // bytes of all requests under way. 256 MiB
	Patience  time.Duration // for a body. 1 minute
}

// Handler is the door.
func Handler(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 64 << 20
	}
	if o.MaxEvents <= 0 {
		o.MaxEvents = 1 << 16
	}
	if o.MaxMemory <= 0 {
		o.MaxMemory = 256 << 20
	}
	if o.Patience <= 0 {
		o.Patience = time.Minute
	}
	return &handler{o, door.NewBudget(o.MaxMemory)}
}

type handler struct {
	o      Options
	budget *door.Budget
}

// Answer is what is said to a request that was read.
type Answer struct {
	Taken     int     `json:"taken"`
	Duplicate bool    `json:"duplicate"`
	Faults    []Fault `json:"faults"`
	Receipt   string  `json:"receipt,omitempty"`
}

// Fault is what is wrong with a line; the first is 1.
type Fault struct {
	Line  int            `json:"line"`
	Field string         `json:"field,omitempty"`
	Text  bilingual.Text `json:"text"`
}

var errMany = errors.New("too many lines")

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		say(w, http.StatusMethodNotAllowed, "POSTで送ってください。", "use POST")
		return
	}
	origin, ok := h.o.Who(r)
	if !ok {
		w.Header().Set("WWW-Authenticate", `Bearer realm="kakusho"`)
		say(w, http.StatusUnauthorized, "登録された送信元の証明が必要です。", "a registered sender's token is needed")
		return
	}
	b := event.Batch{Origin: origin, Sender: r.Header.Get("Kakusho-Sender")}
	if number := r.Header.Get("Kakusho-Batch"); b.Sender != "" || number != "" {
		var err error
		if b.Number, err = strconv.ParseInt(number, 10, 64); err != nil || b.Number < 1 || b.Sender == "" {
			say(w, http.StatusBadRequest, "Kakusho-Sender（名前）とKakusho-Batch（1からの番号）は、両方を付けるか両方を省いてください。",
				"give both Kakusho-Sender (a name) and Kakusho-Batch (a number from 1), or neither")
			return
		}
	}
	rc := http.NewResponseController(w)
	rc.SetReadDeadline(h.o.Now().Add(h.o.Patience)) // where the connection has one
	var held int64
	defer func() { h.budget.Give(held) }()
	events, faults, err := h.read(r, &held)
	if err != nil {
		h.refuse(w, origin, err) // the deadline stays: nobody waits for the rest of the body
		return
	}
	rc.SetReadDeadline(time.Time{})
	b.Events = events
	receipt, err := h.o.Sink.Accept(r.Context(), b, true)
	if err != nil {
		h.refuse(w, origin, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(Answer{receipt.Taken, receipt.Duplicate, faults, string(receipt.Note)})
}

// refuse says why nothing was taken.
func (h *handler) refuse(w http.ResponseWriter, origin event.Origin, err error) {
	h.o.Log.Warn("events not taken", "address", origin.Address, "name", origin.Name, "error", err)
	var status refusal
	switch {
	case errors.Is(err, event.ErrFull), errors.Is(err, door.ErrBudget):
		w.Header().Set("Retry-After", "2")
		say(w, http.StatusServiceUnavailable, "今は受け取れません。何も受け取っていませんので、後で同じものを送ってください。", "busy: nothing was taken, send the same again later")
	case errors.Is(err, door.ErrTooLarge):
		say(w, http.StatusRequestEntityTooLarge, "一度に送れる大きさを超えています。分けて送ってください。", "the request is too large: send less at once")
	case errors.Is(err, errMany):
		say(w, http.StatusRequestEntityTooLarge, "一度に送れる件数を超えています。分けて送ってください。", "too many events: send fewer at once")
	case errors.Is(err, door.ErrEncoding):
		say(w, http.StatusUnsupportedMediaType, "Content-Encodingはgzip又はzstdにしてください。", "use Content-Encoding gzip or zstd")
	case errors.As(err, &status):
		say(w, http.StatusBadRequest, "本文を最後まで読めませんでした。", "the body could not be read to its end")
	default:
		say(w, http.StatusUnprocessableEntity, "この送信は受け取れません。送り直しても同じです。", "this request will not be taken, and not when sent again either")
	}
}

// refusal is an error of the body.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func say(w http.ResponseWriter, status int, ja, en string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]bilingual.Text{"error": bilingual.Say(ja, en)})
}

// weight is what an event takes in memory beside its line.
const weight = 512

// read takes the events of a body; held counts what they take of the budget.
func (h *handler) read(r *http.Request, held *int64) (events []event.Event, faults []Fault, err error) {
	body, err := door.Unpack(http.MaxBytesReader(nil, r.Body, h.o.MaxBody), r.Header.Get("Content-Encoding"), h.o.MaxBody)
	if err != nil {
		return nil, nil, refusal{err}
	}
	defer body.Close()
	at, scratch, faults := h.o.Now(), []byte(nil), []Fault{}
	in := bufio.NewReaderSize(body, event.MaxLine*2)
	for n := 1; ; n++ {
		line, size, last, err := next(in)
		if err != nil {
			var packed *http.MaxBytesError
			if errors.As(err, &packed) {
				err = door.ErrTooLarge
			}
			return nil, nil, refusal{err}
		}
		if size > 0 {
			if len(events)+len(faults) == h.o.MaxEvents {
				return nil, nil, errMany
			}
			if err := h.budget.Take(int64(len(line)) + weight); err != nil {
				return nil, nil, err
			}
			*held += int64(len(line)) + weight
			e, fault := Parse(line, at)
			if size > len(line) {
				fault = &event.Fault{Text: bilingual.Say("1行の大きさが上限を超えています。", "the line is too long")}
			} else if fault == nil {
				scratch, fault = check(scratch[:0], e)
			}
			if fault != nil {
				faults = append(faults, Fault{n, fault.Field, fault.Text})
			} else {
				events = append(events, e)
			}
		}
		if last {
			return events, faults, nil
		}
	}
}

// check sees that e can be sealed.
func check(scratch []byte, e event.Event) ([]byte, *event.Fault) {
	out, err := event.Encode(scratch, e)
	var fault event.Fault
	if errors.As(err, &fault) {
		return out, &fault
	}
	return out, nil
}

// next is the next line, cut where the buffer ends, and how long it is really.
func next(in *bufio.Reader) (line []byte, size int, last bool, err error) {
	line, err = in.ReadSlice('\n')
	size = len(line)
	if errors.Is(err, bufio.ErrBufferFull) {
		line = line[:0:0] // it is too long: nobody looks at it
		for errors.Is(err, bufio.ErrBufferFull) {
			var more []byte
			more, err = in.ReadSlice('\n')
			size += len(more)
		}
	}
	if errors.Is(err, io.EOF) {
		last, err = true, nil
	}
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line, size = line[:len(line)-1], size-1
	}
	return line, size, last, err
}
