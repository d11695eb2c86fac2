package scan_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"kakusho/scan"
)

const sarif = `{"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "runs": [{
 "tool": {"driver": {"name": "gosec", "version": "2.21"}},
 "results": [
  {"ruleId": "G101", "level": "error", "message": {"text": "secret"}},
  {"ruleId": "G102", "message": {"text": "a warning, as no level says"}},
  {"ruleId": "G103", "level": "note", "message": {"text": "a note"}},
  {"ruleId": "G104", "level": "error", "kind": "pass", "message": {"text": "it holds"}},
  {"ruleId": "G105", "level": "error", "suppressions": [{"kind": "inSource"}], "message": {"text": "suppressed"}},
  {"ruleId": "G106", "level": "error", "suppressions": [{"kind": "external", "status": "rejected"}], "message": {"text": "not suppressed"}},
  {"ruleId": "G107", "level": "error", "baselineState": "absent", "message": {"text": "gone"}}]}]}`

const cyclone = `{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [
 {"type": "library", "name": "a", "version": "1"}, {"type": "library", "name": "b", "components": [{"type": "library", "name": "c"}]}]}`

const spdx = `{"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "creationInfo": {"creators": ["Organization: x", "Tool: syft-1.2"]},
 "packages": [{"SPDXID": "SPDXRef-root"}, {"SPDXID": "SPDXRef-a"}, {"SPDXID": "SPDXRef-b"}],
 "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-root"}]}`

func TestWhatIsRead(t *testing.T) {
	for _, c := range []struct {
		format, text string
		want         map[string]any
	}{
		{"sarif", sarif, map[string]any{"tool": "gosec 2.21", "findings": int64(7), "open": int64(3)}},
		{"sarif", "\ufeff" + sarif, map[string]any{"tool": "gosec 2.21", "findings": int64(7), "open": int64(3)}},
		{"sarif", `{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": []}]}`, map[string]any{"tool": "x", "findings": int64(0), "open": int64(0)}},
		{"sbom", cyclone, map[string]any{"tool": "CycloneDX", "components": int64(3)}},
		{"sbom", spdx, map[string]any{"tool": "syft-1.2", "components": int64(2)}},
		// Not looked at is never "nothing found".
		{"sarif", `{"version": "2.1.0", "runs": []}`, nil},
		{"sarif", `{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}}]}`, nil},
		{"sarif", `{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "invocations": [{"executionSuccessful": false}], "results": []}]}`, nil},
		{"sarif", `{"version": "2.0.0", "runs": [{"results": []}]}`, nil},
		{"sarif", cyclone, nil},
		{"sarif", `{"version": "2.1.0", "runs": [{"results": 3}]}`, nil},
		{"sarif", `{`, nil},
		{"sbom", sarif, nil},
		{"sbom", `{"spdxVersion": "SPDX-3.0"}`, nil},
		{"sbom", "\xff", nil},
		{"other", cyclone, nil},
	} {
		got, err := scan.Read(c.format, []byte(c.text))
		if c.want == nil && !errors.Is(err, scan.ErrFormat) || !maps.Equal(got, c.want) {
			t.Errorf("%s %.60s: got %v, %v; want %v", c.format, c.text, got, err, c.want)
		}
	}
	if _, err := scan.Read("sarif", []byte("{\n\n\"version\": 3}")); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("the place is not told: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{sarif, cyclone, spdx, "{}", "[]"} {
		f.Add("sarif", []byte(s))
		f.Add("sbom", []byte(s))
	}
	f.Fuzz(func(t *testing.T, format string, content []byte) {
		got, err := scan.Read(format, content)
		if err != nil {
			if !errors.Is(err, scan.ErrFormat) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		for _, word := range scan.Words[format] {
			if n, ok := got[word].(int64); got[word] == nil || ok && n < 0 {
				t.Errorf("%s is %v", word, got[word])
			}
		}
	})
}
