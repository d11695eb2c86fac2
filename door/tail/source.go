package tail

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"kakusho/door/carry"
)

// source is all files of the patterns.
type source struct {
	opt   Options
	fresh bool             // no place was kept: New counts
	left  map[string]Place // of files not met since the start
	files []*file
	fault error
	buf   []byte
}

// file is one file we have open.
type file struct {
	Place
	f      *os.File
	size   int64     // at the last look
	moved  time.Time // when it last grew
	sought time.Time
	named  bool // some pattern gives it
	gone   bool // its folder has it no more
}

// headLength of a file's first bytes tell it from another with the same inode.
const headLength = 256

func (s *source) Close() {
	for _, f := range s.files {
		f.f.Close()
	}
	s.files = nil
}

// Read returns what was written since, file by file.
func (s *source) Read(most int) (carry.Load, error) {
	s.fault = nil
	now := s.opt.Now()
	s.scan(now)
	var load carry.Load
	bytes := 0
	for _, f := range s.files {
		more, err := s.readFile(f, now, most, &bytes, &load)
		if err != nil {
			s.fault = err
		}
		if load.More = more; more {
			break
		}
	}
	s.forget(now)
	load.Place = s.place()
	return load, s.fault
}

func (s *source) place() json.RawMessage {
	places := map[string]Place{}
	for key, p := range s.left {
		places[key] = p
	}
	for _, f := range s.files {
		places[f.key()] = f.Place
	}
	b, _ := json.Marshal(places) // plain values cannot fail
	return b
}

// scan looks which files the patterns give now, and what became of those we have.
func (s *source) scan(now time.Time) {
	for key, p := range s.left { // before what took their names
		s.resume(key, p, now)
	}
	for _, f := range s.files {
		f.named = false
	}
	for _, pattern := range s.opt.Paths {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			s.fault = fmt.Errorf("pattern %s: %w", pattern, err)
		}
		for _, path := range paths {
			s.meet(path, now)
		}
	}
	for _, f := range s.files {
		if !f.named {
			f.find(now)
		}
		s.look(f, now)
	}
	s.fresh = false
}

func inode(info fs.FileInfo) (dev, ino uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), st.Ino
	}
	return 0, 0
}

// meet opens a file that a pattern gives and that we do not have.
func (s *source) meet(path string, now time.Time) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.fault = fmt.Errorf("read %s: %w", path, err)
		}
		return
	}
	dev, ino := inode(info)
	for _, f := range s.files {
		if f.Device == dev && f.Inode == ino {
			f.named, f.gone, f.Path = true, false, path
			return
		}
	}
	if f := s.open(path, now); f != nil {
		f.named = true
		if s.fresh && s.opt.New {
			f.Offset = f.size
			f.mark()
		}
	}
}

// open opens a file and goes to where it was left.
func (s *source) open(path string, now time.Time) *file {
	r, err := os.Open(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.fault = fmt.Errorf("read %s: %w", path, err)
		}
		return nil
	}
	info, err := r.Stat()
	if err != nil {
		r.Close()
		s.fault = fmt.Errorf("read %s: %w", path, err)
		return nil
	}
	f := &file{f: r, size: info.Size(), moved: now}
	f.Path = path
	f.Device, f.Inode = inode(info)
	if p, ok := s.left[f.key()]; ok {
		delete(s.left, f.key())
		f.Place = p // look sees whether it is still the same file
		f.Path = path
	}
	s.files = append(s.files, f)
	return f
}

// resume finds a file that was renamed while nobody looked, in its folder.
func (s *source) resume(key string, p Place, now time.Time) {
	path, err := sibling(p.Path, p.Device, p.Inode)
	switch {
	case err != nil:
		s.fault = err
	case path == "":
		s.opt.Log.Warn("a file is gone; what was written to it last may not have been read", "file", p.Path, "read", p.Offset)
		delete(s.left, key)
	default:
		s.open(path, now)
	}
}

// sibling is the name an inode has now in the folder of path; "" when it is gone.
func sibling(path string, dev, ino uint64) (string, error) {
	dir := filepath.Dir(path)
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", path, err)
	}
	for _, e := range list {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			if d, i := inode(info); d == dev && i == ino {
				return filepath.Join(dir, e.Name()), nil
			}
		}
	}
	return "", nil
}

