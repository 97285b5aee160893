package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream"
)

const token = "s3cret-token"

// api is a test server mounted under a base path. URLs that are not built from the template
// therefore fail.
type api struct {
	*httptest.Server
	handle http.HandlerFunc
	seen   []string
	mu     sync.Mutex
}

func newAPI(t *testing.T, handle http.HandlerFunc) *api {
	t.Helper()
	a := &api{handle: handle}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.seen = append(a.seen, r.URL.RequestURI())
		a.mu.Unlock()
		a.handle(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *api) requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.seen)
}

func (a *api) client(t *testing.T, change ...func(*upstream.Config)) *upstream.Client {
	t.Helper()
	cfg := upstream.Config{URLTemplate: a.URL + "/base/{subdomain}/api/v2/", UserAgent: "TestSuite"}
	for _, f := range change {
		f(&cfg)
	}
	c, err := upstream.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c.WithToken(token)
}

func sends(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, body) }
}

func TestRequestHeaders(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		for name, want := range map[string]string{"Authorization": "Bearer " + token, "User-Agent": "TestSuite", "Accept": "application/json"} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		_, _ = fmt.Fprint(w, "[]")
	})
	if _, err := a.client(t).Teams(t.Context(), upstream.Query{}); err != nil {
		t.Error(err)
	}
}

// TestRequestPathsAndQueries checks the path and query of each call.
func TestRequestPathsAndQueries(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "s") && !strings.Contains(r.URL.Path, "/workspaces/7x") {
			_, _ = fmt.Fprint(w, "[]")
			return
		}
		_, _ = fmt.Fprint(w, `{"id": 7, "public_id": "seven", "subdomain": "acme"}`)
	})
	ctx, c := t.Context(), a.client(t)
	place := upstream.Place{WorkspaceID: "7", Subdomain: "Acme"}
	filter, err := upstream.Filter("").With("id", "1", "2")
	if err != nil {
		t.Fatal(err)
	}
	if filter, err = filter.With("email_address", "a+b&c=d@x.de", "ü@x.de"); err != nil {
		t.Fatal(err)
	}
	query := upstream.Query{After: "9", SortProperty: "updated_at", Descending: true, Filter: filter}
	expanding := c.WithProjection(upstream.NewProjection(func(string) bool { return true }))
	for _, test := range []struct {
		call func() error
		want string
	}{
		{func() error { _, err := c.Teams(ctx, upstream.Query{}); return err }, "/base/accounts/api/v2/teams"},
		{func() error { _, err := c.Team(ctx, "3"); return err }, "/base/accounts/api/v2/teams/3"},
		{func() error { _, err := c.Workspaces(ctx, "3", upstream.Query{SortProperty: "id"}); return err }, "/base/accounts/api/v2/teams/3/workspaces"},
		{func() error { _, err := c.Workspace(ctx, "pUb-1_x"); return err }, "/base/accounts/api/v2/workspaces/pUb-1_x"},
		{func() error { _, err := c.Users(ctx, upstream.Query{After: "4"}); return err }, "/base/accounts/api/v2/users?after=4"},
		{func() error { _, err := c.User(ctx, "3"); return err }, "/base/accounts/api/v2/users/3"},
		{func() error { _, err := expanding.Contacts(ctx, place, query); return err }, "/base/acme/api/v2/workspaces/7/contacts?filter%5Bid%5D=1,2&filter%5Bemail_address%5D=a%2Bb%26c%3Dd%40x.de,%C3%BC%40x.de&sort_property=updated_at&sort_order=desc&after=9&expand%5B%5D=email_engagement"},
		{func() error { _, err := c.Contact(ctx, place, "3"); return err }, "/base/acme/api/v2/contacts/3"},
		{func() error { _, err := c.ContactTags(ctx, place, upstream.Query{}); return err }, "/base/acme/api/v2/workspaces/7/contacts/tags"},
		{func() error { _, err := c.ContactTag(ctx, place, "3"); return err }, "/base/acme/api/v2/contacts/tags/3"},
		{func() error { _, err := c.AppliedContactTags(ctx, place, "3", upstream.Query{}); return err }, "/base/acme/api/v2/contacts/3/applied_tags"},
		{func() error { _, err := c.AppliedContactTag(ctx, place, "3"); return err }, "/base/acme/api/v2/contacts/applied_tags/3"},
	} {
		if err := test.call(); err != nil {
			t.Errorf("%s: %v", test.want, err)
		}
		if seen := a.requests(); seen[len(seen)-1] != test.want {
			t.Errorf("called\n%s, want\n%s", seen[len(seen)-1], test.want)
		}
	}
}

