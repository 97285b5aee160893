package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// answer is what the OAuth server of a test sends to a request.
type answer func(w http.ResponseWriter, r *http.Request)

// tokens is the response of ClickFunnels to a valid code.
const tokens = `{"access_token": "cf-token", "token_type": "Bearer", "expires_in": 7200, "scope": "admin read", "created_at": 1764000000,
	"team_id": 11, "team_name": "Acme", "workspace_id": 101, "workspace_name": "Acme Academy", "workspace_url": "https://acme-academy.myclickfunnels.com"}`

func jsonAnswer(status int, body string) answer {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// rig is a server with an OAuth server and a browser.
type rig struct {
	*Server

	t       *testing.T
	handler http.Handler
	url     string
	browser *http.Client
	revoked atomic.Int64
	forms   chan url.Values // of the OAuth server's requests
	token   answer
}

// newRig returns a rig. change, if not nil, changes its configuration.
func newRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, forms: make(chan url.Values, 100), token: jsonAnswer(http.StatusOK, tokens)}
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		_ = request.ParseForm()
		request.PostForm.Set("user agent", request.UserAgent())
		if r.forms <- request.PostForm; request.URL.Path == "/oauth/revoke" {
			r.revoked.Add(1)
			return
		}
		r.token(w, request)
	}))
	t.Cleanup(provider.Close)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) { r.handler.ServeHTTP(w, request) }))
	t.Cleanup(front.Close)
	r.url = strings.Replace(front.URL, "127.0.0.1", "localhost", 1)
	places := make([]ReturnTo, 0, 3)
	for _, text := range []string{"https://app.example.com", "com.example.app:/signed-in", "https://link.example.com/signed-in"} {
		place, err := ParseReturnTo(text)
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, place)
	}
	cfg := Config{
		ClientID: "app", ClientSecret: "hush", AuthorizeURL: provider.URL + "/oauth/authorize", ServerURL: provider.URL + "/oauth", PublicURL: r.url,
		UserAgent: "funnelgraph-test", Keys: keys(t, "k"), ReturnTo: places, Origins: []string{"https://app.example.com"}, Lifetime: 10 * time.Hour, Idle: time.Hour,
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if r.Server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", r.Handler())
	mux.Handle("/who", r.Authenticate(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		session, err := From(request.Context())
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusUnauthorized)
		case session == nil:
			_, _ = io.WriteString(w, "nobody")
		default:
			_, _ = fmt.Fprintf(w, "%s with %s", session.Workspace.ID, string(session.Token))
		}
	})))
	r.handler = mux
	r.browser = newBrowser(t)
	return r
}

