// Package feed writes an inbox as a calendar (RFC 5545), for the program in which
// people keep their dates.
package feed

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/web/inbox/due"
)

// Write is the calendar of what an inbox holds that has a date. base is the address of
// this installation.
func Write(box due.Inbox, base string, l bilingual.Lang) []byte {
	cal := ics.NewCalendarFor("Kakusho")
	cal.SetMethod(ics.MethodPublish)
	cal.SetProductId("-//Kakusho//Inbox//" + strings.ToUpper(string(l)))
	cal.SetXWRCalName(bilingual.Say("確証　受信箱", "Kakusho inbox").In(l))
	cal.SetXWRTimezone("Asia/Tokyo")
	cal.SetRefreshInterval("PT1H", ics.WithValue("DURATION"))
	for _, i := range box.Items {
		if i.Due.IsZero() {
			continue
		}
		add(cal, i, box.At, base, l)
	}
	return []byte(cal.Serialize(ics.WithNewLineWindows))
}

func add(cal *ics.Calendar, i due.Item, at time.Time, base string, l bilingual.Lang) {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(i.Sort), i.Subject, i.Control, i.Link}, " ")))
	e := cal.AddEvent(hex.EncodeToString(sum[:16]) + "@kakusho")
	e.SetDtStampTime(at.UTC())
	title := i.What.In(l)
	if i.Late(at) {
		title = bilingual.Say("【期限超過】", "[Overdue] ").In(l) + title
	}
	e.SetSummary(line(title))
	e.SetDescription(line(strings.Join([]string{i.Sort.Label().In(l), i.Name, i.Subject, string(i.Clause)}, " / ")))
	e.SetURL(base + i.Link)
	e.AddCategory(i.Sort.Label().In(l))
	// What ends with a day is an entry of its last day: a date of the registers is 00:00
	// of the day on which it holds no more.
	if t := i.Due.In(calendar.Tokyo()); t.Equal(calendar.Day(t.Year(), t.Month(), t.Day())) {
		e.SetAllDayStartAt(t.AddDate(0, 0, -1))
		e.SetAllDayEndAt(t)
	} else {
		e.SetStartAt(i.Due.UTC())
		e.SetEndAt(i.Due.UTC())
	}
	e.SetTimeTransparency(ics.TransparencyTransparent)
	if !i.Late(at) {
		alarm := e.AddAlarm()
		alarm.SetAction(ics.ActionDisplay)
		alarm.SetTrigger("-P1D")
		alarm.SetDescription(line(title))
	}
}

// line is a text without control characters, which a calendar cannot hold.
func line(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s)
}
