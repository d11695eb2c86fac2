//go:build !cloud

package tree_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kakusho/bilingual"
	"kakusho/trail"
)

// TestACloudThatIsNotBuiltInSaysHowItIs in both languages, as a wrong use.
func TestACloudThatIsNotBuiltInSaysHowItIs(t *testing.T) {
	for _, driver := range []string{"aws:bucket/osaka,user@tcp(db)/osaka", "gcp:bucket,projects/p/instances/i/databases/d"} {
		_, err := trail.Open(filepath.Join(t.TempDir(), "trail"), trail.Options{Now: time.Now, Driver: driver})
		var said interface {
			Status() int
			Text() bilingual.Text
		}
		if !errors.As(err, &said) || said.Status() != 2 || !said.Text().Complete() || !strings.Contains(said.Text().JA, "-tags cloud") || !strings.Contains(err.Error(), "-tags cloud") {
			t.Errorf("%s: got %v", driver, err)
		}
	}
}