// newBrowser returns a client that keeps cookies and follows no redirect.
func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// keys returns one key for each letter.
func keys(t *testing.T, letters string) Keys {
	t.Helper()
	var all []string
	for _, letter := range letters {
		all = append(all, strings.Repeat(string(letter)+"eys", 11)[:43])
	}
	parsed, err := ParseKeys(strings.Join(all, ","))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// reply is a response that has been read.
type reply struct {
	status   int
	header   http.Header
	body     string
	location *url.URL
	cookies  []*http.Cookie
}

// send sends a request with headers "Name: value". A body makes it a POST of a form.
func (r *rig) send(path, body string, headers ...string) reply {
	r.t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	if !strings.Contains(path, "://") {
		path = r.url + path
	}
	request, err := http.NewRequestWithContext(r.t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if request.Header.Set(name, value); name == "Host" {
			request.Host = value
		}
	}
	response, err := r.browser.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	location, _ := response.Location()
	return reply{response.StatusCode, response.Header, string(text), location, response.Cookies()}
}

// begin starts a sign-in, and returns the state that the OAuth server gets.
func (r *rig) begin(query url.Values) string {
	r.t.Helper()
	got := r.send("/auth/login?"+query.Encode(), "")
	if got.status != http.StatusFound || !strings.HasPrefix(got.location.String(), r.cfg.AuthorizeURL) {
		r.t.Fatalf("status %d to %v, want a redirect to ClickFunnels: %s", got.status, got.location, got.body)
	}
	return got.location.Query().Get("state")
}

// signIn signs the browser in.
func (r *rig) signIn(returnTo string) reply {
	r.t.Helper()
	return r.send("/auth/callback?code=good&state="+r.begin(url.Values{"return_to": {returnTo}}), "")
}

// The challenge and its verifier of apps.
var verifier = strings.Repeat("verifier-", 6)

func appQuery() url.Values {
	return url.Values{"return_to": {"com.example.app:/signed-in"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"}, "state": {"the app's"}}
}

func TestSignIn(t *testing.T) {
	r := newRig(t, nil)
	login := r.send("/auth/login?return_to=/page?x=1", "")
	query := login.location.Query()
	for name, want := range map[string]string{"client_id": "app", "redirect_uri": r.url + "/auth/callback", "response_type": "code", "new_installation": "true", "code_challenge_method": "S256"} {
		if query.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, query.Get(name), want)
		}
	}
	done := r.send("/auth/callback?code=good&state="+query.Get("state"), "")
	if done.status != http.StatusFound || done.location.String() != r.url+"/page?x=1" || done.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d to %v: %s", done.status, done.location, done.body)
	}
	form := <-r.forms
	for name, want := range map[string]string{"code": "good", "client_id": "app", "client_secret": "hush", "grant_type": "authorization_code", "redirect_uri": r.url + "/auth/callback", "user agent": "funnelgraph-test"} {
		if form.Get(name) != want {
			t.Errorf("the token request has %s %q, want %q", name, form.Get(name), want)
		}
	}
	if oauth2.S256ChallengeFromVerifier(form.Get("code_verifier")) != query.Get("code_challenge") {
		t.Error("the verifier does not belong to the challenge")
	}
	if who := r.send("/who", ""); who.body != "101 with cf-token" || who.header.Get("Vary") != "Cookie" {
		t.Errorf("%q with Vary %q", who.body, who.header.Get("Vary"))
	}
	session := r.send("/auth/session", "")
	var described struct {
		SignedIn        bool
		Workspace, Team map[string]string
		ExpiresAt       time.Time
	}
	if err := json.Unmarshal([]byte(session.body), &described); err != nil || session.status != http.StatusOK || strings.Contains(session.body, "cf-token") ||
		!described.SignedIn || described.Workspace["name"] != "Acme Academy" || described.Workspace["subdomain"] != "acme-academy" || described.Team["id"] != "11" || time.Until(described.ExpiresAt) < 59*time.Minute {
		t.Errorf("%d %s", session.status, session.body)
	}
	stolen := newBrowser(t)
	stolen.Jar.SetCookies(done.location, r.browser.Jar.Cookies(done.location))
	if out := r.send("/auth/logout", "x"); out.status != http.StatusNoContent || r.revoked.Load() != 1 {
		t.Errorf("logout: %d %s, %d revocations", out.status, out.body, r.revoked.Load())
	}
	if form := <-r.forms; form.Get("token") != "cf-token" || form.Get("client_secret") != "hush" || form.Get("user agent") != "funnelgraph-test" {
		t.Errorf("the revocation has %v", form)
	}
	if session := r.send("/auth/session", ""); session.status != http.StatusUnauthorized || session.body != "{\"signedIn\":false}\n" {
		t.Errorf("after logout: %d %s", session.status, session.body)
	}
	r.browser = stolen
	if who := r.send("/who", ""); who.status != http.StatusUnauthorized {
		t.Errorf("a copy of the cookie still works: %d %s", who.status, who.body)
	}
}

