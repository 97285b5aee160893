package access

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/funnelgraph/funnelgraph/upstream"
)

func TestPolicies(t *testing.T) {
	for _, test := range []struct {
		name          string
		policy        Policy
		host, header  string
		value, method string
		status        int
		want          upstream.Token
	}{
		{"pass-through", Policy{}, "api.example.com", "Authorization", "Bearer mine", "POST", 200, "mine"},
		{"pass-through without", Policy{}, "api.example.com", "X", "", "POST", 200, ""},
		{"a default", Policy{Default: "demo"}, "localhost:8080", "X", "", "POST", 200, "demo"},
		{"own before default", Policy{Default: "demo"}, "localhost:8080", "Authorization", "Bearer mine", "POST", 200, "mine"},
		{"held", Policy{Held: "held"}, "127.0.0.1:8080", "Authorization", "Bearer mine", "POST", 200, "held"},
		{"held, IPv6", Policy{Held: "held"}, "[::1]:8080", "X", "", "POST", 200, "held"},
		{"held, no port", Policy{Held: "held"}, "[::1]", "X", "", "POST", 200, "held"},
		{"held, a rebound name", Policy{Held: "held"}, "evil.example:8080", "X", "", "POST", 403, ""},
		{"held, from another site", Policy{Held: "held"}, "127.0.0.1:8080", "Sec-Fetch-Site", "cross-site", "GET", 403, ""},
		{"held, from this site", Policy{Held: "held"}, "127.0.0.1:8080", "Sec-Fetch-Site", "same-origin", "GET", 200, "held"},
	} {
		var got upstream.Token
		h := test.policy.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = Token(r.Context())
			_, _ = io.WriteString(w, "ok")
		}))
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), test.method, "/graphql", nil)
		r.Host = test.host
		r.Header.Set(test.header, test.value)
		h.ServeHTTP(w, r)
		if w.Code != test.status || string(got) != string(test.want) {
			t.Errorf("%s: %d, token %q", test.name, w.Code, string(got))
		}
	}
}
