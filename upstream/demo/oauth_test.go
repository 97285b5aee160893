package demo

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	testRedirect = "http://localhost:8080/callback?from=clickfunnels"
	testVerifier = "a-verifier-of-at-least-43-characters-0123456789"
)

// oauthTest is an OAuth server below a prefix.
type oauthTest struct {
	*testing.T
	oauth   *OAuth
	handler http.Handler
}

func newOAuthTest(t *testing.T) oauthTest {
	t.Helper()
	o := NewOAuth(OAuthClient{ID: "app", Secret: "s3cret", Redirects: []string{"https://example.com/other", testRedirect}})
	return oauthTest{t, o, http.StripPrefix("/accounts", o)}
}

// request sends a request. The body is a form, JSON if it starts with "{", or empty.
func (t oauthTest) request(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return respond(t.handler, method, path, body, headers...)
}

// respond returns the response of a handler. headers are lines such as "Origin: null".
func respond(h http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("User-Agent", "Test")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(body, "{") {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// authorization returns the parameters of an authorization request. changes are pairs of a name and
// a value, which is empty for an absent parameter.
func authorization(changes ...string) url.Values {
	return changed(url.Values{
		"client_id": {"app"}, "redirect_uri": {testRedirect}, "response_type": {"code"}, "new_installation": {"true"}, "state": {`"a&b`},
		"code_challenge": {challengeOf(testVerifier)}, "code_challenge_method": {"S256"},
	}, changes...)
}

// exchange returns the parameters of a token request.
func exchange(code string, changes ...string) url.Values {
	return changed(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {testRedirect}, "client_id": {"app"}, "client_secret": {"s3cret"},
		"code_verifier": {testVerifier},
	}, changes...)
}

func changed(values url.Values, changes ...string) url.Values {
	for pair := range slices.Chunk(changes, 2) {
		if values.Set(pair[0], pair[1]); pair[1] == "" {
			values.Del(pair[0])
		}
	}
	return values
}

// redirected returns the query that a response adds to the redirect URI.
func (t oauthTest) redirected(w *httptest.ResponseRecorder) url.Values {
	t.Helper()
	at, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s: want a redirect", w.Code, w.Body)
	}
	query := at.Query()
	if at.RawQuery = "from=clickfunnels"; at.String() != testRedirect || query.Get("from") != "clickfunnels" {
		t.Fatalf("redirected to %s", w.Header().Get("Location"))
	}
	return query
}

// code allows access to a workspace and returns the code.
func (t oauthTest) code(workspace string, changes ...string) string {
	t.Helper()
	form := authorization(append(changes, "workspace_id", workspace, "decision", "allow")...)
	code := t.redirected(t.request(http.MethodPost, "/accounts/oauth/authorize", form.Encode())).Get("code")
	if code == "" {
		t.Fatal("no code")
	}
	return code
}

// token signs in to a workspace.
func (t oauthTest) token(workspace string) string {
	t.Helper()
	w := t.request(http.MethodPost, "/accounts/oauth/token", exchange(t.code(workspace)).Encode())
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Token == "" {
		t.Fatalf("%d %s: want a token", w.Code, w.Body)
	}
	return answer.Token
}

func (t oauthTest) wantError(w *httptest.ResponseRecorder, status int, name string) {
	t.Helper()
	var answer oauthError
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != status || answer.Name != name || answer.Description == "" {
		t.Errorf("%d %s, want %d and %s", w.Code, w.Body, status, name)
	}
}

