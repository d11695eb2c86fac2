package browser_test

import (
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
)

// An office's ledger is pasted, its columns matched, tried, applied and undone, by hand.
func TestALedgerIsBroughtMatchedAppliedAndUndoneByHand(t *testing.T) {
	s := open(t, t.TempDir())
	s.firstAdministrator()
	here := func() (path string) {
		var at string
		s.do(chromedp.Location(&at))
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		return u.Path
	}
	ledger := "所属一覧表\n令和8年11月1日現在\n\n所属コード（人事）,所属名,区分,上位所属,電話\nHQ,試験県警察本部（新）,県本部,,0000\nST-1,中央警察署,警察署,HQ,1111\nST-2,北警察署,署,HQ,2222\n"
	s.do(chromedp.Navigate(s.base+"/register/unit/import"), chromedp.SetValue("#paste", ledger, chromedp.ByQuery),
		chromedp.Click("main form button"), chromedp.WaitVisible("#columns"))
	upload := here()
	s.walk([]string{upload, upload + "?show=new", upload + "?show=absent"}, "matching-")
	s.do(chromedp.EmulateViewport(1366, 768), chromedp.Navigate(s.base+upload+"?lang=ja"), chromedp.WaitVisible("#columns"))
	for selector, value := range map[string]string{"select[aria-label^='A ']": "unit_id", "select[aria-label^='E ']": "-"} {
		s.do(chromedp.SetValue(selector, value, chromedp.ByQuery))
	}
	s.do(chromedp.Evaluate(`for (const e of document.querySelectorAll("select[name^='word.']")) e.value = e.getAttribute("aria-label").endsWith("県本部") ? "prefecture" : "station"; null`, nil),
		chromedp.Click("#match", chromedp.ByQuery), chromedp.WaitVisible("form.card button"))
	s.do(chromedp.Navigate(s.base + upload))
	s.walk([]string{upload, upload + "?show=changed", upload + "?show=new"}, "tried-")
	s.do(chromedp.EmulateViewport(1366, 768), chromedp.Navigate(s.base+upload+"?lang=ja"), chromedp.WaitVisible("form.card button"),
		chromedp.Click("form.card button"), chromedp.WaitVisible("#undo"))
	imported := here()
	s.walk([]string{imported, "/imports", "/imports?kind=unit", "/imports?kind=computer"}, "imported-")
	s.do(chromedp.EmulateViewport(1366, 768), chromedp.Navigate(s.base+imported+"?lang=ja"), chromedp.WaitVisible("#undo"))
	s.do(chromedp.Evaluate(`document.querySelector("#undo").removeAttribute("data-confirm"); null`, nil), chromedp.SendKeys("#undo #note", "誤った台帳"),
		chromedp.Click("#undo button"), chromedp.WaitNotPresent("#undo"))
	s.walk([]string{imported}, "undone-")
}
