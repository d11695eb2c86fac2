package kind

// fresh maps a collector's group to the parameter that says how long its facts
// hold. A group that is not listed is held to the configuration limit.
var fresh = map[string]string{
	"clock":          "fresh.time",
	"malware":        "fresh.malware",
	"log":            "fresh.log",
	"account":        "fresh.account",
	"authentication": "fresh.account",
	"disk":           "fresh.crypto",
	"key":            "fresh.crypto",
	"package":        "fresh.vuln",
}

// Fresh names the parameter (a duration) after which facts of a collector's
// group are stale. The empty group, that of declared fields, is never stale.
func Fresh(group string) string {
	if group == "" {
		return ""
	}
	if key, ok := fresh[group]; ok {
		return key
	}
	return "fresh.config"
}
