package signin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
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
			// The style is fixed: to probe it would send the code twice, and a code is valid once.
			Endpoint: oauth2.Endpoint{AuthURL: cfg.AuthorizeURL, TokenURL: cfg.ServerURL + "/token", AuthStyle: oauth2.AuthStyleInParams},
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

// exchange exchanges a code for a session without an id and an end.
func (p *provider) exchange(ctx context.Context, code, verifier string) (Session, error) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, p.http), providerTimeout)
	defer cancel()
	token, err := p.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return Session{}, exchangeFailure(ctx, err)
	}
	s := Session{
		Token:     upstream.Token(token.AccessToken),
		Workspace: Workspace{ID: idOf(token.Extra("workspace_id")), Name: nameOf(token.Extra("workspace_name")), Subdomain: subdomainOf(token.Extra("workspace_url"))},
		Team:      Team{ID: idOf(token.Extra("team_id")), Name: nameOf(token.Extra("team_name"))},
	}
	if !s.Token.Valid() || !upstream.IsRawID(s.Workspace.ID) {
		return Session{}, failNoWorkspace
	}
	return s, nil
}

// exchangeFailure returns the failure behind an error of the token endpoint, and logs it without the
// response's text.
func exchangeFailure(ctx context.Context, err error) failure {
	status, code := 0, ""
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		status, code = refused.Response.StatusCode, refused.ErrorCode
	}
	f := failUnreachable
	switch {
	case code == "invalid_grant":
		f = failCode
	case code == "invalid_client" || code == "unauthorized_client":
		f = failClient
	case code == "access_denied":
		f = failDenied
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		f = failClient
	case status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout:
		f = failCode
	case status >= 200 && status < 300 || status == 0 && ctx.Err() == nil && !isNetwork(err):
		f = failNoWorkspace // the response has no token
	}
	slog.WarnContext(ctx, "ClickFunnels did not give a token for a sign-in", "status", status, "reason", f.code)
	return f
}

func isNetwork(err error) bool {
	_, ok := errors.AsType[*url.Error](err)
	return ok
}

// revoke makes a token invalid at ClickFunnels.
func (p *provider) revoke(ctx context.Context, token upstream.Token) error {
	ctx, cancel := context.WithTimeout(ctx, providerTimeout)
	defer cancel()
	form := url.Values{"token": {string(token)}, "client_id": {p.ClientID}}
	if p.ClientSecret != "" {
		form.Set("client_secret", p.ClientSecret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.revokeURL, strings.NewReader(form.Encode()))
	if err != nil {
		return errors.New("the URL of the OAuth server is not valid")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := p.http.Do(r)
	if err != nil {
		return errors.New("ClickFunnels did not respond")
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
	if response.StatusCode != http.StatusOK {
		return errors.New("ClickFunnels responded with status " + strconv.Itoa(response.StatusCode))
	}
	return nil
}

// idOf returns an id that is a number or a text in JSON.
func idOf(value any) string {
	switch id := value.(type) {
	case string:
		return id
	case json.Number:
		return id.String()
	case float64:
		if id == math.Trunc(id) && id > 0 && id < 1<<53 {
			return strconv.FormatFloat(id, 'f', 0, 64)
		}
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