func TestAppSignIn(t *testing.T) {
	r := newRig(t, nil)
	done := r.send("/auth/callback?code=good&state="+r.begin(appQuery()), "")
	to := done.location
	if done.status != http.StatusFound || !strings.HasPrefix(to.String(), "com.example.app:/signed-in?") || to.Query().Get("state") != "the app's" {
		t.Fatalf("%d to %v", done.status, to)
	}
	for _, cookie := range done.cookies {
		if cookie.MaxAge >= 0 {
			t.Errorf("an app's sign-in sets the cookie %s", cookie.Name)
		}
	}
	exchange := func(verifier, more string) reply {
		return r.send("/auth/token", url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "code_verifier": {verifier}}.Encode()+more)
	}
	for name, refused := range map[string]reply{
		"no verifier": exchange("", ""), "another verifier": exchange(verifier[1:]+"x", ""), "another place": exchange(verifier, "&return_to=https://app.example.com"),
	} {
		if refused.status != http.StatusBadRequest || !strings.Contains(refused.body, `"invalid_grant"`) {
			t.Errorf("%s: %d %s", name, refused.status, refused.body)
		}
	}
	first := exchange(verifier, "")
	var issued struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		TokenType    string `json:"token_type"`
		ExpiresIn    int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(first.body), &issued); err != nil || first.status != http.StatusOK || issued.TokenType != "Bearer" || issued.ExpiresIn < 3590 || first.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", first.status, first.body)
	}
	if again := exchange(verifier, ""); again.status != http.StatusBadRequest || !strings.Contains(again.body, "used before") {
		t.Errorf("the code works twice: %d %s", again.status, again.body)
	}
	bearer := "Authorization: Bearer " + issued.AccessToken
	if who := r.send("/who", "", bearer); who.body != "101 with cf-token" {
		t.Errorf("%d %s", who.status, who.body)
	}
	refresh := func() reply {
		body, err := json.Marshal(map[string]string{"grant_type": "refresh_token", "refresh_token": issued.RefreshToken})
		if err != nil {
			t.Fatal(err)
		}
		return r.send("/auth/token", string(body), "Content-Type: application/json")
	}
	if renewed := refresh(); renewed.status != http.StatusOK || !strings.Contains(renewed.body, `"access_token":"fgs_`) {
		t.Errorf("refresh: %d %s", renewed.status, renewed.body)
	}
	if out := r.send("/auth/logout", "x", bearer); out.status != http.StatusNoContent || len(out.cookies) > 0 {
		t.Errorf("logout: %d, cookies %v", out.status, out.cookies)
	}
	if who, renewed := r.send("/who", "", bearer), refresh(); who.status != http.StatusUnauthorized || renewed.status != http.StatusBadRequest {
		t.Errorf("after logout: %d and %d", who.status, renewed.status)
	}
}