// find says now and then what became of a file whose name no pattern gives any more.
func (f *file) find(now time.Time) {
	if now.Sub(f.sought) < 5*time.Second {
		return
	}
	f.sought = now
	if path, err := sibling(f.Path, f.Device, f.Inode); err == nil {
		if f.gone = path == ""; !f.gone {
			f.Path = path
		}
	}
}

// look notes how long a file is, and whether it was begun anew.
func (s *source) look(f *file, now time.Time) {
	info, err := f.f.Stat()
	if err != nil {
		s.fault = fmt.Errorf("read %s: %w", f.Path, err)
		return
	}
	size := info.Size()
	if size < f.Offset || !bytes.Equal(f.Head, f.head(f.Length)) {
		s.opt.Log.Info("a file was begun anew", "file", f.Path, "read", f.Offset, "size", size)
		f.Offset, f.Part, f.Head, f.Length = 0, 0, nil, 0
		f.moved = now
	}
	if size != f.size {
		f.size, f.moved = size, now
	}
}

// head is the digest of the first n bytes.
func (f *file) head(n int) []byte {
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	if got, _ := f.f.ReadAt(b, 0); got < n {
		return []byte{}
	}
	sum := sha256.Sum256(b)
	return sum[:8]
}

// mark remembers the first bytes, as far as they were read.
func (f *file) mark() {
	if n := int(min(f.Offset, headLength)); n > f.Length {
		f.Head, f.Length = f.head(n), n
	}
}

// readFile reads the lines of one file, and says whether there is no room for more.
func (s *source) readFile(f *file, now time.Time, most int, size *int, load *carry.Load) (full bool, err error) {
	if s.buf == nil {
		s.buf = make([]byte, MaxLine+1)
	}
	for f.Offset < f.size {
		n, err := f.f.ReadAt(s.buf[:min(int64(len(s.buf)), f.size-f.Offset)], f.Offset)
		if err != nil && err != io.EOF {
			return false, fmt.Errorf("read %s: %w", f.Path, err)
		}
		b := s.buf[:n]
		for len(b) > 0 {
			if len(load.Events) >= most || *size >= carry.Bytes {
				return true, nil
			}
			line, length, ended := cut(b, f.ends(now) && f.Offset+int64(len(b)) >= f.size)
			if length == 0 {
				break
			}
			s.take(f, line, ended, now, load)
			f.Offset += int64(length)
			*size += length
			b = b[length:]
			f.mark()
		}
		if len(b) == n {
			return false, nil // a beginning of a line, or nothing
		}
	}
	return false, nil
}

// ends says that what a file ends with is all there will be of that line.
func (f *file) ends(now time.Time) bool {
	return now.Sub(f.moved) >= idle
}

// cut takes the next line off b, or a part of one that is too long; length is how
// much of b it takes, with its end. Zero: its end has not come.
func cut(b []byte, last bool) (line []byte, length int, ended bool) {
	i := bytes.IndexByte(b, '\n')
	switch {
	case i >= 0:
		return bytes.TrimSuffix(b[:i], []byte{'\r'}), i + 1, true
	case len(b) > MaxLine:
		n := MaxLine
		for n > MaxLine-4 && b[n]&0xC0 == 0x80 { // not within a character
			n--
		}
		return b[:n], n, false
	case last:
		return b, len(b), true
	}
	return nil, 0, false
}

// take makes an event of a line. Empty lines are none.
func (s *source) take(f *file, line []byte, ended bool, now time.Time, load *carry.Load) {
	part := f.Part
	if f.Part++; ended {
		f.Part = 0
	}
	if len(line) == 0 || len(bytes.TrimSpace(line)) == 0 {
		return
	}
	e := Line(line, now)
	if part > 0 || !ended {
		e = whole(line, now)
		e.Fields["part"] = fmt.Sprint(part + 1)
	}
	e.Fields["file"] = f.Path
	if e.Device == "" {
		e.Device = s.opt.Device
	}
	load.Events = append(load.Events, e)
}

// forget closes files that are gone and read. One that was only renamed is kept
// while its writer may still have it open.
func (s *source) forget(now time.Time) {
	s.files = slices.DeleteFunc(s.files, func(f *file) bool {
		quiet := now.Sub(f.moved)
		done := f.Offset >= f.size && (f.gone && quiet >= idle || !f.named && quiet >= 10*time.Minute)
		if done {
			f.f.Close()
		}
		return done
	})
}