// TestInvalidSubdomainsAndIDsMakeNoCall tries to direct a call to another host or path.
func TestInvalidSubdomainsAndIDsMakeNoCall(t *testing.T) {
	a := newAPI(t, sends("[]"))
	ctx, c := t.Context(), a.client(t)
	for _, subdomain := range []string{"evil.example", "a/b", "a b", "..", "-a", "a-", "a@b", "a:1", "é", "a%2e", "a\nb", "{subdomain}", strings.Repeat("a", 64)} {
		if _, err := c.Contacts(ctx, upstream.Place{WorkspaceID: "1", Subdomain: subdomain}, upstream.Query{}); !errors.Is(err, upstream.BadUserInput) {
			t.Errorf("subdomain %q: %v", subdomain, err)
		}
	}
	for _, id := range []string{"", ".", "..", "1/2", "1?x=1", "1#", "%2e", "é", "1 2", strings.Repeat("1", 129)} {
		if _, err := c.Team(ctx, id); !errors.Is(err, upstream.BadUserInput) {
			t.Errorf("id %q: %v", id, err)
		}
	}
	if seen := a.requests(); len(seen) != 0 {
		t.Errorf("called %q", seen)
	}
}

// TestInvalidSubdomainFromAPIIsRefused sends a workspace with an invalid subdomain.
func TestInvalidSubdomainFromAPIIsRefused(t *testing.T) {
	a := newAPI(t, sends(`{"id": 7, "subdomain": "evil.example/"}`))
	_, err := a.client(t).Contacts(t.Context(), upstream.Place{WorkspaceID: "7"}, upstream.Query{})
	if !errors.Is(err, upstream.Unavailable) {
		t.Errorf("got %v", err)
	}
	if seen := a.requests(); len(seen) != 1 || !strings.HasPrefix(seen[0], "/base/accounts/") {
		t.Errorf("called %q", seen)
	}
}

// TestPaginationStaysOnItsURL sends another URL in each header that could redirect. The client
// continues at its own URL and escapes the cursor.
func TestPaginationStaysOnItsURL(t *testing.T) {
	other := newAPI(t, sends("[]"))
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "<"+other.URL+"/next>; rel=\"next\"")
		w.Header().Set("Location", other.URL)
		w.Header().Set("Refresh", "0; url="+other.URL)
		w.Header().Set("Pagination-Next", "1&filter[id]=2#/../..?x="+other.URL)
		_, _ = fmt.Fprint(w, "["+strings.TrimSuffix(strings.Repeat(`{"id":1},`, upstream.PageSize), ",")+"]")
	})
	c := a.client(t)
	_, err := upstream.Walk(t.Context(), upstream.Query{}, upstream.Window{Limit: 60}, func(ctx context.Context, q upstream.Query) (*upstream.Page[upstream.Team], error) {
		return c.Teams(ctx, q)
	})
	if !errors.Is(err, upstream.Unavailable) {
		t.Errorf("got %v, want the error of a walk without progress", err)
	}
	for i, uri := range a.requests() {
		if want := "/base/accounts/api/v2/teams?after=1%26filter%5Bid%5D%3D2%23%2F..%2F..%3Fx%3D"; i > 0 && !strings.HasPrefix(uri, want) {
			t.Errorf("called %s", uri)
		}
	}
	if len(a.requests()) != 2 || len(other.requests()) != 0 {
		t.Errorf("called %q and %q", a.requests(), other.requests())
	}
}