// TestAppRequests refuses sign-ins of apps that are not protected by a challenge. The app gets an error
// if it is an allowed place.
func TestAppRequests(t *testing.T) {
	r := newRig(t, nil)
	for name, change := range map[string]func(url.Values){
		"no challenge":             func(q url.Values) { q.Del("code_challenge") },
		"nothing":                  func(q url.Values) { q.Del("code_challenge"); q.Del("code_challenge_method"); q.Del("state") },
		"plain":                    func(q url.Values) { q.Set("code_challenge_method", "plain") },
		"no method":                func(q url.Values) { q.Del("code_challenge_method") },
		"a short challenge":        func(q url.Values) { q.Set("code_challenge", "short") },
		"a web app with a state":   func(q url.Values) { q.Set("return_to", "https://app.example.com"); q.Del("code_challenge") },
		"a state that is no text":  func(q url.Values) { q.Set("state", "\xff") },
		"a long state":             func(q url.Values) { q.Set("state", strings.Repeat("x", maxAppState+1)) },
		"another custom URL":       func(q url.Values) { q.Set("return_to", "com.example.app:/other") },
		"a huge query":             func(q url.Values) { q.Set("more", strings.Repeat("x", maxQuery)) },
		"a control character":      func(q url.Values) { q.Set("return_to", "com.example.app:/signed-in\x00") },
		"a longer path of a link":  func(q url.Values) { q.Set("return_to", "https://link.example.com/signed-in/more") },
		"the origin of a link":     func(q url.Values) { q.Set("return_to", "https://link.example.com/") },
		"a user name of an origin": func(q url.Values) { q.Set("return_to", "https://me@app.example.com/") },
	} {
		query := appQuery()
		change(query)
		got := r.send("/auth/login?"+query.Encode(), "")
		if to, err := r.target(query.Get("return_to")); err == nil && got.status == http.StatusFound {
			if answer := got.location.Query(); !strings.HasPrefix(got.location.String(), to.url+"?") || answer.Get("error") != "invalid_request" || answer.Get("state") != query.Get("state") || len(got.cookies) > 0 {
				t.Errorf("%s: to %v", name, got.location)
			}
			continue
		}
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, `"invalid_request"`) || len(got.cookies) > 0 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

func TestReturnTo(t *testing.T) {
	r := newRig(t, nil)
	for to, want := range map[string]string{
		"": r.url + "/", "/": r.url + "/", "/page?x=1#y": r.url + "/page?x=1#y", r.url + "/page": r.url + "/page",
		"https://app.example.com": "https://app.example.com", "https://app.example.com/a?b": "https://app.example.com/a?b", "https://app.example.com:443/a": "https://app.example.com:443/a", "https://APP.example.com/a": "https://APP.example.com/a",
		"https://link.example.com/signed-in": "https://link.example.com/signed-in",
		"//evil.example":                     "", "/\\evil.example": "", "\\\\evil.example": "", "https://evil.example": "", "https://app.example.com.evil.example": "", "https://app.example.com@evil.example": "",
		"https://app.example.com:8443": "", "http://app.example.com": "", "https:app.example.com": "", "https:///app.example.com": "", "https://app.example.com\\@evil.example": "",
		"\thttps://app.example.com": "", "https://app.example.com\n": "", "/a\tb": "", "javascript:alert(1)": "", "data:text/html,x": "", "page": "", "?x": "", "https://%61pp.example.com.evil.example": "", "https://аpp.example.com": "",
		"/" + strings.Repeat("x", maxReturnTo): "",
	} {
		got, err := r.target(to)
		if got.url != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", to, got.url, err, want)
		}
	}
}

