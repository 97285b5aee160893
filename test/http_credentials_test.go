package test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestCallersTokenIsSentUpstream sends several Authorization headers. Fields that need no token
// are answered without one.
func TestCallersTokenIsSentUpstream(t *testing.T) {
	e := newEnv(t)
	const query = `{"query":"{ __typename teams { nodes { name } } }"}`
	for _, test := range []struct{ authorization, code string }{
		{"Bearer " + demo.Token, ""},
		{"bearer   " + demo.Token + " ", ""},
		{"", "UNAUTHENTICATED"},
		{"Bearer ", "UNAUTHENTICATED"},
		{"Basic " + demo.Token, "UNAUTHENTICATED"},
		{"Bearer two words", "UNAUTHENTICATED"},
		{"Bearer wrong", "UNAUTHENTICATED"},
	} {
		_, body, _ := e.request("POST", "/graphql", query, "Content-Type: application/json", "Authorization: "+test.authorization)
		var r result
		if err := json.Unmarshal([]byte(body), &r); err != nil || r.code("teams") != test.code || r.get("__typename") != "Query" {
			t.Errorf("Authorization %q: want the expected code for teams beside __typename, got %s", test.authorization, body)
		}
	}
}

// TestTokenNeverReachesAnAnswer has the API repeat the caller's token in every place.
func TestTokenNeverReachesAnAnswer(t *testing.T) {
	const token = demo.Token + "-0123456789abcdef"
	escaped := strings.ReplaceAll(token, "t", `\u0074`)
	for _, form := range []string{token, escaped} {
		e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
			if r.Method == http.MethodPut {
				answer(422, "application/json", `{"first_name":["is not `+form+`"]}`)(w, r)
				return true
			}
			if strings.HasSuffix(path, "/contacts") {
				w.Header().Set("Pagination-Next", token)
				answer(200, "application/json", `[{"id":1,"public_id":"`+form+`","workspace_id":101,"email_address":"x`+form+`","custom_attributes":{"`+form+`":"`+form+`"},"avatar_image":{"url":"`+form+`"},"tags":[{"id":"`+form+`","name":"`+form+`"}]}]`)(w, r)
				return true
			}
			return false
		}))
		for _, query := range []string{
			`{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 1) { edges { cursor node { id publicId emailAddress customAttributes { key value } tags { id name } } } pageInfo { endCursor hasNextPage } } } }`,
			`{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 40) { nodes { id } } } }`,
			`mutation { updateContact(input: { id: "1", workspaceId: "101", firstName: "x" }) { contact { id } userErrors { message } } }`,
		} {
			if r := e.queryAs(token, query); strings.Contains(r.raw, token) || !strings.Contains(r.raw, `"data":`) {
				t.Errorf("%s: want data without the token, got %s", query, r.raw)
			}
		}
		if r := e.queryAs(token, `{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 1) { nodes { emailAddress } } } }`); r.get("workspace.contacts.nodes.0.emailAddress") != "x***" {
			t.Errorf("want the token replaced by ***, got %s", r.raw)
		}
	}
}
