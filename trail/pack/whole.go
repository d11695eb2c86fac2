package pack

import (
	"errors"
	"os"
	"path/filepath"
)

// Unfinished ends the name under which WriteWhole writes a file first. A power cut may
// leave one; the next WriteWhole of that file removes it.
const Unfinished = ".new"

// WriteWhole makes a file so that after a power cut it is whole, or as it was before.
func WriteWhole(fs FS, name string, data []byte) error {
	tmp := name + Unfinished
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := fs.Create(tmp)
	if err != nil {
		return err
	}
	n, err := f.WriteAt(data, 0)
	if err == nil && n != len(data) {
		err = errors.New("short write")
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, name); err != nil {
		return err
	}
	return fs.SyncDir(filepath.Dir(name))
}
