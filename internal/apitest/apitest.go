// Package apitest runs the simulated API for tests of the packages below the server, and records
// the calls that it gets.
package apitest

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// API is the simulated API over HTTP. It is safe for concurrent use, but its fields must not change
// during calls.
type API struct {
	// Client calls the API with a valid token. It makes one attempt at each call.
	Client *upstream.Client
	// Answer, if not nil, may answer a call to a path in place of the API. It reports whether it
	// did.
	Answer func(w http.ResponseWriter, r *http.Request, path string) bool

	mu    sync.Mutex
	calls []string
}

// New starts an API that ends with the test.
func New(tb testing.TB) *API {
	tb.Helper()
	a, simulated := new(API), demo.New()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.calls = append(a.calls, describe(r))
		a.mu.Unlock()
		_, path, _ := strings.Cut(r.URL.Path, demo.BasePath)
		if a.Answer == nil || !a.Answer(w, r, path) {
			simulated.ServeHTTP(w, r)
		}
	}))
	tb.Cleanup(server.Close)
	client, err := upstream.New(upstream.Config{URLTemplate: demo.Template(strings.TrimPrefix(server.URL, "http://")), Transport: transport.Config{Attempts: 1}})
	if err != nil {
		tb.Fatal(err)
	}
	a.Client = client.WithToken(demo.Token)
	return a
}

// describe describes a call by its subdomain, its path, the number of values of each filter, and
// its other parameters, such as "acme-academy /workspaces/101/contacts after=7 id×20".
func describe(r *http.Request) string {
	subdomain, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), demo.BasePath)
	parts := []string{subdomain, path}
	if r.Method != http.MethodGet {
		parts = append([]string{r.Method}, parts...)
	}
	query := r.URL.Query()
	for _, key := range slices.Sorted(maps.Keys(query)) {
		if filter, ok := strings.CutPrefix(key, "filter["); ok {
			parts = append(parts, fmt.Sprintf("%s×%d", strings.TrimSuffix(filter, "]"), 1+strings.Count(query.Get(key), ",")))
		} else if key != "expand[]" {
			parts = append(parts, key+"="+query.Get(key))
		}
	}
	return strings.Join(parts, " ")
}

// Replace answers one path with a body.
func (a *API) Replace(path, body string) {
	a.Answer = func(w http.ResponseWriter, _ *http.Request, at string) bool {
		if at == path {
			_, _ = w.Write([]byte(body))
		}
		return at == path
	}
}

// Within makes the client one that may see only these workspaces.
func (a *API) Within(tb testing.TB, workspaces ...string) *API {
	tb.Helper()
	scope, err := upstream.NewScope(nil, workspaces)
	if err != nil {
		tb.Fatal(err)
	}
	a.Client = a.Client.Within(scope)
	return a
}

// Locating makes the subdomains of workspaces known to the client, and forgets the calls for it.
func (a *API) Locating(tb testing.TB, workspaces ...string) *API {
	tb.Helper()
	for _, id := range workspaces {
		if _, err := a.Client.Workspace(tb.Context(), id); err != nil {
			tb.Fatal(err)
		}
	}
	a.Take()
	return a
}

// Take returns the calls so far, in the order in which they arrived, and forgets them.
func (a *API) Take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.calls
	a.calls = nil
	return calls
}

// Want fails the test unless exactly these calls, in any order, were made since the last check.
func (a *API) Want(tb testing.TB, calls ...string) {
	tb.Helper()
	got, want := slices.Sorted(slices.Values(a.Take())), slices.Sorted(slices.Values(calls))
	if !slices.Equal(got, want) {
		tb.Errorf("the API was called\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}