// TestSignIn follows a sign-in from the page to the token, with each way to send the client's
// credentials.
func TestSignIn(tt *testing.T) {
	t := newOAuthTest(tt)
	w := t.request(http.MethodGet, "/accounts/oauth/authorize?"+authorization().Encode(), "")
	text := w.Body.String()
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	for _, part := range []string{
		"funnelgraph demo", "Acme Coaching", "Loja do Sol", `value="101" required checked>Acme Academy`, `value="112" required>Sol Rascunho`, `action="authorize"`,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the page lacks %s:\n%s", part, text)
		}
	}
	form := url.Values{"workspace_id": {"107"}, "decision": {"allow"}}
	for _, field := range regexp.MustCompile(`type="hidden" name="(\w+)" value="(.*)"`).FindAllStringSubmatch(text, -1) {
		form.Set(field[1], html.UnescapeString(field[2]))
	}

	inJSON := func(values url.Values) string {
		all := make(map[string]any)
		for key := range values {
			all[key] = values.Get(key)
		}
		all["nested"] = []int{1} // unknown members are ignored
		return string(encode(all))
	}
	basic := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("app:s3cret"))
	for name, exchanged := range map[string]func(code string) *httptest.ResponseRecorder{
		"form": func(code string) *httptest.ResponseRecorder {
			return t.request(http.MethodPost, "/accounts/oauth/token", exchange(code).Encode())
		},
		"JSON": func(code string) *httptest.ResponseRecorder {
			return t.request(http.MethodPost, "/accounts/oauth/token", inJSON(exchange(code)))
		},
		"basic": func(code string) *httptest.ResponseRecorder {
			return t.request(http.MethodPost, "/accounts/oauth/token", exchange(code, "client_id", "", "client_secret", "").Encode(), basic)
		},
	} {
		query := t.redirected(t.request(http.MethodPost, "/accounts/oauth/authorize", form.Encode()))
		if query.Get("state") != `"a&b` {
			t.Errorf("state %q", query.Get("state"))
		}
		w := exchanged(query.Get("code"))
		var answer map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
		token, _ := answer["access_token"].(string)
		if created, _ := answer["created_at"].(float64); len(token) < 32 || time.Since(time.Unix(int64(created), 0)) > time.Minute {
			t.Errorf("%s: %v", name, answer)
		}
		delete(answer, "access_token")
		delete(answer, "created_at")
		want := map[string]any{
			"token_type": "Bearer", "expires_in": 7200.0, "scope": "admin read", "team_id": 12.0, "team_name": "Northwind Studio",
			"workspace_id": 107.0, "workspace_name": "Northwind Kids", "workspace_url": "https://northwind-kids.myclickfunnels.com",
		}
		if !maps.Equal(answer, want) {
			t.Errorf("%s: %v, want %v", name, answer, want)
		}
	}
}

func TestDenyRedirectsWithError(tt *testing.T) {
	t := newOAuthTest(tt)
	form := authorization("workspace_id", "101", "decision", "deny")
	query := t.redirected(t.request(http.MethodPost, "/accounts/oauth/authorize", form.Encode()))
	if query.Get("error") != "access_denied" || query.Get("error_description") == "" || query.Get("state") != `"a&b` || query.Has("code") {
		t.Errorf("redirected with %v", query)
	}
}

// TestAuthorizeShowsErrorPage sends requests whose redirect URI cannot be trusted, and forms that
// cannot be used. None of them redirects.
func TestAuthorizeShowsErrorPage(tt *testing.T) {
	t := newOAuthTest(tt)
	for _, changes := range [][]string{
		{"client_id", ""}, {"client_id", "other"}, {"redirect_uri", ""}, {"redirect_uri", testRedirect + "&more=1"},
		{"redirect_uri", "http://localhost:8081/callback?from=clickfunnels"}, {"new_installation", ""}, {"new_installation", "false"},
	} {
		query := authorization(changes...).Encode()
		for _, w := range []*httptest.ResponseRecorder{
			t.request(http.MethodGet, "/accounts/oauth/authorize?"+query, ""),
			t.request(http.MethodPost, "/accounts/oauth/authorize", query+"&workspace_id=101&decision=allow"),
		} {
			if w.Code != http.StatusBadRequest || w.Header().Get("Location") != "" || !strings.Contains(w.Body.String(), "Sign-in failed") {
				t.Errorf("%v: %d %v", changes, w.Code, w.Header())
			}
		}
	}
	for _, changes := range [][]string{
		{"decision", "allow"}, {"decision", "allow", "workspace_id", "999"}, {"workspace_id", "101"}, {"decision", "other", "workspace_id", "101"},
	} {
		if w := t.request(http.MethodPost, "/accounts/oauth/authorize", authorization(changes...).Encode()); w.Code != http.StatusBadRequest {
			t.Errorf("%v: %d, want 400", changes, w.Code)
		}
	}
	if w := t.request(http.MethodPost, "/accounts/oauth/authorize", "state="+strings.Repeat("x", maxForm)); w.Code != http.StatusBadRequest {
		t.Errorf("a long form: %d, want 400", w.Code)
	}
}

