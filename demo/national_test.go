package demo_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kakusho/demo"
)

// TestTheNationIsWhole reads all data of the nation and goes as far as the first
// step; nightly it is filled.
func TestTheNationIsWhole(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC) }
	dir := filepath.Join(t.TempDir(), "nation")
	if os.Getenv("KAKUSHO_NIGHTLY") == "" {
		ctx, stop := context.WithCancel(t.Context())
		steps := int64(0)
		_, err := demo.FillNation(ctx, dir, now, func(_, total int64) { steps = total; stop() })
		if !errors.Is(err, context.Canceled) || steps < 3000 {
			t.Errorf("%d steps, %v; want some for each device, and to be stopped", steps, err)
		}
		return
	}
	begun := time.Now()
	r, err := demo.FillNation(t.Context(), dir, now, nil)
	if err != nil || r.Systems != 3*47 || r.Devices < 3000 {
		t.Errorf("got %+v, %v; want three systems in each of 47 prefectures, and 3,000 devices", r, err)
	}
	if took := time.Since(begun); took > 2*time.Minute {
		t.Errorf("filling took %s, want at most two minutes", took)
	}
}
