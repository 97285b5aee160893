package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/signin"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// sessionToken is the token of sessions in these tests. It reaches everything that the demo's does.
const sessionToken = demo.Token + "-session"

// oauthServer is an OAuth server that gives [sessionToken] to everybody.
type oauthServer struct {
	url string

	mu      sync.Mutex
	revoked []string
}

// withSignIn lets people sign in.
func withSignIn(t *testing.T) (*oauthServer, envOption) {
	t.Helper()
	o := new(oauthServer)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/revoke" {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.revoked = append(o.revoked, r.FormValue("token"))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token": %q, "token_type": "Bearer", "workspace_id": 101, "workspace_name": "Acme Academy", "workspace_url": "https://acme-academy.myclickfunnels.com", "team_id": 11, "team_name": "Acme Coaching"}`, sessionToken)
	}))
	t.Cleanup(s.Close)
	keys, err := signin.ParseKeys(strings.Repeat("keys", 11)[:43])
	if err != nil {
		t.Fatal(err)
	}
	o.url = s.URL
	return o, func(_ *env, cfg *config.Config) {
		cfg.OAuthClientID, cfg.OAuthURL, cfg.SessionKeys, cfg.ReturnTo = "app", s.URL, keys, []string{"com.example.app:/signed-in"}
	}
}

// person is somebody with a browser.
type person struct {
	*http.Client

	e *env
}

func newPerson(e *env) *person {
	e.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		e.t.Fatal(err)
	}
	return &person{&http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, e}
}

// public returns the URL of a path, under the public host name.
func (p *person) public(path string) string {
	return strings.Replace(p.e.url, "127.0.0.1", "localhost", 1) + path
}

// send sends a request with headers "Name: value", and returns the response with its body.
func (p *person) send(method, path, body string, headers ...string) (*http.Response, string) {
	p.e.t.Helper()
	r, err := http.NewRequest(method, p.public(path), strings.NewReader(body))
	if err != nil {
		p.e.t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	response, err := p.Do(r)
	if err != nil {
		p.e.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.e.t.Fatal(err)
	}
	return response, string(text)
}

// signIn signs in, and returns where the person ends.
func (p *person) signIn(query url.Values) *url.URL {
	p.e.t.Helper()
	login, text := p.send(http.MethodGet, "/auth/login?"+query.Encode(), "")
	to, err := login.Location()
	if err != nil {
		p.e.t.Fatal(login.Status, text)
	}
	done, text := p.send(http.MethodGet, "/auth/callback?code=good&state="+url.QueryEscape(to.Query().Get("state")), "")
	end, err := done.Location()
	if err != nil {
		p.e.t.Fatal(done.Status, text)
	}
	return end
}

// appBearer signs in as an app does, and returns its bearer token.
func (p *person) appBearer() string {
	p.e.t.Helper()
	verifier := oauth2.GenerateVerifier()
	end := p.signIn(url.Values{"return_to": {"com.example.app:/signed-in"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"}})
	_, text := p.send(http.MethodPost, "/auth/token", url.Values{"grant_type": {"authorization_code"}, "code": end.Query()["code"], "code_verifier": {verifier}}.Encode(), "Content-Type: application/x-www-form-urlencoded")
	var issued struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(text), &issued); err != nil || issued.AccessToken == "" {
		p.e.t.Fatal(text)
	}
	return issued.AccessToken
}

// ask sends an operation with the cookies.
func (p *person) ask(query string, headers ...string) (*http.Response, string) {
	p.e.t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		p.e.t.Fatal(err)
	}
	return p.send(http.MethodPost, "/graphql", string(body), append([]string{"Content-Type: application/json"}, headers...)...)
}

// TestSessionSeesOneWorkspace asks with a token that could see everything. The subdomain is known from
// the sign-in, so that a list takes one call.
func TestSessionSeesOneWorkspace(t *testing.T) {
	_, option := withSignIn(t)
	e := newEnv(t, option)
	p := newPerson(e)
	p.signIn(nil)
	if calls := e.take(sessionToken); !slices.Equal(calls, []string{"accounts /workspaces/101"}) {
		t.Errorf("the sign-in makes the calls %q, want one that shows that the token works", calls)
	}
	credentials := map[string][]string{"cookie": nil, "bearer": {"Authorization: Bearer " + p.appBearer()}}
	for name, headers := range credentials {
		e.forget()
		_, text := p.ask(`{ mine: workspace(id: "101") { contacts(first: 1) { nodes { emailAddress } } } }`, headers...)
		if calls := e.take(sessionToken); !strings.Contains(text, "@") || !slices.Equal(calls, []string{"acme-academy /workspaces/101/contacts"}) {
			t.Errorf("%s: %s with the calls %q", name, text, calls)
		}
		_, text = p.ask(`{ teams { nodes { name } } other: workspace(id: "102") { name } workspaces { nodes { rawId } } viewer { canWrite workspaces { rawId name } } contact(id: "`+contactID("102", "3000000201")+`") { emailAddress } }`, headers...)
		for _, want := range []string{`"teams":{"nodes":[]}`, `"other":null`, `"workspaces":{"nodes":[{"rawId":"101"}]}`, `"canWrite":true`, `"name":"Acme Academy"`, `"contact":null`} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: want %s in %s", name, want, text)
			}
		}
		if _, text := p.ask(`{ workspace(id: "101") { name } }`, append(slices.Clip(headers), "X-Funnelgraph-Explain: 1")...); !strings.Contains(text, `"path":"/workspaces/{id}"`) {
			t.Errorf("%s: no explanation in %s", name, text)
		}
		_, text = p.ask(`mutation { createContactTag(input: { workspaceId: "101", name: "By `+name+`" }) { contactTag { name } } }`, headers...)
		if !strings.Contains(text, `"By `+name+`"`) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// TestSessionAndOtherCredentials pins which credential counts.
func TestSessionAndOtherCredentials(t *testing.T) {
	_, option := withSignIn(t)
	e := newEnv(t, option, func(e *env, _ *config.Config) { e.gate = access.PassThrough{Default: demo.Token} })
	p := newPerson(e)
	end := p.signIn(url.Values{"return_to": {"/page"}})
	if end.String() != p.public("/page") {
		t.Errorf("the sign-in ends at %s", end)
	}
	const teams = `{ teams { nodes { name } } }`
	for name, test := range map[string]struct {
		headers []string
		want    string
		status  int
	}{
		"cookie":                      {nil, `"nodes":[]`, http.StatusOK},
		"a token of its own":          {[]string{"Authorization: Bearer " + demo.Token}, "Acme Coaching", http.StatusOK},
		"a token that does not work":  {[]string{"Authorization: Bearer other"}, "UNAUTHENTICATED", http.StatusOK},
		"a bearer that does not open": {[]string{"Authorization: Bearer fgs_invented"}, "sign in again", http.StatusUnauthorized},
		"a refresh token":             {[]string{"Authorization: Bearer fgr_invented"}, "sign in again", http.StatusUnauthorized},
		"a page of another site":      {[]string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, "FORBIDDEN", http.StatusForbidden},
	} {
		response, text := p.ask(teams, test.headers...)
		if response.StatusCode != test.status || !strings.Contains(text, test.want) {
			t.Errorf("%s: %d %s", name, response.StatusCode, text)
		}
		if !slices.Contains(response.Header.Values("Vary"), "Cookie") {
			t.Errorf("%s: Vary is %q", name, response.Header.Values("Vary"))
		}
	}
	get, text := p.send(http.MethodGet, "/graphql?query="+url.QueryEscape(teams), "", "GraphQL-Require-Preflight: 1")
	if get.StatusCode != http.StatusOK || !strings.Contains(text, `"nodes":[]`) || !strings.Contains(get.Header.Get("Cache-Control"), "private") && get.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("GET: %d with Cache-Control %q: %s", get.StatusCode, get.Header.Get("Cache-Control"), text)
	}
	if get, text := p.send(http.MethodGet, "/graphql?query="+url.QueryEscape(teams), "", "GraphQL-Require-Preflight: 1", "Sec-Fetch-Site: cross-site"); get.StatusCode != http.StatusForbidden {
		t.Errorf("GET from another site: %d %s", get.StatusCode, text)
	}
	nobody := newPerson(e)
	if _, text := nobody.ask(teams); !strings.Contains(text, "Acme Coaching") {
		t.Errorf("without a cookie: %s", text)
	}
	// A server without a sign-in does not pass a bearer on either.
	plain := newEnv(t, func(e *env, _ *config.Config) { e.gate = access.PassThrough{Default: demo.Token} })
	if status, text, _ := plain.do(post(`{"query":"`+teams+`"}`, "Authorization: Bearer fgs_invented")(plain)); status != http.StatusUnauthorized || len(plain.callsOf("fgs_invented")) > 0 {
		t.Errorf("%d %s", status, text)
	}
	if response, _ := newPerson(plain).send(http.MethodGet, "/auth/login", ""); response.StatusCode != http.StatusNotFound {
		t.Errorf("without a client id, /auth/login has status %d", response.StatusCode)
	}
}

// TestSignOut pins that the token is revoked, and that nothing cached is left.
func TestSignOut(t *testing.T) {
	o, option := withSignIn(t)
	e := newEnv(t, option, withCache(time.Hour))
	p := newPerson(e)
	p.signIn(nil)
	const query = `{ workspace(id: "101") { contacts(first: 1) { nodes { emailAddress } } } }`
	p.ask(query)
	e.forget()
	if p.ask(query); len(e.take(sessionToken)) > 0 {
		t.Error("the answer is not cached")
	}
	if response, text := p.send(http.MethodPost, "/auth/logout", ""); response.StatusCode != http.StatusNoContent {
		t.Fatal(response.Status, text)
	}
	if !slices.Equal(o.revoked, []string{sessionToken}) {
		t.Errorf("revoked: %q", o.revoked)
	}
	if _, text := p.ask(query); strings.Contains(text, "@") {
		t.Errorf("after the sign-out: %s", text)
	}
	// The same token again: its cached answers are gone.
	p.signIn(nil)
	e.forget()
	_, text := p.ask(query)
	if calls := e.take(sessionToken); !slices.Equal(calls, []string{"acme-academy /workspaces/101/contacts"}) {
		t.Errorf("after another sign-in: the calls %q and %s", calls, text)
	}
}

// TestSessionsOfTheAccessFile pins what the section sessions allows, and that sign-in is off without.
func TestSessionsOfTheAccessFile(t *testing.T) {
	key, hash := access.NewKey()
	for sessions, want := range map[string]struct{ read, write string }{
		"":                                   {`"errors"`, `"errors"`},
		"sessions: {}":                       {`"name":"Acme Academy"`, "FORBIDDEN"},
		"sessions: { access: read-write }":   {`"name":"Acme Academy"`, `"name":"A"`},
		"sessions: { limits: { depth: 1 } }": {"the limit is 1", "the limit is 1"},
		"sessions: { access: read, limits: { rate: 1 } }": {`"name":"Acme Academy"`, "RATE_LIMITED"},
	} {
		_, option := withSignIn(t)
		e := newEnv(t, option, func(e *env, _ *config.Config) {
			file := filepath.Join(t.TempDir(), "access.yaml")
			if err := os.WriteFile(file, []byte("clients: [{ name: app, keys: ['"+hash+"'], teams: all }]\n"+sessions+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			gate, err := access.NewClients(t.Context(), file, demo.Token, limits.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			e.gate = gate
		})
		p := newPerson(e)
		login, _ := p.send(http.MethodGet, "/auth/login", "")
		if off := login.StatusCode == http.StatusNotFound; off != (sessions == "") {
			t.Errorf("%q: /auth/login has status %d", sessions, login.StatusCode)
		}
		if sessions != "" {
			p.signIn(nil)
		}
		if _, text := p.ask(`{ workspace(id: "101") { name } }`); !strings.Contains(text, want.read) {
			t.Errorf("%q: read: %s", sessions, text)
		}
		if _, text := p.ask(`mutation { createContactTag(input: { workspaceId: "101", name: "A" }) { contactTag { name } } }`); !strings.Contains(text, want.write) {
			t.Errorf("%q: write: %s", sessions, text)
		}
		if _, text := p.ask(`{ teams { nodes { name } } }`, "Authorization: Bearer "+key); !strings.Contains(text, "Acme Coaching") {
			t.Errorf("%q: client: %s", sessions, text)
		}
	}
}
