//go:build browser

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// allow is the button of the simulated ClickFunnels that allows the access, and deny the other one.
const (
	allow = `button[value="allow"]`
	deny  = `button[value="deny"]`
)

// TestSignInWithTheDemo signs in and out in GraphiQL, as a user of the demo does.
func TestSignInWithTheDemo(t *testing.T) {
	address := strings.Replace(funnelgraph(t, "--demo"), "127.0.0.1", "localhost", 1)
	p := newPage(t, "/auth/callback")
	p.open(address + "/")
	p.click(`.account a[href^="/auth/login"]`)
	p.click(`input[value="105"]`)
	p.screenshot("signin-allow.png")
	p.click(allow)
	p.do(chromedp.WaitVisible(chromedp.CSS(execute)))
	p.wait(account + `.includes("Northwind Yoga")`)
	if cookies := p.eval(`document.cookie`); cookies != "" {
		t.Errorf("scripts can read the cookies %q", cookies)
	}
	const viewer = `fetch("/graphql", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({query: "{ viewer { workspaces { name } } }"})}).then((r) => r.text())`
	if seen := p.await(viewer); !strings.Contains(seen, `"workspaces":[{"name":"Northwind Yoga"}]`) {
		t.Errorf("the session sees %s", seen)
	}
	p.click(execute)
	p.wait(answer + `.includes("Northwind Yoga") || ` + answer + `.includes("@example.com")`)
	p.screenshot("signin-signed-in.png")
	p.press(".account button", "Sign out")
	p.wait(account + `.includes("Demo data")`)
	if seen := p.await(viewer); !strings.Contains(seen, "Acme Academy") {
		t.Errorf("after the sign-out, the demo is open again: %s", seen)
	}
	// A person who does not allow the access gets a page, and can try again.
	p.click(`.account a[href^="/auth/login"]`)
	p.click(deny)
	p.reach("Access was not allowed")
	p.screenshot("signin-denied.png")
	p.click(`a[href^="/auth/login"]`)
	p.click(allow)
	p.do(chromedp.WaitVisible(chromedp.CSS(execute)))
	p.wait(account + `.includes("Acme Academy")`)
}

