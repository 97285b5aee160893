package access

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/webhooks"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// captureLog captures the log until the test ends.
func captureLog(t *testing.T) *lockedBuffer {
	t.Helper()
	before, b := slog.Default(), new(lockedBuffer)
	slog.SetDefault(slog.New(slog.NewTextHandler(b, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return b
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(t.TempDir(), name)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func newClients(t *testing.T, text string, token upstream.Token) *Clients {
	t.Helper()
	c, err := NewClients(t.Context(), writeFile(t, "access.yaml", text), token, limits.Policy{Limits: limits.Limits{Depth: 20, Calls: 500}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// callerOf returns the caller that a bearer token identifies, or nil if it is refused.
func (c *Clients) callerOf(bearer string) *Caller {
	r := httptest.NewRequest(http.MethodPost, "/graphql", nil)
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	caller, refusal := c.Caller(r)
	if (caller == nil) == (refusal == nil) || refusal != nil && (refusal.Status != 401 || refusal.Code != upstream.Unauthenticated) {
		panic("neither let in nor refused")
	}
	return caller
}

func TestClients(t *testing.T) {
	t.Setenv("SECOND_TOKEN", "second-secret")
	first := writeFile(t, "token", "first-secret\n")
	phone, phoneHash := NewKey()
	spare, spareHash := NewKey()
	office, officeHash := NewKey()
	c := newClients(t, fmt.Sprintf(`
tokens:
  first: { file: %q }
  second: { env: SECOND_TOKEN }
clients:
  - name: phone
    keys: [%q, %q]
    token: first
    teams: [11]
    workspaces: ["101", 9007199254740993]
    limits: { calls: 50, timeout: 5s, rate: 600 }
  - name: office
    keys: [%q]
    token: second
    teams: all
    access: read-write
`, first, phoneHash, spareHash, officeHash), "")
	for _, key := range []string{phone, spare} {
		caller := c.callerOf(key)
		if caller == nil || string(caller.Token) != "first-secret" || !caller.ReadOnly || caller.Scope == nil || caller.Policy.Client != "phone" ||
			caller.Policy.Limits != (limits.Limits{Depth: 20, Calls: 50, Timeout: 5 * time.Second, Rate: 600}) {
			t.Errorf("%+v", caller)
		}
	}
	caller := c.callerOf(office)
	if caller == nil || string(caller.Token) != "second-secret" || caller.ReadOnly || caller.Scope != nil || caller.Policy.Calls != 500 {
		t.Errorf("%+v", caller)
	}
	if c.callerOf(phone).Key() == caller.Key() || c.callerOf(phone).Key() != c.callerOf(spare).Key() {
		t.Error("keys of callers")
	}
	another, _ := NewKey()
	for _, bearer := range []string{"", another, "first-secret", "second-secret", phone + "x", phone[:len(phone)-1], strings.ToUpper(phone), "fgk_", phoneHash, "null", "a.b.c"} {
		if c.callerOf(bearer) != nil {
			t.Errorf("%s is let in", bearer)
		}
	}
}

// TestPublicCallers checks whose responses shared caches may store: not those of clients that can send a
// JSON Web Token, which belongs to a person.
func TestPublicCallers(t *testing.T) {
	_, shop := NewKey()
	_, office := NewKey()
	_, both := NewKey()
	c := newClients(t, fmt.Sprintf(`
jwt: { issuer: me, audience: funnelgraph, jwks: "http://127.0.0.1:1/keys" }
clients:
  - { name: shop, keys: [%q], workspaces: [1] }
  - { name: office, keys: [%q], teams: all, private: true }
  - { name: both, keys: [%q], claims: { azp: app }, teams: all }
  - { name: person, claims: { azp: web }, teams: all }
sessions: { access: read }
`, shop, office, both), "own")
	for caller := range c.Callers() {
		if want := caller.Policy.Client == "shop"; caller.Public != want {
			t.Errorf("%s: %t", caller.Policy.Client, caller.Public)
		}
	}
	if c.current.Load().sessions.Public {
		t.Error("the responses to people who signed in are public")
	}
}

// TestDefaultToken checks the token of a client that names none: the server's own, or the only one
// of the file.
func TestDefaultToken(t *testing.T) {
	key, hash := NewKey()
	text := fmt.Sprintf("clients: [{ name: a, teams: all, keys: [%q] }]", hash)
	if caller := newClients(t, text, "own").callerOf(key); caller == nil || string(caller.Token) != "own" {
		t.Errorf("%+v", caller)
	}
	t.Setenv("ONLY_TOKEN", "only")
	if caller := newClients(t, "tokens: { main: { env: ONLY_TOKEN } }\n"+text, "").callerOf(key); caller == nil || string(caller.Token) != "only" {
		t.Errorf("%+v", caller)
	}
}

// TestBadFiles checks that each error is one line with the reason and without secrets.
func TestBadFiles(t *testing.T) {
	t.Setenv("A_TOKEN", "hush-token")
	t.Setenv("BAD_TOKEN", "hush, hush")
	key, hash := NewKey()
	client := fmt.Sprintf("{ name: a, teams: all, keys: [%q] }", hash)
	with := func(more string) string { return fmt.Sprintf("clients: [{ name: a, keys: [%q], %s }]", hash, more) }
	clients := "\nclients: [" + client + "]"
	const issuer = `issuer: i, audience: a, `
	for text, want := range map[string]string{
		"":                                 "there are no clients in it",
		"clients:":                         "there are no clients in it",
		"clients: []":                      "there are no clients in it",
		"clients: [":                       "line 1: did not find",
		"customers: []":                    "line 1: field customers not found",
		"hush-hush-hush-hush-hush-hush: x": "line 1: field not found",
		"clients: {}":                      "line 1: cannot unmarshal !!map",
		"- a":                              "line 1: cannot unmarshal !!seq",
		"clients: [" + client + "]\n---\nclients: []":                                   "more than one document",
		"clients: [" + client + ", " + client + "]":                                     "client 2: another client has its name",
		fmt.Sprintf("clients: [{ teams: all, keys: [%q] }]", hash):                      "client 1: its name is made of",
		fmt.Sprintf("clients: [%s, { name: b, teams: all, keys: [%q] }]", client, hash): "client b: it has the same key as client a",
		"clients: [{ name: \"a\\nb\", teams: all }]":                                    "client 1: its name is made of",
		"clients: [{ name: a, teams: all }]":                                            "client a: give keys or claims",
		"clients: [{ name: a, teams: all, keys: [" + key + "] }]":                       "client a: a key's hash is sha256:",
		"clients: [{ name: a, teams: all, keys: [\"sha256:00\"] }]":                     "a key's hash is",
		"clients: [{ name: a, teams: all, keys: [\"" + hash + "0\"] }]":                 "a key's hash is",
		"clients: [{ name: a, teams: all, claims: { azp: x } }]":                        "claims need a jwt section",
		with("tokn: x"):                                                  "line 1: field tokn not found",
		with("token: hush, teams: all"):                                  "its token is not listed under tokens",
		with("access: write, teams: all"):                                "access must be read or read-write",
		with("teams: [abc]"):                                             `"abc" is not a raw id`,
		with("teams: [~]"):                                               "is not a raw id",
		with("workspaces: [0]"):                                          `"0" is not a raw id`,
		with("access: read"):                                             "say what it may see",
		with("teams: ~"):                                                 "[] is none",
		with("teams: all, workspaces: [101]"):                            "workspaces cannot be given as well",
		with("teams: all, workspaces: []"):                               "workspaces cannot be given as well",
		with("workspaces: "):                                             "[] is none",
		with("teams: [11], workspaces: "):                                "[] is none",
		with("teams: [11], workspaces: ~"):                               "[] is none",
		with("workspaces: all"):                                          "say what it may see",
		with("teams: 11"):                                                "[] is none",
		with("teams: { a: b }"):                                          "[] is none",
		with("teams: all, limits: { depht: 1 }"):                         "limits: line 1: field depht not found",
		with("teams: all, limits: { depth: -1 }"):                        "must not be negative",
		with("teams: all, limits: { depth: deep }"):                      "limits: line 1: cannot unmarshal !!str",
		"tokens: { main: {} }" + clients:                                 "token main: give either file or env",
		"tokens: { main: { env: NO_SUCH_TOKEN } }" + clients:             "token main: its environment variable holds no token",
		"tokens: { main: { env: BAD_TOKEN } }" + clients:                 "token main: its environment variable holds no token",
		"tokens: { main: { env: hush-hush } }" + clients:                 "token main: its environment variable holds no token",
		"tokens: { main: { file: /no/such/token } }" + clients:           "token main: its file \"/no/such/token\" cannot be read: no such file or directory; write the ClickFunnels token into that file, or correct the path",
		"tokens: { main: { file: hushhushhushhushhushhush } }" + clients: "token main: its file cannot be read: no such file",
		"tokens: { hush-hush-hush-hush-hush-hush-hush: { env: A_TOKEN } }" + clients: "the name of a token is at most 24",
		"tokens: { a: { env: A_TOKEN }, b: { env: A_TOKEN } }" + clients:             "give the token that it uses",
		"jwt: {}" + clients: "issuer, audience and jwks are needed",
		"jwt: { " + issuer + `jwks: "http://example.com/keys" }` + clients:                       "must be an https URL",
		"jwt: { " + issuer + `jwks: "https://u:hush@example.com/keys" }` + clients:               "must be an https URL",
		"jwt: { " + issuer + `jwks: "https://example.com/keys", algorithms: [none] }` + clients:  `algorithm "none" is not accepted`,
		"jwt: { " + issuer + `jwks: "https://example.com/keys", algorithms: [HS256] }` + clients: `algorithm "HS256" is not accepted`,
		"sessions: { access: write }":                                                                        "sessions: access must be read or read-write",
		"sessions: { limits: { depth: -1 } }":                                                                "sessions: limits: the limit of depth must not be negative",
		"sessions: { workspaces: [101] }":                                                                    "line 1: field workspaces not found",
		"webhooks: [{ name: a, workspace: 101 }]":                                                            "webhook a: give the secrets that sign its deliveries",
		"webhooks: [{ name: a b, workspace: 101 }]":                                                          "webhook 1: its name is made of",
		"webhooks: [{ name: a, workspace: acme, secrets: [{ env: A_TOKEN }] }]":                              "webhook a: workspace must be the raw id",
		"webhooks: [{ name: a, workspace: 101, secrets: [{ env: BAD_TOKEN }] }]":                             "webhook 1: secret 1: its environment variable holds no secret",
		"webhooks: [{ name: a, workspace: 101, secrets: [{ file: /no/such/secret }] }]":                      "webhook 1: secret 1: its file \"/no/such/secret\" cannot be read: no such file or directory; write the secret of the webhook into that file",
		"webhooks: [{ name: a, workspace: 101, token: b, secrets: [{ env: A_TOKEN }] }]":                     "webhook a: its token is not listed under tokens",
		"webhooks: [" + strings.Repeat("{ name: a, workspace: 101, secrets: [{ env: A_TOKEN }] },", 2) + "]": "webhook 2: another webhook has its name",
		strings.Repeat("#", maxFile) + "\n" + "clients: [" + client + "]":                                    "it is larger than",
	} {
		own := upstream.Token("own")
		if strings.Contains(text, "tokens: { a:") {
			own = ""
		}
		_, err := NewClients(t.Context(), writeFile(t, "access.yaml", text), own, limits.Policy{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), key) {
			t.Errorf("%.200s: %v, want something of %q", text, err, want)
		}
	}
	if _, err := NewClients(t.Context(), filepath.Join(t.TempDir(), "none"), "", limits.Policy{}); err == nil {
		t.Error("a file that is not there")
	}
}

// TestNamesAreRestricted allows only characters that need no escaping in logs, metrics and URLs.
func TestNamesAreRestricted(t *testing.T) {
	t.Setenv("A_TOKEN", "hush-token")
	_, hash := NewKey()
	for name, want := range map[string]bool{
		"ios": true, "ios-app_2.1": true, "7": true, "büro": true, strings.Repeat("a", 24): true,
		"ios explained": false, " ios": false, "ios/app": false, "ios,app": false, "-ios": false, "ios:app": false, "ios\u00a0app": false, "": false, strings.Repeat("a", 65): false,
	} {
		for what, text := range map[string]string{
			"client": fmt.Sprintf("clients: [{ name: %q, teams: all, keys: [%q] }]", name, hash),
			"token":  fmt.Sprintf("tokens: { %q: { env: A_TOKEN } }\nclients: [{ name: a, teams: all, keys: [%q] }]", name, hash),
		} {
			_, err := NewClients(t.Context(), writeFile(t, "access.yaml", text), "own", limits.Policy{})
			if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "letters, digits") {
				t.Errorf("%s %q: %v", what, name, err)
			}
		}
	}
}

// TestReload applies changed files. It keeps the old content if the new one is invalid, and logs
// that once.
func TestReload(t *testing.T) {
	log := captureLog(t)
	dir := t.TempDir()
	path, token := filepath.Join(dir, "access.yaml"), writeFile(t, filepath.Join(dir, "token"), "one")
	a, aHash := NewKey()
	b, bHash := NewKey()
	file := func(hash string) string {
		return fmt.Sprintf("tokens: { main: { file: %q } }\nclients: [{ name: app, teams: all, keys: [%q] }]", token, hash)
	}
	c := &Clients{path: writeFile(t, path, file(aHash)), stopVerifier: func() {}}
	if changed, err := c.load(t.Context()); !changed || err != nil {
		t.Fatal(changed, err)
	}
	expect := func(what string, who string, want string) {
		t.Helper()
		c.reload(t.Context())
		c.reload(t.Context()) // a second time logs nothing more
		for key, name := range map[string]string{a: "a", b: "b"} {
			caller := c.callerOf(key)
			if (caller != nil) != (name == who) || caller != nil && string(caller.Token) != want {
				t.Errorf("%s: %s is %v", what, name, caller)
			}
		}
	}
	first := c.callerOf(a)
	expect("no change", "a", "one")
	writeFile(t, path, file(bHash))
	expect("another key", "b", "one")
	writeFile(t, path, "clients: [")
	expect("a bad file", "b", "one")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect("no file", "b", "one")
	writeFile(t, path, file(aHash))
	expect("back again", "a", "one")
	writeFile(t, token, "two")
	expect("another token", "a", "two")
	writeFile(t, token, "")
	expect("a bad token", "a", "two")
	writeFile(t, token, "two")
	expect("a good one again", "a", "two")
	for _, half := range []string{"", "# nothing yet\n", file(bHash)[:len(file(bHash))-20]} {
		writeFile(t, path, half)
		expect("half a file", "a", "two")
	}
	// Content that is there for a moment only is not applied.
	writeFile(t, path, file(bHash))
	c.reload(t.Context())
	writeFile(t, path, file(aHash))
	expect("another file for a moment", "a", "two")
	if last := c.callerOf(a); last.Key() == first.Key() {
		t.Error("answers for one token could be given for another")
	}
	text := log.String()
	if n := strings.Count(text, "cannot be used"); n != 6 {
		t.Errorf("%d bad files are told of:\n%s", n, text)
	}
	if n := strings.Count(text, "was read again"); n != 5 {
		t.Errorf("%d changes are told of:\n%s", n, text)
	}
	for _, secret := range []string{a, b, "=one", "=two", "\"one", "\"two"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log holds %s:\n%s", secret, text)
		}
	}
}

// TestReloadUnderLoad changes the file repeatedly while clients send requests. None is refused.
func TestReloadUnderLoad(t *testing.T) {
	captureLog(t)
	key, hash := NewKey()
	path := writeFile(t, "access.yaml", "")
	file := func(n int) {
		writeFile(t, path, fmt.Sprintf("clients: [{ name: app, teams: all, keys: [%q], limits: { calls: %d } }]", hash, n))
	}
	file(1)
	c := &Clients{path: path, base: Caller{Token: "own"}, stopVerifier: func() {}}
	if _, err := c.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wait.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if c.callerOf(key) == nil {
					t.Error("refused")
					return
				}
			}
		})
	}
	for n := range 100 {
		file(n + 2)
		c.reload(t.Context())
		c.reload(t.Context())
		if calls := c.callerOf(key).Policy.Calls; calls != n+2 {
			t.Errorf("%d calls, want %d", calls, n+2)
		}
	}
	close(done)
	wait.Wait()
}

// TestClientsNoticeChanges checks that [Clients] notices a change by itself.
func TestClientsNoticeChanges(t *testing.T) {
	captureLog(t)
	key, hash := NewKey()
	_, other := NewKey()
	path := writeFile(t, "access.yaml", fmt.Sprintf("clients: [{ name: other, teams: all, keys: [%q] }]", other))
	c, err := NewClients(t.Context(), path, "own", limits.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, fmt.Sprintf("clients: [{ name: app, teams: all, keys: [%q] }]", hash))
	for end := time.Now().Add(5 * reloadInterval); c.callerOf(key) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never noticed")
		}
	}
}

