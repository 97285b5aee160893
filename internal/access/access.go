// Package access authenticates the callers of requests and sets their permissions: the
// ClickFunnels token that they use, the teams and workspaces that they see, whether they may run
// mutations, and their limits.
package access

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/internal/signin"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Caller is the authenticated sender of a request. It must not be modified.
type Caller struct {
	// Token is sent to ClickFunnels; no calls are made without one.
	Token upstream.Token
	// OwnToken reports whether the caller sent the token with the request.
	OwnToken bool
	// Scope limits what the caller sees; nil is everything that the token reaches.
	Scope *upstream.Scope
	// ReadOnly callers may not run mutations.
	ReadOnly bool
	// Policy holds the caller's limits.
	Policy limits.Policy
	// Public reports that shared caches may store the responses: every sender of a client key gets the
	// same ones.
	Public bool
	// Place is the workspace of a caller who signed in; empty for other callers.
	Place upstream.Place

	key Key
}

// Key identifies a caller. Two callers have the same key only if they get the same responses.
// It is comparable and contains a secret.
type Key struct {
	// token is the caller's own token, or the server-held one.
	token upstream.Token
	// client is the name of a client of the access file, and version the hash of that file and
	// its tokens.
	client  string
	version [sha256.Size]byte
	// session is the id of the session of a caller who signed in.
	session string
}

// Key returns the caller's key.
func (c *Caller) Key() Key { return c.key }

// ID returns a text that identifies the caller and contains a secret. It stays the same when the
// access file changes. It differs for callers of different names or tokens.
func (c *Caller) ID() string {
	if c.key.client != "" {
		return "client " + c.key.client
	}
	return "token " + string(c.key.token)
}

// MayExplain reports whether the caller may see the REST calls of its operations. They can reveal
// records outside of a scope. The token of a session is the person's own, and hides nothing from them.
func (c *Caller) MayExplain() bool { return c.Scope == nil || c.key.session != "" }

// Rights returns a text that changes with the records that the caller may see. It contains a secret.
func (c *Caller) Rights() string { return string(c.Token) + "\n" + c.Scope.String() }

// callerWithToken returns the caller that a token identifies.
func callerWithToken(token upstream.Token, policy limits.Policy) *Caller {
	return &Caller{Token: token, Policy: policy, key: Key{token: token}}
}

// Gate authenticates requests: it returns the caller or the reason for the refusal. It is safe
// for concurrent use.
type Gate interface {
	Caller(r *http.Request) (*Caller, *Refusal)
	// Rights returns the rights and limits of people who signed in, and whether they may.
	Rights() (readOnly bool, policy limits.Policy, ok bool)
}

// PassThrough is the gate for callers that send their own ClickFunnels token.
type PassThrough struct {
	// Default is the token of callers that send none. The demo has one.
	Default upstream.Token
	Policy  limits.Policy
}

// Caller implements [Gate].
func (g PassThrough) Caller(r *http.Request) (*Caller, *Refusal) {
	token := upstream.Token(bearer(r))
	switch {
	case token == "":
		token = g.Default
	case !token.Valid():
		token = invalidToken // discards a token of any length
	}
	caller := callerWithToken(token, g.Policy)
	caller.OwnToken = true
	return caller, nil
}

// Rights implements [Gate]. People who signed in have the rights of a caller with a token.
func (g PassThrough) Rights() (readOnly bool, policy limits.Policy, ok bool) {
	return false, g.Policy, true
}

// invalidToken replaces every malformed token; the REST client refuses it.
const invalidToken upstream.Token = "\x00"

// Held is the gate that gives every caller the server-held token, without authentication. It
// accepts callers on this machine only.
type Held struct {
	Token  upstream.Token
	Policy limits.Policy
}

// Caller implements [Gate].
func (g Held) Caller(r *http.Request) (*Caller, *Refusal) {
	if !serving.OnLoopback(r) {
		return nil, &Refusal{http.StatusForbidden, upstream.Forbidden, "The server-held token is for callers on this machine only.", 0}
	}
	return callerWithToken(g.Token, g.Policy), nil
}

// Rights implements [Gate]. People who signed in have the rights of a caller with a token.
func (g Held) Rights() (readOnly bool, policy limits.Policy, ok bool) {
	return false, g.Policy, true
}

// authenticate returns the caller of a request: the person who signed in, or else the caller that
// the gate finds.
func authenticate(gate Gate, r *http.Request) (*Caller, *Refusal) {
	session, err := signin.From(r.Context())
	switch {
	case errors.Is(err, signin.ErrCrossSite):
		return nil, &Refusal{http.StatusForbidden, upstream.Forbidden, sentence(err), 0}
	case err != nil || session == nil && signin.HasBearer(strings.Join(r.Header.Values("Authorization"), " ")):
		return nil, &Refusal{http.StatusUnauthorized, upstream.Unauthenticated, sentence(signin.ErrEnded), 0}
	case session == nil:
		return gate.Caller(r)
	}
	readOnly, policy, ok := gate.Rights()
	if !ok {
		return nil, &Refusal{http.StatusUnauthorized, upstream.Unauthenticated, "Signing in is off: the access file has no section for sessions.", 0}
	}
	scope, err := SessionScope(session)
	if err != nil {
		return nil, &Refusal{http.StatusUnauthorized, upstream.Unauthenticated, sentence(signin.ErrEnded), 0}
	}
	return &Caller{
		Token: session.Token, Scope: scope, ReadOnly: readOnly, Policy: policy,
		Place: upstream.Place{WorkspaceID: session.Workspace.ID, Subdomain: session.Workspace.Subdomain},
		key:   Key{token: session.Token, session: session.ID},
	}, nil
}

