// Package audit checks a whole trail, offline, with nothing but its public key.
//
// It promises to find any byte that is not as the trail wrote it, in any file but
// the private key, and to name the entries it touches: through the frame table
// that a segment's record commits to, which is in the log, which the checkpoint
// signs. Verify reads only; a trail in use can be checked too.
package audit

import (
	"fmt"
	"strings"

	"kakusho/bilingual"
	"kakusho/trail/seal"
	"kakusho/trail/witness"
)

// What is what is wrong.
type What string

// The things that can be wrong. Damaged, Altered, Missing and Unproved touch entries; of the
// others no entry is touched unless the problem names some.
const (
	Key        What = "key"        // trail.pub is not the key we were given, nor one that follows it
	Lost       What = "key-lost"   // the key was replaced without the old one, and nobody has accepted it
	Witness    What = "witness"    // not what witnesses have signed, or not by enough of them
	Checkpoint What = "checkpoint" // not signed, or does not sign what is there
	Behind     What = "behind"     // sealed, but the checkpoint does not cover it
	Damaged    What = "damaged"    // cannot be read
	Altered    What = "altered"    // can be read, but is not what was sealed
	Missing    What = "missing"    // is not there
	Unproved   What = "unproved"   // can be read, but what would prove it is lost
	Record     What = "record"     // a seal is not the one in the log
	Header     What = "header"     // the head of a pack
	Order      What = "order"      // is there, but in another place
	Extra      What = "extra"      // does not belong here
	Log        What = "log"        // a file of the log is not what the log says
	Torn       What = "torn"       // the last write is not whole
	Unreadable What = "unreadable" // the file cannot be opened or read
)

var labels = map[What]bilingual.Text{
	Key:        {JA: "公開鍵の不一致", EN: "Public key differs"},
	Lost:       {JA: "亡失した署名鍵の交代（未承認）", EN: "Lost key replaced, not accepted yet"},
	Witness:    {JA: "立会署名との不一致又は不足", EN: "Not what witnesses have signed, or too few"},
	Checkpoint: {JA: "チェックポイントの不正", EN: "Checkpoint does not hold"},
	Behind:     {JA: "チェックポイントが古い", EN: "Checkpoint is older than the trail"},
	Damaged:    {JA: "記録の破損", EN: "Entries damaged"},
	Altered:    {JA: "記録の改変", EN: "Entries altered"},
	Missing:    {JA: "記録の欠落", EN: "Entries missing"},
	Unproved:   {JA: "立証不能の記録", EN: "Entries that can no longer be proved"},
	Record:     {JA: "封印の破損又は改変", EN: "Seal damaged or altered"},
	Header:     {JA: "収納ファイルの先頭部の破損", EN: "Head of a pack damaged"},
	Order:      {JA: "順序の入替え", EN: "Out of order"},
	Extra:      {JA: "余分なデータ", EN: "Does not belong to the trail"},
	Log:        {JA: "ログファイルの破損又は改変", EN: "File of the log damaged or altered"},
	Torn:       {JA: "書込みの中断", EN: "Write cut short"},
	Unreadable: {JA: "読取り不能", EN: "Cannot be read"},
}

// Label is the thing as pages and reports print it.
func (w What) Label() bilingual.Text { return labels[w] }

// Problem is one thing found, and where.
type Problem struct {
	What     What   `json:"what"`
	Segment  int64  `json:"segment"`   // -1: none in particular
	FirstSeq int64  `json:"first_seq"` // the entries touched; -1: none
	LastSeq  int64  `json:"last_seq"`
	File     string `json:"file"`             // below the trail's directory
	Offset   int64  `json:"offset"`           // where in it; -1: the file as a whole
	Detail   string `json:"detail,omitempty"` // technical
}

// String is one line.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(string(p.What))
	if p.Segment >= 0 {
		fmt.Fprintf(&b, " segment %d", p.Segment)
	}
	if p.FirstSeq >= 0 {
		fmt.Fprintf(&b, " entries %d..%d", p.FirstSeq, p.LastSeq)
	}
	if p.File != "" {
		fmt.Fprintf(&b, " %s", p.File)
	}
	if p.Offset >= 0 {
		fmt.Fprintf(&b, " at %d", p.Offset)
	}
	if p.Detail != "" {
		fmt.Fprintf(&b, ": %s", p.Detail)
	}
	return b.String()
}

// Report is what Verify found.
type Report struct {
	Entries    int64                 `json:"entries"`             // sealed and under the checkpoint
	Segments   int64                 `json:"segments"`            // likewise
	Unsealed   int64                 `json:"unsealed"`            // entries behind the last seal; only a sum guards them
	InUse      bool                  `json:"in_use"`              // a process was writing meanwhile
	Checkpoint seal.Checkpoint       `json:"checkpoint"`          // zero when it does not hold
	Skipped    []string              `json:"skipped"`             // files not looked at: private keys
	Witnessed  int64                 `json:"witnessed"`           // segments that witnesses have signed; whether they are to be believed, a policy says
	Witnesses  []witness.Cosignature `json:"witnesses,omitempty"` // of the policy
	Gone       []Gone                `json:"gone,omitempty"`      // packs in the archive, or retired: no problem
	Problems   []Problem             `json:"problems"`
}

// OK reports that nothing is wrong.
func (r Report) OK() bool { return len(r.Problems) == 0 }