// TestSignInFailures lists the ways in which a sign-in fails. A person gets a page, and an app an error.
func TestSignInFailures(t *testing.T) {
	for _, test := range []struct {
		name     string
		token    answer
		callback string // query in place of the code
		status   int
		text     string
		code     string
	}{
		{"denied", nil, "error=access_denied", http.StatusForbidden, "Access was not allowed", "access_denied"},
		{"unknown error", nil, "error=invalid_scope", http.StatusBadGateway, "operator must check", "server_error"},
		{"overloaded", nil, "error=temporarily_unavailable", http.StatusBadGateway, "did not respond", "temporarily_unavailable"},
		{"expired code", jsonAnswer(http.StatusBadRequest, `{"error": "invalid_grant", "error_description": "hush"}`), "", http.StatusBadRequest, "did not accept the sign-in", "server_error"},
		{"wrong secret", jsonAnswer(http.StatusUnauthorized, `{"error": "invalid_client"}`), "", http.StatusBadGateway, "does not accept this server", "server_error"},
		{"Basic authentication", func(w http.ResponseWriter, r *http.Request) {
			if _, _, ok := r.BasicAuth(); !ok {
				w.Header().Set("WWW-Authenticate", "Basic")
				http.Error(w, "hush", http.StatusUnauthorized)
			}
		}, "", http.StatusBadGateway, "does not accept this server", "server_error"},
		{"error 500", jsonAnswer(http.StatusInternalServerError, "hush"), "", http.StatusBadGateway, "did not respond", "temporarily_unavailable"},
		{"an HTML page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>hush</html>") }, "", http.StatusBadGateway, "did not name a workspace", "server_error"},
		{"no JSON", jsonAnswer(http.StatusOK, "hush"), "", http.StatusBadGateway, "did not name a workspace", "server_error"},
		{"no workspace", jsonAnswer(http.StatusOK, `{"access_token": "hush", "token_type": "Bearer", "team_id": 1}`), "", http.StatusBadGateway, "did not name a workspace", "server_error"},
		{"a workspace that is no id", jsonAnswer(http.StatusOK, strings.Replace(tokens, "101", `"../x"`, 1)), "", http.StatusBadGateway, "did not name a workspace", "server_error"},
		{"a token that is none", jsonAnswer(http.StatusOK, strings.Replace(tokens, "cf-token", "no token", 1)), "", http.StatusBadGateway, "did not name a workspace", "server_error"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, "", http.StatusBadGateway, "ClickFunnels", ""},
		{"a huge response", jsonAnswer(http.StatusOK, `{"access_token": "`+strings.Repeat("x", 2<<20)+`"}`), "", http.StatusBadGateway, "ClickFunnels", ""},
		{"a huge token", jsonAnswer(http.StatusOK, strings.Replace(tokens, "cf-token", strings.Repeat("x", 4000), 1)), "", http.StatusBadRequest, "too long", "invalid_request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, nil)
			if test.token != nil {
				r.token = test.token
			}
			callback := "/auth/callback?code=good"
			if test.callback != "" {
				callback = "/auth/callback?" + test.callback
			}
			page := r.send(callback+"&state="+r.begin(url.Values{"return_to": {"/page"}}), "", "Accept: text/html")
			if page.status != test.status || !strings.Contains(page.body, test.text) || !strings.Contains(page.body, `<a href="/auth/login`) || strings.Contains(page.body, "hush") {
				t.Errorf("page: %d %s", page.status, page.body)
			}
			asJSON := r.send(callback+"&state="+r.begin(url.Values{}), "", "Accept: application/json")
			if asJSON.status != test.status || !strings.Contains(asJSON.body, `"error_description"`) || !strings.Contains(asJSON.body, test.text) {
				t.Errorf("JSON: %d %s", asJSON.status, asJSON.body)
			}
			app := r.send(callback+"&state="+r.begin(appQuery()), "")
			if query := app.location.Query(); app.status != http.StatusFound || query.Get("state") != "the app's" || query.Get("code") != "" || test.code != "" && query.Get("error") != test.code || strings.Contains(app.location.String(), "hush") {
				t.Errorf("app: %d to %v", app.status, app.location)
			}
			for _, cookie := range append(page.cookies, app.cookies...) {
				if cookie.MaxAge >= 0 {
					t.Errorf("a failed sign-in sets the cookie %s", cookie.Name)
				}
			}
		})
	}
}

