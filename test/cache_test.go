package test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestEvictionsAreExact changes one contact, by an event and by a mutation. Only answers that can have
// changed are requested again.
func TestEvictionsAreExact(t *testing.T) {
	const other = "3000000002"
	l := newLiveWith(t, "teams: all, access: read-write", withCache(time.Hour))
	queries := map[string]string{
		"ada":      `{ contact(id: "` + ada + `", workspaceId: "101") { firstName } }`,
		"other":    `{ contact(id: "` + other + `", workspaceId: "101") { firstName } }`,
		"contacts": `{ workspace(id: "101") { contacts(first: 5) { nodes { firstName } } } }`,
		"orders":   `{ workspace(id: "101") { orders(first: 5) { nodes { orderNumber } } } }`,
		"products": `{ workspace(id: "101") { products(first: 5) { nodes { name } } } }`,
		"retreats": `{ workspace(id: "102") { contacts(first: 5) { nodes { firstName } } } }`,
		"teams":    `{ teams { nodes { name } } }`,
	}
	ask := func(name string) int {
		t.Helper()
		l.forget()
		if status, body, _ := l.do(post(`{"query": `+quoted(queries[name])+`}`, "Authorization: Bearer "+l.key)(l.env)); status != http.StatusOK || strings.Contains(body, `"errors"`) {
			t.Fatal(name, status, body)
		}
		return len(l.calls[demo.Token])
	}
	for name := range queries {
		ask(name)
	}
	for _, change := range []struct {
		name  string
		make  func()
		again []string // the queries that must be requested again
	}{
		{"nothing", func() {}, nil},
		{"an update", func() { l.happens(t, 1, "contact.updated", ada) }, []string{"ada", "contacts", "orders"}}, // the orders embed the contact
		{"a new contact", func() { l.happens(t, 2, "contact.created", "3999999999") }, []string{"contacts"}},
		{"a tag", func() {
			l.sends(t, 3, "contacts/applied_tag.created", "Contacts::AppliedTag", "77", "2026-11-29T10:00:00Z", `{"id": 77, "contact_id": `+ada+`, "tag_id": 1}`)
		}, []string{"ada", "contacts", "orders"}},
		{"an order", func() {
			l.sends(t, 4, "order.updated", "Order", "1", "2026-11-29T10:00:00Z", `{"id": 1, "contact_id": `+ada+`}`)
		}, []string{"orders"}},
		{"a deletion", func() { l.happens(t, 5, "contact.deleted", "3999999999") }, []string{"ada", "other", "contacts", "orders", "products"}},
		{"an unknown event", func() { l.sends(t, 6, "thing.waved", "Thing", "1", "2026-11-29T10:00:00Z", `{"id": 1}`) }, []string{"ada", "other", "contacts", "orders", "products"}},
		{"a mutation", func() {
			query := `mutation { updateContact(input: { workspaceId: "101", id: "` + other + `", firstName: "Exact" }) { contact { id } } }`
			if _, body, _ := l.do(post(`{"query": `+quoted(query)+`}`, "Authorization: Bearer "+l.key)(l.env)); strings.Contains(body, `"errors"`) {
				t.Fatal(body)
			}
		}, []string{"other", "contacts"}},
	} {
		change.make()
		for name := range queries {
			if calls := ask(name); (calls > 0) != slices.Contains(change.again, name) {
				t.Errorf("%s: %d calls for %s, want some: %t", change.name, calls, name, calls == 0)
			}
		}
	}
}

