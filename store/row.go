package store

import (
	"time"

	"kakusho/decision"
	"kakusho/fact"
)

// Subject is what is declared about one subject. Its key is Kind and ID.
//
// Values are read back as fact.Canonical leaves them: times and durations are
// text. kind.Field.Check gives them their types again.
type Subject struct {
	Kind, ID  string
	Name      string
	Unit      string // organisation unit
	System    string // system it belongs to
	Retired   bool
	Values    map[string]any       // declared values by field; never nil when read
	Since     map[string]time.Time // by field: from when its value, or its having been cleared, is as it is
	Rev       int64                // of this subject: 1 when first put
	ChangedAt time.Time
	ChangedBy string
	Entry     int64 // Seq of the last entry that changed it
}

// Fact is the latest fact of one field. Its key is Subject and Field.
type Fact struct {
	Subject                               string // fact.Ref: "computer/PC-1"
	Field                                 string
	Status                                string // fact.Status
	Reason                                string
	Value                                 any // canonical, as in Subject.Values
	Source                                []fact.Source
	Collector, Version, Method, Privilege string
	ObservedAt, ReceivedAt                time.Time
	Since                                 time.Time // the value has been as it is since
	FirstAt                               time.Time // the field was first seen
	Entry                                 int64
}

// Decision is one decision. Its key is ID; Value is canonical.
type Decision struct {
	decision.Decision
	Entry int64
}

// Setting is one value set for one parameter in one layer. Its key is ID.
type Setting struct {
	ID          string
	Key         string // parameter
	Layer       string // national, prefecture/X, system/Y
	Value       any    // canonical
	Source      string // document
	By          string
	Approver    string
	From, Until time.Time // Until zero: open
	At          time.Time
	WithdrawnAt time.Time
	Predicted   map[string]any // what was said, before it was approved, to come of it: a decision.Prediction
	Entry       int64
}

// Credential says what the vault must hold for a person. Its key is Person.
type Credential struct {
	Person    string
	Digest    string // of what the vault holds
	ChangedAt time.Time
	Entry     int64
}

// Session is one login. Its key is Digest, of the session's secret.
type Session struct {
	Digest                    string
	Person                    string
	Addr                      string
	Passkey                   string // by which it was opened; empty: password and code
	OpenedAt, Until, ClosedAt time.Time
	Before                    time.Time // the person's login before this one; zero: none
	BeforeAddr                string
	Failed                    int64 // refusals between the two
	Elsewhere                 bool  // the person logged in before, and never from this address
	Login                     int64 // number of the entry that opened it
	Entry                     int64
}

// Passkey is a public key with which a person logs in. Its key is ID, the
// credential's, in base64url.
type Passkey struct {
	ID, Person               string
	Name                     string // as the person calls it
	Host                     string // for which it was made: the relying party
	Credential               any    // as go-webauthn reads it; its counter is that of the last login
	AddedAt, UsedAt, EndedAt time.Time
	Entry                    int64
}

// Invite is a one-time link for setting up a login. Its key is Digest, of the
// link's secret.
type Invite struct {
	Digest        string
	Person        string
	Until, UsedAt time.Time
	Entry         int64
}

// Failure is one refused login. Its key is Entry.
type Failure struct {
	Person string
	Addr   string
	At     time.Time
	Entry  int64
}

// Sender is a token given to a program that brings events. Its key is Digest, of
// the token.
type Sender struct {
	Digest           string
	Name             string
	GivenAt, EndedAt time.Time
	Entry            int64
}

// Batch is a batch of facts that was folded, so that a second arrival is known.
// Its key is ID.
type Batch struct {
	ID    string
	Entry int64
}

// Adoption is the taking into force of a directive. Its key is Entry.
type Adoption struct {
	Source                   string // of the directive
	Replaces                 string // source of the one in force until then
	Document                 string // that issued it
	Reason                   string
	By, Post                 string
	At                       time.Time
	Carried, Asked, Archived int64 // answers, by what became of them
	Entry                    int64
}

