package trails

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/trail"
	"kakusho/trail/key"
	"kakusho/trail/witness"
)

// auditor is the flags that say which trail is looked at, and whom he believes who
// looks at it.
type auditor struct {
	data, dir, key, keys, policy string
	accept                       []string
}

func (p *program) auditor(c *cobra.Command) *auditor {
	a := &auditor{}
	f := c.Flags()
	f.StringVar(&a.data, "data", "data", bilingual.Say("この導入のデータを置くフォルダ", "folder of the installation").In(p.lang))
	f.StringVar(&a.dir, "trail", "", bilingual.Say("証跡のフォルダ。既定はデータの下の trail。ログの証跡は events/3y 等", "folder of the trail; default: trail below the data; trails of events are events/3y and so on").In(p.lang))
	f.StringVar(&a.key, "key", "", bilingual.Say("検証鍵、又はその入ったファイル。既定は証跡の横の trail.pub", "public key or a file of it; default: trail.pub beside the trail").In(p.lang))
	f.StringVar(&a.keys, "keys", "", bilingual.Say("鍵の交代の記録。既定は証跡の横の trail.keys", "statements by which keys follow each other; default: trail.keys beside the trail").In(p.lang))
	f.StringArrayVar(&a.accept, "accept", nil, bilingual.Say("亡失した鍵に代わるものとして認める検証鍵（繰返し可）", "public key that is accepted for a lost one (may be repeated)").In(p.lang))
	f.StringVar(&a.policy, "policy", "", bilingual.Say("必要な立会署名を定めるファイル（C2SP tlog-policy）", "file that says whose cosignatures are wanted (C2SP tlog-policy)").In(p.lang))
	return a
}

// folder is the trail's.
func (a *auditor) folder() string {
	switch {
	case a.dir == "":
		return filepath.Join(a.data, "trail")
	case filepath.IsAbs(a.dir) || exists(filepath.Join(a.dir, key.PublicFile)):
		return a.dir
	}
	return filepath.Join(a.data, a.dir)
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// trust is what the flags say; beside that the key lay beside the trail.
func (p *program) trust(a *auditor) (t trail.Trust, beside bool, err error) {
	if a.key == "" {
		p.say(p.stderr, "注意: 証跡の横にある検証鍵を用いる。監査では別の経路で受け取った鍵を --key で与えること。",
			"note: using the public key that lies beside the trail; an auditor gives the key he received on another way with --key")
		t.Key, err = trail.PublicKey(a.folder())
	} else {
		t.Key, err = keyOrFile(a.key)
	}
	if err != nil {
		return t, false, err
	}
	for _, k := range a.accept {
		if k, err = keyOrFile(k); err != nil {
			return t, false, err
		}
		t.Accepted = append(t.Accepted, k)
	}
	if t.Chain, err = a.chain(); err != nil {
		return t, false, err
	}
	t.Policy, err = readPolicy(a.policy)
	return t, a.key == "", err
}

// chain is the key statements: those beside the trail may be damaged, which only
// trail verify tells; without them the key stands alone.
func (a *auditor) chain() (key.Chain, error) {
	if a.keys != "" {
		text, err := os.ReadFile(a.keys)
		if err != nil {
			return nil, fmt.Errorf("read key statements: %w", err)
		}
		return key.ParseChain(text)
	}
	chain, err := key.ReadChain(a.folder())
	if err != nil {
		return nil, nil
	}
	return chain, nil
}

func keyOrFile(text string) (string, error) {
	if b, err := os.ReadFile(text); err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !strings.Contains(text, "+") {
		return "", fmt.Errorf("public key %q: no such file, and not a key", text)
	}
	return text, nil
}

// readPolicy reads a policy file; without a name it is the policy of nobody.
func readPolicy(name string) (witness.Policy, error) {
	if name == "" {
		return witness.Policy{}, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return witness.Policy{}, fmt.Errorf("read witness policy: %w", err)
	}
	p, err := witness.ParsePolicy(text)
	if err != nil {
		return p, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}
