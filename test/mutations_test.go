package test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestConcurrentWritersReadTheirWrites writes and reads contacts concurrently, with the cache on.
func TestConcurrentWritersReadTheirWrites(t *testing.T) {
	e := newEnv(t, withCache(time.Hour))
	var wait sync.WaitGroup
	for i := range 16 {
		wait.Go(func() {
			email := fmt.Sprint("c", i, "@example.com")
			for round := range 2 {
				name := fmt.Sprint(i, "-", round)
				e.must(`mutation($input: UpsertContactInput!) { upsertContact(input: $input) { contact { id } } }`,
					map[string]any{"input": map[string]any{"workspaceId": "102", "emailAddress": email, "firstName": name}})
				r := e.must(`query($email: String!) { workspace(id: "102") { contacts(filter: { emailAddresses: [$email] }) { nodes { firstName } } } }`, map[string]any{"email": email})
				if got := r.get("workspace.contacts.nodes.0.firstName"); got != name {
					t.Errorf("read %v, want %s", got, name)
				}
			}
		})
	}
	wait.Wait()
}

// TestTooManyTagsAreAUserError creates a contact with more tags than an input may have. Nothing is
// written.
func TestTooManyTagsAreAUserError(t *testing.T) {
	e := newEnv(t)
	tags := slices.Repeat([]string{"5001"}, 501)
	r := e.must(`mutation($tags: [ID!]) { m: createContact(input: { workspaceId: "101", emailAddress: "n@example.com", tagIds: $tags }) { contact { id } userErrors { field } } }`, map[string]any{"tags": tags})
	if r.get("m.userErrors.0.field") != "tagIds" || r.get("m.contact") != nil {
		t.Errorf("want a user error of tagIds, got %s", r.raw)
	}
	for _, call := range e.callsOf(demo.Token) {
		if strings.HasPrefix(call, "POST") {
			t.Errorf("want nothing written, got %s", call)
		}
	}
}

// TestLookupErrorsAreFieldErrors fails the calls that prepare a write. The failures are errors
// of the field, not user errors, and nothing is written.
func TestLookupErrorsAreFieldErrors(t *testing.T) {
	for name, test := range map[string]struct{ path, mutation, field string }{
		"the applied tag": {"/contacts/3000000004/applied_tags", `mutation { removeContactTag(input: {workspaceId: "101", contactId: "3000000004", tagId: "9001"}) { removedId: __typename userErrors { message } } }`, "removeContactTag"},
		"a tag":           {"/contacts/tags/aBcDeF", `mutation { createContact(input: {workspaceId: "101", tagIds: ["aBcDeF"]}) { contact { id } userErrors { message } } }`, "createContact"},
	} {
		for _, status := range []int{400, 409, 422, 423} {
			e := newEnv(t, on(test.path, answer(status, "application/json", `{"error":"found unpermitted parameter: :tag_id"}`)))
			r := e.query(test.mutation)
			if r.code(test.field) == "" || r.get(test.field) != nil {
				t.Errorf("%s, %d: want an error of the field, got %s", name, status, r.raw)
			}
			for _, call := range e.take(demo.Token) {
				if strings.HasPrefix(call, "POST") || strings.HasPrefix(call, "DELETE") {
					t.Errorf("%s, %d: want nothing written, got %s", name, status, call)
				}
			}
		}
	}
}

