package demo

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed" // for the page
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// OAuthClient is the application that may sign people in.
type OAuthClient struct {
	// ID and Secret are the client's credentials. An empty secret never authenticates, since the
	// simulated API knows no public clients.
	ID, Secret string
	// Redirects lists the exact redirect URIs.
	Redirects []string
}

// OAuth is the OAuth server of the simulated API. It issues workspace tokens by authorization code
// (clickfunnels-api.md §2), for the workspaces of the example data.
//
// It is an [http.Handler] and safe for concurrent use. It serves /oauth/authorize, /oauth/token and
// /oauth/revoke. To serve it below a prefix, use [http.StripPrefix].
type OAuth struct {
	client OAuthClient
	mux    *http.ServeMux

	mu     sync.Mutex
	codes  secrets[code]
	tokens secrets[grant]
}

const (
	// applicationName is the client's name on the page.
	applicationName = "funnelgraph demo"
	// codeLifetime is how long a code is valid. Tokens do not expire: the API's tokens live 65 years,
	// whatever expires_in says (clickfunnels-api.md §2).
	codeLifetime = 10 * time.Minute
	expiresIn    = 7200
	// maxSecrets bounds the number of codes and the number of tokens. The oldest ones are dropped.
	maxSecrets = 1000
	// maxForm bounds the body of a request, in bytes.
	maxForm = 64 << 10
)

// code is an authorization code, which can be exchanged for a token once.
type code struct {
	grant
	redirect, challenge string
	expires             time.Time
}

// NewOAuth returns an OAuth server that knows one client.
func NewOAuth(client OAuthClient) *OAuth {
	client.Redirects = slices.Clone(client.Redirects)
	o := &OAuth{client: client, mux: http.NewServeMux()}
	o.mux.HandleFunc("GET /oauth/authorize", o.serveAuthorize)
	o.mux.Handle("POST /oauth/authorize", http.NewCrossOriginProtection().Handler(http.HandlerFunc(o.serveAuthorize)))
	o.mux.HandleFunc("POST /oauth/token", o.serveToken)
	o.mux.HandleFunc("POST /oauth/revoke", o.serveRevoke)
	return o
}

// ServeHTTP implements [http.Handler].
func (o *OAuth) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	o.mux.ServeHTTP(w, r)
}

// grant returns the grant of a token, if the token is valid.
func (o *OAuth) grant(token string) (*grant, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g, ok := o.tokens.find(token)
	return &g, ok
}

// serveAuthorize serves the page that asks for access, and redirects when its form is posted.
func (o *OAuth) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	given := r.URL.Query()
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if r.ParseForm() != nil {
			refuse(w, "The form cannot be read.")
			return
		}
		given = r.PostForm
	}
	back, refusal := o.redirect(given)
	if refusal != "" {
		refuse(w, refusal)
		return
	}
	answer := func(values url.Values) {
		if state := given.Get("state"); state != "" {
			values.Set("state", state)
		}
		query := back.Query()
		for key := range values {
			query.Set(key, values.Get(key))
		}
		back.RawQuery = query.Encode()
		http.Redirect(w, r, back.String(), http.StatusSeeOther) //nolint:gosec // a registered redirect URI
	}
	deny := func(e *oauthError) {
		answer(url.Values{"error": {e.Name}, "error_description": {e.Description}})
	}
	if e := refusedParameter(given); e != nil {
		deny(e)
		return
	}
	if r.Method != http.MethodPost {
		sendPage(w, http.StatusOK, permissionPage(given))
		return
	}
	workspace, known := exampleTable(workspaceList).find(given.Get("workspace_id"))
	switch decision := given.Get("decision"); {
	case decision == "deny":
		deny(&oauthError{Name: "access_denied", Description: "The user denied the request."})
	case decision != "allow" || !known:
		refuse(w, "Choose a workspace, then Allow or Deny.")
	default:
		made := code{
			grant:    grant{team: workspace["team_id"].(int64), workspace: workspace.id()},
			redirect: given.Get("redirect_uri"), challenge: given.Get("code_challenge"), expires: time.Now().Add(codeLifetime),
		}
		o.mu.Lock()
		text := o.codes.add(made)
		o.mu.Unlock()
		answer(url.Values{"code": {text}})
	}
}

// redirect returns the redirect URI of an authorization request. A refusal must be shown on a page,
// since the client or its redirect URI may be forged.
func (o *OAuth) redirect(given url.Values) (uri *url.URL, refusal string) {
	if given.Get("client_id") != o.client.ID {
		return nil, "The application is unknown: check client_id."
	}
	if !slices.Contains(o.client.Redirects, given.Get("redirect_uri")) {
		return nil, "The redirect URI is not registered: redirect_uri must match exactly, port included."
	}
	if given.Get("new_installation") != "true" {
		return nil, "Third-party applications must send new_installation=true."
	}
	uri, err := url.Parse(given.Get("redirect_uri"))
	if err != nil {
		return nil, "The redirect URI is invalid."
	}
	return uri, ""
}