// Step is a step of a procedure that was taken. Its key is Subject and Entry.
type Step struct {
	Subject         string // fact.Ref of the entry that was led on
	Procedure, Step string
	Before, After   string // states
	Person, Post    string
	At              time.Time
	Note            string
	Files           any // list of records name, type, size, digest; nil: none
	Entry           int64
}

// Draft is a form that somebody has not sent yet. Its key is Person, Subject and Form.
type Draft struct {
	Person        string
	Subject, Form string
	Rev           int64 // of the subject, as its writer saw it
	Typed         any   // lists of texts by field
	At            time.Time
	Entry         int64
}

// Import is one file, or one set of files, that was taken into the registers as one
// decision. Its key is ID.
type Import struct {
	ID                        string
	Kind                      string // empty: several
	File                      string
	Digest                    string // SHA-256 of the file
	Bytes                     int64
	By, Post                  string
	At                        time.Time
	Note                      string
	New, Changed, Same, Apart int64  // entries; Apart: in the register and not in the file
	Undone                    string // by whom; empty: it stands
	UndonePost                string
	UndoneAt                  time.Time
	UndoneNote                string
	Entry                     int64
}

// Imported is one entry that an import made or changed, and how it was before. Its key
// is Import and Subject.
type Imported struct {
	Import, Subject string // fact.Ref
	Line            int64
	Made            bool  // it was not there before
	Retired         bool  // it was struck out before
	Was             any   // values before, canonical; nil: none
	Rev             int64 // of the subject since
}

// Mapping is what the headings and words of a ledger are in a register, as chosen last.
// Its key is Kind and Headings.
type Mapping struct {
	Kind, Headings string // table.Headings
	Mapping        any    // table.Mapping
	By             string
	At             time.Time
	Entry          int64
}

// Feed is a token by which a calendar program reads somebody's inbox. Its key is
// Digest, of the token.
type Feed struct {
	Digest           string
	Person           string
	GivenAt, EndedAt time.Time
	Entry            int64
}

// Notices is how notices go out. Its key is Name: there is one.
type Notices struct {
	Name  string
	Value any
	By    string
	At    time.Time
	Entry int64
}

// Told is an item of an inbox of which its holder was told. Its key is Person and Item,
// a digest.
type Told struct {
	Person, Item string
	At           time.Time
	Entry        int64
}

// Rows is one zero row of every table.
func Rows() []Row {
	return []Row{
		new(Subject), new(Fact), new(Decision), new(Setting),
		new(Credential), new(Session), new(Invite), new(Failure), new(Batch), new(Sender), new(Adoption), new(Step), new(Draft),
		new(Import), new(Imported), new(Mapping), new(Feed), new(Notices), new(Told), new(Passkey),
	}
}

// Table is "subject".
func (s *Subject) Table() string { return "subject" }

// Columns point into s.
func (s *Subject) Columns() []Column {
	return []Column{
		text("kind", &s.Kind).key(), text("id", &s.ID).key().words(),
		text("name", &s.Name).words(), text("unit", &s.Unit), text("system", &s.System),
		boolean("retired", &s.Retired), jsonOf("values", &s.Values).words(), jsonOf("since", &s.Since),
		integer("rev", &s.Rev), instant("changed_at", &s.ChangedAt), text("changed_by", &s.ChangedBy),
		integer("entry", &s.Entry),
	}
}

// Table is "fact".
func (f *Fact) Table() string { return "fact" }

// Columns point into f.
func (f *Fact) Columns() []Column {
	return []Column{
		text("subject", &f.Subject).key(), text("field", &f.Field).key(),
		text("status", &f.Status), text("reason", &f.Reason),
		jsonOf("value", &f.Value), jsonOf("source", &f.Source),
		text("collector", &f.Collector), text("version", &f.Version),
		text("method", &f.Method), text("privilege", &f.Privilege),
		instant("observed_at", &f.ObservedAt), instant("received_at", &f.ReceivedAt), instant("since", &f.Since), instant("first_at", &f.FirstAt),
		integer("entry", &f.Entry),
	}
}

// Table is "decision".
func (d *Decision) Table() string { return "decision" }

