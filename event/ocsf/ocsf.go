// Package ocsf says an event in the words of the Open Cybersecurity Schema Framework,
// the classes and attributes that others' tools know. What has no place there is in
// "unmapped", so nothing is left out; what a class requires and an event does not
// have is not made up. docs/events.md has the table.
package ocsf

import (
	"strconv"
	"strings"

	"kakusho/event"
)

// Version is that of the schema.
const Version = "1.3.0"

// From is e as an object of the schema, to be written as JSON.
func From(e event.Event) map[string]any {
	c := classOf(e)
	out := map[string]any{
		"category_uid": c.class / 1000, "class_uid": c.class, "class_name": c.name, "activity_id": c.activity, "type_uid": c.class*100 + c.activity,
		"severity_id": severity(e.Level), "time": e.At.UnixMilli(), "status_id": status(e.Result),
	}
	if _, offset := e.At.Zone(); offset != 0 {
		out["timezone_offset"] = offset / 60
	}
	metadata := map[string]any{"version": Version, "product": map[string]any{"name": "Kakusho"}, "profiles": []string{"host"}}
	text(metadata, "uid", e.ID)
	text(metadata, "log_name", e.Feed)
	text(metadata, "log_provider", e.Fields[event.App])
	text(metadata, "event_code", e.Event)
	out["metadata"] = metadata
	text(out, "message", e.Text)
	text(out, "status_detail", string(e.Result))
	if e.Device != "" {
		out["device"] = map[string]any{"hostname": e.Device, "type_id": 0}
	}
	if e.Account != "" {
		user := map[string]any{"name": e.Account}
		out["actor"] = map[string]any{"user": user}
		if c.class/1000 == 3 {
			out["user"] = user
		}
	}
	if e.Source != "" {
		key := "hostname"
		if strings.Trim(e.Source, "0123456789.") == "" || strings.Contains(e.Source, ":") {
			key = "ip"
		}
		out["src_endpoint"] = map[string]any{key: e.Source}
	}
	if e.Object != "" {
		out["resources"] = []any{map[string]any{"name": e.Object}}
	}
	if len(e.Raw) > 0 {
		out["raw_data"] = strings.ToValidUTF8(string(e.Raw), "\uFFFD")
		out["raw_data_size"] = len(e.Raw)
	}
	out["unmapped"] = rest(e)
	return out
}

// rest is what the schema has no place for.
func rest(e event.Event) map[string]any {
	out := make(map[string]any, len(e.Fields)+5)
	for name, value := range e.Fields {
		out["fields."+name] = value
	}
	text(out, "clock", string(e.Clock))
	text(out, "system", e.System)
	text(out, "class", string(e.Class))
	text(out, "format", e.Format)
	if e.Level != 0 {
		out["level"] = strconv.Itoa(int(e.Level))
	}
	return out
}

func text(to map[string]any, key, value string) {
	if value != "" {
		to[key] = value
	}
}

type class struct {
	class, activity int
	name            string
}

// classOf is the class and the activity. 99 is "other", 0 "unknown".
func classOf(e event.Event) class {
	switch e.Class {
	case event.Login, event.LoginFailure:
		return class{3002, 1, "Authentication"}
	case event.Logout:
		return class{3002, 2, "Authentication"}
	case event.Privilege:
		return class{3003, 1, "Authorize Session"}
	case event.Account:
		return class{3001, 99, "Account Change"}
	case event.File:
		return class{1001, 99, "File System Activity"}
	case event.Inquiry:
		return class{6005, 4, "Datastore Activity"}
	case event.Mail:
		return class{4009, 1, "Email Activity"}
	case event.Web:
		return class{4002, 99, "HTTP Activity"}
	case event.Network:
		if e.Result == event.Denied {
			return class{4001, 5, "Network Activity"}
		}
		return class{4001, 6, "Network Activity"}
	case event.Process:
		return class{1007, 1, "Process Activity"}
	case event.Config, event.Time:
		return class{5019, 1, "Device Config State Change"}
	case event.Audit, event.LogStore:
		return class{1008, 99, "Event Log Activity"}
	case event.Boot:
		return class{6002, 99, "Application Lifecycle"}
	case event.Malware:
		return class{2004, 1, "Detection Finding"}
	case event.Print, event.Backup:
		return class{0, 99, "Base Event"}
	}
	return class{0, 0, "Base Event"}
}

func severity(l event.Level) int {
	if !l.Valid() {
		return 0
	}
	return [...]int{6, 5, 5, 4, 3, 2, 1, 1}[l-1]
}

func status(r event.Result) int {
	switch r {
	case event.Success:
		return 1
	case event.Failure, event.Denied:
		return 2
	}
	return 0
}
