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

// JWT says which JSON Web Tokens (RFC 7519) are accepted, such as an identity
// provider makes by OpenID Connect.
type JWT struct {
	// Issuer is who makes them (iss).
	Issuer string `yaml:"issuer"`
	// Audience is whom they are for (aud).
	Audience string `yaml:"audience"`
	// JWKS is the URL of the issuer's public keys (RFC 7517).
	JWKS string `yaml:"jwks"`
	// Algorithms are those of their signatures, by default [usualAlgorithms].
	Algorithms []string `yaml:"algorithms"`
}

// Signatures that only the issuer can make. "none" and those whose key is shared
// (HS256 and the like) are not among them: whoever verifies those can make them, and
// a public key taken for a shared one lets anyone.
var (
	usualAlgorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}
	algorithms      = append([]string{"RS384", "RS512", "PS384", "PS512", "ES384", "ES512"}, usualAlgorithms...)
)

func (j *JWT) check() error {
	if j.Issuer == "" || j.Audience == "" || j.JWKS == "" {
		return errors.New("jwt: issuer, audience and jwks are needed")
	}
	u, err := url.Parse(j.JWKS)
	secure := err == nil && (u.Scheme == "https" || u.Scheme == "http" && upstream.IsLoopback(u.Hostname()))
	if !secure || u.Host == "" || u.User != nil {
		return errors.New("jwt: jwks is not an https URL (or http on loopback), without a user")
	}
	for _, name := range j.Algorithms {
		if !slices.Contains(algorithms, name) {
			return fmt.Errorf("jwt: algorithm %q is not accepted: give some of %q", name, algorithms)
		}
	}
	return nil
}

const (
	// keysInterval is how often the issuer's keys are fetched anew, and
	// rotationInterval how often at most because a token names one that is not
	// known. Such a token waits for that, and for the keys, for keysTimeout at
	// most together, and is refused at once if it would have to wait longer.
	keysInterval     = 5 * time.Minute
	rotationInterval = 10 * time.Second
	keysTimeout      = 5 * time.Second
	// maxKeys is how many bytes the issuer's keys may have.
	maxKeys = 1 << 20
	// leeway is how far the clocks of the issuer and this machine may differ.
	leeway = 30 * time.Second
)

// verifier tells good tokens from others. It is safe for concurrent use.
type verifier struct {
	JWT
	ctx    context.Context //nolint:containedctx // as long as it is used
	keys   keyfunc.Keyfunc
	parser *jwt.Parser
}

// newVerifier returns a verifier that fetches the issuer's keys until the context
// ends. If the issuer cannot be reached, nobody is let in until it can.
func newVerifier(ctx context.Context, j JWT) (*verifier, error) {
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{j.JWKS}, keyfunc.Override{
		Client: &http.Client{Timeout: keysTimeout, Transport: boundedKeys{http.DefaultTransport}, CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the issuer's keys are somewhere else")
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
		accepted = usualAlgorithms
	}
	return &verifier{j, ctx, keys, jwt.NewParser(
		jwt.WithValidMethods(accepted), jwt.WithIssuer(j.Issuer), jwt.WithAudience(j.Audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
	)}, nil
}

// boundedKeys ends the reading of an issuer's keys after maxKeys bytes with an error.
type boundedKeys struct{ next http.RoundTripper }

// RoundTrip sends a request, as [http.RoundTripper] says.
func (b boundedKeys) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxKeys)
	}
	return response, err
}

// errCritical refuses a token with extensions that have to be understood.
var errCritical = errors.New("the token has critical extensions")

// claims returns what a token says, if it is good. Keys that it has fetched come in
// also if its client does not wait for them: others will need them.
func (v *verifier) claims(token string) (jwt.MapClaims, bool) {
	claims := make(jwt.MapClaims)
	key := v.keys.KeyfuncCtx(v.ctx)
	_, err := v.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		// No extension is understood here, and the library looks at none (RFC 7515, 4.1.11).
		if _, critical := t.Header["crit"]; critical {
			return nil, errCritical
		}
		return key(t)
	})
	return claims, err == nil
}

// has reports whether a claim is the text, or a list that holds it.
func has(claims jwt.MapClaims, name, want string) bool {
	switch claim := claims[name].(type) {
	case string:
		return claim == want
	case []any:
		return slices.Contains(claim, any(want))
	}
	return false
}
