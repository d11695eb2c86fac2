// Package backups has the commands kakusho backup and kakusho restore.
package backups

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/server/backup"
)

// Terminal is where the commands speak.
type Terminal struct {
	Stdout, Stderr io.Writer
	Lang           bilingual.Lang
	Version        string
	Progress       func(ja, en string) func(done, total int64)
	// Usage is the error of wrong words.
	Usage func(cmd *cobra.Command, ja, en string) error
}

func (p Terminal) say(w io.Writer, ja, en string, a ...any) {
	fmt.Fprintf(w, bilingual.Say(ja, en).In(p.Lang)+"\n", a...)
}

func (p Terminal) text(ja, en string) string { return bilingual.Say(ja, en).In(p.Lang) }

// Commands are backup and restore.
func Commands(p Terminal) []*cobra.Command { return []*cobra.Command{p.backup(), p.restore()} }

func (p Terminal) backup() *cobra.Command {
	var data string
	var to []string
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: p.text("稼働したまま導入の全体を一つの暗号化したファイルに書き出す", "Copy the whole installation, running or not, into one encrypted file"),
		Long: p.text("鍵と全ての弱点を含むため、必ず --to の鍵（backup key で作る）へ暗号化する。行、索引及び過去の控えは、証跡から作り直せるため含まない。",
			"It holds keys and every weakness, so it is always encrypted, to the keys of --to (made by backup key). Rows, index and kept pasts are left out: they are made again from the trails."),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(to) == 0 {
				return p.Usage(cmd, "--to に、backup key が示す age1… の鍵を指定すること。", "Give --to the age1… key that backup key prints.")
			}
			var recipients []age.Recipient
			for _, text := range to {
				r, err := age.ParseX25519Recipient(text)
				if err != nil {
					return p.Usage(cmd, fmt.Sprintf("--to %q は age の公開鍵でない。", text), fmt.Sprintf("--to %q is no public key of age.", text))
				}
				recipients = append(recipients, r)
			}
			m, err := write(cmd.Context(), data, args[0], recipients, p.Version, p.Progress("書出し（バイト）", "copying (bytes)"))
			if err != nil {
				return err
			}
			p.say(p.Stdout, "%s に書き出した（%dファイル、%dバイト）。%s までに受領したものを含む。", "%s written (%d files, %d bytes). It holds what was acknowledged before %s.",
				args[0], len(m.Files), m.Bytes(), m.Began.Local().Format(time.RFC3339))
			return nil
		},
	}
	c.Flags().StringVar(&data, "data", "data", p.text("この導入のデータを置くフォルダ", "folder of the installation"))
	c.Flags().StringArrayVar(&to, "to", nil, p.text("復元できる者の公開鍵 age1…（繰返し可）", "public key age1… of who can restore it (may be repeated)"))
	c.AddCommand(p.key())
	return c
}

// write writes the backup beside the file and gives it its name when it is on disk.
func write(ctx context.Context, data, name string, to []age.Recipient, version string, progress func(done, total int64)) (m backup.Manifest, err error) {
	if inside(name, data) {
		return m, fmt.Errorf("%s is in the data folder: a backup is kept elsewhere", name)
	}
	own, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // nobody else's file is replaced
	if errors.Is(err, fs.ErrExist) {
		return m, fmt.Errorf("%s is there already: name another file", name)
	}
	if err == nil {
		err = own.Close()
	}
	if err != nil {
		return m, fmt.Errorf("write backup: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".backup-*") // 0600
	if err != nil {
		return m, fmt.Errorf("write backup: %w", errors.Join(err, os.Remove(name)))
	}
	sealed, err := age.Encrypt(f, to...)
	if err == nil {
		m, err = backup.Write(ctx, data, sealed, version, time.Now(), progress)
	}
	if err == nil {
		err = sealed.Close()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return m, fmt.Errorf("write backup: %w", errors.Join(err, os.Remove(f.Name()), os.Remove(name)))
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return m, err
	}
	return m, errors.Join(dir.Sync(), dir.Close())
}

// inside reports whether a file is in a folder.
func inside(file, folder string) bool {
	at, err := filepath.Abs(filepath.Dir(file))
	in, ferr := filepath.Abs(folder)
	if err != nil || ferr != nil {
		return false
	}
	rel, err := filepath.Rel(in, at)
	return err == nil && filepath.IsLocal(rel)
}

func (p Terminal) key() *cobra.Command {
	return &cobra.Command{
		Use:   "key FILE",
		Short: p.text("復元のための鍵を作る。公開鍵を標準出力に示す", "Make a key to restore with; its public key is printed"),
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := age.GenerateX25519Identity()
			if err != nil {
				return err
			}
			f, err := os.OpenFile(args[0], os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return fmt.Errorf("write key: %w", err)
			}
			_, err = fmt.Fprintf(f, "# public key: %s\n%s\n", key.Recipient(), key)
			if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
				return fmt.Errorf("write key: %w", err)
			}
			p.say(p.Stderr, "この鍵がなければ復元できず、あれば誰でも読める。%s を、この機器とは別の所に保管すること。", "Without this key nothing is restored, and with it anybody reads it all: keep %s elsewhere than on this machine.", args[0])
			fmt.Fprintln(p.Stdout, key.Recipient())
			return nil
		},
	}
}