// TestRedirectsAreNotFollowed checks that no redirect carries the token away.
func TestRedirectsAreNotFollowed(t *testing.T) {
	other := newAPI(t, sends("[]"))
	for _, status := range []int{301, 302, 303, 307, 308} {
		a := newAPI(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) })
		_, err := a.client(t).Teams(t.Context(), upstream.Query{})
		if failed, ok := errors.AsType[*upstream.Error](err); !ok || failed.Status != status || failed.Code != upstream.Unavailable || failed.Retryable {
			t.Errorf("%d: %v", status, err)
		}
	}
	if seen := other.requests(); len(seen) != 0 {
		t.Errorf("followed: %q", seen)
	}
}

// TestSubdomainLookUpIsRememberedPerCredential checks that a workspace is looked up once for each
// credential, and is then known by each of its ids.
func TestSubdomainLookUpIsRememberedPerCredential(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/accounts/") {
			_, _ = fmt.Fprint(w, `{"id": 7, "public_id": "seven", "subdomain": "acme"}`)
			return
		}
		_, _ = fmt.Fprint(w, "[]")
	})
	first := a.client(t)
	second := first.WithToken("another")
	for _, c := range []*upstream.Client{first, first, second, first, second} {
		for _, id := range []string{"7", "seven"} {
			if _, err := c.Contacts(t.Context(), upstream.Place{WorkspaceID: id}, upstream.Query{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	lookups := 0
	for _, uri := range a.requests() {
		if strings.Contains(uri, "/accounts/") {
			lookups++
		} else if uri != "/base/acme/api/v2/workspaces/7/contacts" {
			t.Errorf("called %s", uri)
		}
	}
	if lookups != 2 {
		t.Errorf("%d look-ups for 2 credentials", lookups)
	}
}

func TestURLTemplateValidation(t *testing.T) {
	for template, problem := range map[string]string{
		upstream.DefaultURLTemplate:                "",
		"https://api.example.com/v2":               "",
		"http://127.0.0.1:9000":                    "",
		"http://localhost:9000/{subdomain}/api/v2": "",
		"http://{subdomain}.localhost:9000":        "",
		"http://[::1]:9000/{subdomain}":            "",
		"http://api.example.com":                   "unencrypted",
		"http://{subdomain}.example.com":           "unencrypted",
		"http://127.0.0.1.example.com":             "unencrypted",
		"http://notlocalhost":                      "unencrypted",
		"ftp://example.com":                        "https://",
		"example.com":                              "https://",
		"https://":                                 "no host",
		"https://{subdomain}":                      "whole host",
		"https://{subdomain}/api":                  "whole host",
		"https://{subdomain}:443/api":              "whole host",
		"https://x{subdomain}/api":                 "whole host",
		"https://x-{subdomain}.example.com/api":    "",
		"https://example.com:99999/":               "invalid port",
		"https://{subdomain}.{subdomain}.com":      "more than once",
		"https://{workspace}.example.com":          "",
		"https://user:pass@example.com":            "no user",
		"https://example.com?x={subdomain}":        "no user, query",
		"https://example.com/#{subdomain}":         "no user, query",
		"https://example.com/{id}":                 "no other",
		"https://example.com:{subdomain}/":         "cannot be parsed",
		"{subdomain}://example.com":                "https://",
	} {
		_, err := upstream.New(upstream.Config{URLTemplate: template})
		if template == "https://{workspace}.example.com" {
			problem = "cannot be parsed"
		}
		switch {
		case problem == "" && err != nil:
			t.Errorf("%s: %v", template, err)
		case problem != "" && (err == nil || !strings.Contains(err.Error(), problem) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "pass@")):
			t.Errorf("%s: %v, want %q in it", template, err, problem)
		}
	}
}

// TestLocalhostSubdomainsNeedNoResolver calls a name below localhost.
func TestLocalhostSubdomainsNeedNoResolver(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Host, "acme.localhost:") {
			t.Errorf("host %s", r.Host)
		}
		_, _ = fmt.Fprint(w, "[]")
	})
	_, port, _ := strings.Cut(strings.TrimPrefix(a.URL, "http://"), ":")
	c := a.client(t, func(cfg *upstream.Config) { cfg.URLTemplate = "http://{subdomain}.localhost:" + port + "/base" })
	if _, err := c.Contacts(t.Context(), upstream.Place{WorkspaceID: "1", Subdomain: "acme"}, upstream.Query{}); err != nil {
		t.Error(err)
	}
}

