package signin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/funnelgraph/funnelgraph/upstream"
)

const (
	// providerTimeout limits a call of the provider. A person waits for it.
	providerTimeout = 10 * time.Second
	// maxResponse is the part of a response that is read, in bytes.
	maxResponse = 64 << 10
	// maxName is the maximum length of a name in a session, in runes.
	maxName = 80
)

// provider is the OAuth server of ClickFunnels (clickfunnels-api.md §2).
type provider struct {
	oauth2.Config

	revokeURL string
	http      *http.Client
}

func newProvider(cfg Config, redirect string) *provider {
	return &provider{
		Config: oauth2.Config{
			ClientID: cfg.ClientID, ClientSecret: string(cfg.ClientSecret), RedirectURL: redirect,
			Endpoint: oauth2.Endpoint{AuthURL: cfg.AuthorizeURL, TokenURL: cfg.ServerURL + "/token"},
		},
		revokeURL: cfg.ServerURL + "/revoke",
		http: &http.Client{
			Timeout: providerTimeout, Transport: userAgent(cfg.UserAgent),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // secrets go nowhere else
		},
	}
}

// userAgent is a transport that names the client, as ClickFunnels requires.
type userAgent string

// RoundTrip implements [http.RoundTripper].
func (name userAgent) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", string(name))
	r.Header.Set("Accept", "application/json")
	return http.DefaultTransport.RoundTrip(r)
}

// authorizeURL returns the page on which a person allows the access.
func (p *provider) authorizeURL(state, verifier string) string {
	return p.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier),
		oauth2.SetAuthURLParam("grant_type", "authorization_code"), oauth2.SetAuthURLParam("new_installation", "true"))
}

// tokenResponse is the response to a code. Its other members, such as expires_in, are ignored.
type tokenResponse struct {
	AccessToken   string `json:"access_token"`
	TeamID        any    `json:"team_id"`
	TeamName      any    `json:"team_name"`
	WorkspaceID   any    `json:"workspace_id"`
	WorkspaceName any    `json:"workspace_name"`
	WorkspaceURL  any    `json:"workspace_url"`
	Error         any    `json:"error"`
}

// exchange exchanges a code for a session without an id and an end. If it fails although ClickFunnels
// gave a token, the session has this token.
func (p *provider) exchange(ctx context.Context, code, verifier string) (Session, error) {
	status, body, err := p.post(ctx, p.Endpoint.TokenURL, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.RedirectURL}, "code_verifier": {verifier},
	})
	var given tokenResponse
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	decoded := err == nil && decoder.Decode(&given) == nil
	if err != nil || status != http.StatusOK {
		reason, _ := given.Error.(string)
		f := exchangeFailure(status, reason)
		slog.WarnContext(ctx, "ClickFunnels did not give a token for a sign-in", "status", status, "reason", f.title)
		return Session{}, f
	}
	s := Session{
		Token:     upstream.Token(given.AccessToken),
		Workspace: Workspace{ID: idOf(given.WorkspaceID), Name: nameOf(given.WorkspaceName), Subdomain: subdomainOf(given.WorkspaceURL)},
		Team:      Team{ID: idOf(given.TeamID), Name: nameOf(given.TeamName)},
	}
	if !decoded || !s.Token.Valid() || !upstream.IsRawID(s.Workspace.ID) {
		slog.WarnContext(ctx, "ClickFunnels did not give a token of one workspace for a sign-in")
		return s, failNoWorkspace
	}
	return s, nil
}

// exchangeFailure returns the failure for a status and an error code of the token endpoint. The status is 0 without a response.
func exchangeFailure(status int, code string) failure {
	switch {
	case code == "invalid_grant":
		return failCode
	case code == "access_denied":
		return failDenied
	case code == "invalid_client" || code == "unauthorized_client" || status == http.StatusUnauthorized || status == http.StatusForbidden:
		return failClient
	case status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout:
		return failCode
	}
	return failUnreachable
}

// revoke makes a token invalid at ClickFunnels.
func (p *provider) revoke(ctx context.Context, token upstream.Token) error {
	status, _, err := p.post(ctx, p.revokeURL, url.Values{"token": {string(token)}})
	if err == nil && status != http.StatusOK {
		err = errors.New("ClickFunnels responded with status " + strconv.Itoa(status))
	}
	return err
}

// post sends a form with the client's credentials, and returns the beginning of the response. The
// credentials are always in the form: probing the style would send the code twice, and it is valid once.
func (p *provider) post(ctx context.Context, to string, form url.Values) (status int, body []byte, err error) {
	form.Set("client_id", p.ClientID)
	if p.ClientSecret != "" {
		form.Set("client_secret", p.ClientSecret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, errors.New("the URL of the OAuth server is not valid")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := p.http.Do(r)
	if err != nil {
		return 0, nil, errors.New("ClickFunnels did not respond") // the error can contain the URL
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err != nil {
		return 0, nil, errors.New("ClickFunnels did not finish its response")
	}
	return response.StatusCode, body, nil
}

// idOf returns an id that is a number or a text in JSON.
func idOf(value any) string {
	switch id := value.(type) {
	case string:
		return id
	case json.Number:
		return id.String()
	}
	return ""
}

// nameOf returns a name that fits into a cookie.
func nameOf(value any) string {
	name, _ := value.(string)
	if runes := []rune(strings.ToValidUTF8(name, "")); len(runes) > maxName {
		name = string(runes[:maxName-1]) + "…"
	}
	return name
}

// subdomainOf returns the subdomain in a workspace's URL; empty if it has none, so that the workspace
// is looked up when it is needed.
func subdomainOf(value any) string {
	text, _ := value.(string)
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Port() != "" {
		return ""
	}
	label, isOurs := strings.CutSuffix(strings.ToLower(cmp.Or(u.Hostname(), text)), ".myclickfunnels.com")
	subdomain, err := upstream.ParseSubdomain(label)
	if err != nil || !isOurs {
		return ""
	}
	return subdomain
}
