package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/identity"
	"kakusho/kind/table"
	"kakusho/posture/trial"
	"kakusho/register/exchange"
	"kakusho/search"
	"kakusho/server/events"
)

// ControlSocket is where a running server answers the commands of its own machine,
// in its data folder. Who may open the folder may use it: it is how the operator
// of the machine works while the server holds the trail. What is done through it
// passes the gate as the program's doing.
const ControlSocket = "control.sock"

// atTheMachine is who works through the control socket: the program, with sight of
// everything.
var atTheMachine = actor.Actor{Person: actor.Program.Person, Name: actor.Program.Name, Addr: "control",
	Assignments: []actor.Assignment{{Duty: actor.SecurityAdministrator, Scope: "*"}}}

// Control answers the commands. Over a socket or not, they are the same.
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	answer := func(pattern string, do func(*http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := do(r)
			if err != nil {
				sayWhy(w, err)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(v) // who asked went away
		})
	}
	answer("GET /senders", func(r *http.Request) (any, error) { return s.Identity.Senders(r.Context()) })
	answer("POST /sender/{name}", func(r *http.Request) (any, error) {
		return s.Identity.AddSender(r.Context(), atTheMachine, r.PathValue("name"), s.cfg.Now())
	})
	answer("DELETE /sender/{name}", func(r *http.Request) (any, error) {
		return true, s.Identity.EndSender(r.Context(), atTheMachine, r.PathValue("name"), r.FormValue("reason"), s.cfg.Now())
	})
	answer("GET /retention", func(r *http.Request) (any, error) {
		at := s.cfg.Now()
		if text := r.FormValue("at"); text != "" {
			var err error
			if at, err = time.Parse(time.RFC3339, text); err != nil {
				return nil, badControl{err}
			}
		}
		return s.Events.Retention.Plan(r.Context(), at)
	})
	answer("POST /retention", func(r *http.Request) (any, error) {
		return s.Events.Keep(r.Context(), r.FormValue("today"))
	})
	answer("GET /events", s.controlEvents)
	answer("GET /report", s.controlReport)
	answer("GET /verdict", s.controlVerdict)
	answer("GET /what-if", s.controlTrial)
	answer("GET /registers", func(r *http.Request) (any, error) {
		a := exchange.Archive{Format: table.Format(r.FormValue("format")), Lang: bilingual.JA, Personal: r.FormValue("personal") != ""}
		return s.present().Exchange.Archive(r.Context(), atTheMachine, a, s.cfg.Now())
	})
	answer("POST /registers", func(r *http.Request) (any, error) {
		return s.present().Exchange.Tell(r.Context(), atTheMachine, r.Body, r.FormValue("name"), r.FormValue("note"), s.cfg.Now())
	})
	answer("GET /standing", func(r *http.Request) (any, error) { return s.Events.Standing(r.Context()), nil })
	return mux
}

// controlEvents finds events, or counts them by a field.
func (s *Server) controlEvents(r *http.Request) (any, error) {
	at := s.cfg.Now()
	if s.Events.Search == nil {
		return nil, badControl{errors.New("the index runs with the server: start it (kakusho serve), then search")}
	}
	q, err := search.Parse(r.FormValue("q"))
	if err != nil {
		return nil, err
	}
	if text := r.FormValue("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil {
			return nil, badControl{err}
		}
	}
	look, err := s.Events.Search.Permit(r.Context(), atTheMachine, r.FormValue("q"), at)
	if err != nil {
		return nil, err
	}
	if by := r.Form["by"]; len(by) > 0 {
		return s.Events.Search.Count(r.Context(), look, q, search.Stats{By: by, Limit: q.Limit})
	}
	return s.Events.Search.Find(r.Context(), look, q)
}

// controlVerdict is how a control stands on a subject, with its reasons. Like the
// events it is read as the trail is (decisions/0012): from what lies in the folder.
func (s *Server) controlVerdict(r *http.Request) (any, error) {
	ref, id, at := fact.Ref(r.FormValue("subject")), r.FormValue("control"), s.cfg.Now()
	permit, err := s.Gate.Ask(r.Context(), gate.Request{Actor: atTheMachine, At: at, Action: gate.ReadTrail, Object: "control/" + id, Scope: []string{"*"}})
	if err != nil {
		return nil, err
	}
	st, err := s.present().Posture.Now(r.Context(), permit, at)
	if err != nil {
		return nil, err
	}
	v, ok := st.Verdict(ref, id)
	if !ok {
		return nil, badControl{fmt.Errorf("no control %s judges a subject %s here", id, ref)}
	}
	return v, nil
}

// controlTrial tries a draft, as the page of trials does.
func (s *Server) controlTrial(r *http.Request) (any, error) {
	at := s.cfg.Now()
	if err := r.ParseForm(); err != nil {
		return nil, badControl{err}
	}
	d, faults := trial.Read(r.Form)
	if len(faults) > 0 {
		return nil, faults
	}
	permit, err := s.Gate.Ask(r.Context(), gate.Request{Actor: atTheMachine, At: at, Action: gate.ReadTrail, Object: "what-if", Scope: []string{"*"}})
	if err != nil {
		return nil, err
	}
	p := s.present().Posture
	find, _ := s.tried(p.Directive())
	t, err := trial.Run(r.Context(), p, permit, d, find, at)
	if err != nil {
		return nil, err
	}
	return t.Summary(), nil
}

// badControl is what is wrong with a command.
type badControl struct{ error }

// sayWhy answers an error as far as the one at the machine can act on it: all of
// it, since he may read the log as well.
func sayWhy(w http.ResponseWriter, err error) {
	status, text := http.StatusInternalServerError, bilingual.Say(err.Error(), err.Error())
	var fault identity.Fault
	var query *search.Fault
	var clock events.ClockFault
	var noTime calendar.Fault
	var untried trial.Faults
	switch {
	case errors.As(err, &clock):
		status, text = http.StatusConflict, clock.Text()
	case errors.As(err, &fault):
		status, text = http.StatusUnprocessableEntity, fault.Text
	case errors.As(err, &query):
		status, text = http.StatusUnprocessableEntity, query.Text
	case errors.As(err, &untried):
		status, text = http.StatusUnprocessableEntity, untried[0].Text()
	case errors.As(err, &noTime):
		status, text = http.StatusUnprocessableEntity, bilingual.Text(noTime)
	case errors.As(err, new(badControl)):
		status = http.StatusBadRequest
	case errors.Is(err, gate.ErrRefused):
		status = http.StatusForbidden
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(text)
}

// listenControl opens the control socket. A path that is too long for one has none:
// the commands then say so.
func (s *Server) listenControl() (net.Listener, error) {
	path := filepath.Join(s.cfg.Data, ControlSocket)
	if len(path) > 100 {
		s.cfg.Log.Warn("no control socket: the path of the data folder is too long for one", "path", path)
		return nil, nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // of a process that was killed: the trail's lock is ours
		return nil, fmt.Errorf("control socket: %w", err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), ln.Close())
	}
	return ln, nil
}

// serveControl answers commands until ctx ends.
func (s *Server) serveControl(ctx context.Context, ln net.Listener) {
	if ln == nil {
		return
	}
	srv := &http.Server{Handler: s.Control(), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
		s.cfg.Log.Error("control socket", "error", err)
	}
}
