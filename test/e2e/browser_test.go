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
	"regexp"
	"slices"
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

// newPage opens a tab that closes with the test. Requests to the paths in mayFail may fail.
func newPage(t *testing.T, mayFail ...string) page {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("Chromium is not installed: apt-get install chromium")
	}
	allocated, end := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1400, 900),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
	)
	t.Cleanup(end)
	ctx, end := chromedp.NewContext(allocated, chromedp.WithListener(func(event any) {
		switch event := event.(type) {
		case *network.EventRequestWillBeSent:
			if u := event.Request.URL; !strings.HasPrefix(u, "http://127.0.0.1:") && !strings.HasPrefix(u, "http://localhost:") && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") {
				t.Errorf("want requests to this machine only, got %s", u)
			}
		case *runtime.EventExceptionThrown:
			t.Errorf("want no exception in the page, got %v", event.ExceptionDetails)
		case *log.EventEntryAdded:
			address, _, _ := strings.Cut(event.Entry.URL, "?")
			// Without a session, /auth/session has the status 401, which browsers log.
			expected := strings.HasSuffix(address, "/auth/session") || slices.ContainsFunc(mayFail, func(path string) bool { return strings.HasSuffix(address, path) })
			if event.Entry.Level == log.EntryLevelError && !expected {
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
	editor  = `document.querySelector(".graphiql-query-editor .CodeMirror").CodeMirror`
	result  = `document.querySelector(".result-window .CodeMirror").CodeMirror`
	// variables is the first of the editor's tools.
	variables = `document.querySelector(".graphiql-editor-tool .CodeMirror").CodeMirror`
	account   = `document.querySelector(".account").innerText`
	facts     = `document.querySelector(".facts").innerText`
	activeTab = `document.querySelector(".graphiql-tab-active")`
	stored    = `JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie`
)

// open opens the page and waits until it can run operations and knows the account.
func (p page) open(url string, size ...int64) {
	p.Helper()
	if len(size) == 2 {
		p.do(chromedp.EmulateViewport(size[0], size[1]))
	}
	p.do(chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS(execute)))
	p.wait(account + `.match(/\S/) && !` + account + `.includes("Loading")`)
}

// press clicks the button with a text, or a text at its beginning.
func (p page) press(within, text string) {
	p.Helper()
	button := fmt.Sprintf(`[...document.querySelectorAll(%q)].find((button) => button.innerText.startsWith(%q))`, within, text)
	p.wait(button)
	p.eval(button + `.click(), 0`)
}

// openPanel opens a panel unless it is open.
func (p page) openPanel(title string) {
	p.Helper()
	p.eval(fmt.Sprintf(`document.querySelector('button[aria-label="Show %s"]')?.click(), 0`, title))
	p.wait(fmt.Sprintf(`document.querySelector('button[aria-label="Hide %s"]')`, title))
}

// openExample opens an example from its panel.
func (p page) openExample(name string) {
	p.Helper()
	i := slices.IndexFunc(explorer.Examples(), func(e explorer.Example) bool { return e.Name == name })
	p.openPanel("Examples")
	p.wait(`document.querySelectorAll(".examples button").length === ` + strconv.Itoa(len(explorer.Examples())))
	p.eval(fmt.Sprintf(`document.querySelectorAll(".examples button")[%d].click(), 0`, i))
	p.wait(fmt.Sprintf(editor+`.getValue() === %q`, explorer.Examples()[i].Query))
}

// useToken enters a token or key in the page's dialog.
func (p page) useToken(token string) {
	p.Helper()
	p.press(".account button", "Use a token")
	p.do(chromedp.WaitVisible(chromedp.CSS("#token")), chromedp.SendKeys(chromedp.CSS("#token"), token+kb.Enter))
	p.wait(`!document.querySelector("#token") && !` + account + `.includes("Loading")`)
}

// TestGraphiQLWorksWithoutNetwork opens GraphiQL in a real browser without a network and runs
// its first operation. Tokens must not be stored.
func TestGraphiQLWorksWithoutNetwork(t *testing.T) {
	url := funnelgraph(t, "--demo")
	p := newPage(t)
	p.open(url + "/")
	if account := p.eval(account); !strings.Contains(account, "Demo data") || !strings.Contains(account, "12 workspaces") {
		t.Errorf("the account is %q, want the demo and its workspaces", account)
	}
	if facts := p.eval(facts); !strings.Contains(facts, "No answer yet") {
		t.Errorf("%q below the empty answer, want no facts", facts)
	}
	p.click(execute)
	p.wait(answer + `.includes("ada.schmidt.1@example.com")`)
	p.wait(facts + `.match(/Status 200\s+[0-9.]+ ms\s+[0-9.]+ kB/)`)
	p.screenshot("graphiql.png")
	if examples := p.eval(`document.querySelectorAll(".examples button").length`); examples != strconv.Itoa(len(explorer.Examples())) {
		t.Errorf("%s examples, want %d", examples, len(explorer.Examples()))
	}

	p.click(`button[aria-label="Show GraphiQL Explorer"]`)
	p.wait(`document.querySelector(".graphiql-plugin").innerText.includes("workspaces")`)
	p.screenshot("explorer.png")
	p.click(`button[aria-label="Show Documentation Explorer"]`)
	p.wait(`document.querySelector(".graphiql-plugin").innerText.includes("One GraphQL endpoint for the ClickFunnels 2.0 API")`)
	p.screenshot("docs.png")
	p.click(`button[aria-label="Show REST calls"]`)
	p.wait(`document.querySelector(".calls").innerText.match(/16 calls, [0-9]+ one after another/)`)
	p.wait(`document.querySelectorAll(".call-bar.network").length === 16`)
	p.screenshot("calls.png")
	if answer := p.eval(answer); strings.Contains(answer, "funnelgraph") {
		t.Errorf("want the response without its explanation, got %s", answer)
	}

	// A token in the headers editor must not outlive the page, and neither must the page's own.
	p.press(".graphiql-editor-tools button", "Headers")
	p.wait(`document.querySelectorAll(".graphiql-editor-tool .CodeMirror").length === 2`)
	p.eval(`document.querySelectorAll(".graphiql-editor-tool .CodeMirror")[1].CodeMirror.setValue('{"Authorization": "Bearer hush-hush"}'), 0`)
	p.click(execute)
	p.wait(answer + `.includes("UNAUTHENTICATED")`)
	p.wait(facts + `.includes("1 error")`)
	p.screenshot("error.png")
	p.useToken("Bearer hush-hush-too")
	p.wait(account + `.includes("Token refused") && ` + account + `.includes("Sign out")`)
	// GraphiQL stores its tabs with a delay, and most executed operations in its history.
	p.eval(editor + `.setValue("{ teams { nodes { name } } }"), 0`)
	p.wait(`Object.keys(localStorage).some((key) => key.includes("tabState"))`)
	const kept = `JSON.parse(localStorage["graphiql:queries"] ?? '{"queries":[]}').queries.length`
	for tries := 0; p.eval(kept) != "2"; tries++ {
		if tries == 50 {
			t.Fatal("want a second entry in the history, for the operation with headers")
		}
		p.click(execute)
		p.do(chromedp.Sleep(100 * time.Millisecond))
	}
	p.do(chromedp.Sleep(time.Second))
	if stored := p.eval(stored); strings.Contains(stored, "hush-hush") {
		t.Errorf("want the tokens not stored, got %s", stored)
	}
	// A token that another version of the page has stored is removed. Other stored values are
	// kept.
	p.eval(`localStorage["graphiql:queries"] = JSON.stringify({queries: [{query: "{ kept }", headers: '{"Authorization": "Bearer hush-hush"}'}]}),
		localStorage["graphiql:favorites"] = "hush-hush", localStorage["graphiql:headers"] = "hush-hush", localStorage["other"] = "kept", 0`)
	p.open(url + "/")
	if stored := p.eval(stored); strings.Contains(stored, "hush-hush") || !strings.Contains(stored, "{ kept }") || !strings.Contains(stored, `"other":"kept"`) {
		t.Errorf("after reloading, want only the token removed, got %s", stored)
	}
	if account := p.eval(account); !strings.Contains(account, "Demo data") {
		t.Errorf("after reloading, the account is %q, want the demo", account)
	}
}

// TestGraphiQLExamplesRun runs each example in its tab. Tabs that do not fit are hinted at, and the
// active one is in sight.
func TestGraphiQLExamplesRun(t *testing.T) {
	url := funnelgraph(t, "--demo")
	p := newPage(t)
	p.open(url + "/")
	for _, example := range explorer.Examples() {
		p.openExample(example.Name)
		writes := strings.HasPrefix(example.Query, "# Writes: ")
		p.eval(result + `.setValue(""), 0`)
		p.click(execute)
		if writes {
			p.click(`.graphiql-dialog .primary`)
		}
		if strings.Contains(example.Query, "\nsubscription ") {
			time.Sleep(500 * time.Millisecond) // until the subscription has begun
			p.await(`fetch("/graphql", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ query: 'mutation { createContact(input: { workspaceId: "101", emailAddress: "live@example.com" }) { contact { id } } }' }) }).then((r) => r.text())`)
			p.wait(result + `.getValue().includes("live@example.com")`)
			p.screenshot("subscription.png")
			p.click(execute) // stops it
		}
		p.wait(result + `.getValue().includes('"data"')`)
		if text := p.eval(result + `.getValue()`); strings.Contains(text, `"errors"`) || !strings.Contains(text, `"data": {`) {
			t.Errorf("%s: want data without errors, got %s", example.Name, text)
		}
		if example.Variables != "" && p.eval(`document.querySelector(".graphiql-editor-tool").getBoundingClientRect().height > 50`) != "true" {
			t.Errorf("%s: want its variables shown", example.Name)
		}
	}
	if tabs := p.eval(`document.querySelectorAll(".graphiql-tab").length`); tabs != strconv.Itoa(len(explorer.Examples())) {
		t.Errorf("%s tabs, want %d: one for each example", tabs, len(explorer.Examples()))
	}
	var titles []string
	for _, example := range explorer.Examples() {
		titles = append(titles, regexp.MustCompile(`(?m)^(?:query|mutation|subscription) (\w+)`).FindStringSubmatch(example.Query)[1])
	}
	if got := p.eval(`[...document.querySelectorAll(".graphiql-tab-button")].map((tab) => tab.innerText).join(" ")`); got != strings.Join(titles, " ") {
		t.Errorf("the tabs have the titles %s, want the names of the operations, %s", got, titles)
	}
	const tabs = `document.querySelector(".graphiql-tabs")`
	p.wait(tabs + `.classList.contains("more-before")`)
	const inSight = activeTab + `.getBoundingClientRect().right <= ` + tabs + `.getBoundingClientRect().right + 1`
	p.wait(inSight)
	p.screenshot("tabs.png")
	p.eval(tabs + `.scrollLeft = 0, 0`)
	p.wait(tabs + `.classList.contains("more-after") && !` + tabs + `.classList.contains("more-before")`)
	p.openExample("6-team")
	p.wait(inSight)
	p.screenshot("tabs-middle.png")
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
	p.open(url + "/")
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
	p.wait(facts + `.includes("more to come")`)
	p.screenshot("first-part.png")
	p.openPanel("REST calls")
	p.wait(`document.querySelector(".calls").innerText.includes("last part")`)
	close(goOn)
	p.wait(answer + `.includes("ada.schmidt.1@example.com")`)
	if last := p.eval(result + `.getValue()`); strings.Contains(last, "funnelgraph") || strings.Contains(last, `"errors"`) {
		t.Errorf("want the whole response without errors or explanation, got %s", last)
	}
	p.wait(`document.querySelector(".calls").innerText.includes("2 calls")`)
	if facts := p.eval(facts); strings.Contains(facts, "more to come") {
		t.Errorf("%q below the whole answer, want nothing more to come", facts)
	}
}

// TestGraphiQLWorksByKeyboard writes and runs an operation without a mouse: completion,
// execution and marked errors. The buttons have names, and the tab key reaches them.
func TestGraphiQLWorksByKeyboard(t *testing.T) {
	url := funnelgraph(t, "--demo")
	p := newPage(t)
	p.open(url + "/")
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

// TestGraphiQLFitsAScreen opens GraphiQL at the widths of a tablet and of a computer.
func TestGraphiQLFitsAScreen(t *testing.T) {
	url := funnelgraph(t, "--demo")
	p := newPage(t)
	for _, size := range [][2]int64{{768, 1024}, {1280, 800}} {
		p.open(url+"/", size[0], size[1])
		p.openExample("4-contact")
		p.click(execute)
		p.wait(answer + `.includes("ada.schmidt.1@example.com")`)
		p.screenshot(fmt.Sprintf("screen-%d.png", size[0]))
		for _, part := range []string{"html", ".graphiql-container", ".account"} {
			if right, _ := strconv.Atoi(p.eval(`Math.round(document.querySelector("` + part + `").getBoundingClientRect().left + document.querySelector("` + part + `").scrollWidth)`)); right > int(size[0]) {
				t.Errorf("%s ends at %d, beyond the %d pixels of the screen", part, right, size[0])
			}
		}
		width := p.eval(`Math.round(document.querySelector(".graphiql-response").getBoundingClientRect().width)`)
		t.Logf("the answer is %s pixels wide at %d by %d", width, size[0], size[1])
		if w, _ := strconv.Atoi(width); w < 300 {
			t.Errorf("the answer is %s pixels wide at %d, want 300 or more", width, size[0])
		}
	}
}

// TestGraphiQLFitsAPhone opens GraphiQL at the widths of phones. Nothing is wider than the screen,
// the answer has its full width, panels close by one tap, and Run is always in reach.
func TestGraphiQLFitsAPhone(t *testing.T) {
	url := funnelgraph(t, "--demo")
	for _, size := range [][2]int64{{360, 640}, {390, 844}} {
		t.Run(strconv.FormatInt(size[0], 10), func(t *testing.T) {
			p := newPage(t)
			p.open(url+"/", size[0], size[1])
			name := fmt.Sprintf("phone-%d", size[0])
			runInReach := func(where string) {
				t.Helper()
				if hit := p.eval(`(({ left, right, top, bottom }) => left >= 0 && right <= innerWidth && top >= 0 && bottom <= innerHeight &&
					document.elementFromPoint((left + right) / 2, (top + bottom) / 2).closest("` + execute + `") !== null)(document.querySelector("` + execute + `").getBoundingClientRect())`); hit != "true" {
					t.Errorf("%s: Run is out of reach", where)
				}
			}
			runInReach("at the start")
			p.click(execute)
			p.wait(answer + `.includes("Acme Coaching")`)
			p.screenshot(name + ".png")
			if wide := p.eval(`document.documentElement.scrollWidth`); wide != strconv.FormatInt(size[0], 10) {
				t.Errorf("the page is %s pixels wide, want %d", wide, size[0])
			}
			for _, pane := range []string{".graphiql-response", ".result-window", ".graphiql-query-editor"} {
				width, height := p.eval(`Math.round(document.querySelector("`+pane+`").getBoundingClientRect().width)`), p.eval(`Math.round(document.querySelector("`+pane+`").getBoundingClientRect().height)`)
				t.Logf("%s is %s pixels wide and %s high at %d by %d", pane, width, height, size[0], size[1])
				if w, _ := strconv.Atoi(width); w < int(size[0])*9/10 {
					t.Errorf("%s is %s pixels wide, want nine tenths of %d", pane, width, size[0])
				}
				if h, _ := strconv.Atoi(height); h < int(size[1])/5 {
					t.Errorf("%s is %s pixels high, want a fifth of %d", pane, height, size[1])
				}
			}
			for _, panel := range []string{"Documentation Explorer", "History", "Examples", "REST calls", "GraphiQL Explorer"} {
				p.openPanel(panel)
				p.wait(`document.querySelector(".graphiql-plugin").getBoundingClientRect().width === ` + strconv.FormatInt(size[0], 10))
				runInReach(panel)
				if panel == "REST calls" {
					p.wait(`document.querySelectorAll(".call").length === 16`)
				}
				p.screenshot(name + "-" + strings.ToLower(strings.ReplaceAll(panel, " ", "-")) + ".png")
				p.click(".close-panel")
				p.wait(`document.querySelector(".graphiql-plugin").offsetParent === null`)
			}
			p.openExample("4-contact") // which closes the panel
			p.wait(`document.querySelector(".graphiql-plugin").offsetParent === null`)
			runInReach("with variables")
			if account := p.eval(account); !strings.Contains(account, "Demo data") {
				t.Errorf("the account is %q, want the demo", account)
			}
			p.click(execute)
			p.wait(answer + `.includes("ada.schmidt.1@example.com")`)
			p.screenshot(name + "-variables.png")
			if height, _ := strconv.Atoi(p.eval(`Math.round(document.querySelector(".graphiql-editor-tool").getBoundingClientRect().height)`)); height < 60 {
				t.Errorf("the variables are %d pixels high, want some lines", height)
			}
			p.press(".account button", "Use a token")
			p.do(chromedp.WaitVisible(chromedp.CSS("#token")), chromedp.Sleep(300*time.Millisecond))
			p.screenshot(name + "-token.png")
			p.click(".graphiql-dialog-close")
			p.wait(`!document.querySelector("#token")`)
			if wide := p.eval(`document.documentElement.scrollWidth`); wide != strconv.FormatInt(size[0], 10) {
				t.Errorf("the page is %s pixels wide, want %d", wide, size[0])
			}
		})
	}
}
