package notice

import "kakusho/bilingual"

// Trial is what became of a channel that was tried.
type Trial struct {
	Channel Channel
	To      string         // whom, or where
	Fault   bilingual.Text // why it failed and what to do; blank: it was handed over
	Cause   string         // as the other side or the network told it
}
