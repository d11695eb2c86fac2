package decision

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"kakusho/fact"
)

// Prediction is what was said to come of a value that somebody puts forward, before it
// was approved: how many verdicts would become what. Of what draft is part of it.
type Prediction struct {
	Key   string    `json:"key"`
	Layer string    `json:"layer"`
	Value any       `json:"value"` // canonical
	From  time.Time `json:"from"`

	On     time.Time      `json:"on"` // the instant tried: From, or when it was predicted
	At     time.Time      `json:"at"`
	Counts map[string]int `json:"counts"` // verdicts that would become another, by what they come to
}

// Of reports whether the prediction is of exactly this draft: the same parameter, layer,
// value and beginning.
func (p Prediction) Of(key, layer string, value any, from time.Time) bool {
	a, errA := json.Marshal(fact.Canonical(p.Value))
	b, errB := json.Marshal(fact.Canonical(value))
	return errA == nil && errB == nil && bytes.Equal(a, b) && p.Key == key && p.Layer == layer && p.From.Equal(from)
}

// Digest tells predictions apart by what they are of and what they say, not by when they
// were made: who saw one saw the other.
func (p Prediction) Digest() string {
	b, err := json.Marshal([]any{p.Key, p.Layer, fact.Canonical(p.Value), p.From.UTC(), p.Counts})
	if err != nil {
		b = fmt.Append(nil, err) // no value of a parameter is like that
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
