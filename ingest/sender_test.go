package ingest

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// TestASenderIsWhatASetOfNumbersIs compares a sender with a set: nothing within the
// window is forgotten or made up, and what leaves it without having come is missing.
func TestASenderIsWhatASetOfNumbersIs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var s sender
		came := map[int64]bool{}
		high, from, missing := int64(0), int64(1<<62), int64(0)
		for range 60 {
			n := max(1, high+rng.Int64N(120)-75)
			if rng.IntN(20) == 0 {
				n = high + rng.Int64N(300) + 1
			}
			old := came[n] || n <= high-window
			if s.has(n) != old {
				t.Fatalf("number %d at highest %d: has %v, want %v", n, high, s.has(n), old)
			}
			if old {
				continue
			}
			if high == 0 {
				from = n
			}
			from = min(from, n)
			for gone := max(from, high-window+1); high > 0 && gone <= n-window; gone++ {
				if !came[gone] {
					missing++
				}
			}
			came[n] = true
			high = max(high, n)
			missing -= s.add(n)
			if missing != 0 {
				t.Fatalf("after %d, highest %d: missing is off by %d", n, high, missing)
			}
		}
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte("x"), "1 a\tb")
	b, _ := json.Marshal(state{Version: stateVersion})
	f.Add(b, "0 a")
	f.Fuzz(func(t *testing.T, b []byte, m string) {
		path := filepath.Join(t.TempDir(), "state.json")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := readState(path); err == nil && s.Version != stateVersion {
			t.Errorf("took %q", b)
		}
		if _, n, ok := mark(map[string]string{markField: m}); ok && n < 1 {
			t.Errorf("mark %q: number %d", m, n)
		}
	})
}

// One who may send under a name may call himself as he likes within it: he crowds out
// himself, and nobody else.
func TestThoseWhoCallThemselvesAnewEachTimeAreBounded(t *testing.T) {
	var s senders
	s.came("quiet\tagent", 7)
	for i := range 3 * sendersOfName {
		s.came("loud\t"+strconv.Itoa(i), 5)
		s.came("loud\tsteady", int64(i+1))
	}
	if n := len(s.of); n > sendersOfName+1 {
		t.Errorf("%d senders are kept, want at most %d", n, sendersOfName+1)
	}
	for key, n := range map[string]int64{"quiet\tagent": 7, "loud\tsteady": 3 * sendersOfName, "loud\t" + strconv.Itoa(3*sendersOfName-1): 5} {
		if !s.of[key].has(n) {
			t.Errorf("what %q brought is forgotten", key)
		}
	}
	kept := senders{of: s.copied()}
	for i := range 2 * sendersOfName { // after a restart too
		kept.came("loud\tagain-"+strconv.Itoa(i), 1)
	}
	if n := len(kept.of); n > sendersOfName+1 || !kept.of["quiet\tagent"].has(7) {
		t.Errorf("after a restart %d senders are kept", n)
	}
}
