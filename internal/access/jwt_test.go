package access

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestKeysAreBounded serves a key set of the maximum size, and one that is a byte larger.
func TestKeysAreBounded(t *testing.T) {
	const begin, key = `{"keys":[`, `{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	for size, known := range map[int]int{maxKeys: 1, maxKeys + 1: 0} {
		issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, begin+strings.Repeat(" ", size-len(begin)-len(key))+key)
		}))
		t.Cleanup(issuer.Close)
		v, err := newVerifier(t.Context(), JWT{JWKS: issuer.URL})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := v.keys.Storage().KeyReadAll(t.Context())
		if err != nil || len(keys) != known {
			t.Errorf("%d bytes: %d keys, %v", size, len(keys), err)
		}
	}
}
