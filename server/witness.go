package server

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"kakusho/trail"
	"kakusho/trail/witness"
)

// Proof says who else vouches for the trails, and where their logs are.
type Proof struct {
	Policy  string // file, C2SP tlog-policy: the witnesses that are asked; empty: nobody
	Witness bool   // witness the trails of others, at the address /witness/
	Driver  string // of the logs of segments: empty: files; mysql:DSN, in which {trail} stands for trail, events_3y …
}

// proofs is how each trail of this installation is opened.
func (s *Server) proofs() (o trail.Options, err error) {
	o = trail.Options{Now: s.cfg.Now, Log: s.cfg.Log, Driver: s.cfg.Proof.Driver}
	if s.cfg.Proof.Policy == "" {
		return o, nil
	}
	text, err := os.ReadFile(s.cfg.Proof.Policy)
	if err == nil {
		o.Witnesses, err = witness.ParsePolicy(text)
	}
	if err != nil {
		return o, fmt.Errorf("witness policy %s: %w", s.cfg.Proof.Policy, err)
	}
	return o, nil
}

// driverOf is the setting of one trail.
func driverOf(setting, name string) string {
	return strings.ReplaceAll(setting, "{trail}", name)
}

// openTrail opens the trail of what is declared and decided, and our own witness.
func (s *Server) openTrail() error {
	o, err := s.proofs()
	if err != nil {
		return err
	}
	s.cfg.Events.Trail = o
	o.Driver = driverOf(o.Driver, "trail")
	if s.trail, err = trail.Open(filepath.Join(s.cfg.Data, "trail"), o); err != nil {
		return fmt.Errorf("open trail: %w", err)
	}
	if !s.cfg.Proof.Witness {
		return nil
	}
	name, _, _ := strings.Cut(s.trail.PublicKey(), "+")
	s.witness, err = witness.Open(filepath.Join(s.cfg.Data, "witness"), witness.Options{Name: name + "/witness", Now: s.cfg.Now, Log: s.cfg.Log})
	if err != nil {
		return errors.Join(err, s.trail.Close())
	}
	return nil
}

// withWitness adds our own witness to the pages. Logs need no session there: what
// they bring is signed.
func (s *Server) withWitness(pages http.Handler) http.Handler {
	if s.witness == nil {
		return pages
	}
	mux := http.NewServeMux()
	mux.Handle("/witness/add-checkpoint", s.witness)
	mux.Handle("/", pages)
	return mux
}
