package trail_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kakusho/trail"
	"kakusho/trail/pack"
)

// A line read again is compared with what was sealed, not with its own checksum:
// whoever can write the pack can also write the checksum.
func TestALineThatIsNotWhatWasSealedIsNotShown(t *testing.T) {
	forgeries := map[string]func(frames []frame) []frame{
		"a changed line": func(frames []frame) []frame {
			frames[1] = frames[1].lines(func(ls [][]byte) [][]byte {
				ls[0] = bytes.Replace(ls[0], []byte("tanaka"), []byte("yamada"), 1)
				return ls
			})
			return frames
		},
		"a changed line, with a seal that fits": func(frames []frame) []frame {
			frames[1] = frames[1].lines(func(ls [][]byte) [][]byte {
				ls[0] = bytes.Replace(ls[0], []byte("tanaka"), []byte("yamada"), 1)
				return ls
			})
			reseal(frames, 0, 3)
			return frames
		},
		"another arrival": func(frames []frame) []frame {
			frames[1].Arrived++
			return frames
		},
	}
	for name, forge := range forgeries {
		t.Run(name, func(t *testing.T) {
			dir := ramDir(t)
			l := sixLines(t, dir)
			for seq := range int64(7) {
				line, sealed, err := l.Checked(t.Context(), seq)
				if err != nil || line.Seq != seq || sealed != (seq < 6) || !bytes.HasPrefix(line.Bytes, fmt.Appendf(nil, `{"n":%d`, seq)) {
					t.Fatalf("line %d: %q sealed %v, %v", seq, line.Bytes, sealed, err)
				}
			}
			if _, _, err := l.Checked(t.Context(), 7); err == nil {
				t.Error("a line that is not there was read")
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			f := newForger(t, dir)
			f.edit(f.packs()[0], forge)
			l = reopen(t, dir)
			defer l.Close()
			if line, err := l.GetLine(2); err != nil {
				t.Fatalf("the forgery is noticed by its sums alone: %q %v", line.Bytes, err)
			}
			if line, _, err := l.Checked(t.Context(), 2); !errors.Is(err, trail.ErrDamage) {
				t.Errorf("a forged line was shown: %q, %v", line.Bytes, err)
			}
			if _, sealed, err := l.Checked(t.Context(), 6); err != nil || !sealed {
				t.Errorf("a line of another segment: sealed %v, %v", sealed, err)
			}
		})
	}
}

// Damage that the sums tell of is damage too, whatever part of the segment it is in.
func TestALineThatCannotBeReadIsDamaged(t *testing.T) {
	dir := ramDir(t)
	l := sixLines(t, dir)
	defer l.Close()
	name := filepath.Join(dir, "pack", pack.Name(0))
	image, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{1, 3} { // the line's frame, and the seal
		bad := bytes.Clone(image)
		bad[pack.Scan(image)[i].Off+pack.HeaderSize+9] ^= 1
		write(t, name, bad)
		if line, _, err := l.Checked(t.Context(), 2); !errors.Is(err, trail.ErrDamage) {
			t.Errorf("frame %d: got %q, %v, want ErrDamage", i, line.Bytes, err)
		}
	}
	write(t, name, image)
	if _, sealed, err := l.Checked(t.Context(), 2); err != nil || !sealed {
		t.Errorf("mended: sealed %v, %v", sealed, err)
	}
}

// sixLines are sealed, in three frames; a seventh is not.
func sixLines(t *testing.T, dir string) *trail.Log {
	t.Helper()
	l := reopen(t, dir)
	for i := range 3 {
		lines := [][]byte{fmt.Appendf(nil, `{"n":%d,"who":"tanaka"}`, 2*i), fmt.Appendf(nil, `{"n":%d,"who":"suzuki"}`, 2*i+1)}
		if _, err := l.AppendLines(t.Context(), lines); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.AppendLines(t.Context(), [][]byte{[]byte(`{"n":6}`)}); err != nil {
		t.Fatal(err)
	}
	return l
}

func reopen(t *testing.T, dir string) *trail.Log {
	t.Helper()
	l, err := trail.Open(dir, trail.Options{Now: time.Now, Installation: "check", SealEvery: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return l
}
