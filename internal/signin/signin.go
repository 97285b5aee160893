// Package signin signs people in with ClickFunnels by OAuth 2.0. The token of a session is not stored:
// the cookie or the bearer token of the caller holds it, encrypted (see [Keys]). Every replica with the
// same keys accepts it.
package signin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Config configures a [Server].
type Config struct {
	// ClientID and ClientSecret are those of the platform application. A public client has no secret.
	ClientID     string
	ClientSecret upstream.Token
	// AuthorizeURL is where browsers go. ServerURL is the base of the URLs that this server calls.
	AuthorizeURL, ServerURL string
	// PublicURL is the origin under which browsers reach this server.
	PublicURL string
	// UserAgent is sent to the OAuth server.
	UserAgent string
	Keys      Keys
	// ReturnTo are the places that may receive a person, in addition to this server's own pages.
	ReturnTo []ReturnTo
	// Origins are the web origins whose pages may send requests with a session cookie.
	Origins []string
	// Lifetime is how long a session lasts, and Idle how long without a request.
	Lifetime, Idle time.Duration
	// Home is the path of the page to which a sign-in without a return_to leads.
	Home string
	// Shared is the store that replicas share; nil for a single process.
	Shared Store
	// Verify fails if ClickFunnels refuses the token of a new session. It may be nil.
	Verify func(ctx context.Context, s *Session) error
	// Forget drops what is cached for a session. It may be nil.
	Forget func(s *Session)
}

// Server serves the endpoints below /auth/, and opens the sessions of requests. It is safe for
// concurrent use.
type Server struct {
	cfg      Config
	public   *url.URL
	secure   bool // cookies have the attribute Secure
	provider *provider
	own      *memory // codes and sessions of this replica
	origins  *http.CrossOriginProtection
	// calls limits concurrent exchanges of codes, and waiting the revocations in the background.
	calls, waiting chan struct{}
}

const (
	// maxCalls is the number of sign-ins that may wait for the provider at once.
	maxCalls = 64
	// maxWaiting is the number of revocations that may be in the background.
	maxWaiting = 1000
)

// DefaultOAuthURL is the OAuth server of ClickFunnels (clickfunnels-api.md §2).
const DefaultOAuthURL = "https://accounts.myclickfunnels.com/oauth"

// CallbackPath is the path of the redirect URI, and LogoutPath the one that ends a session.
const (
	CallbackPath = "/auth/callback"
	LogoutPath   = "/auth/logout"
)

// ParsePublicURL reads the origin under which browsers reach the server.
func ParsePublicURL(text string) (*url.URL, error) {
	u, err := parseURL(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%s is not an origin: give scheme and host, and the port if it has one, such as https://api.example.com", shown(text))
	case !isWeb(u):
		return nil, fmt.Errorf("%s must begin with https://, or with http:// on localhost or a loopback address", shown(text))
	}
	return url.Parse(originOf(u))
}

// ParseOAuthURL checks the base URL of the OAuth server.
func ParseOAuthURL(text string) error {
	if u, err := parseURL(text); err != nil || !isWeb(u) || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%s is not the URL of an OAuth server: it begins with https://, or with http:// on localhost or a loopback address", shown(text))
	}
	return nil
}

// New returns a server. It fails if the configuration is invalid.
func New(cfg Config) (*Server, error) {
	public, err := ParsePublicURL(cfg.PublicURL)
	if err != nil {
		return nil, err
	}
	if cfg.Keys.Missing() {
		return nil, errors.New("there is no session key")
	}
	cfg.Home = cmp.Or(cfg.Home, "/")
	s := &Server{
		cfg: cfg, public: public, secure: public.Scheme == "https", own: newMemory(), origins: http.NewCrossOriginProtection(),
		calls: make(chan struct{}, maxCalls), waiting: make(chan struct{}, maxWaiting),
	}
	s.provider = newProvider(cfg, originOf(public)+CallbackPath)
	for _, origin := range append([]string{originOf(public)}, cfg.Origins...) {
		if err := s.origins.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("origin %q: %w", origin, err)
		}
	}
	return s, nil
}

// Handler returns the handler of the endpoints below /auth/.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /auth/login", s.login)
	mux.HandleFunc("GET "+CallbackPath, s.callback)
	mux.Handle("GET /auth/session", s.Authenticate(http.HandlerFunc(s.describe)))
	mux.Handle("POST "+LogoutPath, s.Authenticate(http.HandlerFunc(s.logout)))
	mux.HandleFunc("POST /auth/token", s.token)
	return mux
}
