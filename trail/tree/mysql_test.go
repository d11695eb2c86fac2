package tree_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"kakusho/trail"
	"kakusho/trail/seal"
	"kakusho/trail/tree"
)

// mariadb starts the real server on a socket in a folder of its own and makes a database.
func mariadb(t *testing.T) (dsn string) {
	t.Helper()
	server, err := exec.LookPath("mariadbd")
	install, err2 := exec.LookPath("mariadb-install-db")
	if err != nil || err2 != nil {
		t.Skip("mariadbd (mariadb-server) is not here: the driver for databases is not tested")
	}
	dir, err := os.MkdirTemp("/tmp", "kakusho-prove-maria-*") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	args := []string{"--no-defaults", "--datadir=" + filepath.Join(dir, "data")}
	if os.Geteuid() == 0 {
		args = append(args, "--user=root")
	}
	if out, err := exec.Command(install, append(args, "--auth-root-authentication-method=normal", "--skip-test-db")...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(server, append(args, "--socket="+socket, "--skip-networking", "--pid-file="+filepath.Join(dir, "pid"), "--innodb-buffer-pool-size=16M")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	db, err := sql.Open("mysql", "root@unix("+socket+")/")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for deadline := time.Now().Add(30 * time.Second); db.Ping() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("mariadbd does not answer: %v", db.Ping())
		}
	}
	if _, err := db.Exec("CREATE DATABASE trail"); err != nil {
		t.Fatal(err)
	}
	return "root@unix(" + socket + ")/trail"
}

// TestATrailHasItsLogInMariaDB lives through several lives and a change of key, is
// copied out as files, and verifies there.
func TestATrailHasItsLogInMariaDB(t *testing.T) {
	dsn := mariadb(t)
	dir := filepath.Join(t.TempDir(), "trail")
	o := trail.Options{Now: time.Now, Installation: "osaka", Driver: "mysql:" + dsn}
	first := ""
	for life := range 3 {
		l, err := trail.Open(dir, o)
		if err != nil {
			t.Fatalf("life %d: %v", life, err)
		}
		if life == 0 {
			first = l.PublicKey()
			other := o
			other.Installation = "osaka"
			if _, err := trail.Open(filepath.Join(t.TempDir(), "other"), other); err == nil || !strings.Contains(err.Error(), "another process has it open") {
				t.Errorf("two have one log open: %v", err)
			}
		}
		for i := range 2 {
			if _, err := l.Append(t.Context(), trail.Entry{At: time.Now(), Kind: "system.test", Object: fmt.Sprint(life, i)}); err != nil {
				t.Fatal(err)
			}
			if err := l.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		p, err := l.Prove(t.Context(), int64(2*life))
		if err == nil {
			_, err = trail.VerifyProof(p, l.PublicKey())
		}
		if err := errors.Join(err, l.Close()); err != nil {
			t.Fatal(err)
		}
		if life == 1 {
			if _, err := trail.RotateKey(t.Context(), dir, o, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	public, err := trail.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	v, err := seal.Verifier(public)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tree.Copy(context.Background(), tree.Options{Dir: filepath.Join(dir, "log"), Driver: o.Driver, Verifier: v})
	if err != nil || c.Size != 6 {
		t.Fatalf("copy: %+v %v", c, err)
	}
	for _, k := range []string{first, public} {
		if r, err := trail.Verify(t.Context(), dir, k, nil); err != nil || !r.OK() || r.Entries != 6 {
			t.Errorf("verify the copy: %v %+v", err, r)
		}
	}
	r, err := trail.NewReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Prove(t.Context(), 5); err != nil {
		t.Errorf("prove from the copy: %v", err)
	}
	// An empty database under packs that hold segments is a lost log.
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("DROP TABLE Tessera, Checkpoint, TreeState, Subtree, TiledLeaves"); err != nil {
		t.Fatal(err)
	}
	if _, err := trail.Open(dir, o); !errors.Is(err, trail.ErrDamage) {
		t.Errorf("opens with its log gone: %v", err)
	}
}

func TestADriverThatIsNotBuiltInIsNamed(t *testing.T) {
	_, err := trail.Open(t.TempDir(), trail.Options{Now: time.Now, Driver: "tape:1"})
	if err == nil || !strings.Contains(err.Error(), `no driver "tape:1"`) {
		t.Errorf("got %v", err)
	}
}
