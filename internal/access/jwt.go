package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// JWT defines which JSON Web Tokens (RFC 7519) are accepted, such as those of an OpenID Connect
// identity provider.
type JWT struct {
	// Issuer is the required issuer (iss).
	Issuer string `yaml:"issuer"`
	// Audience is the required audience (aud).
	Audience string `yaml:"audience"`
	// JWKS is the URL of the issuer's public keys (RFC 7517).
	JWKS string `yaml:"jwks"`
	// Algorithms are the accepted signature algorithms, by default [defaultAlgorithms].
	Algorithms []string `yaml:"algorithms"`
}

// Algorithms whose signatures only the issuer can create. They exclude "none" and the algorithms
// with a shared key, such as HS256: every verifier could create those signatures, and a public
// key that is used as a shared key would let anyone in.
var (
	defaultAlgorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}
	algorithms        = append([]string{"RS384", "RS512", "PS384", "PS512", "ES384", "ES512"}, defaultAlgorithms...)
)

func (j *JWT) check() error {
	if j.Issuer == "" || j.Audience == "" || j.JWKS == "" {
		return errors.New("jwt: issuer, audience and jwks are needed")
	}
	u, err := url.Parse(j.JWKS)
	secure := err == nil && (u.Scheme == "https" || u.Scheme == "http" && upstream.IsLoopback(u.Hostname()))
	if !secure || u.Host == "" || u.User != nil {
		return errors.New("jwt: jwks must be an https URL without a user; http is allowed on loopback only")
	}
	for _, name := range j.Algorithms {
		if !slices.Contains(algorithms, name) {
			return fmt.Errorf("jwt: algorithm %q is not accepted: give some of %q", name, algorithms)
		}
	}
	return nil
}

const (
	// keysInterval is how often the issuer's keys are refreshed. A token with an unknown key
	// refreshes them too, at most once per rotationInterval. Such a token waits at most
	// keysTimeout for its turn and the keys, and is refused at once if it would take longer.
	keysInterval     = 5 * time.Minute
	rotationInterval = 10 * time.Second
	keysTimeout      = 5 * time.Second
	// maxKeys is the maximum size of the issuer's key set, in bytes.
	maxKeys = 1 << 20
	// leeway is the tolerated difference between the clocks of the issuer and this machine.
	leeway = 30 * time.Second
)

// verifier verifies JSON Web Tokens. It is safe for concurrent use.
type verifier struct {
	JWT
	ctx    context.Context //nolint:containedctx // as long as it is used
	keys   keyfunc.Keyfunc
	parser *jwt.Parser
}

// newVerifier returns a verifier that refreshes the issuer's keys until the context ends. It
// refuses every token until it has reached the issuer.
func newVerifier(ctx context.Context, j JWT) (*verifier, error) {
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{j.JWKS}, keyfunc.Override{
		Client: &http.Client{Timeout: keysTimeout, Transport: boundedKeys{http.DefaultTransport}, CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the issuer redirects the request for its keys: set jwks to the final URL")
		}},
		HTTPTimeout:       keysTimeout,
		RefreshInterval:   keysInterval,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(rotationInterval), 1),
		RateLimitWaitMax:  keysTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	accepted := j.Algorithms
	if len(accepted) == 0 {
		accepted = defaultAlgorithms
	}
	return &verifier{j, ctx, keys, jwt.NewParser(
		jwt.WithValidMethods(accepted), jwt.WithIssuer(j.Issuer), jwt.WithAudience(j.Audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
	)}, nil
}

// boundedKeys fails reading an issuer's key set after maxKeys bytes.
type boundedKeys struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b boundedKeys) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxKeys)
	}
	return response, err
}

// errCritical is the error of a token with critical extensions.
var errCritical = errors.New("the token has critical extensions")

// claims returns the claims of a token, and reports whether it is valid. A fetch of keys goes on
// even if the client gives up, because other requests need the keys.
func (v *verifier) claims(token string) (jwt.MapClaims, bool) {
	claims := make(jwt.MapClaims)
	key := v.keys.KeyfuncCtx(v.ctx)
	_, err := v.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		// funnelgraph supports no extension, and the library ignores "crit" (RFC 7515, 4.1.11).
		if _, critical := t.Header["crit"]; critical {
			return nil, errCritical
		}
		return key(t)
	})
	return claims, err == nil
}

// hasClaim reports whether a claim equals the wanted string, or is a list that contains it.
func hasClaim(claims jwt.MapClaims, name, want string) bool {
	switch claim := claims[name].(type) {
	case string:
		return claim == want
	case []any:
		return slices.Contains(claim, any(want))
	}
	return false
}