// TestScreensSurviveAnOutage takes ClickFunnels down. Warm screens are complete, and say that they are old.
func TestScreensSurviveAnOutage(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	e := newEnv(t, func(_ *env, cfg *config.Config) {
		cfg.CacheTTL.Default, cfg.CacheStale, cfg.Attempts = 300*time.Millisecond, 10*time.Minute, 1
	}, withFault(func(w http.ResponseWriter, _ *http.Request, _, _ string) bool {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return down.Load()
	}))
	const screen = `{ teams { nodes { name workspaces { nodes { name contacts(first: 5) { nodes { firstName tags { name } orders(first: 2) { nodes { orderNumber } } } } } } } } }`
	ask := func(token string) (string, http.Header) {
		t.Helper()
		_, body, header := e.do(post(`{"query": `+quoted(screen)+`}`, "Authorization: Bearer "+token)(e))
		return body, header
	}
	warm, header := ask(demo.Token)
	if strings.Contains(warm, `"errors"`) || header.Get("Cache-Status") != "" {
		t.Fatal(warm, header)
	}
	down.Store(true)
	time.Sleep(500 * time.Millisecond)
	data, _, _ := strings.Cut(warm, `,"extensions"`)
	data = strings.TrimSuffix(data, "}")
	lasts, pause := 500*time.Millisecond, 20*time.Millisecond
	if *full {
		lasts, pause = 10*time.Minute-5*time.Second, time.Second
	}
	answers := 0
	for began := time.Now(); time.Since(began) < lasts; time.Sleep(pause) {
		answers += 2
		stale, header := ask(demo.Token)
		if !strings.HasPrefix(stale, data) || strings.Contains(stale, `"errors"`) || !strings.Contains(stale, `"stale":{"expiredMs":`) || !strings.HasPrefix(header.Get("Cache-Status"), "funnelgraph; hit; ttl=-") {
			t.Fatalf("%.300s %v", stale, header)
		}
		if cold, header := ask(demo.Token + "-another"); !strings.Contains(cold, `"UPSTREAM_UNAVAILABLE"`) || strings.Contains(cold, "Acme") || header.Get("Cache-Status") != "" {
			t.Fatalf("another token gets %.300s", cold)
		}
	}
	down.Store(false)
	t.Logf("%d answers in %s", answers, lasts)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		again, _ := ask(demo.Token)
		if strings.HasPrefix(again, data) && !strings.Contains(again, `"stale"`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %.300s", again)
		}
	}
}

// TestLifetimeOfResponses reads the lifetime that responses to GET tell clients.
func TestLifetimeOfResponses(t *testing.T) {
	contacts := `{ workspace(id: "101") { contacts(first: 1) { nodes { firstName } } } }`
	for name, test := range map[string]struct {
		ttl   config.CacheTTL
		query string
		want  string // the beginning
	}{
		"cached":          {config.CacheTTL{Default: time.Hour}, contacts, "private, max-age=3"},
		"by type":         {config.CacheTTL{Default: time.Hour, Kinds: map[upstream.Kind]time.Duration{upstream.KindContact: 20 * time.Second}}, contacts, "private, max-age=1"},
		"not by type":     {config.CacheTTL{Default: time.Hour, Kinds: map[upstream.Kind]time.Duration{upstream.KindContact: 0}}, contacts, "private, no-cache"},
		"no cache":        {config.CacheTTL{}, contacts, "private, no-cache"},
		"no calls":        {config.CacheTTL{Default: time.Hour}, `{ __typename }`, "private, no-cache"},
		"a short time":    {config.CacheTTL{Default: 900 * time.Millisecond}, contacts, "private, no-cache"},
		"an error":        {config.CacheTTL{Default: time.Hour}, `{ workspace(id: "999") { name } }`, "no-store"},
		"several, cached": {config.CacheTTL{Default: time.Hour}, `{ teams { nodes { workspaces { nodes { contacts(first: 1) { nodes { id } } } } } } }`, "private, max-age=3"},
	} {
		e := newEnv(t, func(_ *env, cfg *config.Config) { cfg.CacheTTL = test.ttl })
		for range 2 {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.url+"/graphql?query="+url.QueryEscape(test.query), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+demo.Token)
			if _, body, header := e.do(r); !strings.HasPrefix(header.Get("Cache-Control"), test.want) {
				t.Errorf("%s: %v, want %s; %.200s", name, header, test.want, body)
			}
		}
	}
}
