package gate

import "kakusho/actor"

// Action is something one may ask to do. It is also the kind of the entry that
// is sealed when it is allowed.
type Action string

// The actions.
const (
	Read             Action = "read"               // look at a page
	ReadTrail        Action = "read.trail"         // search the trail
	Export           Action = "export"             // take rows out
	PutRegister      Action = "register.put"       // enter or change a register entry
	RetireRegister   Action = "register.retire"    // strike an entry out; it stays readable
	ImportRegister   Action = "register.import"    // enter or change many entries out of a file, as one decision
	UndoImport       Action = "register.undo"      // put them back as they were
	MapRegister      Action = "register.map"       // say what the columns of somebody's ledger are
	TakeStep         Action = "procedure.step"     // lead an entry on by its procedure, which names who may
	KeepDraft        Action = "draft.keep"         // keep a half-filled form, for its writer alone
	DropDraft        Action = "draft.drop"         // send or discard it
	Acknowledge      Action = "notice.acknowledge" // say that one has read a notice
	GiveDecision     Action = "decision.give"      // attest, judge, apply for an exception
	ApproveDecision  Action = "decision.approve"   // by somebody else
	WithdrawDecision Action = "decision.withdraw"  //
	NoteDecision     Action = "decision.note"      // report progress, consult, say what was agreed
	SetParameter     Action = "parameter.set"      // propose a value
	ApproveParameter Action = "parameter.approve"  // by somebody else
	EndParameter     Action = "parameter.withdraw" //
	AdoptDirective   Action = "directive.adopt"    // take a directive into force, and carry answers over
	PutFacts         Action = "fact.batch"         // bring evidence
	Collect          Action = "system.collect"     // have the own machine looked at now
	Invite           Action = "identity.invite"    // let a person set up a login
	Enrol            Action = "identity.enrol"     // the person sets it up
	Login            Action = "identity.login"     //
	Logout           Action = "identity.logout"    //
	LoginRefused     Action = "identity.refused"   //
	EndSession       Action = "identity.end"       // end a session of one's own, or of another
	AddPasskey       Action = "passkey.add"        // log in with a passkey from now on
	EndPasskey       Action = "passkey.end"        // no longer
	AddSender        Action = "sender.add"         // give a sender of events its token
	EndSender        Action = "sender.end"         // take it back
	AddFeed          Action = "feed.add"           // let a calendar program read one's inbox
	EndFeed          Action = "feed.end"           // no longer
	SetNotices       Action = "notice.set"         // how notices go out
	RunNotices       Action = "notice.run"         // the program begins to look what is new in the inboxes
	SendNotice       Action = "notice.send"        // somebody was told what is new in his inbox
	ArchiveTrail     Action = "trail.archive"      // packs of events go to the archive
	RetireTrail      Action = "trail.retire"       // packs of events go, their hashes stay
	KeepPast         Action = "past.keep"          // rows of a past are kept aside under their digest
	Restore          Action = "system.restore"     // the installation was made of a backup
	Start            Action = "system.start"       //
	Stop             Action = "system.stop"        //
)

// right says who may take an action.
type right struct {
	duties  []actor.Duty // one of them, unless the request names others
	program bool         // the program itself
	nobody  bool         // a person not logged in: only the steps of logging in
}

var everybody = actor.Duties

// deciders are the duties that decide about clauses. The operator of the
// installation is not among them.
var deciders = []actor.Duty{
	actor.SecurityAdministrator, actor.SystemOfficer, actor.Maintainer, actor.OperationsManager, actor.AreaManager, actor.Chief,
}

// rights is the whole policy. What it does not name is refused.
var rights = map[Action]right{
	Read:             {duties: everybody},
	ReadTrail:        {duties: []actor.Duty{actor.Auditor, actor.SecurityAdministrator}, program: true},
	Export:           {duties: append([]actor.Duty{actor.Auditor}, deciders...), program: true},
	PutRegister:      {duties: []actor.Duty{actor.Maintainer, actor.SystemOfficer}, program: true},
	RetireRegister:   {duties: []actor.Duty{actor.Maintainer, actor.SystemOfficer}},
	ImportRegister:   {duties: []actor.Duty{actor.Maintainer, actor.SystemOfficer}, program: true},
	UndoImport:       {duties: []actor.Duty{actor.Maintainer, actor.SystemOfficer}, program: true},
	MapRegister:      {duties: []actor.Duty{actor.Maintainer, actor.SystemOfficer}},
	TakeStep:         {duties: deciders, program: true},
	KeepDraft:        {duties: everybody},
	DropDraft:        {duties: everybody},
	Acknowledge:      {duties: everybody},
	GiveDecision:     {duties: deciders},
	ApproveDecision:  {duties: []actor.Duty{actor.SecurityAdministrator, actor.SystemOfficer, actor.Chief}},
	WithdrawDecision: {duties: deciders},
	NoteDecision:     {duties: deciders},
	SetParameter:     {duties: []actor.Duty{actor.SecurityAdministrator}},
	ApproveParameter: {duties: []actor.Duty{actor.SecurityAdministrator, actor.Chief}},
	EndParameter:     {duties: []actor.Duty{actor.SecurityAdministrator}},
	AdoptDirective:   {duties: []actor.Duty{actor.SecurityAdministrator}},
	PutFacts:         {duties: []actor.Duty{actor.Maintainer}, program: true},
	Collect:          {duties: []actor.Duty{actor.Maintainer, actor.Operator}},
	Invite:           {duties: []actor.Duty{actor.Operator}, program: true},
	Enrol:            {nobody: true, program: true},
	Login:            {nobody: true},
	Logout:           {duties: everybody},
	LoginRefused:     {nobody: true, program: true},
	EndSession:       {duties: everybody},
	AddPasskey:       {duties: everybody},
	EndPasskey:       {duties: everybody},
	AddSender:        {duties: []actor.Duty{actor.Operator, actor.Maintainer, actor.SystemOfficer}, program: true},
	EndSender:        {duties: []actor.Duty{actor.Operator, actor.Maintainer, actor.SystemOfficer}, program: true},
	AddFeed:          {duties: everybody},
	EndFeed:          {duties: everybody},
	SetNotices:       {duties: []actor.Duty{actor.Operator, actor.SecurityAdministrator}},
	RunNotices:       {program: true},
	SendNotice:       {program: true},
	ArchiveTrail:     {duties: []actor.Duty{actor.SecurityAdministrator}, program: true},
	RetireTrail:      {duties: []actor.Duty{actor.SecurityAdministrator}, program: true},
	KeepPast:         {program: true},
	Restore:          {program: true},
	Start:            {program: true},
	Stop:             {program: true},
}