// appPage is a single-page app of another origin. It signs in, and shows the workspaces that its bearer
// token sees.
const appPage = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>App</title><button id="start">Sign in</button><pre id="out"></pre>
<script type="module">
const api = %q;
const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const out = document.getElementById("out");
document.getElementById("start").onclick = async () => {
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
  const challenge = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
  const state = base64url(crypto.getRandomValues(new Uint8Array(16)));
  sessionStorage.begun = JSON.stringify({ verifier, state });
  location.assign(api + "/auth/login?" + new URLSearchParams({ return_to: location.origin + "/app", code_challenge: challenge, code_challenge_method: "S256", state }));
};
const query = new URLSearchParams(location.search);
if (query.has("state")) {
  const { verifier, state } = JSON.parse(sessionStorage.begun);
  history.replaceState(null, "", "/app");
  if (query.get("state") !== state) out.textContent = "another state";
  else if (query.has("error")) out.textContent = query.get("error") + ": " + query.get("error_description");
  else {
    const token = await fetch(api + "/auth/token", { method: "POST", body: new URLSearchParams({ grant_type: "authorization_code", code: query.get("code"), code_verifier: verifier }) }).then((r) => r.json());
    const answer = await fetch(api + "/graphql", { method: "POST", headers: { "Content-Type": "application/json", Authorization: "Bearer " + token.access_token }, body: JSON.stringify({ query: "{ viewer { workspaces { name } } }" }) });
    out.textContent = await answer.text();
  }
}
</script>`

// newApp serves a single-page app for a server that starts later, and returns its origin.
func newApp(t *testing.T, server *atomic.Value) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, appPage, server.Load())
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestSignInOfAnApp signs in to an app of another origin, which gets a bearer token and no cookie.
func TestSignInOfAnApp(t *testing.T) {
	var server atomic.Value
	app := newApp(t, &server)
	server.Store(strings.Replace(funnelgraph(t, "--demo", "--return-to="+app, "--cors-origin="+app), "127.0.0.1", "localhost", 1))
	p := newPage(t)
	p.do(chromedp.Navigate(app + "/app"))
	p.click("#start")
	p.click(deny)
	p.reach("access_denied")
	p.click("#start")
	p.click(allow)
	p.reach(`"workspaces":[{"name":"Acme Academy"}]`)
	if status := p.await(fmt.Sprintf(`fetch(%q, {credentials: "include"}).then((r) => r.text()).catch(() => "refused")`, fmt.Sprint(server.Load(), "/auth/session?x"))); strings.Contains(status, "Acme") {
		t.Errorf("the app has a session cookie: %s", status)
	}
}

// TestSignInWithAnotherProvider signs in where the OAuth server has other habits than the simulated
// one: it asks nobody, demands Basic authentication or is slow, denies, or sends garbage.
func TestSignInWithAnotherProvider(t *testing.T) {
	api := httptest.NewServer(demo.New())
	t.Cleanup(api.Close)
	var habit atomic.Value
	habit.Store("")
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		switch to := query.Get("redirect_uri") + "?state=" + url.QueryEscape(query.Get("state")); {
		case r.URL.Path == "/oauth/authorize" && habit.Load() == "deny":
			http.Redirect(w, r, to+"&error=access_denied&error_description=no", http.StatusSeeOther)
		case r.URL.Path == "/oauth/authorize":
			http.Redirect(w, r, to+"&code=short&iss=x", http.StatusSeeOther)
		case r.URL.Path == "/oauth/revoke":
		case habit.Load() == "basic":
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
		case habit.Load() == "garbage":
			_, _ = io.WriteString(w, "<html>Maintenance</html>")
		default:
			if habit.Load() == "slow" {
				time.Sleep(2 * time.Second)
			}
			if r.FormValue("client_secret") != "a-secret" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_, _ = fmt.Fprintf(w, `{"workspace_id":"102","workspace_name":"Acme <b>Retreats</b>","access_token":%q,"token_type":"bearer"}`, demo.Token)
		}
	}))
	t.Cleanup(provider.Close)
	var server atomic.Value
	app := newApp(t, &server)
	t.Setenv("CLICKFUNNELS_OAUTH_CLIENT_SECRET", "a-secret")
	t.Setenv("FUNNELGRAPH_SESSION_KEYS", strings.Repeat("keys", 11)[:43])
	port := freePort(t)
	address := start(t, listening, io.Discard, build(t), "--listen=127.0.0.1:"+port, "--public-url=http://localhost:"+port, "--oauth-client-id=app", "--oauth-url="+provider.URL+"/oauth",
		"--upstream-url="+demo.Template(api.Listener.Addr().String()), "--return-to="+app, "--cors-origin="+app)
	server.Store(strings.Replace(address, "127.0.0.1", "localhost", 1))
	p := newPage(t, "/auth/callback", "/favicon.ico")
	for name, want := range map[string]struct{ page, app string }{
		"":        {"Retreats", `"workspaces":[{"name":"Acme Retreats"}]`},
		"slow":    {"Retreats", `"workspaces":[{"name":"Acme Retreats"}]`},
		"deny":    {"Access was not allowed", "access_denied: "},
		"basic":   {"ClickFunnels does not accept this server", "server_error: "},
		"garbage": {"ClickFunnels did not name a workspace", "server_error: "},
	} {
		habit.Store(name)
		p.do(chromedp.Navigate(fmt.Sprint(server.Load(), "/auth/login?return_to=/auth/session")))
		p.reach(want.page)
		p.do(chromedp.Navigate(app + "/app"))
		p.click("#start")
		p.reach(want.app)
	}
}

// reach waits until a page shows a text, across redirects.
func (p page) reach(text string) {
	p.Helper()
	shown := ""
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(shown, text); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.screenshot("failed.png")
			p.Fatalf("want a page with %q, got %q", text, shown)
		}
		if now, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.body?.innerText ?? ""`)); err == nil { // fails during a redirect
			shown = now
		}
	}
}

// await evaluates a promise of a text in the page, and returns the text.
func (p page) await(expression string) string {
	p.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.Fatalf("want a value of %s: %v", expression, err)
	}
	return v
}