func TestProviderThatDoesNotRespond(t *testing.T) {
	r := newRig(t, nil)
	r.provider.http.Timeout = 50 * time.Millisecond
	r.token = func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() }
	if got := r.signIn("/"); got.status != http.StatusBadGateway || !strings.Contains(got.body, "did not respond") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestRefusedTokenEndsTheSignIn(t *testing.T) {
	r := newRig(t, func(cfg *Config) {
		cfg.Verify = func(_ context.Context, s *Session) error { return errors.New("no API for " + s.Workspace.ID) }
	})
	if got := r.signIn("/"); got.status != http.StatusForbidden || !strings.Contains(got.body, "has no access to the API") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestOtherBrowsersCannotFinish pins that a callback belongs to the browser that began the sign-in, and
// works once.
func TestOtherBrowsersCannotFinish(t *testing.T) {
	r := newRig(t, nil)
	state := r.begin(url.Values{})
	mine := r.browser
	r.browser = newBrowser(t)
	own := r.begin(url.Values{})
	for name, query := range map[string]string{"another browser's": "code=good&state=" + state, "none": "code=good", "an invented one": "code=good&state=" + strings.Repeat("A", 43), "garbage": "state=%00"} {
		if got := r.send("/auth/callback?"+query, ""); got.status != http.StatusBadRequest || !strings.Contains(got.body, "cannot be finished") {
			t.Errorf("state %s: %d %s", name, got.status, got.body)
		}
	}
	// A cookie under the name of another state.
	u, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range r.browser.Jar.Cookies(u) {
		if cookie.Name == loginCookie+own {
			r.browser.Jar.SetCookies(u, []*http.Cookie{{Name: loginCookie + state, Value: cookie.Value}})
		}
	}
	if got := r.send("/auth/callback?code=good&state="+state, ""); got.status != http.StatusBadRequest {
		t.Errorf("a renamed cookie: %d", got.status)
	}
	r.browser = mine
	if got := r.send("/auth/callback?code=good&state="+state, ""); got.status != http.StatusFound {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := r.send("/auth/callback?code=good&state="+state, ""); got.status != http.StatusBadRequest {
		t.Errorf("a second time: %d %s", got.status, got.body)
	}
}

func TestCookies(t *testing.T) {
	for public, want := range map[string]string{"": "funnelgraph", "https://api.example.com": "__Host-funnelgraph"} {
		r := newRig(t, func(cfg *Config) {
			if public != "" {
				cfg.PublicURL = public
			}
		})
		session := &Session{ID: "id", Token: "cf-token", Workspace: Workspace{ID: "101", Name: strings.Repeat("ü", maxName), Subdomain: strings.Repeat("x", 63)}, Team: Team{ID: "11", Name: strings.Repeat("ü", maxName)}, Ends: time.Now().Add(time.Hour)}
		w := httptest.NewRecorder()
		if !r.setSession(w, session) {
			t.Fatal("the session does not fit into a cookie")
		}
		text := w.Header().Get("Set-Cookie")
		if !strings.HasPrefix(text, want+"=") || len(text) > 4096 || !strings.Contains(text, "; Path=/; ") || !strings.Contains(text, "; HttpOnly") || !strings.Contains(text, "; SameSite=Lax") || strings.Contains(text, "Domain") || strings.Contains(text, "; Secure") != (public != "") {
			t.Errorf("%d bytes: %s", len(text), text)
		}
		if strings.Contains(text, "cf-token") {
			t.Error("the cookie shows the token")
		}
	}
}

func TestBrowsersOnOtherHostsAreRedirected(t *testing.T) {
	r := newRig(t, nil)
	got := r.send("/auth/login?return_to=/page", "", "Host: 192.0.2.1")
	if got.status != http.StatusFound || got.location.String() != r.url+"/auth/login?moved=1&return_to=%2Fpage" || len(got.cookies) > 0 {
		t.Errorf("%d to %v", got.status, got.location)
	}
	// A proxy names its own host, again and again.
	if got := r.send("/auth/login?return_to=/page&moved=1", "", "Host: 192.0.2.1"); got.status != http.StatusFound || !strings.HasPrefix(got.location.String(), r.cfg.AuthorizeURL) {
		t.Errorf("%d to %v", got.status, got.location)
	}
}

// TestAbandonedSignIns pins that a browser keeps few cookies of sign-ins.
func TestAbandonedSignIns(t *testing.T) {
	r := newRig(t, nil)
	for range 4 * maxLogins {
		r.begin(url.Values{})
	}
	u, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.browser.Jar.Cookies(u)); n == 0 || n > maxLogins {
		t.Errorf("%d cookies, want 1 to %d", n, maxLogins)
	}
	if got := r.signIn("/"); got.status != http.StatusFound {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestSessionsAreRenewed lets a session idle, and pins that use does not prolong its life.
func TestSessionsAreRenewed(t *testing.T) {
	r := newRig(t, nil)
	use := func(expires, ends time.Duration) reply {
		session := &Session{ID: "id", Token: "cf-token", Workspace: Workspace{ID: "101"}, Ends: time.Now().Add(ends)}
		sealed, err := r.cfg.Keys.seal(forSession, session.sealed(), time.Now().Add(expires))
		if err != nil {
			t.Fatal(err)
		}
		return r.send("/who", "", "Cookie: funnelgraph="+sealed)
	}
	for _, test := range []struct {
		expires, ends time.Duration
		age           time.Duration // of the new cookie; 0 without one
		status        int
	}{
		{time.Hour, 9 * time.Hour, 0, http.StatusOK},
		{30 * time.Minute, 9 * time.Hour, time.Hour, http.StatusOK},
		{10 * time.Minute, 40 * time.Minute, 40 * time.Minute, http.StatusOK},
		{10 * time.Minute, 10 * time.Minute, 0, http.StatusOK},
		{-time.Second, 9 * time.Hour, 0, http.StatusUnauthorized},
	} {
		got := use(test.expires, test.ends)
		if got.status != test.status || (len(got.cookies) > 0) != (test.age != 0) || len(got.cookies) > 0 && (time.Duration(got.cookies[0].MaxAge)*time.Second-test.age).Abs() > 5*time.Second {
			t.Errorf("expires in %s, ends in %s: %d with %v", test.expires, test.ends, got.status, got.cookies)
		}
	}
}

// TestCrossSiteRequests pins which pages may send the session cookie.
func TestCrossSiteRequests(t *testing.T) {
	r := newRig(t, nil)
	r.signIn("/")
	for _, test := range []struct {
		headers []string
		ok      bool
	}{
		{nil, true},
		{[]string{"Sec-Fetch-Site: same-origin"}, true},
		{[]string{"Sec-Fetch-Site: none"}, true},
		{[]string{"Sec-Fetch-Site: same-site", "Origin: https://app.example.com"}, true},
		{[]string{"Sec-Fetch-Site: cross-site"}, false},
		{[]string{"Sec-Fetch-Site: same-site", "Origin: https://other.example.com"}, false},
		{[]string{"Origin: https://evil.example"}, false},
		{[]string{"Origin: null"}, false},
	} {
		for _, path := range []string{"/who", "/auth/logout"} {
			body := ""
			if path == "/auth/logout" {
				if test.ok {
					continue
				}
				body = "x"
			}
			if got := r.send(path, body, test.headers...); (got.status == http.StatusOK) != test.ok {
				t.Errorf("%s with %v: %d %s", path, test.headers, got.status, got.body)
			}
		}
	}
	if r.revoked.Load() > 0 {
		t.Error("another site signed the person out")
	}
	// A bearer token is not sent by browsers on their own, so that any page may send it.
	if got := r.send("/who", "", "Origin: https://evil.example", "Authorization: Bearer other"); got.body != "nobody" {
		t.Errorf("with a token of its own: %d %s", got.status, got.body)
	}
}

// TestSignOutThatCannotRevoke pins the answer if ClickFunnels does not revoke the token: it depends on
// whether other replicas know of the sign-out.
func TestSignOutThatCannotRevoke(t *testing.T) {
	for name, test := range map[string]struct {
		shared Store
		status int
	}{"one process": {nil, http.StatusServiceUnavailable}, "a shared store": {newMemory(), http.StatusNoContent}, "a shared store that is down": {brokenStore{}, http.StatusServiceUnavailable}} {
		r := newRig(t, func(cfg *Config) { cfg.Shared = test.shared })
		r.signIn("/")
		r.provider.revokeURL = "http://127.0.0.1:1/"
		u, err := url.Parse(r.url)
		if err != nil {
			t.Fatal(err)
		}
		copied := newBrowser(t)
		copied.Jar.SetCookies(u, r.browser.Jar.Cookies(u))
		if out := r.send("/auth/logout", "x"); out.status != test.status || len(out.cookies) != 1 || out.cookies[0].MaxAge >= 0 {
			t.Errorf("%s: %d %s with %v", name, out.status, out.body, out.cookies)
		}
		r.browser = copied
		if who := r.send("/who", ""); who.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, who.status, who.body)
		}
	}
}

// TestTokensAreRevokedIfTheSignInFails lets sign-ins fail after ClickFunnels gave a token.
func TestTokensAreRevokedIfTheSignInFails(t *testing.T) {
	refuse := func(cfg *Config) {
		cfg.Verify = func(context.Context, *Session) error { return errors.New("no API") }
	}
	for name, test := range map[string]struct {
		change func(*Config)
		token  string
	}{
		"refused": {refuse, tokens}, "no workspace": {nil, strings.Replace(tokens, "101", "null", 1)}, "too long": {nil, strings.Replace(tokens, "cf-token", strings.Repeat("x", 3000), 1)},
	} {
		r := newRig(t, test.change)
		r.token = jsonAnswer(http.StatusOK, test.token)
		r.signIn("/")
		for deadline := time.Now().Add(10 * time.Second); r.revoked.Load() == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: the token is not revoked", name)
			}
		}
	}
}

