// Package access decides who a request's caller is, and what that caller may use
// and see: which ClickFunnels token, which teams and workspaces, whether to write,
// and how much of it all.
package access

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Caller is who sends a request. It must not be modified.
type Caller struct {
	// Token goes upstream; without one no call is made.
	Token upstream.Token
	// OwnToken says that the caller has brought the token.
	OwnToken bool
	// Scope is what of that the caller sees; nil is all.
	Scope *upstream.Scope
	// ReadOnly callers send no mutations.
	ReadOnly bool
	// Policy is how much the caller may ask for.
	Policy limits.Policy

	key Key
}

// Key identifies a caller: two callers have the same key only if they are answered the
// same. It is comparable, and holds a secret.
type Key struct {
	// token is that of a caller who brings one, or whom the server lends its own.
	token upstream.Token
	// client is the name of a client of an access file, and version the hash of that file
	// and its tokens.
	client  string
	version [sha256.Size]byte
}

// Key returns the caller's key.
func (c *Caller) Key() Key { return c.key }

// own returns the caller who brings a token.
func own(token upstream.Token, policy limits.Policy) *Caller {
	return &Caller{Token: token, Policy: policy, key: Key{token: token}}
}

// Gate tells the caller of a request, or why there is none. It is safe for
// concurrent use.
type Gate interface {
	Caller(r *http.Request) (*Caller, *Refusal)
}

// PassThrough is the gate through which each caller brings a ClickFunnels token.
type PassThrough struct {
	// Default is used for callers who bring none. The demo has one.
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
		token = invalid // of whatever length it is
	}
	caller := own(token, g.Policy)
	caller.OwnToken = true
	return caller, nil
}

// invalid stands for every token that cannot be one; the REST client refuses it.
const invalid upstream.Token = "\x00"

// Held is the gate to a token that the server keeps, without any question: it is
// for this machine only.
type Held struct {
	Token  upstream.Token
	Policy limits.Policy
}

// Caller implements [Gate].
func (g Held) Caller(r *http.Request) (*Caller, *Refusal) {
	if !serving.OnLoopback(r) {
		return nil, &Refusal{http.StatusForbidden, upstream.Forbidden, "A token that the server holds is for this machine only.", 0}
	}
	return own(g.Token, g.Policy), nil
}

// Refusal is why a request is not answered.
type Refusal struct {
	Status  int
	Code    upstream.Code
	Message string
	// RetryAfter is when another try makes sense; 0 if never.
	RetryAfter time.Duration
}

// write answers with a GraphQL error, so that clients show it.
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
		panic(err) // texts and numbers
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(f.Status)
	_, _ = w.Write(body)
}

type contextKey struct{}

// Handler lets those through whom the gate knows, no more often than they may come,
// and puts the caller into the request's context.
func Handler(gate Gate, next http.Handler) http.Handler {
	rates := limits.NewRates()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if crossSite(w, r) {
			(&Refusal{http.StatusForbidden, upstream.Forbidden, "A page of another site cannot send this: a query by GET from there needs the header GraphQL-Require-Preflight.", 0}).write(w)
			return
		}
		caller, refusal := gate.Caller(r)
		if refusal == nil {
			refusal = pace(r.Context(), rates, caller)
		}
		if refusal != nil {
			refusal.write(w)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, caller)))
	})
}

// pace refuses those who come too often.
func pace(ctx context.Context, rates *limits.Rates, caller *Caller) *Refusal {
	rate := caller.Policy.Rate
	if rate == 0 {
		return nil
	}
	who := limits.Spender{Client: caller.Policy.Client}
	if who.Client == "" {
		who.Token = sha256.Sum256([]byte(caller.key.token))
	}
	wait, ok := rates.Take(who, rate)
	if ok {
		return nil
	}
	if caller.Policy.Measure {
		slog.WarnContext(ctx, "over a limit, and not refused", "limit", "rate", "max", rate, "client", caller.Policy.Client)
		return nil
	}
	return &Refusal{http.StatusTooManyRequests, upstream.RateLimited, "This client may send " + strconv.Itoa(rate) + " requests a minute.", wait}
}

// crossSite reports whether a page of another site has its visitor's browser send a
// query and may not. Browsers say where a request comes from (Fetch Metadata), and
// ask first (CORS) before they send any of the headers below, or a body that is
// JSON. Where they do not ask first, CORS has said by now whether the page may.
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

// nobody is the caller where there is none, who may do nothing.
var nobody = &Caller{ReadOnly: true}

// From returns the caller of the request that the context belongs to.
func From(ctx context.Context) *Caller {
	if caller, ok := ctx.Value(contextKey{}).(*Caller); ok {
		return caller
	}
	return nobody
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
