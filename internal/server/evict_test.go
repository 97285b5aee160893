package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// TestEvict evicts cached responses by their tags.
func TestEvict(t *testing.T) {
	calls := 0
	simulated := demo.New()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		simulated.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	client, err := upstream.New(upstream.Config{URLTemplate: demo.Template(api.Listener.Addr().String()), Transport: transport.Config{CacheTTL: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	client = client.WithToken(demo.Token)
	h := evict(func() *upstream.Client { return client })
	place := upstream.Place{WorkspaceID: "101", Subdomain: "acme-academy"}
	readAll := func() int {
		calls = 0
		if _, err := client.Contact(t.Context(), place, "3000000001"); err != nil {
			t.Error(err)
		}
		if _, err := client.Products(t.Context(), place, upstream.Query{}); err != nil {
			t.Error(err)
		}
		return calls
	}
	readAll()
	for _, test := range []struct {
		body   string
		status int
		calls  int
	}{
		{`{"subdomain": "acme-academy", "tags": ["3000000001"]}`, 204, 1},
		{`{"subdomain": "ACME-academy", "tags": ["products"]}`, 204, 1},
		{`{"subdomain": "acme-academy", "tags": ["products", "3000000001"]}`, 204, 2},
		{`{"subdomain": "acme-academy", "tags": ["contacts", "7"]}`, 204, 0},
		{`{"subdomain": "acme-academy"}`, 204, 2},
		{`{"subdomain": "acme-academy", "tags": []}`, 204, 2},
		{`{"subdomain": "retreats"}`, 204, 0},
		{`{"subdomain": "accounts", "tags": []}`, 204, 0},
		{`{"subdomain": "acme.example"}`, 400, 0},
		{`{"subdomain": "acme-academy", "tags": ["things"]}`, 400, 0},
		{`{"subdomain": "acme-academy", "tags": ["*"]}`, 400, 0},
		{`{"subdomain": "acme-academy", "tag": "7"}`, 400, 0},
		{`{}`, 400, 0},
		{`hello`, 400, 0},
		{`{"subdomain": "acme-academy", "tags": [` + strings.Repeat(`"7",`, maxEvictionTags) + `"7"]}`, 400, 0},
		{`{"subdomain": "` + strings.Repeat("a", maxEviction) + `"}`, 400, 0},
	} {
		w := httptest.NewRecorder()
		h(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, evictPath, strings.NewReader(test.body)))
		if got := readAll(); w.Code != test.status || got != test.calls {
			t.Errorf("%.80s: status %d, %d calls; want %d and %d", test.body, w.Code, got, test.status, test.calls)
		}
	}
}
