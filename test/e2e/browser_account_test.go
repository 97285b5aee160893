//go:build browser

package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/funnelgraph/funnelgraph/internal/explorer"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// site serves the page in front of a running server, and records the operations.
type site struct {
	url  string
	mu   sync.Mutex
	sent []sentOperation
}

// sentOperation is an operation that the page has sent.
type sentOperation struct {
	Query         string
	Variables     json.RawMessage
	authorization string
}

// newSite serves the page for the server at target. With a session, the page offers to sign in.
func newSite(t *testing.T, target string, session http.Handler) *site {
	t.Helper()
	s := new(site)
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Del("Origin") // it names another port
		if cookie, err := r.In.Cookie("session"); err == nil && r.Out.Header.Get("Authorization") == "" {
			r.Out.Header.Set("Authorization", "Bearer "+cookie.Value)
		}
	}}
	mux := http.NewServeMux()
	mux.Handle("/", explorer.Handler("/graphql", session != nil))
	mux.HandleFunc("/graphql", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		operation := sentOperation{authorization: r.Header.Get("Authorization")}
		if err := json.Unmarshal(body, &operation); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.sent = append(s.sent, operation)
		s.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	})
	if session != nil {
		mux.Handle("/auth/", session)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// operations returns the sent operations whose documents contain a text.
func (s *site) operations(text string) []sentOperation {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []sentOperation
	for _, operation := range s.sent {
		if strings.Contains(operation.Query, text) {
			all = append(all, operation)
		}
	}
	return all
}

// last returns the last operation whose document contains a text.
func (s *site) last(t *testing.T, text string) sentOperation {
	t.Helper()
	all := s.operations(text)
	if len(all) == 0 {
		t.Fatalf("want an operation with %q", text)
	}
	return all[len(all)-1]
}

// passThrough runs a server without a token of its own, in front of the simulated API.
func passThrough(t *testing.T) string {
	t.Helper()
	api := httptest.NewServer(demo.New())
	t.Cleanup(api.Close)
	return funnelgraph(t, "--upstream-url="+demo.Template(api.Listener.Addr().String()))
}

// Keys of clients that see one workspace each. The second one has no contact.
const (
	retreats = "fgk_retreats-key-for-the-browser-tests"
	rascunho = "fgk_rascunho-key-for-the-browser-tests"
)

// withClients runs the demo with an access file.
func withClients(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	access := fmt.Sprintf(`tokens:
  acme: { file: %q }
clients:
  - { name: retreats, keys: ["sha256:%x"], workspaces: [102], access: read-write }
  - { name: rascunho, keys: ["sha256:%x"], workspaces: [112] }
`, filepath.Join(folder, "token"), sha256.Sum256([]byte(retreats)), sha256.Sum256([]byte(rascunho)))
	for name, text := range map[string]string{"token": demo.Token + "\n", "access.yaml": access} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return funnelgraph(t, "--demo", "--access-file="+filepath.Join(folder, "access.yaml"))
}

// TestGraphiQLSharesOneCredential enters a token once, and runs operations in two tabs. The schema
// is fetched again when the credential changes.
func TestGraphiQLSharesOneCredential(t *testing.T) {
	s := newSite(t, passThrough(t), nil)
	p := newPage(t)
	p.open(s.url + "/")
	p.wait(account + `.includes("No account") && !` + account + `.includes("Sign out")`)
	p.wait(editor + `.options.lint.schema`)
	p.screenshot("no-account.png")
	schemas := len(s.operations("IntrospectionQuery"))

	p.useToken(" Bearer " + demo.Token)
	p.wait(account + `.includes("12 workspaces") && ` + account + `.includes("Sign out")`)
	p.wait(editor + `.options.lint.schema`)
	if again := s.operations("IntrospectionQuery"); len(again) != schemas+1 || again[schemas].authorization != "Bearer "+demo.Token {
		t.Errorf("the schema was fetched %d times, %d of them before the token; want one with the token", len(again), schemas)
	}
	p.screenshot("with-token.png")
	p.click(execute)
	p.wait(answer + `.includes("ada.schmidt.1@example.com")`)
	p.openExample("5-tags")
	p.click(execute)
	p.wait(answer + `.includes("contactTags")`)
	for _, query := range []string{"query Nested", "query Tags"} {
		if sent := s.last(t, query); sent.authorization != "Bearer "+demo.Token {
			t.Errorf("%s was sent with the authorization %q, want the token", query, sent.authorization)
		}
	}
	if kept := p.eval(stored + ` + location.href + JSON.stringify(history.state)`); strings.Contains(kept, demo.Token) {
		t.Errorf("want the token not stored, got %s", kept)
	}

	p.press(".account button", "Sign out")
	p.wait(account + `.includes("No account")`)
	p.wait(variables + `.getValue().includes("null")`)
	p.eval(`document.querySelector(".graphiql-tab-button").click(), 0`)
	p.click(execute)
	p.wait(answer + `.includes("UNAUTHENTICATED")`)
	if again := s.operations("IntrospectionQuery"); len(again) != schemas+2 || again[schemas+1].authorization != "" {
		t.Errorf("the schema was fetched %d times, want once more without the token", len(again))
	}
	if sent := s.last(t, "query Nested"); sent.authorization != "" {
		t.Errorf("after the sign-out: the authorization is %q, want none", sent.authorization)
	}
}

// TestGraphiQLSignsIn follows the link to sign in, and signs out.
func TestGraphiQLSignsIn(t *testing.T) {
	session := http.NewServeMux()
	session.HandleFunc("GET /auth/login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: demo.Token, HttpOnly: true, Path: "/", SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, r.URL.Query().Get("return_to"), http.StatusFound)
	})
	session.HandleFunc("GET /auth/session", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if _, err := r.Cookie("session"); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"signedIn":false}`)
			return
		}
		_, _ = io.WriteString(w, `{"signedIn":true,"workspace":{"id":"101","name":"Acme Academy","subdomain":"acme-academy"},"team":{"id":"11","name":"Acme Coaching"},"expiresAt":"2027-01-01T00:00:00Z"}`)
	})
	session.HandleFunc("GET /auth/end", func(w http.ResponseWriter, _ *http.Request) { // no part of the server
		http.SetCookie(w, &http.Cookie{Name: "session", HttpOnly: true, Path: "/", MaxAge: -1})
	})
	session.HandleFunc("POST /auth/logout", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", HttpOnly: true, Path: "/", MaxAge: -1})
		w.WriteHeader(http.StatusNoContent)
	})
	s := newSite(t, passThrough(t), session)
	p := newPage(t)
	p.open(s.url + "/")
	p.wait(account + `.includes("No account") && ` + account + `.includes("Sign in")`)
	p.screenshot("signed-out.png")
	p.do(chromedp.EmulateViewport(360, 640))
	p.wait(`document.documentElement.scrollWidth === 360 && document.querySelector(".account").lastElementChild.getBoundingClientRect().right <= 360`)
	p.screenshot("phone-360-signed-out.png")
	p.do(chromedp.EmulateViewport(1400, 900))
	p.click(`.account a`)
	p.do(chromedp.WaitVisible(chromedp.CSS(".account-name.session"))) // on the page that comes back
	p.wait(account + `.includes("Acme Academy") && ` + account + `.includes("Acme Coaching") && ` + account + `.includes("Sign out")`)
	p.screenshot("signed-in.png")
	p.click(execute)
	p.wait(answer + `.includes("ada.schmidt.1@example.com")`)
	schemas := len(s.operations("IntrospectionQuery"))
	p.press(".account button", "Sign out")
	p.wait(account + `.includes("No account") && ` + account + `.includes("Sign in")`)
	p.click(execute)
	p.wait(answer + `.includes("UNAUTHENTICATED")`)
	if again := s.operations("IntrospectionQuery"); len(again) != schemas+1 {
		t.Errorf("the schema was fetched %d times after the sign-out, want once", len(again)-schemas)
	}

	// The page notices by the next answer that the session has ended.
	p.click(`.account a`)
	p.do(chromedp.WaitVisible(chromedp.CSS(".account-name.session")))
	p.open(s.url + "/")
	p.eval(`fetch("/auth/end").then(() => { window.ended = true }), 0`)
	p.wait(`window.ended`)
	p.click(execute)
	p.wait(account + `.includes("No account") && ` + account + `.includes("Sign in")`)
}

// TestGraphiQLAsksForATokenWhereSignInIsOff opens a page whose server has no sign-in at the moment.
func TestGraphiQLAsksForATokenWhereSignInIsOff(t *testing.T) {
	s := newSite(t, passThrough(t), http.NotFoundHandler())
	p := newPage(t)
	p.open(s.url + "/")
	if account := p.eval(account); strings.Contains(account, "Sign in") || !strings.Contains(account, "Use a token") {
		t.Errorf("the account offers %q, want only a token", account)
	}
	p.useToken(demo.Token)
	p.wait(account + `.includes("12 workspaces")`)
}

// TestGraphiQLExamplesUseTheCallersRecords opens examples with keys that see one workspace each,
// which is not the first one of the demo.
func TestGraphiQLExamplesUseTheCallersRecords(t *testing.T) {
	s := newSite(t, withClients(t), nil)
	p := newPage(t, "/graphql") // which refuses requests without a key
	p.open(s.url + "/")
	p.openExample("4-contact")
	p.wait(variables + `.getValue().includes('"contact": null') && document.querySelector(".missing")?.innerText.includes("account")`)
	p.screenshot("no-ids.png")
	p.eval(`document.querySelectorAll(".graphiql-tab-close")[1].click(), 0`)

	p.useToken(retreats)
	p.wait(account + `.includes("retreats") && ` + account + `.includes("Acme Retreats")`)
	p.wait(editor + `.getValue().includes("query Workspace")`) // the opening query of one workspace
	p.wait(variables + `.getValue().includes('"102"')`)
	p.click(execute)
	p.wait(answer + `.includes('"Acme Retreats"')`)
	if text := p.eval(result + `.getValue()`); strings.Contains(text, `"errors"`) {
		t.Errorf("want no errors from the opening query, got %s", text)
	}
	p.screenshot("one-workspace.png")
	p.openExample("4-contact")
	p.click(execute) // at once: the page waits for the ids
	p.wait(answer + `.includes("workspace")`)
	if sent := s.last(t, "query Contact"); !bytes.Contains(sent.Variables, []byte(`"3000000058"`)) || !bytes.Contains(sent.Variables, []byte(`"102"`)) {
		t.Errorf("sent %s, want the workspace 102 and its first contact", sent.Variables)
	}
	p.openExample("7-node")
	p.click(execute)
	p.wait(answer + `.includes('"ContactTag"')`)
	if text := p.eval(result + `.getValue()`); strings.Contains(text, `"errors"`) {
		t.Errorf("want no errors with global ids, got %s", text)
	}
	p.openExample("6-team")
	p.wait(`document.querySelector(".missing")?.innerText.includes("Acme Retreats has no team")`)

	// The ids change with the account. Values that a person entered stay.
	p.openExample("5-tags")
	p.wait(variables + `.getValue().includes('"102"')`)
	p.openExample("2-page")
	p.wait(variables + `.getValue().includes('"102"')`)
	p.eval(variables + `.setValue('{"workspace": "112", "after": null}'), 0`)
	p.do(chromedp.Sleep(600 * time.Millisecond))
	p.press(".account button", "Sign out")
	p.useToken(rascunho)
	p.wait(account + `.includes("Sol Rascunho")`)
	p.openExample("4-contact")
	p.wait(variables + `.getValue().includes('"112"') && ` + variables + `.getValue().includes('"contact": null')`)
	p.wait(`document.querySelector(".missing")?.innerText.includes("Sol Rascunho has no contact")`)
	p.screenshot("missing.png")
	p.openExample("5-tags")
	p.wait(variables + `.getValue().includes('"112"')`)
	p.openExample("2-page")
	if text := p.eval(variables + `.getValue()`); !strings.Contains(text, `"after"`) {
		t.Errorf("want the entered variables kept, got %s", text)
	}
	for _, sent := range s.operations("query") {
		if bytes.Contains(sent.Variables, []byte(`"101"`)) || bytes.Contains(sent.Variables, []byte(`"3000000004"`)) {
			t.Errorf("sent an id of the demo: %s %s", sent.Query, sent.Variables)
		}
	}
}

// TestGraphiQLAsksBeforeItWrites cancels a mutation with Escape, and runs it with Enter.
func TestGraphiQLAsksBeforeItWrites(t *testing.T) {
	s := newSite(t, funnelgraph(t, "--demo"), nil)
	p := newPage(t)
	p.open(s.url + "/")
	p.openExample("9a-write")
	p.wait(variables + `.getValue().includes("101")`)
	p.eval(editor + `.focus(), 0`)
	run := func() {
		p.Helper()
		p.do(chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.WaitVisible(chromedp.CSS(".graphiql-dialog")))
	}
	run()
	p.wait(`document.querySelector(".graphiql-dialog").innerText.includes("upsertContact")`)
	p.screenshot("confirm.png")
	p.do(chromedp.KeyEvent(kb.Escape))
	p.wait(`!document.querySelector(".graphiql-dialog") && ` + answer + `.includes("cancelled")`)
	if sent := s.operations("mutation Write"); len(sent) != 0 {
		t.Errorf("sent %s after the cancellation, want nothing", sent[0].Query)
	}
	run() // the editor has the focus again
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(answer + `.includes("jordan@example.com")`)
	if sent := s.operations("mutation Write"); len(sent) != 1 {
		t.Errorf("sent %d mutations, want 1", len(sent))
	}
	// A link can name its mutation as GraphiQL names its own query, which runs without a question.
	p.do(chromedp.Navigate("about:blank"))
	p.open(s.url + "/#query=" + url.PathEscape(`mutation IntrospectionQuery { upsertContact(input: { workspaceId: "101", emailAddress: "x@example.com" }) { created } }`))
	p.wait(editor + `.getValue().includes("IntrospectionQuery")`)
	p.click(execute)
	p.do(chromedp.WaitVisible(chromedp.CSS(".graphiql-dialog")))
	if sent := s.operations("x@example.com"); len(sent) != 0 {
		t.Errorf("sent %s before the answer to the question", sent[0].Query)
	}
}
