package server

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/signin"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// signInPath begins the paths of the sign-in's endpoints.
const signInPath = "/auth/"

// NewSignIn returns the sign-in of a configuration with an OAuth client id. authorizeURL is where
// browsers go. shared is the store that replicas share, nil without one. client returns the client that
// makes calls.
func NewSignIn(cfg config.Config, authorizeURL string, shared signin.Store, client func() *upstream.Client) (*signin.Server, error) {
	places := make([]signin.ReturnTo, len(cfg.ReturnTo))
	for i, text := range cfg.ReturnTo {
		var err error
		if places[i], err = signin.ParseReturnTo(text); err != nil {
			return nil, err
		}
	}
	return signin.New(signin.Config{
		ClientID: cfg.OAuthClientID, ClientSecret: cfg.OAuthSecret, AuthorizeURL: authorizeURL, ServerURL: cfg.OAuthURL,
		PublicURL: cfg.PublicURL, UserAgent: cfg.UserAgent, Keys: cfg.SessionKeys, ReturnTo: places, Origins: cfg.CORSOrigins,
		Lifetime: cfg.SessionLifetime, Idle: cfg.SessionIdle, Shared: shared,
		Home: map[bool]string{true: "/", false: "/auth/session"}[cfg.GraphiQL],
		Verify: func(ctx context.Context, s *signin.Session) error {
			c, err := clientOf(client(), s)
			if err != nil {
				return err
			}
			_, err = c.Workspace(ctx, s.Workspace.ID)
			if failed, ok := errors.AsType[*upstream.Error](err); ok && (failed.Code == upstream.Forbidden || failed.Code == upstream.Unauthenticated) {
				return err
			}
			return nil
		},
		Forget: func(s *signin.Session) {
			if c, err := clientOf(client(), s); err == nil {
				c.Forget()
			}
		},
	})
}

// localURL returns the origin under which browsers on this machine reach a listener.
func localURL(listener net.Listener) string {
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return ""
	}
	return "http://" + net.JoinHostPort("localhost", port)
}

// clientOf returns the client of a session.
func clientOf(c *upstream.Client, s *signin.Session) (*upstream.Client, error) {
	scope, err := access.SessionScope(s)
	if err != nil {
		return nil, err
	}
	return c.WithToken(s.Token).Within(scope).Held(), nil
}

// newSessionKeys returns a random key for sessions that end with the process.
func newSessionKeys() signin.Keys {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	keys, err := signin.ParseKeys(base64.StdEncoding.EncodeToString(key))
	if err != nil {
		panic(err) // it is valid
	}
	return keys
}

// signInHandler returns the handler of the sign-in's endpoints, which exist while people may sign in.
// Sessions can be ended at any time.
func signInHandler(p Parts) http.Handler {
	endpoints := p.SignIn.Handler()
	if _, _, ok := p.Gate.Rights(); !ok {
		slog.Warn("signing in is off: the access file has no section for sessions")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := p.Gate.Rights(); !ok && r.URL.Path != signin.LogoutPath {
			http.NotFound(w, r)
			return
		}
		endpoints.ServeHTTP(w, r)
	})
}
