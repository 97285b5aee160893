package upstream

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// statuses answers each path with a status, and with a contact or an empty list.
type statuses struct {
	of    map[string]int
	calls []string
}

func (s *statuses) RoundTrip(r *http.Request) (*http.Response, error) {
	path := strings.TrimPrefix(r.URL.Path, "/api/v2")
	s.calls = append(s.calls, path)
	body := `{"id":7,"public_id":"seven","workspace_id":1,"first_name":"Fetched","tags":[]}`
	if strings.HasPrefix(path, "/workspaces") {
		body = "[]"
	}
	return &http.Response{StatusCode: s.of[path], Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// TestSubjectsAreProved reads a contact that a webhook has, with the calls that show that the client may.
func TestSubjectsAreProved(t *testing.T) {
	const one, list = "/contacts/7", "/workspaces/1/contacts"
	complete := `{"id":7,"public_id":"seven","first_name":"Sent"}`
	for name, test := range map[string]struct {
		body    string
		of      map[string]int
		calls   []string
		read    string // "" if it is not found
		again   string
		without []string // the calls of the second time
	}{
		"readable":             {complete, map[string]int{one: 200}, []string{one}, "Fetched", "Sent", nil},
		"deleted":              {complete, map[string]int{one: 404, list: 200}, []string{one, list}, "Sent", "Sent", nil},
		"deleted, not listed":  {complete, map[string]int{one: 404, list: 403}, []string{one, list}, "", "", []string{one, list}},
		"forbidden":            {complete, map[string]int{one: 403}, []string{one}, "", "", []string{one}},
		"a key is missing":     {`{"id":7,"public_id":"seven"}`, map[string]int{one: 200}, []string{one}, "Fetched", "Fetched", []string{one}},
		"deleted, key missing": {`{"id":7,"public_id":"seven"}`, map[string]int{one: 404, list: 200}, []string{one}, "", "", []string{one}},
		"another workspace":    {`{"id":7,"public_id":"seven","first_name":"Sent","workspace_id":2}`, map[string]int{one: 404, list: 200}, []string{one, list}, "", "", nil},
		"no object":            {`[]`, map[string]int{one: 200}, []string{one}, "Fetched", "Fetched", []string{one}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &statuses{of: test.of}
				base, err := New(Config{URLTemplate: "http://localhost/api/v2", Transport: transport.Config{RoundTripper: api}})
				if err != nil {
					t.Fatal(err)
				}
				ctx := WithSubject(t.Context(), Ref{Kind: KindContact, Parent: "1", ID: "7"}, []byte(test.body))
				read := func(c *Client) string {
					c = c.WithProjection(NewProjection(func(key string) bool { return key == "first_name" || key == "public_id" }))
					contact, err := c.Contact(ctx, Place{WorkspaceID: "1"}, "7")
					if err != nil {
						if !errors.Is(err, NotFound) && !errors.Is(err, Forbidden) {
							t.Error(err)
						}
						return ""
					}
					return *contact.FirstName()
				}
				wants := func(c *Client, name string, calls []string) {
					t.Helper()
					api.calls = nil
					if got := read(c); got != name || !slices.Equal(api.calls, calls) {
						t.Errorf("%q with the calls %q, want %q with %q", got, api.calls, name, calls)
					}
				}
				a, b := base.WithToken("token-a"), base.WithToken("token-b")
				wants(a, test.read, test.calls)
				wants(a, test.again, test.without)
				wants(b, test.read, test.calls) // each client must show it
				time.Sleep(readableTTL - time.Second)
				wants(a, test.again, test.without)
				time.Sleep(2 * time.Second)
				wants(a, test.read, test.calls)
				if scope, err := NewScope(nil, []string{"2"}); err != nil || read(a.Within(scope)) != "" {
					t.Error("a client without the workspace reads its contact", err)
				}
			})
		})
	}
}

// TestTagsOfChangesAreBounded has records with long ids, and with ids of many others.
func TestTagsOfChangesAreBounded(t *testing.T) {
	var many strings.Builder
	for n := range 10_000 {
		many.WriteString(`,"k` + strings.Repeat("x", n%10) + string(rune('a'+n%26)) + strings.Repeat("y", n/260) + `_id":7`)
	}
	for name, test := range map[string]struct {
		id, data string
		all      bool
	}{
		"one":       {"7", `{"id":7,"contact_id":8}`, false},
		"a long id": {strings.Repeat("7", 10_000), `{}`, true},
		"no id":     {"", `{}`, true},
		"a text":    {"7 *", `{}`, true},
		"many":      {"7", `{"id":7` + many.String() + `}`, true},
	} {
		if tags := (Change{Kind: KindOrder, ID: test.id, Data: []byte(test.data)}).tags(); (tags == nil) != test.all {
			t.Errorf("%s: %d tags", name, len(tags))
		}
	}
}