// Columns point into d.
func (d *Decision) Columns() []Column {
	return []Column{
		text("id", &d.ID).key().words(), text("type", (*string)(&d.Type)), text("subject", (*string)(&d.Subject)).words(),
		text("control", &d.Control).words(), text("clause", (*string)(&d.Clause)).words(), text("field", &d.Field),
		jsonOf("value", &d.Value), text("answer", &d.Answer).words(), text("reason", &d.Reason).words(),
		text("measures", &d.Measures).words(), jsonOf("conditions", &d.Conditions),
		text("consulted", &d.Consulted).words(), text("by", &d.By).words(), text("post", &d.Post),
		text("approved_by", &d.ApprovedBy), instant("at", &d.At), instant("from", &d.From),
		instant("until", &d.Until), instant("withdrawn_at", &d.WithdrawnAt), instant("approved_at", &d.ApprovedAt),
		text("directive", &d.Directive), text("carries", &d.Carries), jsonOf("chosen", &d.Chosen), instant("target", &d.Target), jsonOf("basis", &d.Basis), jsonOf("notes", &d.Notes).words(),
		text("ground", &d.Ground), jsonOf("recorded", &d.Recorded),
		integer("entry", &d.Entry),
	}
}

// Table is "setting".
func (s *Setting) Table() string { return "setting" }

// Columns point into s.
func (s *Setting) Columns() []Column {
	return []Column{
		text("id", &s.ID).key(), text("key", &s.Key).words(), text("layer", &s.Layer),
		jsonOf("value", &s.Value).words(), text("source", &s.Source).words(),
		text("by", &s.By), text("approver", &s.Approver),
		instant("from", &s.From), instant("until", &s.Until), instant("at", &s.At),
		instant("withdrawn_at", &s.WithdrawnAt), jsonOf("predicted", &s.Predicted), integer("entry", &s.Entry),
	}
}

// Table is "credential".
func (c *Credential) Table() string { return "credential" }

// Columns point into c.
func (c *Credential) Columns() []Column {
	return []Column{
		text("person", &c.Person).key(), text("digest", &c.Digest),
		instant("changed_at", &c.ChangedAt), integer("entry", &c.Entry),
	}
}

// Table is "session".
func (s *Session) Table() string { return "session" }

// Columns point into s.
func (s *Session) Columns() []Column {
	return []Column{
		text("digest", &s.Digest).key(), text("person", &s.Person), text("addr", &s.Addr), text("passkey", &s.Passkey),
		instant("opened_at", &s.OpenedAt), instant("until", &s.Until), instant("closed_at", &s.ClosedAt),
		instant("before", &s.Before), text("before_addr", &s.BeforeAddr), integer("failed", &s.Failed), boolean("elsewhere", &s.Elsewhere),
		integer("login", &s.Login), integer("entry", &s.Entry),
	}
}

// Table is "passkey".
func (k *Passkey) Table() string { return "passkey" }

// Columns point into k.
func (k *Passkey) Columns() []Column {
	return []Column{
		text("id", &k.ID).key(), text("person", &k.Person), text("name", &k.Name), text("host", &k.Host), jsonOf("credential", &k.Credential),
		instant("added_at", &k.AddedAt), instant("used_at", &k.UsedAt), instant("ended_at", &k.EndedAt), integer("entry", &k.Entry),
	}
}

// Table is "invite".
func (i *Invite) Table() string { return "invite" }

// Columns point into i.
func (i *Invite) Columns() []Column {
	return []Column{
		text("digest", &i.Digest).key(), text("person", &i.Person), instant("until", &i.Until), instant("used_at", &i.UsedAt),
		integer("entry", &i.Entry),
	}
}

// Table is "failure".
func (f *Failure) Table() string { return "failure" }

// Columns point into f.
func (f *Failure) Columns() []Column {
	return []Column{
		integer("entry", &f.Entry).key(), text("person", &f.Person), text("addr", &f.Addr), instant("at", &f.At),
	}
}

// Table is "batch".
func (b *Batch) Table() string { return "batch" }

// Columns point into b.
func (b *Batch) Columns() []Column {
	return []Column{text("id", &b.ID).key(), integer("entry", &b.Entry)}
}

// Table is "sender".
func (s *Sender) Table() string { return "sender" }

