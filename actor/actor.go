// Package actor names who acts: a person holding a post that carries duties.
//
// Duties are bound to posts, not persons: when the holder changes, what is open
// follows the post.
package actor

import (
	"slices"

	"kakusho/bilingual"
)

// Duty is what a post is charged with. It decides what its holder may do.
type Duty string

// The duties of the directive and of its audit, and our own two.
const (
	SecurityAdministrator Duty = "security-administrator" // 情報セキュリティ管理者: parameters, special provisions
	SystemOfficer         Duty = "system-officer"         // システムセキュリティ責任者
	Maintainer            Duty = "maintainer"             // システムセキュリティ維持管理者
	OperationsManager     Duty = "operations-manager"     // 運用管理者
	AreaManager           Duty = "area-manager"           // 区域情報セキュリティ管理者
	Auditor               Duty = "auditor"                // 監査責任者・監査官
	Staff                 Duty = "staff"                  // 職員
	Operator              Duty = "operator"               // runs this installation of Kakusho; decides nothing about clauses
	Chief                 Duty = "chief"                  // 都道府県警察の長 (第5の3)
)

// Duties lists every Duty.
var Duties = []Duty{SecurityAdministrator, SystemOfficer, Maintainer, OperationsManager, AreaManager, Auditor, Staff, Operator, Chief}

var labels = map[Duty]bilingual.Text{
	SecurityAdministrator: {JA: "情報セキュリティ管理者", EN: "Information security administrator"},
	SystemOfficer:         {JA: "システムセキュリティ責任者", EN: "System security officer"},
	Maintainer:            {JA: "システムセキュリティ維持管理者", EN: "System security maintenance administrator"},
	OperationsManager:     {JA: "運用管理者", EN: "Operations manager"},
	AreaManager:           {JA: "区域情報セキュリティ管理者", EN: "Area information security manager"},
	Auditor:               {JA: "監査官", EN: "Auditor"},
	Staff:                 {JA: "職員", EN: "Staff"},
	Operator:              {JA: "本システム運用者", EN: "Operator of this installation"},
	Chief:                 {JA: "都道府県警察の長", EN: "Chief of the prefectural police"},
}

// Label is the duty as pages print it.
func (d Duty) Label() bilingual.Text { return labels[d] }

// Valid reports whether d is a known duty.
func (d Duty) Valid() bool { _, ok := labels[d]; return ok }

// Assignment is one duty of one post over one scope.
type Assignment struct {
	Post  string `json:"post"`
	Duty  Duty   `json:"duty"`
	Scope string `json:"scope"` // "*" everything, "unit/ID", "system/ID"
}

// Actor is who asks, as established at login. The zero Actor is nobody, who may
// do nothing but log in.
type Actor struct {
	Person      string       `json:"person"` // register key of the person; "system" for the program itself
	Name        string       `json:"name"`
	Assignments []Assignment `json:"assignments"`
	Session     string       `json:"session,omitempty"` // digest of the session token
	Addr        string       `json:"addr,omitempty"`    // where the request came from
}

// Program is the actor that stands for the program acting by itself: collecting
// on its own host, sealing, refolding.
var Program = Actor{Person: "system", Name: "Kakusho"}

// IsProgram reports whether a is the program itself. Who came in through a login is
// not, whatever his number.
func (a Actor) IsProgram() bool { return a.Person == Program.Person && a.Session == "" }

// Nobody reports whether a has not logged in.
func (a Actor) Nobody() bool { return a.Person == "" }

// Everywhere are the places for which a has a duty at all: the scope of what takes any
// duty.
func (a Actor) Everywhere() []string {
	var scopes []string
	for _, as := range a.Assignments {
		scopes = append(scopes, as.Scope)
	}
	return scopes
}

// Has reports whether a holds duty d over any scope.
func (a Actor) Has(d Duty) bool {
	return slices.ContainsFunc(a.Assignments, func(as Assignment) bool { return as.Duty == d })
}
