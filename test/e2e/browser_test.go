//go:build browser

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/funnelgraph/funnelgraph/internal/explorer"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// artifacts is the folder for screenshots.
const artifacts = "../../artifacts"

// page is a browser tab that can reach only this machine. Errors in the tab and requests to
// other hosts fail the test.
type page struct {
	*testing.T
	ctx context.Context //nolint:containedctx // chromedp's tab
}

// newPage opens a tab that closes with the test.
func newPage(t *testing.T) page {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("Chromium is not installed: apt-get install chromium")
	}
	allocated, end := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1400, 900),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	t.Cleanup(end)
	ctx, end := chromedp.NewContext(allocated, chromedp.WithListener(func(event any) {
		switch event := event.(type) {
		case *network.EventRequestWillBeSent:
			if u := event.Request.URL; !strings.HasPrefix(u, "http://127.0.0.1:") && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") {
				t.Errorf("want requests to 127.0.0.1 only, got %s", u)
			}
		case *runtime.EventExceptionThrown:
			t.Errorf("want no exception in the page, got %v", event.ExceptionDetails)
		case *log.EventEntryAdded:
			if event.Entry.Level == log.EntryLevelError {
				t.Errorf("want no error in the page's console, got %s %s", event.Entry.Text, event.Entry.URL)
			}
		}
	}))
	t.Cleanup(end)
	ctx, end = context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(end)
	return page{t, ctx}
}

// do runs actions in the tab, and fails the test if one fails.
func (p page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.screenshot("failed.png")
		p.Fatal(err)
	}
}

// eval evaluates a JavaScript expression in the page and returns its value as text.
func (p page) eval(expression string) string {
	p.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[any](expression))
	if err != nil {
		p.Fatalf("want a value of %s: %v", expression, err)
	}
	return fmt.Sprint(v)
}

// wait waits until a JavaScript expression is true in the page.
func (p page) wait(expression string) {
	p.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Poll[bool]("!!("+expression+")")); err != nil {
		p.screenshot("failed.png")
		p.Fatalf("want %s to become true: %v", expression, err)
	}
}

// click waits until an element is visible and clicks it.
func (p page) click(selector string) {
	p.Helper()
	p.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
}

// screenshot saves a picture of the tab.
func (p page) screenshot(name string) {
	p.Helper()
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.Errorf("no screenshot: %v", err)
		return
	}
	if err := os.MkdirAll(artifacts, 0o750); err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(artifacts, name), picture, 0o600); err != nil {
		p.Fatal(err)
	}
}

const (
	execute = `button.graphiql-execute-button`
	answer  = `document.querySelector(".result-window").innerText`
)