// TestWarningAboutReadableTokenFile checks the warning about a token file that other users can
// read.
func TestWarningAboutReadableTokenFile(t *testing.T) {
	log := captureLog(t)
	token := writeFile(t, "token", "hush")
	if err := os.Chmod(token, 0o644); err != nil {
		t.Fatal(err)
	}
	_, hash := NewKey()
	newClients(t, fmt.Sprintf("tokens: { main: { file: %q } }\nclients: [{ name: app, teams: all, keys: [%q] }]", token, hash), "")
	if text := log.String(); !strings.Contains(text, "chmod 600") || !strings.Contains(text, token) || strings.Contains(text, "hush") {
		t.Error(text)
	}
}

// issuer is an identity provider.
type issuer struct {
	*httptest.Server
	fetched atomic.Int64
	down    atomic.Bool
	mu      sync.Mutex
	keys    map[string]crypto.Signer
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{keys: make(map[string]crypto.Signer)}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(20 * time.Millisecond) // the network
		defer i.fetched.Add(1)
		if i.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		var set []map[string]string
		encode := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
		for kid, key := range i.keys {
			switch public := key.Public().(type) {
			case *rsa.PublicKey:
				set = append(set, map[string]string{"kty": "RSA", "kid": kid, "use": "sig", "n": encode(public.N.Bytes()), "e": encode(big.NewInt(int64(public.E)).Bytes())})
			case *ecdsa.PublicKey:
				point, _ := public.Bytes()
				set = append(set, map[string]string{"kty": "EC", "kid": kid, "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])})
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": set})
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) add(kid string, key crypto.Signer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys[kid] = key
}

func signToken(t *testing.T, method jwt.SigningMethod, kid string, key any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestJWT(t *testing.T) {
	captureLog(t)
	one, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	two, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := newIssuer(t)
	i.add("one", one)
	c := newClients(t, fmt.Sprintf(`
jwt: { issuer: "https://login.example.com/", audience: funnelgraph, jwks: %q }
clients:
  - { name: admin, teams: all, claims: { azp: app, roles: admin }, access: read-write }
  - { name: app, teams: all, claims: { azp: app } }
`, i.URL), "own")
	claims := func(change ...any) jwt.MapClaims {
		all := jwt.MapClaims{"iss": "https://login.example.com/", "aud": "funnelgraph", "azp": "app", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
		for n := 0; n < len(change); n += 2 {
			if all[change[n].(string)] = change[n+1]; change[n+1] == nil {
				delete(all, change[n].(string))
			}
		}
		return all
	}
	for end := time.Now().Add(10 * time.Second); c.callerOf(signToken(t, jwt.SigningMethodRS256, "one", one, claims())) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a good token is refused")
		}
	}
	for name, want := range map[string]string{
		signToken(t, jwt.SigningMethodRS256, "one", one, claims()):                                                            "app",
		signToken(t, jwt.SigningMethodPS256, "one", one, claims()):                                                            "app",
		signToken(t, jwt.SigningMethodRS256, "one", one, claims("roles", []any{"user", "admin"})):                             "admin",
		signToken(t, jwt.SigningMethodRS256, "one", one, claims("aud", []any{"other", "funnelgraph"}, "roles", "administer")): "app",
		signToken(t, jwt.SigningMethodRS256, "", one, claims()):                                                               "app",
	} {
		if caller := c.callerOf(name); caller == nil || caller.Policy.Client != want || caller.ReadOnly != (want == "app") {
			t.Errorf("%s: %+v", want, caller)
		}
	}
	critical := func(header map[string]any) string {
		token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims())
		token.Header["kid"] = "one"
		for name, value := range header {
			token.Header[name] = value
		}
		text, err := token.SignedString(one)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if c.callerOf(critical(map[string]any{"x": true})) == nil {
		t.Error("a token with an extension that need not be understood is refused")
	}
	public, err := x509.MarshalPKIXPublicKey(one.Public())
	if err != nil {
		t.Fatal(err)
	}
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	none := jwt.NewWithClaims(jwt.SigningMethodNone, claims())
	unsigned, err := none.SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	good := signToken(t, jwt.SigningMethodRS256, "one", one, claims())
	parts := strings.Split(good, ".")
	for what, token := range map[string]string{
		"another's key":                      signToken(t, jwt.SigningMethodRS256, "one", stranger, claims()),
		"another's key, no kid":              signToken(t, jwt.SigningMethodRS256, "", stranger, claims()),
		"another issuer":                     signToken(t, jwt.SigningMethodRS256, "one", one, claims("iss", "https://evil.example/")),
		"no issuer":                          signToken(t, jwt.SigningMethodRS256, "one", one, claims("iss", nil)),
		"another audience":                   signToken(t, jwt.SigningMethodRS256, "one", one, claims("aud", "other")),
		"no audience":                        signToken(t, jwt.SigningMethodRS256, "one", one, claims("aud", nil)),
		"expired":                            signToken(t, jwt.SigningMethodRS256, "one", one, claims("exp", time.Now().Add(-time.Minute).Unix())),
		"no expiry":                          signToken(t, jwt.SigningMethodRS256, "one", one, claims("exp", nil)),
		"not yet":                            signToken(t, jwt.SigningMethodRS256, "one", one, claims("nbf", time.Now().Add(time.Hour).Unix())),
		"another client":                     signToken(t, jwt.SigningMethodRS256, "one", one, claims("azp", "other")),
		"no client":                          signToken(t, jwt.SigningMethodRS256, "one", one, claims("azp", nil)),
		"an odd claim":                       signToken(t, jwt.SigningMethodRS256, "one", one, claims("azp", map[string]any{"app": true})),
		"none":                               unsigned,
		"None":                               strings.Replace(unsigned, parts[0], base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"None","kid":"one"}`)), 1),
		"the public key for a shared one":    signToken(t, jwt.SigningMethodHS256, "one", inPEM, claims()),
		"the public number for a shared one": signToken(t, jwt.SigningMethodHS256, "one", one.N.Bytes(), claims()),
		"no signature":                       parts[0] + "." + parts[1] + ".",
		"a changed claim":                    parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"azp":"app"}`)) + "." + parts[2],
		"four parts":                         good + ".x",
		"two parts":                          parts[0] + "." + parts[1],
		"a critical extension":               critical(map[string]any{"crit": []string{"exp-policy"}, "exp-policy": "strict"}),
		"a critical extension of a standard": critical(map[string]any{"crit": []string{"b64"}, "b64": true}),
		"an empty list of extensions":        critical(map[string]any{"crit": []string{}}),
		"extensions that are no list":        critical(map[string]any{"crit": nil}),
		"an unknown key":                     signToken(t, jwt.SigningMethodRS256, "three", stranger, claims()),
	} {
		if c.callerOf(token) != nil {
			t.Errorf("%s is let in", what)
		}
	}

	// Tokens that name unknown keys cause few fetches, and delay no request.
	fetched, begun := i.fetched.Load(), time.Now()
	for n := range 200 {
		c.callerOf(signToken(t, jwt.SigningMethodES256, fmt.Sprint("forged-", n), two, claims()))
	}
	if n := i.fetched.Load() - fetched; n > 1 || time.Since(begun) > 5*time.Second {
		t.Errorf("%d fetches in %s", n, time.Since(begun))
	}
}

// TestJWTRotation fetches a new key with the first token that names it. Every token of an
// unreachable issuer is refused.
func TestJWTRotation(t *testing.T) {
	captureLog(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token := signToken(t, jwt.SigningMethodES256, "new", key, jwt.MapClaims{"iss": "me", "aud": "funnelgraph", "azp": "app", "exp": time.Now().Add(time.Hour).Unix()})
	gate := func(i *issuer) *Clients {
		c := newClients(t, fmt.Sprintf(`
jwt: { issuer: me, audience: funnelgraph, jwks: %q, algorithms: [ES256] }
clients: [{ name: app, teams: all, claims: { azp: app } }]
`, i.URL), "own")
		for end := time.Now().Add(10 * time.Second); i.fetched.Load() == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the keys are never fetched")
			}
		}
		return c
	}
	unreachable := newIssuer(t)
	unreachable.add("new", key)
	unreachable.down.Store(true)
	if gate(unreachable).callerOf(token) != nil {
		t.Error("let in without any key")
	}
	i := newIssuer(t)
	c := gate(i)
	verifier := c.current.Load().verifier
	i.add("new", key)
	if c.callerOf(token) == nil {
		t.Error("the new key is not learnt")
	}
	// A change elsewhere in the file keeps the fetched keys.
	text, err := os.ReadFile(c.path)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, c.path, string(text)+"# changed\n")
	i.down.Store(true)
	c.reload(t.Context())
	c.reload(t.Context())
	if c.callerOf(token) == nil || c.current.Load().verifier != verifier {
		t.Error("the keys were forgotten")
	}
}

