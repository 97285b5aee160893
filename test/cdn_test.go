package test

import (
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/explain"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

func withCDN(ttl time.Duration) envOption {
	return func(_ *env, cfg *config.Config) { cfg.CDN, cfg.CacheTTL.Default = true, ttl }
}

// get sends a query by GET with a client key, and returns the body and the header.
func (l *live) get(t *testing.T, key, query string, headers ...string) (string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.url+"/graphql?query="+url.QueryEscape(query), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	for _, line := range headers {
		if name, value, ok := strings.Cut(line, ": "); ok {
			r.Header.Set(name, value)
		}
	}
	_, body, header := l.do(r)
	return body, header
}

// TestPublicResponses reads which responses a CDN may store, and their tags.
func TestPublicResponses(t *testing.T) {
	t.Parallel()
	const (
		contact = `{ contact(id: "` + ada + `", workspaceId: "101") { firstName } }`
		funnels = `{ workspace(id: "102") { name funnels(first: 1) { nodes { name } } } }`
	)
	for name, test := range map[string]struct {
		rights, query, headers string
		option                 envOption
		control                string // the beginning
		tags                   string
	}{
		"a record":     {query: contact, control: "public, max-age=0, s-maxage=3", tags: "acme-academy,acme-academy/" + ada},
		"a list":       {query: funnels, control: "public, max-age=0, s-maxage=3", tags: "accounts,accounts/102,acme-retreats,acme-retreats/20004,acme-retreats/20005,acme-retreats/20006,acme-retreats/funnels"},
		"children":     {query: `{ contact(id: "3000000003", workspaceId: "101") { tags { name } } }`, control: "public, max-age=0, s-maxage=3", tags: "acme-academy,acme-academy/3000000003,acme-academy/5003,acme-academy/5004"},
		"many records": {query: `{ workspace(id: "101") { contacts(first: 60) { nodes { firstName } } } }`, control: "public, max-age=0, s-maxage=3", tags: "acme-academy,acme-academy/any"},
		"an object":    {query: `{ workspace(id: "101") { emailSettings { marketingEmailsReplyToAddress { name } } } }`, control: "public, max-age=0, s-maxage=3", tags: "acme-academy,acme-academy/any"},
		"not cached": {query: contact, option: func(_ *env, cfg *config.Config) {
			cfg.CacheTTL.Kinds = map[upstream.Kind]time.Duration{upstream.KindContact: 0}
		}, control: "private, no-cache"},
		"no calls":      {query: `{ __typename }`, control: "private, no-cache"},
		"an error":      {query: `{ workspace(id: "999") { name } }`, control: "no-store"},
		"explained":     {query: contact, headers: explain.Header + ": 1", control: "private, max-age=3"},
		"a private one": {rights: "teams: all, private: true", query: contact, control: "private, max-age=3"},
		"no CDN":        {query: contact, option: func(_ *env, cfg *config.Config) { cfg.CDN = false }, control: "private, max-age=3"},
		// The team has other workspaces, whose ids the client must not learn.
		"in a scope": {rights: "teams: [11], workspaces: [102]", query: `{ teams { nodes { workspaces { nodes { name } } } } }`, control: "public, max-age=0, s-maxage=3", tags: "accounts,accounts/102,accounts/11,accounts/any,accounts/teams,accounts/workspaces"},
	} {
		options := []envOption{withCDN(time.Hour)}
		if test.option != nil {
			options = append(options, test.option)
		}
		if test.rights == "" {
			test.rights = "teams: all"
		}
		l := newLiveWith(t, test.rights, options...)
		l.get(t, l.key, `{ a: workspace(id: "101") { name } b: workspace(id: "102") { name } }`) // so that their subdomains are known
		for range 2 {                                                                            // from ClickFunnels and from the cache
			body, header := l.get(t, l.key, test.query, test.headers)
			if !strings.HasPrefix(header.Get("Cache-Control"), test.control) || header.Get("Cache-Tag") != test.tags {
				t.Errorf("%s: %q, tags %q, want %q and %q; %.200s", name, header.Get("Cache-Control"), header.Get("Cache-Tag"), test.control, test.tags, body)
			}
			if test.control != "no-store" && !strings.Contains(strings.Join(header.Values("Vary"), ","), "Authorization") {
				t.Errorf("%s: %v", name, header.Values("Vary"))
			}
		}
	}
}

// cdn is a shared cache in front of a server, which can be purged by tags.
type cdn struct {
	*live
	stored map[string]storedResponse
}

type storedResponse struct {
	body string
	tags []string
}

// get returns a response, and whether it was stored.
func (c *cdn) get(t *testing.T, query string) (body string, isStored bool) {
	t.Helper()
	if known, ok := c.stored[query]; ok {
		return known.body, true
	}
	body, header := c.live.get(t, c.key, query)
	if !strings.HasPrefix(header.Get("Cache-Control"), "public") {
		t.Fatalf("%v %s", header, body)
	}
	c.stored[query] = storedResponse{body, strings.Split(header.Get("Cache-Tag"), ",")}
	return body, false
}

func (c *cdn) purge(tags ...string) {
	for query, known := range c.stored {
		if slices.ContainsFunc(known.tags, func(tag string) bool { return slices.Contains(tags, tag) }) {
			delete(c.stored, query)
		}
	}
}

// TestPurgeByTags purges the tags of changes, as the documentation says. Responses that show a change are not
// stored any more; the others are.
func TestPurgeByTags(t *testing.T) {
	t.Parallel()
	c := &cdn{newLiveWith(t, "teams: all, access: read-write", withCDN(time.Hour)), make(map[string]storedResponse)}
	queries := map[string]string{
		"ada":      `{ contact(id: "` + ada + `", workspaceId: "101") { firstName } }`,
		"contacts": `{ workspace(id: "101") { contacts(first: 60) { nodes { firstName } } } }`,
		"orders":   `{ workspace(id: "101") { orders(first: 5) { nodes { contact { firstName } } } } }`,
		"numbers":  `{ workspace(id: "101") { orders(first: 5) { nodes { orderNumber } } } }`,
		"retreats": `{ workspace(id: "102") { contacts(first: 5) { nodes { firstName } } } }`,
	}
	for _, change := range []struct {
		mutation string
		purge    []string
		again    []string // the queries that are not stored after it
	}{
		{"", nil, []string{"ada", "contacts", "orders", "numbers", "retreats"}},
		{"", nil, nil},
		{`updateContact(input: { workspaceId: "101", id: "` + ada + `", firstName: "Purged" }) { contact { id } }`, []string{"acme-academy/" + ada, "acme-academy/contacts", "acme-academy/any"}, []string{"ada", "contacts", "orders"}},
		{`deleteContact(input: { workspaceId: "101", id: "3000000003" }) { deletedContactId }`, []string{"acme-academy"}, []string{"ada", "contacts", "orders", "numbers"}},
	} {
		if change.mutation != "" {
			if _, body, _ := c.do(post(`{"query": `+quoted("mutation { "+change.mutation+" }")+`}`, "Authorization: Bearer "+c.key)(c.env)); strings.Contains(body, `"errors"`) {
				t.Fatal(body)
			}
		}
		c.purge(change.purge...)
		for name, query := range queries {
			body, isStored := c.get(t, query)
			if isStored == slices.Contains(change.again, name) {
				t.Errorf("%s after %q: stored: %t", name, change.mutation, isStored)
			}
			if current, _ := c.live.get(t, c.key, query, "Cache-Control: no-cache"); body != current {
				t.Errorf("%s after %q: %.200s is not the current response", name, change.mutation, body)
			}
		}
	}
}

// TestChangesWhileAnOperationRuns delivers an event after the first part of a response was read. The response is
// not fresh any more, and a request after the event does not join it.
func TestChangesWhileAnOperationRuns(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}, 2), make(chan struct{})
	l := newLiveWith(t, "teams: all", withCDN(time.Hour), withFault(func(_ http.ResponseWriter, _ *http.Request, _, path string) bool {
		if path == "/workspaces/101/funnels" {
			begun <- struct{}{}
			<-goOn
		}
		return false
	}))
	const contact = `contact(id: "` + ada + `", workspaceId: "101") { firstName }`
	l.get(t, l.key, `{ a: workspace(id: "101") { name } `+contact+` }`)
	headers := make(chan http.Header)
	ask := func() {
		_, header := l.get(t, l.key, `{ `+contact+` workspace(id: "101") { funnels(first: 1) { nodes { name } } } }`)
		headers <- header
	}
	go ask()
	<-begun
	l.happens(t, 1, "contact.updated", ada)
	l.forget()
	go ask()
	<-begun
	close(goOn)
	public := 0
	for range 2 {
		if strings.HasPrefix((<-headers).Get("Cache-Control"), "public") {
			public++
		}
	}
	if public != 1 { // the second one
		t.Errorf("%d of the responses are public, want 1", public)
	}
	if calls := strings.Join(l.calls[demo.Token], "\n"); !strings.Contains(calls, ada) {
		t.Errorf("the request after the event has read no contact:\n%s", calls)
	}
}