func (p Terminal) restore() *cobra.Command {
	var data, key string
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: p.text("書き出したファイルから、新しいフォルダに導入を復元し、検証する", "Make an installation of a backup in a new folder, and verify it"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if key == "" || data == "" {
				return p.Usage(cmd, "--key に復元の鍵のファイル、--data に新しいフォルダを指定すること。", "Give --key the file of the key, and --data a new folder.")
			}
			return p.restored(cmd.Context(), args[0], key, data)
		},
	}
	c.Flags().StringVar(&data, "data", "", p.text("復元先のフォルダ。まだないもの", "folder to restore into, not there yet"))
	c.Flags().StringVar(&key, "key", "", p.text("復元の鍵のファイル", "file of the key"))
	return c
}

func (p Terminal) restored(ctx context.Context, file, key, data string) error {
	k, err := os.Open(key)
	if err != nil {
		return fmt.Errorf("read key: %w", err)
	}
	keys, err := age.ParseIdentities(k)
	if err = errors.Join(err, k.Close()); err != nil {
		return fmt.Errorf("read key %s: %w", key, err)
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read backup: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read backup: %w", err)
	}
	counted := &counter{f, 0, info.Size(), p.Progress("復元（バイト）", "restoring (bytes)")}
	plain, err := age.Decrypt(bufio.NewReaderSize(counted, 1<<20), keys...)
	if err != nil {
		return fmt.Errorf("read backup %s: %w: is this the key it was made for?", file, err)
	}
	m, reports, err := backup.Restore(ctx, plain, data, time.Now)
	if err != nil {
		return err
	}
	bad := 0
	for _, name := range slices.Sorted(maps.Keys(reports)) {
		r := reports[name]
		p.say(p.Stdout, "証跡 %s: 記録 %d件、区分 %d、異常 %d件", "trail %s: %d entries, %d segments, %d problems", name, r.Entries, r.Segments, len(r.Problems))
		for _, x := range r.Problems {
			fmt.Fprintf(p.Stdout, "  %s: %s\n", x.What.Label().In(p.Lang), x)
		}
		bad += len(r.Problems)
	}
	if bad > 0 {
		return damaged{bad}
	}
	p.say(p.Stdout, "%s に復元した。%s より後に記録されたものは含まない。同じ導入を二つ同時に動かさないこと。", "Restored into %s. What was recorded after %s is not in it. Never run the same installation twice.", data, m.Began.Local().Format(time.RFC3339))
	return nil
}

// counter tells how much of a file was read.
type counter struct {
	io.Reader
	n, all   int64
	progress func(done, total int64)
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	c.progress(c.n, c.all)
	return n, err
}

// damaged is the status of a trail that does not verify.
type damaged struct{ problems int }

func (d damaged) Error() string { return d.Text().EN }

// Status is that of trail verify.
func (d damaged) Status() int { return 5 }

// Text says what is wrong.
func (d damaged) Text() bilingual.Text {
	return bilingual.Say(fmt.Sprintf("復元した証跡に%d件の異常がある。", d.problems), fmt.Sprintf("the restored trails have %d problems", d.problems))
}
