package audit

import (
	"errors"

	"kakusho/search"
)

// The words of a search of events, for pages: what each means, package search says.
type (
	EventQuery = search.Query
	QueryFault = search.Fault
	Hit        = search.Hit
	Ref        = search.Ref
	Stats      = search.Stats
	Group      = search.Group
)

// ParseEvents reads the language of the search line. A mistake is a *QueryFault.
func ParseEvents(text string) (EventQuery, error) { return search.Parse(text) }

// Unavailable reports whether an error says that nothing can be searched just now,
// or not so much at once. The events themselves are safe.
func Unavailable(err error) bool {
	return errors.Is(err, search.ErrDown) || errors.Is(err, search.ErrBusy)
}

// Off reports whether an error says that this server searches nothing.
func Off(err error) bool { return errors.Is(err, search.ErrOff) }

// NoEvent reports whether an error says that there is no such event, or none that
// the asker may see.
func NoEvent(err error) bool { return errors.Is(err, errNoEvent) }