// refusedParameter returns the error of an authorization request that is sent to the redirect URI,
// nil if there is none.
func refusedParameter(given url.Values) *oauthError {
	challenge := given.Get("code_challenge")
	switch {
	case given.Get("response_type") == "":
		return missing("response_type")
	case given.Get("response_type") != "code":
		return &oauthError{Name: "unsupported_response_type", Description: "The response_type must be code."}
	case challenge == "":
		return nil
	case given.Get("code_challenge_method") != "S256":
		return &oauthError{Name: "invalid_code_challenge_method", Description: "The code_challenge_method must be S256."}
	case len(challenge) != base64.RawURLEncoding.EncodedLen(sha256.Size):
		return &oauthError{Name: "invalid_request", Description: "The code_challenge is not a SHA-256 hash."}
	}
	return nil
}

// serveToken exchanges a code for a token.
func (o *OAuth) serveToken(w http.ResponseWriter, r *http.Request) {
	given, ok := parameters(w, r)
	if !ok {
		return
	}
	body, e := o.exchange(r, given)
	if e != nil {
		e.send(w)
		return
	}
	send(w, http.StatusOK, encode(body))
}

// exchange returns the response to a code. The code remains valid if the exchange fails.
func (o *OAuth) exchange(r *http.Request, given map[string]string) (row, *oauthError) {
	switch {
	case given["grant_type"] == "":
		return nil, missing("grant_type")
	case given["grant_type"] != "authorization_code":
		return nil, &oauthError{Name: "unsupported_grant_type", Description: "The grant_type must be authorization_code."}
	case given["code"] == "":
		return nil, missing("code")
	case given["redirect_uri"] == "":
		return nil, missing("redirect_uri")
	case !o.authenticates(r, given):
		return nil, &oauthError{Name: "invalid_client", Description: "The client is unknown, or its secret is wrong or missing."}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	c, ok := o.codes.find(given["code"])
	switch {
	case !ok || time.Now().After(c.expires) || c.redirect != given["redirect_uri"]:
		return nil, &oauthError{Name: "invalid_grant", Description: "The code is invalid, expired, used, or issued for another redirect URI."}
	case c.challenge != "" && given["code_verifier"] == "":
		return nil, missing("code_verifier")
	case challengeOf(given["code_verifier"]) != c.challenge:
		return nil, &oauthError{Name: "invalid_grant", Description: "The code_verifier does not match the code_challenge."}
	}
	o.codes.remove(given["code"])
	team, _ := exampleTable("teams").find(strconv.FormatInt(c.team, 10))
	workspace, _ := exampleTable(workspaceList).find(strconv.FormatInt(c.workspace, 10))
	return with(connected(team, workspace), row{
		"access_token": o.tokens.add(c.grant), "token_type": "Bearer", "expires_in": expiresIn, "scope": "admin read", "created_at": time.Now().Unix(),
	}), nil
}

// connected returns the keys that describe the workspace of a token.
func connected(team, workspace row) row {
	return row{
		"team_id": team.id(), "team_name": team["name"], "workspace_id": workspace.id(), "workspace_name": workspace["name"],
		"workspace_url": fmt.Sprintf("https://%s.myclickfunnels.com", workspace["subdomain"]),
	}
}

// challengeOf returns the S256 challenge of a verifier, "" if there is none.
func challengeOf(verifier string) string {
	if verifier == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// serveRevoke revokes a token. The response does not show whether the token was valid.
func (o *OAuth) serveRevoke(w http.ResponseWriter, r *http.Request) {
	given, ok := parameters(w, r)
	if !ok {
		return
	}
	if !o.authenticates(r, given) {
		(&oauthError{Name: "unauthorized_client", Description: "The client may not revoke this token."}).send(w)
		return
	}
	o.mu.Lock()
	o.tokens.remove(given["token"])
	o.mu.Unlock()
	send(w, http.StatusOK, []byte("{}"))
}

// authenticates reports whether a request has the client's credentials, by client_secret_basic or
// client_secret_post.
func (o *OAuth) authenticates(r *http.Request, given map[string]string) bool {
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = given["client_id"], given["client_secret"]
	}
	have, want := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(o.client.Secret))
	return id == o.client.ID && o.client.Secret != "" && subtle.ConstantTimeCompare(have[:], want[:]) == 1
}

