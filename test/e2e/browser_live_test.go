//go:build browser

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// relay passes requests on to a server, until its subscriptions are answered otherwise. It records the
// Last-Event-ID of each subscription.
type relay struct {
	*httptest.Server
	mu     sync.Mutex
	after  []string
	answer http.HandlerFunc // nil passes subscriptions on
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Del("Origin") // it names another port
	}}
	l := new(relay)
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A response that begins before the proxy has read the end of the body can break the connection.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.Header.Get("Accept") != "text/event-stream" {
			proxy.ServeHTTP(w, r)
			return
		}
		l.mu.Lock()
		l.after = append(l.after, r.Header.Get("Last-Event-ID"))
		answer := l.answer
		l.mu.Unlock()
		if answer == nil {
			answer = proxy.ServeHTTP
		}
		answer(w, r)
	}))
	t.Cleanup(l.Close)
	return l
}

// answerBy sets the answer to further subscriptions.
func (l *relay) answerBy(answer http.HandlerFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = answer
}

// subscriptions returns the Last-Event-ID of each subscription.
func (l *relay) subscriptions() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.after)
}

// wait waits until there have been so many subscriptions.
func (l *relay) wait(t *testing.T, n int, limit time.Duration) {
	t.Helper()
	for end := time.Now().Add(limit); len(l.subscriptions()) < n; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d subscriptions within %s, want %d", len(l.subscriptions()), limit, n)
		}
	}
}

// online tells the page that the browser is online again.
func (p page) online() {
	p.Helper()
	p.eval(`dispatchEvent(new Event("online")), 0`)
}

// wantNone fails the test if the page subscribes when the browser is online again.
func (l *relay) wantNone(p page, when string) {
	p.Helper()
	before := len(l.subscriptions())
	p.online()
	p.do(chromedp.Sleep(1500 * time.Millisecond))
	if n := len(l.subscriptions()) - before; n != 0 {
		p.Errorf("%s: %d more subscriptions, want none", when, n)
	}
}

func refuseBy(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// happen makes an event of the workspace 101. Its subject has the e-mail address name@live.test.
func (p page) happen(name string) {
	p.Helper()
	p.await(`fetch("/graphql", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ query: 'mutation { createContact(input: { workspaceId: "101", emailAddress: "` + name + `@live.test" }) { contact { id } } }' }) }).then((r) => r.text())`)
}

// TestGraphiQLReconnectsSubscriptions breaks the connection of a subscription. The page shows each event
// once, with the one that it missed, until the server does not keep the last event any more.
func TestGraphiQLReconnectsSubscriptions(t *testing.T) {
	l := newRelay(t, funnelgraph(t, "--demo"))
	p := newPage(t, "/graphql") // whose connections break
	p.open(l.URL + "/")
	p.openExample("9c-live")
	p.wait(variables + `.getValue().includes('"101"')`)
	p.eval(`window.shown = [], ` + result + `.on("change", (shown) => window.shown.push(...(shown.getValue().match(/\w+(?=@live.test)/g) ?? []))), 0`)
	p.click(execute)
	p.wait(facts + `.match(/Status 200[^]*Live/)`)
	p.do(chromedp.Sleep(500 * time.Millisecond)) // until the subscription has begun
	p.happen("before")
	p.wait(`shown.includes("before")`)

	l.answerBy(refuseBy(http.StatusServiceUnavailable, "{}"))
	l.CloseClientConnections()
	p.wait(facts + `.match(/Status 503[^]*Reconnecting…/) && !` + facts + `.includes("Live")`)
	p.screenshot("reconnecting.png")
	p.happen("missed")
	l.answerBy(nil)
	p.online()
	p.wait(`shown.includes("missed")`)
	p.wait(facts + `.match(/Status 200[^]*Live/) && !` + facts + `.includes("Reconnecting")`)
	p.screenshot("reconnected.png")
	p.happen("after")
	p.wait(`shown.includes("after")`)
	if after := l.subscriptions(); after[0] != "" || len(after) < 3 || after[1] == "" || after[1] != after[len(after)-1] {
		t.Errorf("the subscriptions have Last-Event-ID %q, want none and then the first event's", after)
	}

	// A server may repeat an event.
	l.answerBy(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		for _, event := range [][]any{{r.Header.Get("Last-Event-ID"), "repeated"}, {"unknown", "new"}} {
			_, _ = fmt.Fprintf(w, "id: %s\nevent: next\ndata: {\"data\":{\"at\":\"%s@live.test\"}}\n\n", event...)
			_ = http.NewResponseController(w).Flush()
			time.Sleep(500 * time.Millisecond) // until the page has shown it
		}
		<-r.Context().Done()
	})
	l.CloseClientConnections()
	p.wait(facts + `.includes("Reconnecting…")`)
	p.online()
	p.wait(`shown.includes("new")`)
	if shown := p.eval(`shown.join(" ")`); shown != "before missed after new" {
		t.Errorf("the page has shown the events %s, want each once", shown)
	}

	l.answerBy(nil)
	l.CloseClientConnections()
	p.wait(facts + `.includes("Reconnecting…")`)
	p.online()
	p.wait(result + `.getValue().includes("The event is not kept any more")`)
	p.wait(facts + `.includes("1 error") && !` + facts + `.match(/Live|Reconnecting/)`)
	p.screenshot("not-kept.png")
	if after := l.subscriptions(); after[len(after)-1] != "unknown" {
		t.Errorf("the subscriptions have Last-Event-ID %q, want the last event's at the end", after)
	}
	l.wantNone(p, "after the server has refused")
}

// TestGraphiQLEndsReconnecting stops subscriptions that reconnect, by the button and by another tab.
// Refusals that do not pass end them at once.
func TestGraphiQLEndsReconnecting(t *testing.T) {
	l := newRelay(t, funnelgraph(t, "--demo"))
	p := newPage(t, "/graphql")
	p.open(l.URL + "/")
	p.openExample("9c-live")
	p.wait(variables + `.getValue().includes('"101"')`)
	reconnecting := func(answer http.HandlerFunc) {
		t.Helper()
		l.answerBy(answer)
		before := len(l.subscriptions())
		p.click(execute)
		l.wait(t, before+3, 20*time.Second)
		p.do(chromedp.Sleep(500 * time.Millisecond)) // the next subscription follows in three seconds or more
		p.online()
		l.wait(t, before+4, time.Second)
		p.wait(facts + `.includes("Reconnecting…")`)
	}
	reconnecting(refuseBy(http.StatusTooManyRequests, `{"errors":[{"message":"too many"}]}`))
	p.click(execute) // stops it
	p.wait(`!` + facts + `.includes("Reconnecting")`)
	l.wantNone(p, "after the stop")

	reconnecting(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	p.eval(`document.querySelector(".graphiql-tab-button").click(), 0`)
	p.wait(facts + `.includes("No answer yet")`)
	l.wantNone(p, "in another tab")
	p.openExample("9c-live")
	if facts := p.eval(facts); strings.Contains(facts, "Reconnecting") {
		t.Errorf("%q below the answer of a tab that was left, want no reconnecting", facts)
	}

	l.answerBy(refuseBy(http.StatusForbidden, `{"errors":[{"message":"never"}]}`))
	p.click(execute)
	p.wait(result + `.getValue().includes("never") && ` + facts + `.match(/Status 403[^]*1 error/)`)
	l.wantNone(p, "after a refusal")
}