// TestSectionsWithoutClients reads sessions and webhooks, and a secret that is replaced.
func TestSectionsWithoutClients(t *testing.T) {
	folder := t.TempDir()
	secret := filepath.Join(folder, "secret")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secret, "first\n")
	write(filepath.Join(folder, "access.yaml"), "sessions: { access: read-write, limits: { rate: 7 } }\nwebhooks: [{ name: academy, workspace: 101, secrets: [{ file: "+secret+" }] }]\n")
	c, err := NewClients(t.Context(), filepath.Join(folder, "access.yaml"), "own", limits.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	if readOnly, policy, ok := c.Rights(); readOnly || policy.Rate != 7 || !ok {
		t.Errorf("sessions: %t, %+v, %t", readOnly, policy, ok)
	}
	hook, ok := c.Webhook("academy")
	if !ok || hook.Workspace != "101" || string(hook.Token) != "own" || !slices.Equal(hook.Secrets, []webhooks.Secret{"first"}) {
		t.Errorf("%+v, %t", hook, ok)
	}
	if _, ok := c.Webhook("other"); ok {
		t.Error("there is another webhook")
	}
	write(secret, "second\n")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if hook, _ := c.Webhook("academy"); slices.Equal(hook.Secrets, []webhooks.Secret{"second"}) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the replaced secret is not read")
		}
	}
}