func TestAuthorizeRedirectsWithError(tt *testing.T) {
	t := newOAuthTest(tt)
	for _, test := range []struct {
		name, value, want string
	}{
		{"response_type", "", "invalid_request"},
		{"response_type", "token", "unsupported_response_type"},
		{"code_challenge_method", "plain", "invalid_code_challenge_method"},
		{"code_challenge_method", "", "invalid_code_challenge_method"},
		{"code_challenge", "short", "invalid_request"},
	} {
		query := t.redirected(t.request(http.MethodGet, "/accounts/oauth/authorize?"+authorization(test.name, test.value).Encode(), ""))
		if query.Get("error") != test.want || query.Get("state") != `"a&b` {
			t.Errorf("%s=%s: %v", test.name, test.value, query)
		}
	}
}

func TestAuthorizeRefusesForeignForms(tt *testing.T) {
	t := newOAuthTest(tt)
	form := authorization("workspace_id", "101", "decision", "allow").Encode()
	for header, want := range map[string]int{
		"Sec-Fetch-Site: cross-site": http.StatusForbidden, "Origin: https://evil.example": http.StatusForbidden,
		"Sec-Fetch-Site: same-origin": http.StatusSeeOther, "Origin: http://example.com": http.StatusSeeOther,
	} {
		if w := t.request(http.MethodPost, "/accounts/oauth/authorize", form, header); w.Code != want {
			t.Errorf("%s: %d, want %d", header, w.Code, want)
		}
	}
}

func TestTokenRefusals(tt *testing.T) {
	t := newOAuthTest(tt)
	for _, test := range []struct {
		name, value string
		status      int
		want        string
	}{
		{"grant_type", "", 400, "invalid_request"},
		{"grant_type", "password", 400, "unsupported_grant_type"},
		{"code", "", 400, "invalid_request"},
		{"code", "guess", 400, "invalid_grant"},
		{"redirect_uri", "", 400, "invalid_request"},
		{"redirect_uri", "https://example.com/other", 400, "invalid_grant"},
		{"client_id", "other", 401, "invalid_client"},
		{"client_secret", "wrong", 401, "invalid_client"},
		{"client_secret", "", 401, "invalid_client"},
		{"code_verifier", "", 400, "invalid_request"},
		{"code_verifier", testVerifier + "x", 400, "invalid_grant"},
	} {
		code := t.code("101")
		t.wantError(t.request(http.MethodPost, "/accounts/oauth/token", exchange(code, test.name, test.value).Encode()), test.status, test.want)
		// A failed exchange does not use up the code.
		if w := t.request(http.MethodPost, "/accounts/oauth/token", exchange(code).Encode()); w.Code != http.StatusOK {
			t.Errorf("%s=%s: then %d %s", test.name, test.value, w.Code, w.Body)
		}
	}
	plain := t.code("101", "code_challenge", "")
	t.wantError(t.request(http.MethodPost, "/accounts/oauth/token", exchange(plain).Encode()), 400, "invalid_grant")
	if w := t.request(http.MethodPost, "/accounts/oauth/token", exchange(plain, "code_verifier", "").Encode()); w.Code != http.StatusOK {
		t.Errorf("without PKCE: %d %s", w.Code, w.Body)
	}

	t.wantError(t.request(http.MethodPost, "/accounts/oauth/token", "{"), 400, "invalid_request")
	t.wantError(t.request(http.MethodPost, "/accounts/oauth/token", "code="+strings.Repeat("x", maxForm)), 400, "invalid_request")
	t.wantError(t.request(http.MethodPost, "/accounts/oauth/token", exchange(t.code("101")).Encode(), "Content-Type: text/plain"), 400, "invalid_request")
	if w := t.request(http.MethodGet, "/accounts/oauth/token", ""); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d, want 405", w.Code)
	}
	for _, path := range []string{"/accounts/oauth/token", "/accounts/oauth/revoke"} {
		if w := t.request(http.MethodPost, path, exchange("x").Encode(), "User-Agent: "); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "<html>") {
			t.Errorf("%s without a User-Agent: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestEmptySecretNeverAuthenticates(tt *testing.T) {
	t := newOAuthTest(tt)
	t.oauth.client.Secret = ""
	t.wantError(t.request(http.MethodPost, "/accounts/oauth/token", exchange(t.code("101"), "client_secret", "").Encode()), 401, "invalid_client")
}

// TestCodeWorksOnce exchanges a code many times at once.
func TestCodeWorksOnce(tt *testing.T) {
	t := newOAuthTest(tt)
	form := exchange(t.code("101")).Encode()
	answers := make([]*httptest.ResponseRecorder, 20)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() { answers[i] = t.request(http.MethodPost, "/accounts/oauth/token", form) })
	}
	wait.Wait()
	i := slices.IndexFunc(answers, func(w *httptest.ResponseRecorder) bool { return w.Code == http.StatusOK })
	if i < 0 {
		t.Fatal("no exchange succeeded")
	}
	for _, w := range slices.Delete(answers, i, i+1) {
		t.wantError(w, http.StatusBadRequest, "invalid_grant")
	}
}