// TestFilterRefusesUnusableValues checks values that cannot be sent as one value.
func TestFilterRefusesUnusableValues(t *testing.T) {
	for _, value := range []string{"", " ", "a,b", "a\nb", "a\x00"} {
		if _, err := upstream.Filter("").With("id", value); !errors.Is(err, upstream.BadUserInput) {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestBodySizeAndCallTimeout(t *testing.T) {
	a := newAPI(t, sends(`[{"id":1,"name":"`+strings.Repeat("x", 5000)+`"}]`))
	c := a.client(t, func(cfg *upstream.Config) { cfg.Transport.MaxBody = 4096 })
	if _, err := c.Teams(t.Context(), upstream.Query{}); !errors.Is(err, upstream.Unavailable) || !strings.Contains(err.Error(), "over the limit") {
		t.Errorf("a long body: %v", err)
	}
	a.handle = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	c = a.client(t, func(cfg *upstream.Config) { cfg.Transport.CallTimeout = 50 * time.Millisecond })
	if _, err := c.Teams(t.Context(), upstream.Query{}); !errors.Is(err, upstream.Timeout) {
		t.Errorf("no answer: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Teams(ctx, upstream.Query{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestConnectionErrorsHideTheURL checks that errors omit the URL, which may contain a caller's
// values.
func TestConnectionErrorsHideTheURL(t *testing.T) {
	a := newAPI(t, sends(""))
	c := a.client(t)
	a.Close()
	_, err := c.Team(t.Context(), "12345")
	if !errors.Is(err, upstream.Unavailable) {
		t.Fatal(err)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error(), "12345") || strings.Contains(e.Error(), token) {
			t.Errorf("%T says %q", e, e)
		}
	}
}

// TestTokenIsNeverPrinted formats tokens, and values that contain them, with every verb.
func TestTokenIsNeverPrinted(t *testing.T) {
	type holder struct{ Token upstream.Token }
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T%v"} {
		for _, v := range []any{upstream.Token(token), holder{token}, &holder{token}, []upstream.Token{token}, map[string]upstream.Token{"a": token}} {
			args := []any{v}
			if format == "%T%v" {
				args = append(args, v)
			}
			if text := fmt.Sprintf(format, args...); strings.Contains(text, token) || strings.Contains(text, fmt.Sprintf("%x", token)) {
				t.Errorf("%s of %T prints the token", format, v)
			}
		}
	}
}

// TestUnusableTokensMakeNoCall checks missing and malformed tokens.
func TestUnusableTokensMakeNoCall(t *testing.T) {
	a := newAPI(t, sends("[]"))
	for _, token := range []upstream.Token{"", "two words", "a\r\nb", upstream.Token(strings.Repeat("a", 5000))} {
		if _, err := a.client(t).WithToken(token).Teams(t.Context(), upstream.Query{}); !errors.Is(err, upstream.Unauthenticated) {
			t.Errorf("%d characters: %v", len(token), err)
		}
	}
	if seen := a.requests(); len(seen) != 0 {
		t.Errorf("called %q", seen)
	}
}

// TestFanOutReusesConnections checks that the connections of one fan-out serve the next.
func TestFanOutReusesConnections(t *testing.T) {
	const fan = 100
	var opened atomic.Int64
	var arrived sync.WaitGroup
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived.Done()
		arrived.Wait() // all at the same time
		_, _ = fmt.Fprint(w, `{"id": 1}`)
	})
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	a := &api{Server: server}
	c := a.client(t)
	for range 3 {
		arrived.Add(fan)
		var wait sync.WaitGroup
		for i := range fan {
			wait.Go(func() {
				if _, err := c.Team(t.Context(), fmt.Sprint(i+1)); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
	}
	if n := opened.Load(); n > fan+fan/10 {
		t.Errorf("%d connections opened for 3 fan-outs of %d", n, fan)
	}
}