// TestIncompleteResponsesAreNotPublic makes the checks of owners fail, which hides records of a scoped client.
func TestIncompleteResponsesAreNotPublic(t *testing.T) {
	t.Parallel()
	const (
		invoices = `{ workspace(id: "101") { orderInvoices(first: 2) { nodes { rawId publicId } } } }`
		prices   = `{ workspace(id: "101") { products(first: 1) { nodes { prices(first: 2) { nodes { rawId } } } } } }` // of variants of products
	)
	product := regexp.MustCompile(`^/products/\d+$`)
	for name, test := range map[string]struct {
		fail    func(w http.ResponseWriter, r *http.Request)
		headers []string
	}{
		"refused": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, nil},
		"slow":    {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, []string{"X-Request-Timeout: 300ms"}},
	} {
		var fails atomic.Bool
		l := newLiveWith(t, "workspaces: [101]", withCDN(time.Hour), withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
			isOwner := path == "/workspaces/101/orders" || strings.HasPrefix(path, "/orders/5") || product.MatchString(path) || path == "/workspaces/101/products" && r.URL.Query().Has("filter[id]")
			if isOwner && fails.Load() {
				test.fail(w, r)
			}
			return isOwner && fails.Load()
		}))
		whole, _ := l.get(t, l.key, invoices)
		_, public, _ := strings.Cut(whole, `"publicId":"`)
		public, _, _ = strings.Cut(public, `"`)
		for _, query := range []string{invoices, prices, `{ workspace(id: "101") { orderInvoices(first: 5, filter: { ids: ["` + public + `"] }) { nodes { rawId } } } }`} {
			fails.Store(true)
			body, header := l.get(t, l.key, query, append(test.headers, "Cache-Control: no-cache")...)
			fails.Store(false)
			right, _ := l.get(t, l.key, query, "Cache-Control: no-cache")
			if !strings.Contains(right, `"rawId"`) || body == right {
				t.Fatalf("%s: %s, %s", name, body, right)
			}
			if strings.HasPrefix(header.Get("Cache-Control"), "public") {
				t.Errorf("%s: %s is public, but the response is %s", name, body, right)
			}
		}
	}
}