// TestGraphiQLWorksWithoutNetwork opens GraphiQL in a real browser without a network and runs
// its first operation. Tokens in the headers editor must not be stored.
func TestGraphiQLWorksWithoutNetwork(t *testing.T) {
	url := funnelgraph(t, "--demo")
	p := newPage(t)
	p.do(chromedp.Navigate(url + "/"))
	p.click(execute)
	p.wait(answer + `.includes("ada.schmidt.1@example.com")`)
	p.screenshot("graphiql.png")
	if tabs := p.eval(`document.querySelectorAll(".graphiql-tab").length`); tabs != strconv.Itoa(len(explorer.Examples())) {
		t.Errorf("%s tabs, want %d: one for each example", tabs, len(explorer.Examples()))
	}
	if headers := p.eval(`document.querySelector(".graphiql-editor-tool").innerText`); !strings.Contains(headers, "Authorization") {
		t.Errorf("want Authorization in the headers editor, got %q", headers)
	}

	p.click(`button[aria-label="Show GraphiQL Explorer"]`)
	p.wait(`document.querySelector(".graphiql-plugin").innerText.includes("workspaces")`)
	p.screenshot("explorer.png")
	p.click(`button[aria-label="Show Documentation Explorer"]`)
	p.wait(`document.querySelector(".graphiql-plugin").innerText.includes("Query")`)
	p.screenshot("docs.png")
	p.click(`button[aria-label="Show REST calls"]`)
	p.wait(`document.querySelector(".calls").innerText.match(/16 calls, [0-9]+ one after another/)`)
	p.wait(`document.querySelectorAll(".call-bar.network").length === 16`)
	p.eval(`document.querySelector(".calls h2").scrollIntoView(), 0`)
	p.screenshot("calls.png")
	if answer := p.eval(answer); strings.Contains(answer, "funnelgraph") {
		t.Errorf("want the response without its explanation, got %s", answer)
	}

	// A token in the headers editor must not outlive the page.
	p.eval(`document.querySelectorAll(".graphiql-editor-tool .CodeMirror").forEach(({ CodeMirror: editor }) => {
		if (editor.getValue().includes("Authorization")) editor.setValue('{"Authorization": "Bearer hush-hush"}')
	}), 0`)
	p.click(execute)
	p.wait(answer + `.includes("UNAUTHENTICATED")`)
	p.screenshot("error.png")
	// GraphiQL stores its tabs with a delay, and most executed operations in its history. The
	// same operation with other headers is another entry.
	p.wait(`Object.keys(localStorage).some((key) => key.includes("tabState"))`)
	const kept = `JSON.parse(localStorage["graphiql:queries"] ?? '{"queries":[]}').queries.length`
	for tries := 0; p.eval(kept) != "2"; tries++ {
		if tries == 50 {
			t.Fatal("want a second entry in the history, for the operation with other headers")
		}
		p.click(execute)
		p.do(chromedp.Sleep(100 * time.Millisecond))
	}
	p.do(chromedp.Sleep(time.Second))
	const stored = `JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie`
	if stored := p.eval(stored); strings.Contains(stored, "hush-hush") {
		t.Errorf("want the token not stored, got %s", stored)
	}
	// A token that another version of the page has stored is removed. Other stored values are
	// kept.
	p.eval(`localStorage["graphiql:queries"] = JSON.stringify({queries: [{query: "{ kept }", headers: '{"Authorization": "Bearer hush-hush"}'}]}),
		localStorage["graphiql:favorites"] = "hush-hush", localStorage["graphiql:headers"] = "hush-hush", localStorage["other"] = "kept", 0`)
	p.do(chromedp.Navigate(url + "/"))
	p.do(chromedp.WaitVisible(chromedp.CSS(execute)))
	if stored := p.eval(stored); strings.Contains(stored, "hush-hush") || !strings.Contains(stored, "{ kept }") || !strings.Contains(stored, `"other":"kept"`) {
		t.Errorf("after reloading, want only the token removed, got %s", stored)
	}
}

// TestGraphiQLExamplesRun runs each example in its tab.
func TestGraphiQLExamplesRun(t *testing.T) {
	url := funnelgraph(t, "--demo")
	p := newPage(t)
	p.do(chromedp.Navigate(url + "/"))
	p.do(chromedp.WaitVisible(chromedp.CSS(execute)))
	for i, example := range explorer.Examples() {
		p.eval(fmt.Sprintf(`document.querySelectorAll(".graphiql-tab button[role=tab], button.graphiql-tab-button")[%d].click(), 0`, i))
		p.wait(fmt.Sprintf(`document.querySelector(".graphiql-query-editor .CodeMirror").CodeMirror.getValue() === %q`, example.Query))
		p.eval(`document.querySelector(".result-window .CodeMirror").CodeMirror.setValue(""), 0`)
		// GraphiQL needs a moment to find the operation of the tab.
		const result = `document.querySelector(".result-window .CodeMirror").CodeMirror.getValue()`
		for tries := 0; !strings.Contains(p.eval(result), `"data"`) && tries < 50; tries++ {
			p.click(execute)
			p.do(chromedp.Sleep(100 * time.Millisecond))
		}
		if text := p.eval(result); strings.Contains(text, `"errors"`) || !strings.Contains(text, `"data": {`) {
			t.Errorf("%s: want data without errors, got %s", example.Name, text)
		}
	}
}

