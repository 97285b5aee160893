//go:build browser

package e2e

import (
	"encoding/json"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// copyAs chooses an entry of the menu "Copy as", and returns the copied text.
func (p page) copyAs(what string) string {
	p.Helper()
	p.eval(`navigator.clipboard.writeText = async (text) => { window.copied = text }, delete window.copied, 0`)
	p.click(`button[aria-label="Copy as"]`)
	p.do(chromedp.WaitVisible(chromedp.CSS(`[role=menuitem]`)))
	p.screenshot("copy-as.png")
	p.eval(`[...document.querySelectorAll("[role=menuitem]")].find((item) => item.innerText === "` + what + `").click(), 0`)
	p.wait(`window.copied && document.querySelector(".copied").innerText.includes("Copied as")`)
	return p.eval(`window.copied`)
}

// TestGraphiQLCopiesAsCurlFetchAndLink runs the copied command and the copied code, and opens the
// copied link. None of them has the credential.
func TestGraphiQLCopiesAsCurlFetchAndLink(t *testing.T) {
	s := newSite(t, passThrough(t), nil)
	p := newPage(t)
	p.open(s.url + "/")
	p.useToken(demo.Token)
	p.wait(account + `.includes("12 workspaces")`)
	p.openExample("4-contact")
	p.wait(variables + `.getValue().includes("3000000001")`)
	p.press(".graphiql-editor-tools button", "Headers")
	p.eval(`document.querySelectorAll(".graphiql-editor-tool .CodeMirror")[1].CodeMirror.setValue('{"authorization": "Bearer hush-hush", "X-Request-Id": "it\'s-me"}'), 0`)
	p.eval(editor + `.setValue(` + editor + `.getValue() + "# it's \"quoted\" with ` + "`" + `${a}` + "`" + ` and \\\\ \n"), 0`)

	curl := p.copyAs("curl")
	out, err := exec.Command("sh", "-c", "TOKEN="+demo.Token+"; "+strings.Replace(curl, "curl", "curl -sS", 1)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ada.schmidt.1@example.com") {
		t.Errorf("want the contact from\n%s\ngot %s, %v", curl, out, err)
	}
	code := p.copyAs("fetch")
	p.eval(`(async () => { const token = "` + demo.Token + `"; ` + code + `; return answer })().then((answer) => { window.answered = JSON.stringify(answer) }, (failure) => { window.answered = String(failure) }), 0`)
	p.wait(`window.answered`)
	if answered := p.eval(`window.answered`); !strings.Contains(answered, "ada.schmidt.1@example.com") {
		t.Errorf("want the contact from\n%s\ngot %s", code, answered)
	}
	link := p.copyAs("link")
	for _, copied := range []string{curl, code, link} {
		if strings.Contains(copied, demo.Token) || strings.Contains(copied, "hush-hush") {
			t.Errorf("want no credential in %s", copied)
		}
	}
	address, err := url.Parse(link)
	if err != nil || address.RawQuery != "" || address.Fragment == "" {
		t.Errorf("want everything in the fragment of %s, %v", link, err)
	}

	query := p.eval(editor + `.getValue()`)
	for name, from := range map[string]string{"in a new page": "about:blank", "in the same page": s.url + "/"} {
		p.do(chromedp.Navigate(from))
		if from != "about:blank" {
			p.open(from)
			p.eval(`localStorage.clear(), 0`)
			p.open(from)
		}
		before := len(s.operations("query Contact"))
		p.do(chromedp.Navigate(link), chromedp.WaitVisible(chromedp.CSS(execute)))
		text, err := json.Marshal(query)
		if err != nil {
			t.Fatal(err)
		}
		p.wait(editor + `.getValue() === ` + string(text))
		p.wait(variables + `.getValue().includes("3000000001")`)
		p.wait(activeTab + `.innerText.includes("Contact")`)
		if hash := p.eval(`location.hash`); hash != "" {
			t.Errorf("%s: the address keeps %s, want nothing", name, hash)
		}
		if after := len(s.operations("query Contact")); after != before {
			t.Errorf("%s: the link ran its query, want it only shown", name)
		}
	}
}