// SessionScope returns the scope of a person who signed in: the workspace of the token, even if the
// token reaches more.
func SessionScope(s *signin.Session) (*upstream.Scope, error) {
	return upstream.NewScope(nil, []string{s.Workspace.ID})
}

// sentence returns the text of an error as a message for clients.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// Refusal is the response to a request that is not authorized.
type Refusal struct {
	Status  int
	Code    upstream.Code
	Message string
	// RetryAfter is when the client may retry; 0 if a retry is useless.
	RetryAfter time.Duration
}

// write sends the refusal as a GraphQL error, which clients show.
func (f *Refusal) write(w http.ResponseWriter) {
	extensions := map[string]any{"code": f.Code}
	if f.RetryAfter > 0 {
		seconds := int(f.RetryAfter.Seconds())
		extensions["retryAfter"] = seconds
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
	}
	if f.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	body, err := json.Marshal(map[string]any{"errors": []any{map[string]any{"message": f.Message, "extensions": extensions}}})
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(f.Status)
	_, _ = w.Write(body)
}

type contextKey struct{}

// Handler passes on the requests of authenticated callers within their rate limit, with the
// caller in the request's context. It refuses all other requests.
func Handler(gate Gate, next http.Handler) http.Handler {
	rates := limits.NewRates()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if crossSite(w, r) {
			(&Refusal{http.StatusForbidden, upstream.Forbidden, "A page of another site cannot send this request: add the header GraphQL-Require-Preflight to queries by GET.", 0}).write(w)
			return
		}
		caller, refusal := authenticate(gate, r)
		if refusal == nil {
			refusal = limitRate(r.Context(), rates, caller)
		}
		if refusal != nil {
			refusal.write(w)
			return
		}
		known := &authenticated{caller: caller, again: func() (*Caller, *Refusal) { return authenticate(gate, r) }}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, known)))
	})
}

// limitRate enforces the caller's rate limit.
func limitRate(ctx context.Context, rates *limits.Rates, caller *Caller) *Refusal {
	rate := caller.Policy.Rate
	if rate == 0 {
		return nil
	}
	who := limits.RateKey{Client: caller.Policy.Client}
	if who.Client == "" {
		who.Token = sha256.Sum256([]byte(caller.key.token))
	}
	wait, ok := rates.Take(who, rate)
	if ok {
		return nil
	}
	if caller.Policy.Measure {
		slog.WarnContext(ctx, "limit exceeded, but not enforced", "limit", "rate", "max", rate, "client", caller.Policy.Client)
		return nil
	}
	return &Refusal{http.StatusTooManyRequests, upstream.RateLimited, "This client may send " + strconv.Itoa(rate) + " requests a minute.", wait}
}

// crossSite reports whether a request is a forbidden query by GET from a page of another site.
// Browsers send the origin of a request as Fetch Metadata. They send a CORS preflight before any
// of the headers below or a JSON body. Without a preflight, the CORS handler has already set its
// header if the origin is allowed.
func crossSite(w http.ResponseWriter, r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "cross-site" && site != "same-site" || r.Method != http.MethodGet {
		return false
	}
	if w.Header().Get("Access-Control-Allow-Origin") != "" {
		return false
	}
	for _, header := range []string{"Authorization", "GraphQL-Require-Preflight", "Apollo-Require-Preflight", "X-Apollo-Operation-Name"} {
		if r.Header.Get(header) != "" {
			return false
		}
	}
	return !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
}

// anonymous is the caller of contexts without one. It has no permissions.
var anonymous = &Caller{ReadOnly: true}

// From returns the caller of the request that the context belongs to.
func From(ctx context.Context) *Caller {
	if known, ok := ctx.Value(contextKey{}).(*authenticated); ok {
		return known.caller
	}
	return anonymous
}

// authenticated is the caller of a request.
type authenticated struct {
	caller *Caller
	again  func() (*Caller, *Refusal)
}

// Again authenticates the caller of a request once more, for responses without an end: the access file,
// a token or a session may have changed since.
func Again(ctx context.Context) (*Caller, error) {
	known, ok := ctx.Value(contextKey{}).(*authenticated)
	if !ok {
		return anonymous, nil
	}
	caller, refusal := known.again()
	if refusal != nil {
		return nil, upstream.NewError(refusal.Code, refusal.Message)
	}
	return caller, nil
}

// bearer returns the token of the Authorization header; the scheme's name is
// case-insensitive (RFC 9110).
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