func TestCodeExpires(tt *testing.T) {
	synctest.Test(tt, func(tt *testing.T) {
		t := newOAuthTest(tt)
		early, late := exchange(t.code("101")).Encode(), exchange(t.code("101")).Encode()
		time.Sleep(codeLifetime)
		if w := t.request(http.MethodPost, "/accounts/oauth/token", early); w.Code != http.StatusOK {
			t.Errorf("after 10 minutes: %d %s", w.Code, w.Body)
		}
		time.Sleep(time.Nanosecond)
		t.wantError(t.request(http.MethodPost, "/accounts/oauth/token", late), http.StatusBadRequest, "invalid_grant")
	})
}

// TestRevokedTokenIsRefused revokes one of two tokens, on two servers that accept both.
func TestRevokedTokenIsRefused(tt *testing.T) {
	t := newOAuthTest(tt)
	revoked, kept := t.token("101"), t.token("101")
	first, second, stranger := New(), New(), New()
	first.AcceptTokensOf(t.oauth)
	second.AcceptTokensOf(t.oauth)
	want := func(api *Server, token string, status int) {
		t.Helper()
		if w := respond(api, http.MethodGet, "/accounts/api/v2/me", "", "Authorization: Bearer "+token); w.Code != status {
			t.Errorf("%d %s, want %d", w.Code, w.Body, status)
		}
	}
	want(first, revoked, http.StatusOK)
	want(second, revoked, http.StatusOK)
	want(stranger, revoked, http.StatusUnauthorized)

	form := url.Values{"client_id": {"app"}, "client_secret": {"wrong"}, "token": {revoked}}
	t.wantError(t.request(http.MethodPost, "/accounts/oauth/revoke", form.Encode()), http.StatusForbidden, "unauthorized_client")
	want(first, revoked, http.StatusOK)
	form.Set("client_secret", "s3cret")
	for _, token := range []string{revoked, revoked, "unknown", ""} {
		form.Set("token", token)
		if w := t.request(http.MethodPost, "/accounts/oauth/revoke", form.Encode()); w.Code != http.StatusOK || w.Body.String() != "{}" {
			t.Errorf("revoking %q: %d %s", token, w.Code, w.Body)
		}
	}
	want(first, revoked, http.StatusUnauthorized)
	want(second, revoked, http.StatusUnauthorized)
	want(first, kept, http.StatusOK)
	want(first, Token, http.StatusOK)
	want(first, "", http.StatusUnauthorized)
}

func TestOldestTokensAreDropped(tt *testing.T) {
	t := newOAuthTest(tt)
	first, second := t.token("101"), t.token("102")
	for range maxSecrets - 1 {
		t.oauth.tokens.add(grant{team: 11, workspace: 101})
	}
	if _, ok := t.oauth.grant(first); ok {
		t.Error("the oldest token is still valid")
	}
	if g, ok := t.oauth.grant(second); !ok || g.workspace != 102 || len(t.oauth.tokens.values) != maxSecrets || len(t.oauth.tokens.order) != maxSecrets {
		t.Errorf("second token %v %v of %d", g, ok, len(t.oauth.tokens.values))
	}
}