// Columns point into s.
func (s *Sender) Columns() []Column {
	return []Column{
		text("digest", &s.Digest).key(), text("name", &s.Name), instant("given_at", &s.GivenAt), instant("ended_at", &s.EndedAt),
		integer("entry", &s.Entry),
	}
}

// Table is "step".
func (s *Step) Table() string { return "step" }

// Columns point into s.
func (s *Step) Columns() []Column {
	return []Column{
		text("subject", &s.Subject).key(), integer("entry", &s.Entry).key(), text("procedure", &s.Procedure), text("step", &s.Step), text("before", &s.Before), text("after", &s.After),
		text("person", &s.Person), text("post", &s.Post), instant("at", &s.At), text("note", &s.Note), jsonOf("files", &s.Files),
	}
}

// Table is "draft".
func (d *Draft) Table() string { return "draft" }

// Columns point into d.
func (d *Draft) Columns() []Column {
	return []Column{
		text("person", &d.Person).key(), text("subject", &d.Subject).key(), text("form", &d.Form).key(), integer("rev", &d.Rev),
		jsonOf("typed", &d.Typed), instant("at", &d.At), integer("entry", &d.Entry),
	}
}

// Table is "feed".
func (f *Feed) Table() string { return "feed" }

// Columns point into f.
func (f *Feed) Columns() []Column {
	return []Column{
		text("digest", &f.Digest).key(), text("person", &f.Person), instant("given_at", &f.GivenAt), instant("ended_at", &f.EndedAt), integer("entry", &f.Entry),
	}
}

// Table is "notices".
func (n *Notices) Table() string { return "notices" }

// Columns point into n.
func (n *Notices) Columns() []Column {
	return []Column{text("name", &n.Name).key(), jsonOf("value", &n.Value), text("by", &n.By), instant("at", &n.At), integer("entry", &n.Entry)}
}

// Table is "told".
func (t *Told) Table() string { return "told" }

// Columns point into t.
func (t *Told) Columns() []Column {
	return []Column{text("person", &t.Person).key(), text("item", &t.Item).key(), instant("at", &t.At), integer("entry", &t.Entry)}
}

// Table is "adoption".
func (a *Adoption) Table() string { return "adoption" }

// Columns point into a.
func (a *Adoption) Columns() []Column {
	return []Column{
		integer("entry", &a.Entry).key(), text("source", &a.Source), text("replaces", &a.Replaces), text("document", &a.Document),
		text("reason", &a.Reason), text("by", &a.By), text("post", &a.Post), instant("at", &a.At),
		integer("carried", &a.Carried), integer("asked", &a.Asked), integer("archived", &a.Archived),
	}
}

// Table is "import".
func (i *Import) Table() string { return "import" }

// Columns point into i.
func (i *Import) Columns() []Column {
	return []Column{
		text("id", &i.ID).key(), text("kind", &i.Kind), text("file", &i.File), text("digest", &i.Digest), integer("bytes", &i.Bytes),
		text("by", &i.By), text("post", &i.Post), instant("at", &i.At), text("note", &i.Note),
		integer("new", &i.New), integer("changed", &i.Changed), integer("same", &i.Same), integer("apart", &i.Apart),
		text("undone", &i.Undone), text("undone_post", &i.UndonePost), instant("undone_at", &i.UndoneAt), text("undone_note", &i.UndoneNote),
		integer("entry", &i.Entry),
	}
}

// Table is "imported".
func (i *Imported) Table() string { return "imported" }

// Columns point into i.
func (i *Imported) Columns() []Column {
	return []Column{
		text("import", &i.Import).key(), text("subject", &i.Subject).key(), integer("line", &i.Line),
		boolean("made", &i.Made), boolean("retired", &i.Retired), jsonOf("was", &i.Was), integer("rev", &i.Rev),
	}
}

// Table is "mapping".
func (m *Mapping) Table() string { return "mapping" }

// Columns point into m.
func (m *Mapping) Columns() []Column {
	return []Column{
		text("kind", &m.Kind).key(), text("headings", &m.Headings).key(), jsonOf("mapping", &m.Mapping),
		text("by", &m.By), instant("at", &m.At), integer("entry", &m.Entry),
	}
}