// TestSigningInAgain ends the session that the browser had, and its token unless it is the same.
func TestSigningInAgain(t *testing.T) {
	r := newRig(t, nil)
	first := r.signIn("/").cookies
	r.signIn("/")
	if r.revoked.Load() > 0 {
		t.Error("the token of the new session is revoked")
	}
	mine := r.browser
	r.browser = newBrowser(t)
	for _, cookie := range first {
		if cookie.Name == sessionCookie {
			if who := r.send("/who", "", "Cookie: "+cookie.String()); who.status != http.StatusUnauthorized {
				t.Errorf("the previous session still works: %d %s", who.status, who.body)
			}
		}
	}
	r.browser = mine
	r.token = jsonAnswer(http.StatusOK, strings.Replace(tokens, "cf-token", "another", 1))
	r.signIn("/")
	for deadline := time.Now().Add(10 * time.Second); r.revoked.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the previous token is not revoked")
		}
	}
	if who := r.send("/who", ""); who.body != "101 with another" {
		t.Errorf("%d %s", who.status, who.body)
	}
	r.send("/auth/callback?code=good&state="+r.begin(appQuery()), "")
	if who := r.send("/who", ""); who.body != "101 with another" {
		t.Errorf("an app's sign-in ends the browser's session: %d %s", who.status, who.body)
	}
}