// TestWorkspaceTokenSeesItsWorkspaceOnly reads every table on every host with a workspace token, and
// compares the result with the records of the workspace.
func TestWorkspaceTokenSeesItsWorkspaceOnly(tt *testing.T) {
	t := newOAuthTest(tt)
	api := New()
	api.AcceptTokensOf(t.oauth)
	token := "Authorization: Bearer " + t.token("106")
	get := func(path string) (int, string) {
		w := respond(api, http.MethodGet, path, "", token)
		return w.Code, w.Body.String()
	}
	names := regexp.MustCompile(`"(?:subdomain|name)":"([^"]*)"`)
	for path, want := range map[string]string{"teams": "Northwind Studio", "teams/12/workspaces": "Northwind Dance northwind-dance"} {
		_, body := get("/accounts/api/v2/" + path)
		var found []string
		for _, match := range names.FindAllStringSubmatch(body, -1) {
			found = append(found, match[1])
		}
		if got := strings.Join(found, " "); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if _, body := get("/accounts/api/v2/me"); !strings.Contains(body, `"connected_workspace":{"team_id":12,"team_name":"Northwind Studio","workspace_currency":"USD",`+
		`"workspace_id":106,"workspace_name":"Northwind Dance","workspace_url":"https://northwind-dance.myclickfunnels.com"}`) {
		t.Errorf("me: %s", body)
	}

	seen := make(map[bool]int)
	for _, table := range example() {
		if table.member == "" {
			continue
		}
		shown := make(map[string]int) // records per host
		for _, r := range table.rows {
			host := table.subdomain(r)
			if shown[host]++; shown[host] > 3 && host != accounts {
				continue
			}
			visible := host == "northwind-dance" || table.list == "users" || table.list == "teams" && r.id() == 12 || table.list == workspaceList && r.id() == 106
			for _, id := range []string{fmt.Sprint(r.id()), r["public_id"].(string)} {
				status, body := get("/" + host + "/api/v2/" + strings.Replace(pathOf(table, r), "*", id, 1))
				if seen[visible]++; (status == http.StatusOK) != visible || status != http.StatusOK && status != http.StatusNotFound {
					t.Fatalf("%s %s on %s: %d %.200s", table.member, id, host, status, body)
				}
			}
		}
	}
	if seen[true] < 100 || seen[false] < 1000 {
		t.Errorf("read %v records", seen)
	}
}

// pathOf returns the path of a row, with a star for its id.
func pathOf(t *table, r row) string {
	if strings.Count(t.member, "*") < 2 {
		return t.member
	}
	return strings.Replace(t.member, "*", fmt.Sprint(r[t.parent]), 1)
}

// TestWorkspaceTokenCannotLeaveItsWorkspace lists and changes what belongs to another workspace.
func TestWorkspaceTokenCannotLeaveItsWorkspace(tt *testing.T) {
	t := newOAuthTest(tt)
	api := New()
	api.AcceptTokensOf(t.oauth)
	token := "Authorization: Bearer " + t.token("101")
	for _, test := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/accounts/api/v2/teams/12/workspaces", "", 404},
		{"GET", "/accounts/api/v2/teams/12/memberships", "", 404},
		{"GET", "/accounts/api/v2/teams/11/memberships", "", 200},
		{"GET", "/accounts/api/v2/workspaces/" + publicID(102), "", 404},
		{"GET", "/accounts/api/v2/workspaces/" + publicID(101), "", 200},
		{"PUT", "/accounts/api/v2/workspaces/102", `{"workspace":{"name":"Mine"}}`, 404},
		{"PUT", "/accounts/api/v2/teams/12", `{"team":{"name":"Mine"}}`, 404},
		{"GET", "/acme-retreats/api/v2/workspaces/102/contacts", "", 404},
		{"GET", "/acme-academy/api/v2/workspaces/102/contacts", "", 404},
		{"GET", "/acme-academy/api/v2/workspaces/101/contacts", "", 200},
		{"POST", "/acme-retreats/api/v2/workspaces/102/contacts", `{"contact":{"email_address":"a@example.com"}}`, 404},
		{"POST", "/acme-academy/api/v2/workspaces/101/contacts", `{"contact":{"email_address":"a@example.com"}}`, 201},
		{"PUT", "/accounts/api/v2/workspaces/101", `{"workspace":{"subdomain":"acme-retreats"}}`, 422},
		{"PUT", "/accounts/api/v2/workspaces/101", `{"workspace":{"subdomain":"accounts"}}`, 422},
		{"PUT", "/accounts/api/v2/workspaces/101", `{"workspace":{"subdomain":["x"]}}`, 422},
		{"PUT", "/accounts/api/v2/workspaces/101", `{"workspace":{"subdomain":"acme-school"}}`, 200},
		{"GET", "/acme-academy/api/v2/workspaces/101/contacts", "", 404},
		{"GET", "/acme-school/api/v2/workspaces/101/contacts", "", 200},
	} {
		if w := respond(api, test.method, test.path, test.body, token); w.Code != test.want {
			t.Errorf("%s %s %s: %d %.200s, want %d", test.method, test.path, test.body, w.Code, w.Body, test.want)
		}
	}
	if w := respond(api, http.MethodGet, "/accounts/api/v2/workspaces/102", "", "Authorization: Bearer "+Token); !strings.Contains(w.Body.String(), "Acme Retreats") {
		t.Errorf("demo token: %d %s", w.Code, w.Body)
	}
}
