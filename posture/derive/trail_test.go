package derive_test

import (
	"slices"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/verdict"
)

func source(no string, more values) values {
	v := values{"source_no": no, "title": no, "system": "S", "door": "syslog-tls", "classes": []any{"login"}, "status": "in-service"}
	for name, x := range more {
		v[name] = x
	}
	return v
}

// arrive reports what came from a source.
func (b *body) arrive(no string, last time.Time, classes ...string) {
	b.t.Helper()
	seen := []any{}
	for _, c := range classes {
		seen = append(seen, c)
	}
	batch := fact.Batch{ID: no + last.String(), Subject: fact.NewRef("log-source", no), Collector: "feed", Version: "1", Method: "test", Privilege: "root", ObservedAt: last}
	for name, v := range (values{"last_arrival": last, "classes_seen": seen, "events_lost": int64(0), "clock_error": time.Duration(0)}) {
		batch.Facts = append(batch.Facts, fact.Fact{Field: name, Status: fact.Observed, Value: v})
	}
	if err := b.Intake.Accept(b.t.Context(), actor.Program, []fact.Batch{batch}, last); err != nil {
		b.t.Fatal(err)
	}
}

// lists says what a derived list of the system holds now.
func (b *body) lists(field string, want ...any) {
	b.t.Helper()
	sub, _ := b.standing().Named("system/S")
	got, _ := sub.Facts()[field].Fact.Value.([]any)
	if !slices.Equal(got, want) || sub.Facts()[field].Fact.Status != fact.Observed {
		b.t.Errorf("%s: got %v %s %s, want %v", field, got, sub.Facts()[field].Fact.Status, sub.Facts()[field].Fact.Reason, want)
	}
}

// With no source at all nothing is silent and nothing is heard: no system conforms by
// that, nor by sources that are planned or suspended.
func TestASystemWithoutALogSourceDoesNotConform(t *testing.T) {
	b := found(t)
	b.want("trail/no-silent-sources", "system/S", verdict.Violates)
	b.put(day(-300), "log-source", source("LS-1", values{"status": "suspended"}))
	b.want("trail/no-silent-sources", "system/S", verdict.Violates)
}

func TestASourceIsSilentByTheSystemsParameterAndItsOwnLimit(t *testing.T) {
	b := found(t)
	b.put(day(-300), "log-source", source("LS-1", nil))
	b.put(day(-300), "log-source", source("LS-2", values{"silence": "10m"}))
	b.put(day(-300), "log-source", source("LS-3", values{"status": "suspended"}))
	b.lists("silent_log_sources", "LS-1", "LS-2") // never heard of
	b.arrive("LS-1", now.Add(-23*time.Hour), "login")
	b.arrive("LS-2", now.Add(-10*time.Minute), "login")
	b.lists("silent_log_sources")
	b.want("trail/no-silent-sources", "system/S", verdict.Conforms)
	b.set("log.silence_max", "system/S", "22h")
	b.lists("silent_log_sources", "LS-1")
	b.want("trail/no-silent-sources", "system/S", verdict.Violates)
	b.want("trail/source-arrives", "log-source/LS-1", verdict.Violates)
	b.want("trail/source-arrives", "log-source/LS-2", verdict.Conforms)
}

// What the system's entry says is recorded must arrive; what it does not say and is
// not determined need not. A class of a silent source does not arrive.
func TestClassesThatAreDeterminedOrDeclaredMustArrive(t *testing.T) {
	b := found(t)
	b.lists("missing_event_classes", "account", "login", "login-failure", "privilege") // of the application, by default
	b.put(day(-300), "log-source", source("LS-1", nil))
	b.arrive("LS-1", now.Add(-time.Minute), "account", "login", "login-failure", "privilege", "mail")
	b.lists("missing_event_classes")
	b.put(day(-300), "computer", computer("PC-1", nil))
	b.lists("missing_event_classes", "audit", "boot", "time") // of a computer, by default
	b.put(day(-300), "log-source", source("LS-2", nil))
	b.arrive("LS-2", now.Add(-time.Minute), "audit", "boot", "time")
	b.lists("missing_event_classes")
	b.put(day(-1), "system", values{
		"system_id": "S", "title": "見本システム", "unit": "ST", "officer": "P", "maintainer": "P", "status": "in-service",
		"confidentiality": 2, "integrity": 2, "availability": 1, "internet": "none", "internet_reviewed_on": day(-30).Format(time.DateOnly),
		"trail_items": []any{"login", "inquiry"},
	})
	b.lists("missing_event_classes", "inquiry")
	b.want("trail/classes-arrive", "system/S", verdict.Violates)
	b.put(day(-1), "log-source", source("LS-2", values{"status": "suspended"}))
	b.lists("missing_event_classes", "audit", "boot", "inquiry", "time")
}

func alert(no string, raised time.Time, more values) values {
	v := values{"alert_no": no, "title": no, "rule": "r", "level": "high", "system": "S", "count": 1, "state": "open"}
	for _, f := range []string{"first_at", "last_at", "raised_at"} {
		v[f] = raised
	}
	v["deadline"] = raised.AddDate(0, 0, 1)
	for name, x := range more {
		v[name] = x
	}
	return v
}

func TestAlertsThatWaitOrWereNotActedOnCountAgainstTheSystem(t *testing.T) {
	b := found(t)
	b.put(day(-1), "alert", alert("A-1", now.Add(-24*time.Hour), nil))
	b.lists("overdue_alerts")
	b.put(day(-2), "alert", alert("A-2", now.Add(-24*time.Hour-time.Second), values{"state": "in-progress"}))
	b.put(day(-9), "alert", alert("A-3", day(-9), values{"state": "closed", "disposition": "authorised"}))
	b.put(day(-9), "alert", alert("A-4", day(-9), values{"state": "closed", "disposition": "corrected", "measures": "削除した。"}))
	b.lists("overdue_alerts", "A-2")
	b.lists("unmeasured_alerts")
	b.want("trail/alerts-in-time", "system/S", verdict.Violates)
	b.put(day(-9), "alert", alert("A-5", day(-9), values{"state": "closed", "disposition": "corrected"}))
	b.lists("unmeasured_alerts", "A-5")
	b.want("trail/findings-acted-on", "system/S", verdict.Violates)
}

func TestATrendReviewOfASavedSearchIsAnAnalysis(t *testing.T) {
	b := found(t)
	search := func(no, review, of string, on time.Time) {
		v := values{"search_no": no, "title": no, "query": "class:privilege", "review": review, "reviewed_on": on.Format(time.DateOnly), "findings": "異常なし", "status": "in-use"}
		if of != "" {
			v["system"] = of
		}
		b.put(day(-1), "saved-search", v)
	}
	search("S-1", "trend", "S", day(-90))
	search("S-2", "summary", "S", day(-2))
	b.want("trail/analysed", "system/S", verdict.Undecided)
	search("S-3", "trend", "", day(-10)) // of every system
	b.want("trail/analysed", "system/S", verdict.Conforms)
}