// TestNullAndAbsentFieldsReachUpstream sets fields of inputs to null, or leaves them out. It
// pins the REST body and the resulting record.
func TestNullAndAbsentFieldsReachUpstream(t *testing.T) {
	var mu sync.Mutex
	var sent string
	e := newEnv(t, withFault(func(_ http.ResponseWriter, r *http.Request, _, _ string) bool {
		if r.Method != http.MethodGet {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			mu.Lock()
			defer mu.Unlock()
			sent = string(body)
		}
		return false
	}))
	const contact = `contact { firstName phoneNumber tags { rawId } customAttributes { key value } } userErrors { message }`
	const start = `mutation { updateContact(input: {id: "3000000001", workspaceId: "101", firstName: "Ada", phoneNumber: "1", tagIds: ["5001", "5002"], customAttributes: [{key: "plan", value: "pro"}]}) { contact { id } userErrors { message } } }`
	clean := fmt.Sprint(e.must(start).get("updateContact.contact.id"))
	email := fmt.Sprint(e.must(`{ contact(id: "3000000001", workspaceId: "101") { emailAddress } }`).get("contact.emailAddress"))
	for _, row := range []struct{ call, body, firstName, phone, tags string }{
		{`updateContact(input: {id: "3000000001", workspaceId: "101", firstName: "B", tagIds: null})`, `{"contact":{"first_name":"B","tag_ids":[]}}`, "B", "1", "[]"},
		{`updateContact(input: {id: "3000000001", workspaceId: "101", firstName: "B", tagIds: []})`, `{"contact":{"first_name":"B","tag_ids":[]}}`, "B", "1", "[]"},
		{`updateContact(input: {id: "3000000001", workspaceId: "101", firstName: "B"})`, `{"contact":{"first_name":"B"}}`, "B", "1", "[map[rawId:5001] map[rawId:5002]]"},
		{`updateContact(input: {id: "3000000001", workspaceId: "101", phoneNumber: null})`, `{"contact":{"phone_number":null}}`, "Ada", "<nil>", "[map[rawId:5001] map[rawId:5002]]"},
		{`updateContact(input: {id: "` + clean + `", workspaceId: null, firstName: "B"})`, `{"contact":{"first_name":"B"}}`, "B", "1", "[map[rawId:5001] map[rawId:5002]]"},
		{`updateContact(input: {id: "3000000001", workspaceId: "101", customAttributes: null})`, `{"contact":{"custom_attributes":null}}`, "Ada", "1", "[map[rawId:5001] map[rawId:5002]]"},
		{`updateContact(input: {id: "3000000001", workspaceId: "101", customAttributes: []})`, `{"contact":{"custom_attributes":{}}}`, "Ada", "1", "[map[rawId:5001] map[rawId:5002]]"},
		{`upsertContact(input: {workspaceId: "101", emailAddress: "` + email + `", phoneNumber: null, tagIds: null})`, `{"contact":{"email_address":"` + email + `","phone_number":null,"tag_ids":[]}}`, "Ada", "1", "[map[rawId:5001] map[rawId:5002]]"},
		{`upsertContact(input: {workspaceId: "101", emailAddress: "` + email + `", tagIds: []})`, `{"contact":{"email_address":"` + email + `","tag_ids":[]}}`, "Ada", "1", "[map[rawId:5001] map[rawId:5002]]"},
		{`createContact(input: {workspaceId: "101", firstName: "New", tagIds: null, customAttributes: null})`, `{"contact":{"custom_attributes":null,"first_name":"New","tag_ids":[]}}`, "New", "<nil>", "[]"},
	} {
		e.must(start)
		r := e.must(`mutation { m: ` + row.call + ` { ` + contact + ` } }`)
		mu.Lock()
		if sent != row.body {
			t.Errorf("%s: ClickFunnels got %s, want %s", row.call, sent, row.body)
		}
		mu.Unlock()
		if first, phone, tags := fmt.Sprint(r.get("m.contact.firstName")), fmt.Sprint(r.get("m.contact.phoneNumber")), fmt.Sprint(r.get("m.contact.tags")); first != row.firstName || phone != row.phone || tags != row.tags {
			t.Errorf("%s: unexpected record: %s", row.call, r.raw)
		}
		if !strings.HasPrefix(row.call, "create") && r.get("m.contact.customAttributes.0") == nil {
			t.Errorf("%s: want the custom attributes kept, got %s", row.call, r.raw)
		}
	}
	r := e.must(`mutation { updateContactTag(input: {id: "5001", workspaceId: "101", name: null}) { contactTag { name } userErrors { message field } } }`)
	if r.get("updateContactTag.userErrors.0.field") != "name" {
		t.Errorf("want a user error for a tag without a name, got %s", r.raw)
	}
}
