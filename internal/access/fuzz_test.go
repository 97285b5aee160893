package access

import (
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// FuzzAccessFile reads any text as an access file. An invalid file has an error of one line, and
// no client gets more permissions than the file gives it.
func FuzzAccessFile(f *testing.F) {
	_, hash := NewKey()
	for _, text := range []string{
		"", "clients: []", "clients: [", "a: &a [*a, *a]", "- a\n-b", "\t", "clients: [{ name: a, teams: all, keys: [\"" + hash + "\"] }]", "clients: [{ name: a, teams: ~, workspaces: [1], keys: [\"" + hash + "\"] }]",
		"tokens: { main: { env: NO_SUCH } }\njwt: { issuer: i, audience: a, jwks: \"https://example.com\", algorithms: [RS256] }\nclients:\n  - { name: a, claims: { azp: b }, teams: [1], workspaces: ['2'], access: read-write, limits: { depth: 3, timeout: 5s } }",
		"clients: [{ name: a, limits: { ? }, teams: ~ }]", "clients:\n  - name: |\n      a\n    keys: !!str x", "clients: &x [{ <<: *x }]",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		parsed, err := parse(text)
		if err == nil {
			var r *roster
			if r, err = newRoster(parsed, map[string]upstream.Token{"main": "t"}, Caller{Token: "own", Policy: limits.Policy{Limits: limits.Limits{Depth: 9}}}, [32]byte{1}); err == nil {
				for _, e := range r.entries {
					if len(e.hashes) == 0 && len(e.claims) == 0 || e.caller.Token != "own" && e.caller.Token != "t" || e.caller.key == (Key{}) {
						t.Errorf("%q: %+v", text, e)
					}
				}
			}
			if parsed.JWT != nil {
				_ = parsed.JWT.check()
			}
		}
		if err != nil && (err.Error() == "" || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q: %q", text, err)
		}
	})
}

// FuzzKeys compares any text with the hashes of keys.
func FuzzKeys(f *testing.F) {
	key, hash := NewKey()
	f.Add(key, hash)
	f.Add("", "sha256:")
	f.Fuzz(func(t *testing.T, key, text string) {
		hash, err := parseHash(text)
		if err == nil && !strings.EqualFold(hash.String(), text) {
			t.Errorf("%q is %s", text, hash)
		}
		if err != nil && strings.Contains(err.Error(), text) && len(text) > 10 {
			t.Errorf("%q is repeated", text)
		}
		if !hashKey(key).equal(hashKey(key)) || err == nil && hash.equal(hashKey(key)) && text != hashKey(key).String() && !strings.EqualFold(text, hashKey(key).String()) {
			t.Errorf("%q and %q", key, text)
		}
	})
}