// TestExpiryOfTokensIsIgnored gives members that are nobody's business other forms.
func TestExpiryOfTokensIsIgnored(t *testing.T) {
	for _, expiry := range []string{"7200.0", "1e4", `""`, `"never"`, "{}", "null", "-5", "2049840000"} {
		r := newRig(t, nil)
		r.token = jsonAnswer(http.StatusOK, strings.Replace(tokens, "7200", expiry, 1))
		if got := r.signIn("/"); got.status != http.StatusFound {
			t.Errorf("%s: %d %s", expiry, got.status, got.body)
		}
	}
}

// TestSpellingsOfBearers pins that a token of ours is never another one's.
func TestSpellingsOfBearers(t *testing.T) {
	r := newRig(t, nil)
	for _, header := range []string{"Bearer fgs_x", "bearer  fgs_x", "Bearer\tfgs_x", "fgs_x", "Token fgs_x", "Bearer bearer fgs_x", "Bearer fgr_x", "Bearer fgs_x fgs_y", "Bearer other fgs_x"} {
		if who := r.send("/who", "", "Authorization: "+header); who.status != http.StatusUnauthorized {
			t.Errorf("%q: %d %s", header, who.status, who.body)
		}
	}
}

// TestParametersOfTheTarget pins that the target's own parameters stay, except the names of answers.
func TestParametersOfTheTarget(t *testing.T) {
	for to, want := range map[string]string{
		"https://app.example.com": "https://app.example.com?code=x", "https://app.example.com/a?b=1&c=%zz;d#e": "https://app.example.com/a?b=1&c=%zz;d&code=x#e",
		"https://app.example.com/?error=y&code=z&state=s&error%5Fdescription=d&errors=1": "https://app.example.com/?errors=1&code=x", "com.example.app:/signed-in": "com.example.app:/signed-in?code=x",
	} {
		if got := (target{url: to}).withQuery(url.Values{"code": {"x"}}); got != want {
			t.Errorf("%s: %s, want %s", to, got, want)
		}
	}
}