// TestHiddenRecordsInHeaders looks for hidden records of other workspaces, which a host might send, in the header
// of responses: neither their tags nor a lifetime may show them.
func TestHiddenRecordsInHeaders(t *testing.T) {
	t.Parallel()
	l := newLiveWith(t, "workspaces: [101]", withCDN(time.Hour), withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		if id := r.URL.Query().Get("filter[id]"); strings.HasPrefix(path, "/workspaces/101/") && id != "" {
			_, _ = w.Write([]byte(map[string]string{
				"777 contacts": `[{"id": 777, "workspace_id": 102}]`, "777 invoices": `[{"id": 777, "order_id": 50027}]`, "778 contacts": `[]`, "778 invoices": `[]`,
			}[id+" "+path[strings.LastIndex(path, "/")+1:]]))
			return true
		}
		body, ok := map[string]string{
			"/workspaces/101/orders/invoices": `[{"id": 1, "order_id": 50001}, {"id": 777, "order_id": 50027}]`,
			"/contacts/hidden":                `{"id": 777, "public_id": "hidden", "workspace_id": 102}`,
			"/orders/invoices/hidden":         `{"id": 777, "public_id": "hidden", "order_id": 50027}`,
		}[path]
		if ok {
			_, _ = w.Write([]byte(body))
		}
		return ok
	}))
	l.get(t, l.key, `{ workspace(id: "101") { name } }`)
	if body, header := l.get(t, l.key, `{ workspace(id: "101") { orderInvoices(first: 5) { nodes { rawId } } } }`); strings.Contains(body, "777") || strings.Contains(header.Get("Cache-Tag"), "777") {
		t.Errorf("%s %v", body, header)
	}
	for _, list := range []string{"contacts", "orderInvoices"} {
		ask := func(id string) (string, http.Header) {
			body, header := l.get(t, l.key, `{ workspace(id: "101") { `+list+`(first: 5, filter: { ids: ["`+id+`"] }) { nodes { rawId } } } }`)
			header.Del("Date")
			header.Del("X-Request-Id")
			return body, header
		}
		for _, ids := range [][2]string{{"hidden", "missing"}, {"777", "778"}} {
			hidden, hiddenHeader := ask(ids[0])
			missing, missingHeader := ask(ids[1])
			if hidden != missing || !reflect.DeepEqual(hiddenHeader, missingHeader) {
				t.Errorf("%s: %s %v of a hidden record, %s %v of a missing one", list, hidden, hiddenHeader, missing, missingHeader)
			}
		}
	}
}
