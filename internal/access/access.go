// Package access decides which ClickFunnels credential a request may use.
package access

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Policy says whose token goes upstream. The zero value is pass-through: the
// caller's own, and without one no call is made.
type Policy struct {
	// Held is a token that the server keeps; callers' own are then ignored.
	Held upstream.Token
	// Default is used for callers who bring none. The demo has one.
	Default upstream.Token
}

type contextKey struct{}

// Handler puts the credential of each request into its context.
func (p Policy) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := p.Held
		if token == "" {
			token = bearer(r)
		} else if !local(r) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, refusal)
			return
		}
		if token == "" {
			token = p.Default
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, token)))
	})
}

// refusal is a GraphQL answer, so that clients show it.
const refusal = `{"errors":[{"message":"A token that the server holds is for this machine only.","extensions":{"code":"FORBIDDEN"}}]}`

// local reports whether a request was meant for this machine. A page of another
// site that has its own name point here shows in the Host header, and one that
// sends a plain request in what browsers say of it (Fetch Metadata); a request
// that needs a preflight is a matter of CORS.
func local(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	crossSite := r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Method == http.MethodGet
	return upstream.IsLoopback(strings.Trim(host, "[]")) && !crossSite
}

// Token returns the credential of the request that the context belongs to;
// empty if it has none.
func Token(ctx context.Context) upstream.Token {
	token, _ := ctx.Value(contextKey{}).(upstream.Token)
	return token
}

// bearer returns the token of the Authorization header; the scheme's name is
// case-insensitive (RFC 9110).
func bearer(r *http.Request) upstream.Token {
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return upstream.Token(strings.TrimSpace(token))
}
