package server_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/japanese"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/kind/table"
	"kakusho/register"
	"kakusho/register/exchange"
)

// soundly serves the body's pages until the test ends, and then checks what must hold.
func (b *body) soundly() (base string) {
	b.t.Cleanup(func() { b.ctx = context.WithoutCancel(b.ctx); b.sound() })
	return b.open()
}

// sends brings a ledger as a person does, and returns where its page is.
func (b *body) sends(base, person, kindID, name string, data []byte) (status int, page string, text string) {
	b.t.Helper()
	b.as(person)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.ctx, http.MethodPost, base+"/register/"+kindID+"/import", &form)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	return b.answer(person, r)
}

// acts sends a form and returns where it leads.
func (b *body) acts(base, person, path string, form url.Values) (status int, to string, text string) {
	b.t.Helper()
	b.as(person)
	r, err := http.NewRequestWithContext(b.ctx, http.MethodPost, base+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.answer(person, r)
}

func (b *body) answer(person string, r *http.Request) (status int, to string, text string) {
	b.t.Helper()
	r.AddCookie(&http.Cookie{Name: "kakusho", Value: b.sessions[person]})
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer a.Body.Close()
	all, err := io.ReadAll(a.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return a.StatusCode, a.Header.Get("Location"), string(all)
}

// settled reads a page of a ledger until the work on it is over.
func (b *body) settled(base, person, path string) (status int, text string) {
	b.t.Helper()
	for range 600 {
		status, page := b.get(base, person, path)
		if status != http.StatusAccepted {
			return status, string(page)
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.t.Fatalf("%s: not over after a minute", path)
	return 0, ""
}

var digestField = regexp.MustCompile(`name="digest" value="([0-9a-f]{64})"`)

// applies applies a ledger that was tried, and returns its import.
func (b *body) applies(base, person, page, note string) (imported string) {
	b.t.Helper()
	_, text := b.settled(base, person, page)
	m := digestField.FindStringSubmatch(text)
	if m == nil {
		b.t.Fatalf("%s cannot be applied:\n%s", page, mainOf(text))
	}
	if status, _, text := b.acts(base, person, page, url.Values{"do": {"apply"}, "digest": {m[1]}, "note": {note}}); status != http.StatusSeeOther {
		b.t.Fatalf("apply %s: %d\n%s", page, status, mainOf(text))
	}
	if status, text := b.settled(base, person, page); status != http.StatusSeeOther {
		b.t.Fatalf("%s after applying: %d\n%s", page, status, mainOf(text))
	}
	return "/imports/" + strings.TrimPrefix(page, "/upload/")
}

var tags = regexp.MustCompile(`<[^>]*>`)

// mainOf is what a page says.
func mainOf(page string) string {
	_, page, _ = strings.Cut(page, "<main")
	page, _, _ = strings.Cut(page, "</main>")
	return tags.ReplaceAllString(strings.ReplaceAll(page, "</td>", " | "), "")
}

func (b *body) saysPage(text string, want ...string) {
	b.t.Helper()
	said := mainOf(text)
	for _, w := range want {
		if !strings.Contains(said, w) {
			b.t.Errorf("the page lacks %q:\n%s", w, said)
		}
	}
}

// ledger is a list of computers as an office keeps it: with a title above, headings and
// words of its own, a column nobody asked for, in Shift_JIS.
func ledger(t *testing.T, rows ...string) []byte {
	t.Helper()
	text := "端末管理一覧表,,,,,\r\n令和8年11月1日現在,,,,,\r\n\r\n資産番号（シール）,種類,使用システム,コンピュータ名,使用状況,備品担当\r\n" + strings.Join(rows, "\r\n") + "\r\n"
	s, err := japanese.ShiftJIS.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(s)
}

// column finds where a heading of a ledger's page is chosen.
func column(t *testing.T, page, heading string) string {
	t.Helper()
	m := regexp.MustCompile(`name="((?:col|word)\.\d+)" aria-label="[^"]*` + regexp.QuoteMeta(heading) + `"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no choice for %q:\n%s", heading, mainOf(page))
	}
	return m[1]
}

func TestAnOfficesLedgerIsMatchedTriedAppliedAndUndone(t *testing.T) {
	b := found(t)
	base := b.soundly()
	who := "s-all"
	rows := []string{"CA-1,サーバ,A,ca-1-new,稼働中,鈴木", "CA-7,端末,A,ca-7,稼働中,佐藤", "CA-8,端末,B,ca-8,予備,佐藤"}
	status, page, text := b.sends(base, who, "computer", "端末台帳.csv", ledger(t, rows...))
	if status != http.StatusSeeOther || !strings.HasPrefix(page, "/upload/") {
		t.Fatalf("bringing it: %d %s\n%s", status, page, mainOf(text))
	}
	status, text = b.settled(base, who, page)
	if status != http.StatusUnprocessableEntity {
		t.Fatalf("tried: %d\n%s", status, mainOf(text))
	}
	b.saysPage(text, "端末台帳.csv", "shift_jis", "見出し 4行目", "備品担当", "未定", "対応の定まらない列がある")

	// Its headings are matched, then its words; both are remembered.
	choose := url.Values{"do": {"map"}}
	for heading, field := range map[string]string{"資産番号（シール）": "asset_no", "種類": "role", "使用システム": "system", "コンピュータ名": "hostname", "使用状況": "status", "備品担当": "-"} {
		choose.Set(column(t, text, heading), field)
	}
	if status, to, text := b.acts(base, who, page, choose); status != http.StatusSeeOther || to != page {
		t.Fatalf("matching: %d %s\n%s", status, to, mainOf(text))
	}
	_, text = b.settled(base, who, page)
	b.saysPage(text, "選択肢にない値", "稼働中 5行目から", "予備 7行目から", "E 使用状況")
	words := url.Values{"do": {"map"}}
	for heading, field := range map[string]string{"資産番号（シール）": "asset_no", "種類": "role", "使用システム": "system", "コンピュータ名": "hostname", "使用状況": "status", "備品担当": "-"} {
		words.Set(column(t, text, heading), field)
	}
	words.Set(column(t, text, "稼働中"), "in-service")
	words.Set(column(t, text, "予備"), "stored")
	words.Set(column(t, text, "サーバ"), "server")
	if status, _, text := b.acts(base, who, page, words); status != http.StatusSeeOther {
		t.Fatalf("matching words: %d\n%s", status, mainOf(text))
	}
	status, text = b.settled(base, who, page)
	if status != http.StatusOK {
		t.Fatalf("tried again: %d\n%s", status, mainOf(text))
	}
	b.saysPage(text, "新規 2", "変更 1", "同一 0", "ファイルにない登録 2", "選んだもの", "CA-7", "3件を取り込む")
	_, changed := b.settled(base, who, page+"?show=changed")
	b.saysPage(changed, "5 | CA-1", "ホスト名", "ca-1 → ca-1-new")
	_, absent := b.settled(base, who, page+"?show=absent")
	b.saysPage(absent, "CB-1", "取り込んでもそのまま残る")
	if b.entry("computer/CA-7").Rev != 0 || b.entry("computer/CA-1").Values["hostname"] != "ca-1" {
		t.Error("trying changed the register")
	}

	// Nobody else sees it, and it is not in the past.
	if status, _ := b.get(base, "s-maintainer-a", page); status != http.StatusNotFound {
		t.Errorf("somebody else's ledger: %d, want 404", status)
	}
	if status, _, _ := b.acts(base, "s-maintainer-a", page, url.Values{"do": {"drop"}}); status != http.StatusNotFound {
		t.Errorf("somebody else puts it aside: %d, want 404", status)
	}

	imported := b.applies(base, who, page, "令和8年11月の移行")
	for ref, want := range map[fact.Ref]values{
		"computer/CA-1": {"hostname": "ca-1-new", "status": "in-service", "system": "A"},
		"computer/CA-7": {"hostname": "ca-7", "status": "in-service", "role": "terminal"},
		"computer/CA-8": {"hostname": "ca-8", "status": "stored", "system": "B"},
	} {
		for name, v := range want {
			if got := b.entry(ref).Values[name]; got != v {
				t.Errorf("%s %s: got %v, want %v", ref, name, got, v)
			}
		}
	}
	_, list := b.get(base, "s-auditor", "/imports?kind=computer")
	b.saysPage(string(list), "端末台帳.csv", "令和8年11月の移行", who, "有効")
	_, one := b.get(base, "s-auditor", imported)
	b.saysPage(string(one), "端末台帳.csv", "新規 2件、変更 1件、同一 0件、ファイルにない登録 2件", "ca-1 → ca-1-new", "SHA-256")
	if strings.Contains(string(one), "/undo") {
		t.Error("an auditor is offered to undo it")
	}
	if status, _, _ := b.acts(base, "s-auditor", imported+"/undo", url.Values{"note": {"x"}}); status != http.StatusForbidden {
		t.Errorf("an auditor undoes it: %d, want 403", status)
	}
	if status, _, _ := b.acts(base, "s-maintainer-a", imported+"/undo", url.Values{"note": {"x"}}); status != http.StatusForbidden {
		t.Errorf("the maintainer of one of two systems undoes it: %d, want 403", status)
	}

	// The same ledger a month later is known by its headings, in whatever order.
	status, page, _ = b.sends(base, who, "computer", "端末台帳12月.csv", ledger(t, append(rows, "CA-9,端末,A,ca-9,稼働中,高橋")...))
	if status != http.StatusSeeOther {
		t.Fatal(status)
	}
	status, text = b.settled(base, who, page)
	if status != http.StatusOK {
		t.Fatalf("the ledger of the next month: %d\n%s", status, mainOf(text))
	}
	b.saysPage(text, "この見出しについて記憶している対応", "新規 1", "変更 0", "同一 3")
	if status, to, _ := b.acts(base, who, page, url.Values{"do": {"drop"}}); status != http.StatusSeeOther || to != "/register/computer/import" {
		t.Errorf("putting it aside: %d %s", status, to)
	}
	if status, _ := b.get(base, who, page); status != http.StatusNotFound {
		t.Errorf("what was put aside: %d, want 404", status)
	}

	// Undone: refused while something has changed since, then whole.
	v := b.entry("computer/CA-7").Values
	v["hostname"] = "touched"
	rev := b.entry("computer/CA-7").Rev
	if _, err := b.Register.Put(b.ctx, b.as(who), "computer", v, rev, b.Now()); err != nil {
		t.Fatal(err)
	}
	if status, _, text := b.acts(base, who, imported+"/undo", url.Values{"note": {" "}}); status != http.StatusUnprocessableEntity {
		t.Errorf("undone without a reason: %d\n%s", status, mainOf(text))
	}
	status, _, text = b.acts(base, who, imported+"/undo", url.Values{"note": {"誤った台帳"}})
	if status != http.StatusConflict {
		t.Errorf("undone although CA-7 has changed: %d", status)
	}
	b.saysPage(text, "取込みの後に変わった登録があるため、取り消せない", "computer/CA-7", "6行目", "変更された")
	if b.entry("computer/CA-1").Values["hostname"] != "ca-1-new" {
		t.Error("a refused undoing changed something")
	}
	b.takesBack(base, who)
}

// takesBack takes a small ledger in and undoes it: everything is as before.
func (b *body) takesBack(base, who string) {
	t := b.t
	text := "asset_no,role,system,hostname,status\nCA-1,server,A,other,in-service\nCA-20,server,A,ca-20,in-service\n"
	was := b.entry("computer/CA-1").Values
	_, page, _ := b.sends(base, who, "computer", "x.csv", []byte(text))
	imported := b.applies(base, who, page, "")
	if b.entry("computer/CA-1").Values["hostname"] != "other" || b.entry("computer/CA-20").Rev != 1 {
		t.Fatal("not applied")
	}
	if status, to, text := b.acts(base, who, imported+"/undo", url.Values{"note": {"誤った台帳"}}); status != http.StatusSeeOther || to != imported {
		t.Fatalf("undone: %d %s\n%s", status, to, mainOf(text))
	}
	if now := b.entry("computer/CA-1").Values; fact.Digest(now) != fact.Digest(was) {
		t.Errorf("after undoing: %v, want %v", now, was)
	}
	if e := b.entry("computer/CA-20"); !e.Retired {
		t.Error("what the import made is not struck out")
	}
	if status, _, _ := b.acts(base, who, imported+"/undo", url.Values{"note": {"again"}}); status != http.StatusConflict {
		t.Errorf("undone twice: %d, want 409", status)
	}
	_, one := b.get(base, "s-auditor", imported)
	b.saysPage(string(one), "取消し済み", "誤った台帳")
}

// Each line is a file, and what its page says is wrong with it and where.
func TestAFileThatCannotBeTakenSaysWhereAndWhatToDo(t *testing.T) {
	b := found(t)
	base := b.soundly()
	for name, c := range map[string]struct {
		data   string
		status int
		want   []string
	}{
		"an old workbook":        {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1xxx", 422, []string{"旧形式（.xls）"}},
		"a picture":              {"\x89PNG\r\n\x1a\n\x00\x00\x00\x00", 422, []string{"表として読めない"}},
		"a system that is not":   {"資産番号,role,システム,hostname,status\nX-1,server,NOWHERE,x,in-service\n", 422, []string{"2", "C システム", "「NOWHERE」"}},
		"a row without a number": {"資産番号,role,システム,hostname,status\n,server,A,x,in-service\n", 422, []string{"A 資産番号", "必須項目"}},
		"nothing at all":         {" ", 422, []string{"ファイルを選ぶか、表を貼り付ける"}},
		"more than may be":       {"資産番号,role\n" + strings.Repeat("x", table.MaxFile), 422, []string{"「試験.csv」は大き過ぎる（上限10MiB）"}},
	} {
		status, page, text := b.sends(base, "s-all", "computer", "試験.csv", []byte(c.data))
		if status == http.StatusSeeOther {
			status, text = b.settled(base, "s-all", page)
			b.saysPage(text, "試験.csv")
		}
		if status != c.status {
			t.Errorf("%s: %d, want %d\n%s", name, status, c.status, mainOf(text))
		}
		b.saysPage(text, c.want...)
		if strings.Contains(text, `name="digest"`) {
			t.Errorf("%s: it is offered to be applied", name)
		}
	}
	// In the reader's language, as a list.
	_, page, _ := b.sends(base, "s-all", "computer", "a.csv", []byte("asset_no,role,system,hostname,status\nX-1,toaster,A,=1+1,in-service\n"))
	b.settled(base, "s-all", page)
	_, list := b.get(base, "s-all", page+"?format=csv&lang=en")
	if want := "\ufeffFile,Row,Column,Fault and remedy\r\na.csv,2,B role,"; !strings.HasPrefix(string(list), want) {
		t.Errorf("the list of faults: %q, want %q…", list, want)
	}
	for _, person := range []string{"s-staff", "s-auditor"} { // who may not enter computers may try, and no more
		_, page, _ := b.sends(base, person, "computer", "a.csv", []byte("asset_no,role,system,hostname,status\nX-1,server,A,x,in-service\n"))
		status, text := b.settled(base, person, page)
		if status != http.StatusOK || strings.Contains(text, `value="apply"`) {
			t.Errorf("%s tries: %d, offered to apply: %v", person, status, strings.Contains(text, `value="apply"`))
		}
		digest := strings.Repeat("0", 64)
		if status, _, _ := b.acts(base, person, page, url.Values{"do": {"apply"}, "digest": {digest}}); status == http.StatusSeeOther {
			t.Errorf("%s applies: %d", person, status)
		}
	}
	if status, _, _ := b.sends(base, "s-chief", "key", "a.csv", []byte("x,y\n1,2\n")); status != http.StatusForbidden {
		t.Errorf("a ledger of keys by who may not see them: %d, want 403", status)
	}
}

func TestWhatWasTriedIsAppliedAsShownOrTriedAgain(t *testing.T) {
	b := found(t)
	base := b.soundly()
	_, page, _ := b.sends(base, "s-all", "computer", "a.csv", []byte("asset_no,role,system,hostname,status\nCA-1,server,A,mine,in-service\n"))
	_, text := b.settled(base, "s-all", page)
	shown := digestField.FindStringSubmatch(text)
	v := computer("CA-1", "A")
	v["hostname"] = "theirs"
	b.put(actor.Program, "computer", v)
	status, _, text := b.acts(base, "s-all", page, url.Values{"do": {"apply"}, "digest": {shown[1]}})
	if status != http.StatusUnprocessableEntity {
		t.Fatalf("applying what would do something else by now: %d", status)
	}
	b.saysPage(text, "試した後に台帳が変わったため、取り込んでいない", "theirs → mine")
	if got := b.entry("computer/CA-1").Values["hostname"]; got != "theirs" {
		t.Errorf("the host is %v", got)
	}
	imported := b.applies(base, "s-all", page, "")
	if got := b.entry("computer/CA-1").Values["hostname"]; got != "mine" {
		t.Errorf("the host is %v", got)
	}
	// Sent twice, it is one import.
	if status, to, _ := b.acts(base, "s-all", page, url.Values{"do": {"apply"}, "digest": {shown[1]}}); status != http.StatusSeeOther || to != page {
		t.Errorf("applied again: %d %s", status, to)
	}
	if rev := b.entry("computer/CA-1").Rev; rev != 3 {
		t.Errorf("revision %d, want 3", rev)
	}
	if status, _ := b.get(base, "s-auditor", imported); status != http.StatusOK {
		t.Errorf("%s: %d", imported, status)
	}
}

func TestLedEntriesThatMovedSinceAnImportAreNamed(t *testing.T) {
	b := found(t)
	base := b.soundly()
	var rows strings.Builder
	rows.WriteString("case_no,title,type,system,subject,confidentiality,status,opened_on\n")
	for i := range 2 {
		fmt.Fprintf(&rows, "D-%d,廃棄,disposal,A,computer/CA-1,2,open,2026-11-01\n", i+1)
	}
	_, page, text := b.sends(base, "s-officer-a", "disposal", "廃棄.csv", []byte(rows.String()))
	if page == "" {
		t.Fatal(mainOf(text))
	}
	imported := b.applies(base, "s-officer-a", page, "")
	if got := b.take("s-maintainer-a", "record", erased()); got != "" {
		t.Fatal(got)
	}
	if got := b.take("s-officer-a", "dispose", nil); got != "" {
		t.Fatal(got)
	}
	status, _, text := b.acts(base, "s-officer-a", imported+"/undo", url.Values{"note": {"誤り"}})
	if status != http.StatusConflict {
		t.Fatalf("undone: %d\n%s", status, mainOf(text))
	}
	b.saysPage(text, "disposal/D-1", "手続により", "→")
	if strings.Contains(mainOf(text), "disposal/D-2 ") {
		t.Error("an entry that did not move is named")
	}
}

// tryAndApply tries a ledger, says so, and applies it, and undoes it, until it is killed.
func tryAndApply(ctx context.Context, dir string) error {
	s, err := real(ctx, dir)
	if err != nil {
		return err
	}
	defer s.Close()
	for n := 0; ; n++ {
		id := exchange.NewID(time.Now())
		f := exchange.File{Name: "units.csv", Data: unitLedger(n)}
		fmt.Println("ready")
		if _, err := s.Exchange.Take(ctx, actor.Program, exchange.Order{ID: id, Kind: "unit", File: f}, time.Now(), nil); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

const unitsInLedger = 300

// unitLedger is a ledger whose every row carries the same mark.
func unitLedger(n int) []byte {
	var b strings.Builder
	b.WriteString("unit_id,title,level\n")
	for i := range unitsInLedger {
		fmt.Fprintf(&b, "U-%d,rev %d,division\n", i, n)
	}
	return []byte(b.String())
}

// Killed anywhere between a trial and the end of applying it, a ledger is in the
// register whole or not at all.
func TestAnImportThatIsKilledIsWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	rng := rand.New(rand.NewPCG(20261125, 7))
	imports := 0
	for round := range 5 {
		c := play("import", dir)
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(10+rng.IntN(900)) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		c.Wait() //nolint:errcheck // killed
		s, err := real(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		b := &body{Server: s, ctx: t.Context(), t: t}
		b.set(time.Now())
		page, err := s.Register.List(t.Context(), b.permit(looker()), register.Query{Kind: "unit", Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		titles := map[any]int{}
		for _, e := range page.Entries {
			titles[e.Values["title"]]++
		}
		if len(titles) > 1 || len(titles) == 1 && len(page.Entries) != unitsInLedger {
			t.Errorf("round %d: %v; want the rows of one ledger, all or none", round, titles)
		}
		list, err := s.Exchange.Imports(t.Context(), b.permit(looker()), "unit", 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		imports = int(list.Total)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if imports < 3 {
		t.Errorf("%d imports in five rounds; they are too short to tell anything", imports)
	}
	intact(t, dir)
}

// Every register is taken out as one file over HTTP by who may, and into an installation
// that has nothing, the struck-out entries too.
func TestEveryRegisterIsTakenOutAndIn(t *testing.T) {
	b := found(t)
	b.put(actor.Program, "computer", computer("CB-9", "B"))
	if err := b.Register.Retire(b.ctx, b.as("s-all"), "computer/CB-9", "廃棄", b.Now()); err != nil {
		t.Fatal(err)
	}
	base := b.soundly()
	for path, want := range map[string]map[string]int{
		"/registers/export":            {"s-admin": 200, "s-auditor": 200, "s-all": 200, "s-maintainer-a": 403, "s-staff": 403, "s-operator": 403},
		"/registers/export?personal=1": {"s-admin": 200, "s-auditor": 403, "s-all": 403},
	} {
		for person, status := range want {
			if got, _ := b.get(base, person, path); got != status {
				t.Errorf("%s %s: %d, want %d", person, path, got, status)
			}
		}
	}
	_, first := b.get(base, "s-admin", "/registers/export?personal=1")
	other := open(t, filepath.Join(t.TempDir(), "other"), morning)
	told, err := other.Exchange.Tell(b.ctx, actor.Program, bytes.NewReader(first), "registers.zip", "移行", b.Now())
	if err != nil || len(told.Faults) > 0 || len(told.Imports) != 1 || told.New == 0 {
		t.Fatalf("%+v %v", told, err)
	}
	for _, ref := range []fact.Ref{"computer/CA-1", "computer/CB-9", "person/s-chief", "system/A", "assignment/AS-CHIEF"} {
		was, is := b.entry(ref), other.entry(ref)
		if is.Rev != 1 || is.Retired != was.Retired || fact.Digest(is.Values) != fact.Digest(was.Values) {
			t.Errorf("%s: got %+v, was %+v", ref, is, was)
		}
	}
	before := b.entry("computer/CA-1").Rev
	for name, data := range map[string][]byte{"no archive": []byte("x"), "a half": first[:len(first)/2], "none": nil} {
		told, err := b.Exchange.Tell(b.ctx, actor.Program, bytes.NewReader(data), "x.zip", "", b.Now())
		if err != nil || len(told.Faults) == 0 {
			t.Errorf("%s: %+v %v, want faults", name, told, err)
		}
	}
	if b.entry("computer/CA-1").Rev != before {
		t.Error("an archive that cannot be read changed something")
	}
	other.sound()
}

func FuzzArchive(f *testing.F) {
	dir := f.TempDir()
	s, err := real(context.Background(), dir)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	b, err := s.Exchange.Archive(f.Context(), actor.Program, exchange.Archive{Format: table.CSV, Personal: true}, morning)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, data []byte) {
		told, err := s.Exchange.Tell(context.Background(), actor.Program, bytes.NewReader(data), "x.zip", "", morning)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range told.Faults {
			if !fault.Complete() {
				t.Fatalf("fault %q", fault)
			}
		}
	})
}
