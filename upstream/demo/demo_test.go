package demo

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestServerFollowsAPIRules checks that the simulated API is as strict as the real one.
func TestServerFollowsAPIRules(t *testing.T) {
	server := httptest.NewServer(New())
	defer server.Close()
	get := func(path string, headers ...string) (int, string, http.Header) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+Token)
		req.Header.Set("User-Agent", "Test")
		for _, line := range headers {
			name, value, _ := strings.Cut(line, ": ")
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body), resp.Header
	}
	for _, test := range []struct {
		path   string
		header string
		status int
		holds  string
	}{
		{"/accounts/api/v2/teams", "", 200, `"Acme Coaching"`},
		{"/accounts/api/v2/teams", "Authorization: Bearer wrong", 401, `{"error":"API key missing or invalid"}`},
		{"/accounts/api/v2/teams", "Authorization: ", 401, `{"error":"API key missing or invalid"}`},
		{"/accounts/api/v2/teams", "User-Agent: ", 403, `<html>`},
		{"/acme-academy/api/v2/teams", "", 404, `{"error":"Not found"}`},
		{"/accounts/api/v2/teams/11", "", 200, `"memberships":[{`},
		{"/accounts/api/v2/teams/99", "", 404, `Record missing`},
		{"/accounts/api/v2/nope", "", 404, `No such route`},
		{"/nope", "", 404, `No such route`},
		{"/accounts/api/v2/teams/11/workspaces", "", 200, `"acme-academy"`},
		{"/accounts/api/v2/workspaces/101", "", 200, `"acme-academy"`},
		{"/acme-academy/api/v2/workspaces/101/contacts", "", 200, `"ada.schmidt.1@example.com"`},
		{"/accounts/api/v2/workspaces/101/contacts", "", 404, `Record missing`},
		{"/acme-retreats/api/v2/workspaces/101/contacts", "", 404, `Record missing`},
		{"/acme-academy/api/v2/contacts/3000000001", "", 200, `"ada.schmidt.1@example.com"`},
		{"/acme-retreats/api/v2/contacts/3000000001", "", 404, `Record missing`},
		{"/acme-academy/api/v2/workspaces/101/contacts/3000000001", "", 404, `No such route`},
		{"/acme-academy/api/v2/contacts/3000000041", "", 200, `"email_address":null`},
		{"/acme-academy/api/v2/workspaces/101/contacts?filter[id]=3000000041", "", 200, `[]`},
		{"/acme-academy/api/v2/workspaces/101/contacts?filter[nope]=1", "", 400, `found unpermitted parameter: :nope`},
		{"/acme-academy/api/v2/workspaces/101/contacts?per_page=1&nope=1", "", 200, `"bruno`},
		{"/acme-academy/api/v2/workspaces/101/contacts?expand[]=email_engagement", "", 200, `"email_engagement":{`},
		{"/acme-academy/api/v2/contacts/3000000004/applied_tags", "", 200, `"tag":{"color"`},
	} {
		var headers []string
		if test.header != "" {
			headers = append(headers, test.header)
		}
		if status, body, _ := get(test.path, headers...); status != test.status || !strings.Contains(body, test.holds) {
			t.Errorf("%s %s: %d %.200s", test.path, test.header, status, body)
		}
	}

	// Pages have 20 rows, and a header while more follow.
	path, rows, pages := "/sol-cursos/api/v2/workspaces/109/contacts", 0, 0
	for after := ""; ; pages++ {
		_, body, header := get(path + "?after=" + after)
		var page []map[string]any
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		rows += len(page)
		if after = header.Get("Pagination-Next"); after == "" {
			break
		}
		if len(page) != 20 || !strings.Contains(header.Get("Link"), "after="+after) || !strings.HasSuffix(header.Get("Link"), `rel="next"`) {
			t.Fatalf("a page of %d rows, Link %q", len(page), header.Get("Link"))
		}
	}
	if rows != 303 || pages != 15 {
		t.Errorf("%d rows on %d pages", rows, pages+1)
	}
}

// TestPublicIDsAreUnique checks that a public id finds only one record.
func TestPublicIDsAreUnique(t *testing.T) {
	for _, table := range example() {
		seen := make(map[any]bool)
		for _, r := range table.rows {
			if seen[r["public_id"]] {
				t.Fatalf("%s: %v comes twice", table.list, r["public_id"])
			}
			seen[r["public_id"]] = true
		}
	}
}