// TestGraphiQLShowsDeferredParts defers a part of a query and holds its call until GraphiQL
// shows the first part.
func TestGraphiQLShowsDeferredParts(t *testing.T) {
	simulated, goOn := demo.New(), make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/contacts") {
			select {
			case <-goOn:
			case <-r.Context().Done():
			}
		}
		simulated.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	t.Setenv("CLICKFUNNELS_API_TOKEN", demo.Token)
	url := funnelgraph(t, "--upstream-url="+demo.Template(api.Listener.Addr().String()))
	p := newPage(t)
	p.do(chromedp.Navigate(url + "/"))
	p.do(chromedp.WaitVisible(chromedp.CSS(execute)))
	const editor = `document.querySelector(".graphiql-query-editor .CodeMirror").CodeMirror`
	const result = `document.querySelector(".result-window .CodeMirror").CodeMirror`
	p.wait(editor + `.options.lint.schema`) // until the schema is loaded
	p.eval(editor + `.setValue('{ workspace(id: "101") { name ... @defer(label: "contacts") { contacts(first: 1) { nodes { emailAddress } } } } }'), 0`)
	p.do(chromedp.Sleep(time.Second)) // GraphiQL needs a moment to find the operation
	if mistakes := p.eval(`document.querySelectorAll(".graphiql-query-editor .CodeMirror-lint-mark-error").length`); mistakes != "0" {
		t.Errorf("the editor marks %s mistakes, want none", mistakes)
	}
	p.click(execute)
	p.wait(answer + `.includes("Acme Academy")`)
	if first := p.eval(result + `.getValue()`); strings.Contains(first, "contacts") {
		t.Errorf("want the first part without contacts, got %s", first)
	}
	p.screenshot("first-part.png")
	close(goOn)
	p.wait(answer + `.includes("ada.schmidt.1@example.com")`)
	if last := p.eval(result + `.getValue()`); strings.Contains(last, "funnelgraph") || strings.Contains(last, `"errors"`) {
		t.Errorf("want the whole response without errors or explanation, got %s", last)
	}
}

// TestGraphiQLWorksByKeyboard writes and runs an operation without a mouse: completion,
// execution and marked errors. The buttons have names, and the tab key reaches them.
func TestGraphiQLWorksByKeyboard(t *testing.T) {
	url := funnelgraph(t, "--demo")
	p := newPage(t)
	p.do(chromedp.Navigate(url + "/"))
	p.do(chromedp.WaitVisible(chromedp.CSS(execute)))
	const editor = `document.querySelector(".graphiql-query-editor .CodeMirror").CodeMirror`
	p.wait(editor + `.options.lint.schema`) // until the schema is loaded
	p.eval(editor + `.focus(), ` + editor + `.setValue(""), 0`)
	p.do(chromedp.KeyEvent("{ teams { nodes { na"))
	p.do(chromedp.KeyEvent(" ", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	p.wait(`document.querySelector(".CodeMirror-hints")?.innerText.includes("name")`)
	t.Logf("first completion %s ms after the navigation began", p.eval(`Math.round(performance.now())`))
	p.screenshot("completion.png")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(editor + `.getValue().includes("name") && !document.querySelector(".CodeMirror-hints")`) // an open completion list would take the next key
	// GraphiQL needs a moment to notice the operation.
	p.do(chromedp.Sleep(time.Second))
	p.do(chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	p.wait(answer + `.includes("Acme Coaching")`)
	p.eval(editor + `.setValue("{ teams { nodes { naam } } }"), 0`)
	p.wait(`document.querySelector(".graphiql-query-editor .CodeMirror-lint-mark-error")`)
	p.screenshot("mistake.png")
	p.do(chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	p.wait(answer + `.includes("naam") && ` + answer + `.includes("BAD_USER_INPUT")`)

	// Every button of the sidebar can be reached and has a name.
	if unnamed := p.eval(`[...document.querySelectorAll("button")].filter((b) => b.offsetParent && !b.innerText.trim() && !b.getAttribute("aria-label")).length`); unnamed != "0" {
		t.Errorf("%s buttons have no name, want none", unnamed)
	}
	p.eval(`document.body.tabIndex = -1, document.body.focus(), 0`)
	reached := map[string]bool{}
	for range 60 {
		p.do(chromedp.KeyEvent(kb.Tab))
		reached[p.eval(`document.activeElement?.getAttribute("aria-label") ?? ""`)] = true
	}
	for _, name := range []string{"Show Documentation Explorer", "Show History", "Show REST calls", "Show GraphiQL Explorer"} {
		if !reached[name] {
			t.Errorf("the tab key does not reach %q, only %v", name, reached)
		}
	}
}

// TestGraphiQLFitsAPhone opens GraphiQL at a phone's width. Nothing is wider than the screen,
// and an operation can be run.
func TestGraphiQLFitsAPhone(t *testing.T) {
	url := funnelgraph(t, "--demo")
	p := newPage(t)
	p.do(chromedp.EmulateViewport(390, 844), chromedp.Navigate(url+"/"))
	p.click(execute)
	p.wait(answer + `.includes("Acme Coaching")`)
	if wide := p.eval(`document.documentElement.scrollWidth`); wide != "390" {
		t.Errorf("the page is %s pixels wide, want 390", wide)
	}
	p.screenshot("phone.png")
	p.click(`button[aria-label="Show REST calls"]`)
	p.wait(`document.querySelectorAll(".call").length === 16`)
	p.screenshot("phone-calls.png")
}
