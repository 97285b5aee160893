package upstream_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// direct is a transport that calls a handler directly.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// BenchmarkContacts measures a page of 20 contacts without the network: the client, the decoding
// and the simulated API.
func BenchmarkContacts(b *testing.B) {
	base, err := upstream.New(upstream.Config{URLTemplate: "http://localhost/{subdomain}" + demo.BasePath, Transport: transport.Config{RoundTripper: direct{demo.New()}}})
	if err != nil {
		b.Fatal(err)
	}
	c, place := base.WithToken(demo.Token), upstream.Place{WorkspaceID: "101", Subdomain: "acme-academy"}
	for name, c := range map[string]*upstream.Client{
		"all keys":     c,
		"one key":      c.WithProjection(upstream.NewProjection(func(key string) bool { return key == "email_address" })),
		"all, by name": c.WithProjection(upstream.NewProjection(func(string) bool { return true })),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if page, err := c.Contacts(b.Context(), place, upstream.Query{}); err != nil || len(page.Rows) != upstream.PageSize {
					b.Fatal(err)
				}
			}
		})
	}
}