// parameters returns the members of a body, which is a form or JSON. On failure it sends the
// response and returns false.
func parameters(w http.ResponseWriter, r *http.Request) (given map[string]string, ok bool) {
	if !requireUserAgent(w, r) {
		return nil, false
	}
	given = make(map[string]string)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	switch media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); {
	case err != nil:
	case media == "application/json":
		var members map[string]any
		err = json.Unmarshal(body, &members)
		for key, value := range members {
			if text, isText := value.(string); isText {
				given[key] = text
			}
		}
	case media == "application/x-www-form-urlencoded":
		var form url.Values
		form, err = url.ParseQuery(string(body))
		for key := range form {
			given[key] = form.Get(key)
		}
	}
	if err != nil {
		(&oauthError{Name: "invalid_request", Description: "The body is not a valid form or JSON object."}).send(w)
	}
	return given, err == nil
}

// oauthError is an error as Doorkeeper, the API's OAuth server, sends it.
type oauthError struct {
	Name        string `json:"error"`
	Description string `json:"error_description"`
}

func missing(parameter string) *oauthError {
	return &oauthError{Name: "invalid_request", Description: "Missing required parameter: " + parameter + "."}
}

func (e *oauthError) send(w http.ResponseWriter) {
	status := http.StatusBadRequest
	switch e.Name {
	case "invalid_client":
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q, error=%q, error_description=%q", "Doorkeeper", e.Name, e.Description))
	case "unauthorized_client":
		status = http.StatusForbidden
	}
	send(w, status, encode(e))
}

// secrets maps random texts to values. Its zero value is empty.
type secrets[V any] struct {
	// values are found by the hashes of their texts, so the time of a search reveals no text.
	values map[[sha256.Size]byte]V
	order  [][sha256.Size]byte // oldest first
}

// add adds a value and returns its text. It drops the oldest value if there are too many.
func (s *secrets[V]) add(value V) string {
	if s.values == nil {
		s.values = make(map[[sha256.Size]byte]V)
	}
	if len(s.order) == maxSecrets {
		delete(s.values, s.order[0])
		s.order = slices.Delete(s.order, 0, 1)
	}
	text := rand.Text() + rand.Text()
	key := sha256.Sum256([]byte(text))
	s.values[key] = value
	s.order = append(s.order, key)
	return text
}

func (s *secrets[V]) find(text string) (V, bool) {
	value, ok := s.values[sha256.Sum256([]byte(text))]
	return value, ok
}

func (s *secrets[V]) remove(text string) {
	key := sha256.Sum256([]byte(text))
	delete(s.values, key)
	s.order = slices.DeleteFunc(s.order, func(other [sha256.Size]byte) bool { return other == key })
}

//go:embed oauth.html
var pageText string

var pageTemplate = template.Must(template.New("oauth").Parse(pageText))

// pagePolicy is the content security policy of the page. It has no form-action: Chromium applies
// that directive to the redirect after the form's post as well.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"

// pageData fills the page. If Refusal is empty, the page asks for access.
type pageData struct {
	Refusal, Application string
	// Fields holds the parameters that the form sends back.
	Fields map[string]string
	Teams  []pageTeam
}

type pageTeam struct {
	Name       string
	Workspaces []pageWorkspace
}

type pageWorkspace struct {
	ID    int64
	Name  string
	First bool // selected at the beginning
}

// permissionPage returns the page of an authorization request.
func permissionPage(given url.Values) pageData {
	data := pageData{Application: applicationName, Fields: make(map[string]string)}
	for _, name := range strings.Fields("client_id redirect_uri response_type new_installation state code_challenge code_challenge_method") {
		if value := given.Get(name); value != "" {
			data.Fields[name] = value
		}
	}
	workspaces := exampleTable(workspaceList)
	for i, team := range exampleTable("teams").rows {
		shown := pageTeam{Name: team["name"].(string)}
		for k, workspace := range workspaces.children[team.id()] {
			shown.Workspaces = append(shown.Workspaces, pageWorkspace{workspace.id(), workspace["name"].(string), i == 0 && k == 0})
		}
		data.Teams = append(data.Teams, shown)
	}
	return data
}

// exampleTable returns the table of the example data with a list.
func exampleTable(list string) *table { return tableOf(example(), list) }

// refuse sends the error page.
func refuse(w http.ResponseWriter, refusal string) {
	sendPage(w, http.StatusBadRequest, pageData{Refusal: refusal})
}

func sendPage(w http.ResponseWriter, status int, data pageData) {
	var body bytes.Buffer
	if err := pageTemplate.Execute(&body, data); err != nil {
		panic(err) // the template fits the data
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Frame-Options", "DENY")
	// Without a referrer, the form's Origin is null. The protection from forgery needs it on hosts
	// without TLS.
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}
