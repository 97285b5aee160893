// Package access decides which ClickFunnels credential a request may use.
package access

import (
	"context"
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
		}
		if token == "" {
			token = p.Default
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, token)))
	})
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
