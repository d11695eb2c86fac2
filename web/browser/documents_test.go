package browser_test

import (
	"path/filepath"
	"testing"
	"time"

	"kakusho/demo"
)

// documentPages are documents of the sample body: wide ones, long ones, drawn ones.
var documentPages = []string{"/documents", "/documents?system=HR", "/documents?system=HR&state=missing", "/documents?q=nothing-is-called-so", "/document/system-ledger?system=HR",
	"/document/configuration-diagram?system=HR", "/document/network-diagram?system=HR", "/document/equipment", "/document/admin-rights?system=HR",
	"/document/committee", "/document/audit?system=HR", "/document/exceptions", "/document/work?unit=HQ"}

func TestTheDocumentsOfTheSampleBodyFillTheirPages(t *testing.T) {
	data := filepath.Join(t.TempDir(), "body")
	if _, err := demo.Fill(t.Context(), data, time.Now, nil); err != nil {
		t.Fatal(err)
	}
	s := open(t, data)
	s.firstAdministrator()
	s.walk(documentPages, "documents-")
}
