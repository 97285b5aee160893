package test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// userErrors selects the errors of a mutation's payload.
const userErrors = ` userErrors { field message code }`

// TestMutationsMakeOnlyTheirCalls runs the hand-written mutations in order. It pins the
// response and the REST calls of each.
func TestMutationsMakeOnlyTheirCalls(t *testing.T) {
	e := newEnv(t)
	ws := e.must(`{ workspace(id: "101") { publicId contacts(first: 3) { nodes { publicId } } contactTags { nodes { publicId } } } }`)
	publicWorkspace := ws.get("workspace.publicId").(string)
	publicTag := ws.get("workspace.contactTags.nodes.1.publicId").(string)
	e.take(demo.Token)
	const made = "3000000721" // the id of a new contact, since the example has 720
	for _, step := range []struct {
		name, mutation, want string
		calls                []string
	}{
		{
			"create", `createContact(input: { workspaceId: "101", emailAddress: "new@example.com", firstName: "New", tagIds: ["5001", "` + tagID("101", "5003") + `"], customAttributes: [{ key: "favouriteColour", value: "red" }] }) { contact { rawId emailAddress firstName lastName tags { rawId } customAttributes { key value } workspace { rawId } }` + userErrors + ` }`,
			`{"contact":{"rawId":"` + made + `","emailAddress":"new@example.com","firstName":"New","lastName":null,"tags":[{"rawId":"5001"},{"rawId":"5003"}],"customAttributes":[{"key":"favourite_colour","value":"red"}],"workspace":{"rawId":"101"}},"userErrors":[]}`,
			[]string{"POST acme-academy /workspaces/101/contacts"},
		},
		{
			"create with a public tag and workspace", `createContact(input: { workspaceId: "` + publicWorkspace + `", emailAddress: "two@example.com", tagIds: ["` + publicTag + `"] }) { contact { tags { rawId } }` + userErrors + ` }`,
			`{"contact":{"tags":[{"rawId":"5002"}]},"userErrors":[]}`,
			[]string{"POST acme-academy /workspaces/101/contacts", "acme-academy /contacts/tags/" + publicTag},
		},
		{
			"create an existing contact", `createContact(input: { workspaceId: "101", emailAddress: "new@example.com" }) { contact { rawId }` + userErrors + ` }`,
			`{"contact":null,"userErrors":[{"field":"emailAddress","message":"Email address has already been taken","code":"INVALID"}]}`,
			[]string{"POST acme-academy /workspaces/101/contacts"},
		},
		{
			"create with a foreign tag", `createContact(input: { workspaceId: "101", emailAddress: "x@example.com", tagIds: ["` + tagID("102", "5007") + `"] }) { contact { rawId }` + userErrors + ` }`,
			`{"contact":null,"userErrors":[{"field":"tagIds","message":"There is no such contact tag in this workspace.","code":"NOT_FOUND"}]}`,
			nil,
		},
		{
			"update", `updateContact(input: { id: "` + contactID("101", made) + `", firstName: null, lastName: "Name", customAttributes: [{ key: "size", value: "L" }] }) { contact { firstName lastName emailAddress tags { rawId } customAttributes { key value } }` + userErrors + ` }`,
			`{"contact":{"firstName":null,"lastName":"Name","emailAddress":"new@example.com","tags":[{"rawId":"5001"},{"rawId":"5003"}],"customAttributes":[{"key":"favourite_colour","value":"red"},{"key":"size","value":"L"}]},"userErrors":[]}`,
			[]string{"PUT acme-academy /contacts/" + made},
		},
		{
			"remove all tags", `updateContact(input: { id: "` + made + `", workspaceId: "101", tagIds: [] }) { contact { tags { rawId } lastName }` + userErrors + ` }`,
			`{"contact":{"tags":[],"lastName":"Name"},"userErrors":[]}`,
			[]string{"PUT acme-academy /contacts/" + made},
		},
		{
			"upsert an existing contact", `upsertContact(input: { workspaceId: "101", emailAddress: "new@example.com", firstName: "Again", lastName: null }) { created contact { rawId firstName lastName }` + userErrors + ` }`,
			`{"created":false,"contact":{"rawId":"` + made + `","firstName":"Again","lastName":"Name"},"userErrors":[]}`,
			[]string{"POST acme-academy /workspaces/101/contacts/upsert"},
		},
		{
			"upsert a new contact", `upsertContact(input: { workspaceId: "101", emailAddress: "third@example.com" }) { created contact { rawId }` + userErrors + ` }`,
			`{"created":true,"contact":{"rawId":"3000000723"},"userErrors":[]}`,
			[]string{"POST acme-academy /workspaces/101/contacts/upsert"},
		},
		{
			"apply a tag", `applyContactTag(input: { contactId: "` + contactID("101", made) + `", tagId: "5002" }) { appliedContactTag { tag { name } contact { rawId } } contact { firstName tags { name } }` + userErrors + ` }`,
			`{"appliedContactTag":{"tag":{"name":"Lead"},"contact":{"rawId":"` + made + `"}},"contact":{"firstName":"Again","tags":[{"name":"Lead"}]},"userErrors":[]}`,
			[]string{"POST acme-academy /contacts/" + made + "/applied_tags", "acme-academy /contacts/" + made},
		},
		{
			"apply the tag again", `applyContactTag(input: { contactId: "` + made + `", workspaceId: "101", tagId: "5002" }) { appliedContactTag { rawId } contact { rawId }` + userErrors + ` }`,
			`{"appliedContactTag":null,"contact":null,"userErrors":[{"field":null,"message":"Tag has already been taken","code":"INVALID"}]}`,
			[]string{"POST acme-academy /contacts/" + made + "/applied_tags"},
		},
		{
			"remove a tag", `removeContactTag(input: { contactId: "` + made + `", workspaceId: "` + workspaceID("101") + `", tagId: "5002" }) { contact { rawId tags { name } }` + userErrors + ` }`,
			`{"contact":{"rawId":"` + made + `","tags":[]},"userErrors":[]}`,
			[]string{"DELETE acme-academy /contacts/applied_tags/*", "acme-academy /contacts/" + made, "acme-academy /contacts/" + made + "/applied_tags?filter%5Btag_id%5D=5002"},
		},
		{
			"remove the tag again", `removeContactTag(input: { contactId: "` + made + `", workspaceId: "101", tagId: "5002" }) { contact { rawId } removedAppliedContactTagId` + userErrors + ` }`,
			`{"contact":null,"removedAppliedContactTagId":null,"userErrors":[{"field":"tagId","message":"The contact does not carry this tag.","code":"NOT_FOUND"}]}`,
			[]string{"acme-academy /contacts/" + made + "/applied_tags?filter%5Btag_id%5D=5002"},
		},
		{
			"redact without confirming", `redactContact(input: { id: "` + contactID("101", made) + `", confirm: false }) { redactedContactId` + userErrors + ` }`,
			`{"redactedContactId":null,"userErrors":[{"field":"confirm","message":"Set confirm to true: redacting cannot be undone.","code":"INVALID"}]}`,
			nil,
		},
		{
			"redact", `redactContact(input: { id: "` + contactID("101", made) + `", confirm: true }) { redactedContactId` + userErrors + ` }`,
			`{"redactedContactId":"` + contactID("101", made) + `","userErrors":[]}`,
			[]string{"DELETE acme-academy /contacts/" + made + "/gdpr_destroy"},
		},
		{
			"delete", `deleteContact(input: { id: "3000000723", workspaceId: "101" }) { deletedContactId` + userErrors + ` }`,
			`{"deletedContactId":"` + contactID("101", "3000000723") + `","userErrors":[]}`,
			[]string{"DELETE acme-academy /contacts/3000000723"},
		},
		{
			"create a tag", `createContactTag(input: { workspaceId: "101", name: "Fresh", color: "#ffffff" }) { contactTag { id name color }` + userErrors + ` }`,
			`{"contactTag":{"id":"` + tagID("101", "5073") + `","name":"Fresh","color":"#ffffff"},"userErrors":[]}`,
			[]string{"POST acme-academy /workspaces/101/contacts/tags"},
		},
		{
			"create an existing tag", `createContactTag(input: { workspaceId: "101", name: "Fresh" }) { contactTag { id }` + userErrors + ` }`,
			`{"contactTag":null,"userErrors":[{"field":"name","message":"Name has already been taken","code":"INVALID"}]}`,
			[]string{"POST acme-academy /workspaces/101/contacts/tags"},
		},
		{
			"update a tag", `updateContactTag(input: { id: "` + tagID("101", "5073") + `", name: "Fresher" }) { contactTag { name color }` + userErrors + ` }`,
			`{"contactTag":{"name":"Fresher","color":"#ffffff"},"userErrors":[]}`,
			[]string{"PUT acme-academy /contacts/tags/5073"},
		},
		{
			"blank the name of a tag", `updateContactTag(input: { id: "5073", workspaceId: "101", name: "" }) { contactTag { name }` + userErrors + ` }`,
			`{"contactTag":null,"userErrors":[{"field":"name","message":"Name can't be blank","code":"INVALID"}]}`,
			[]string{"PUT acme-academy /contacts/tags/5073"},
		},
		{
			"delete a tag", `deleteContactTag(input: { id: "5073", workspaceId: "101" }) { deletedContactTagId` + userErrors + ` }`,
			`{"deletedContactTagId":"` + tagID("101", "5073") + `","userErrors":[]}`,
			[]string{"DELETE acme-academy /contacts/tags/5073"},
		},
		{
			"update a workspace", `updateWorkspace(input: { id: "` + publicWorkspace + `", name: "Academy" }) { workspace { rawId name subdomain }` + userErrors + ` }`,
			`{"workspace":{"rawId":"101","name":"Academy","subdomain":"acme-academy"},"userErrors":[]}`,
			[]string{"PUT accounts /workspaces/" + publicWorkspace},
		},
		{
			"update a team", `updateTeam(input: { id: "11", timeZone: null }) { team { name timeZone }` + userErrors + ` }`,
			`{"team":{"name":"Acme Coaching","timeZone":null},"userErrors":[]}`,
			[]string{"PUT accounts /teams/11"},
		},
		{
			"update a team without fields", `updateTeam(input: { id: "11" }) { team { name }` + userErrors + ` }`,
			`{"team":null,"userErrors":[{"field":null,"message":"param is missing or the value is empty: team","code":"INVALID"}]}`,
			[]string{"PUT accounts /teams/11"},
		},
	} {
		r := e.query("mutation { m: " + step.mutation + " }")
		if want := `{"data":{"m":` + step.want + `}}`; r.raw != want {
			t.Errorf("%s: got\n%s\nwant\n%s", step.name, r.raw, want)
		}
		calls := e.take(demo.Token)
		slices.Sort(calls)
		for i, call := range calls {
			if strings.HasPrefix(call, "DELETE acme-academy /contacts/applied_tags/") {
				calls[i] = "DELETE acme-academy /contacts/applied_tags/*"
			}
		}
		if !slices.Equal(calls, step.calls) {
			t.Errorf("%s: calls %q, want %q", step.name, calls, step.calls)
		}
	}
}

// TestReadsSeeEarlierWrites reads a contact after a write in the same operation, and in the
// next one, with the cache on.
func TestReadsSeeEarlierWrites(t *testing.T) {
	e := newEnv(t, withCache(time.Hour))
	const list = `workspace(id: "102") { contacts(filter: { emailAddresses: ["me@example.com"] }) { nodes { firstName tags { name } } } }`
	if r := e.must(`{ ` + list + ` }`); len(r.get("workspace.contacts.nodes").([]any)) != 0 {
		t.Fatalf("want no contact before the write, got %s", r.raw)
	}
	r := e.must(`mutation {
		a: createContact(input: { workspaceId: "102", emailAddress: "me@example.com", firstName: "A" }) { contact { firstName workspace { contacts(filter: { emailAddresses: ["me@example.com"] }) { nodes { firstName } } } } }
		b: upsertContact(input: { workspaceId: "102", emailAddress: "me@example.com", firstName: "B" }) { contact { workspace { contacts(filter: { emailAddresses: ["me@example.com"] }) { nodes { firstName } } } } }
	}`)
	if r.get("a.contact.workspace.contacts.nodes.0.firstName") != "A" || r.get("b.contact.workspace.contacts.nodes.0.firstName") != "B" {
		t.Errorf("in the same operation: want the written names, got %s", r.raw)
	}
	if r := e.must(`{ ` + list + ` }`); r.get("workspace.contacts.nodes.0.firstName") != "B" {
		t.Errorf("in the next operation: want the last name, got %s", r.raw)
	}
	// Concurrent writers each read their own writes.
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

// TestFailedMutationsSayWhetherTheyHappened fails mutations other than by refusing them. The
// error says whether the write may have happened.
func TestFailedMutationsSayWhetherTheyHappened(t *testing.T) {
	const create = `mutation { a: createContact(input: { workspaceId: "101", emailAddress: "a@example.com" }) { contact { rawId } } b: updateTeam(input: { id: "11", name: "B" }) { team { name } } }`
	for _, test := range []struct {
		name    string
		fault   func(http.ResponseWriter, *http.Request)
		code    string
		outcome any
		creates int
	}{
		{"502", answer(502, "text/html", badGateway), "UPSTREAM_UNAVAILABLE", "UNKNOWN", 1},
		{"500", answer(500, "application/json", `{}`), "UPSTREAM_UNAVAILABLE", "UNKNOWN", 1},
		{"403", answer(403, "text/plain", ``), "FORBIDDEN", nil, 1},
		{"404", answer(404, "application/json", `{"error":"Not found"}`), "NOT_FOUND", nil, 1},
		{"401", answer(401, "application/json", `{"error":"API key missing or invalid"}`), "UNAUTHENTICATED", nil, 1},
		{"429", answer(429, "application/json", `{"error":"Slow down"}`), "RATE_LIMITED", nil, upstream.DefaultAttempts},
		{"an unreadable response", answer(201, "application/json", `{`), "UPSTREAM_UNAVAILABLE", "UNKNOWN", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, _ string) bool {
				if r.Method != http.MethodPost {
					return false
				}
				test.fault(w, r)
				return true
			}))
			r := e.query(create)
			if says := strings.HasSuffix(r.Errors[0].Message, "check before you try again."); says != (test.outcome != nil) {
				t.Errorf("want advice to check only if the outcome is unknown, got %q", r.Errors[0].Message)
			}
			if r.code("a") != test.code || r.Errors[0].Extensions["outcome"] != test.outcome || r.get("b.team.name") != "B" || r.get("a") != nil {
				t.Errorf("want %s with the outcome %v beside the other mutation, got %s", test.code, test.outcome, r.raw)
			}
			creates := 0
			for _, call := range e.take(demo.Token) {
				if strings.HasPrefix(call, "POST ") {
					creates++
				}
			}
			if creates != test.creates {
				t.Errorf("the mutation was sent %d times, want %d", creates, test.creates)
			}
		})
	}
}

// TestMutationsOfMissingRecordsAreNotFound expects the same error as for reads, for every form
// of the id.
func TestMutationsOfMissingRecordsAreNotFound(t *testing.T) {
	e := newEnv(t)
	for _, mutation := range []string{
		`updateContact(input: { id: "99", workspaceId: "101", firstName: "x" }) { contact { id } }`,
		`updateContact(input: { id: "` + contactID("101", "99") + `", firstName: "x" }) { contact { id } }`,
		`deleteContact(input: { id: "99", workspaceId: "101" }) { deletedContactId }`,
		`deleteContact(input: { id: "Nobody", workspaceId: "101" }) { deletedContactId }`,
		`deleteContact(input: { id: "99", workspaceId: "999" }) { deletedContactId }`,
		`redactContact(input: { id: "99", workspaceId: "Nowhere", confirm: true }) { redactedContactId }`,
		`createContact(input: { workspaceId: "999", firstName: "x" }) { contact { id } }`,
		`upsertContact(input: { workspaceId: "Nowhere", emailAddress: "x" }) { contact { id } }`,
		`updateContactTag(input: { id: "99", workspaceId: "101", name: "x" }) { contactTag { id } }`,
		`deleteContactTag(input: { id: "Nothing", workspaceId: "101" }) { deletedContactTagId }`,
		`applyContactTag(input: { contactId: "99", workspaceId: "101", tagId: "5001" }) { contact { id } }`,
		`removeContactTag(input: { contactId: "99", workspaceId: "101", tagId: "5001" }) { contact { id } }`,
		`updateTeam(input: { id: "99", name: "x" }) { team { id } }`,
		`updateWorkspace(input: { id: "Nowhere", name: "x" }) { workspace { id } }`,
	} {
		if r := e.query("mutation { m: " + mutation + " }"); r.code("m") != "NOT_FOUND" || r.get("m") != nil {
			t.Errorf("%s: want NOT_FOUND, got %s", mutation, r.raw)
		}
	}
	for _, mutation := range []string{
		`updateContact(input: { id: "` + tagID("101", "5001") + `", firstName: "x" }) { contact { id } }`,
		`updateContact(input: { id: "3000000001", firstName: "x" }) { contact { id } }`,
		`deleteContact(input: { id: "a b", workspaceId: "101" }) { deletedContactId }`,
	} {
		if r := e.query("mutation { m: " + mutation + " }"); r.code("m") != "BAD_USER_INPUT" {
			t.Errorf("%s: want BAD_USER_INPUT, got %s", mutation, r.raw)
		}
	}
	// A missing tag is a user error of the input, and nothing is written.
	e.forget()
	many := make([]string, 501)
	for i := range many {
		many[i] = "5001"
	}
	for _, tags := range [][]string{{"Nothing"}, many, {"007"}} {
		r := e.must(`mutation($tags: [ID!]) { m: createContact(input: { workspaceId: "101", emailAddress: "n@example.com", tagIds: $tags }) { contact { id } userErrors { field } } }`, map[string]any{"tags": tags})
		if r.get("m.userErrors.0.field") != "tagIds" || r.get("m.contact") != nil {
			t.Errorf("%d tags: want a user error of tagIds, got %s", len(tags), r.raw)
		}
	}
	for _, call := range e.callsOf(demo.Token) {
		if strings.HasPrefix(call, "POST") {
			t.Errorf("want nothing written, got %s", call)
		}
	}
}

// TestRefusedWritesBecomeUserErrors refuses a write in every shape that ClickFunnels uses.
func TestRefusedWritesBecomeUserErrors(t *testing.T) { runCases(t, "refusals") }

// TestRetriedUpsertLeavesCreatedUnknown answers 502 to the first attempt of an upsert, which
// may have been carried out. The retry succeeds, and created is null.
func TestRetriedUpsertLeavesCreatedUnknown(t *testing.T) {
	var tries atomic.Int32
	e := newEnv(t, on("/workspaces/101/contacts/upsert", func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1) == 1 {
			answer(502, "text/html", badGateway)(w, r)
			return
		}
		answer(200, "application/json", `{"id":7,"workspace_id":101}`)(w, r)
	}))
	const upsert = `mutation { upsertContact(input: {workspaceId: "101", emailAddress: "a@example.com"}) { created contact { rawId } userErrors { message } } }`
	if r := e.must(upsert); r.raw != `{"data":{"upsertContact":{"created":null,"contact":{"rawId":"7"},"userErrors":[]}}}` {
		t.Errorf("want the contact with created null, got %s", r.raw)
	}
	if r := e.must(upsert); r.get("upsertContact.created") != false {
		t.Errorf("want created false, got %s", r.raw)
	}
}

// TestRefusalStatusesHaveACode refuses a write without naming a mistake in the input, and refuses
// reads. Both fail with an error of the field.
func TestRefusalStatusesHaveACode(t *testing.T) {
	e := newEnv(t, on("/workspaces/101/contacts", answer(402, "application/json", `{"error":"Upgrade your plan"}`)))
	r := e.query(`mutation { createContact(input: {workspaceId: "101", emailAddress: "a"}) { contact { id } userErrors { field message code } } }`)
	if r.code("createContact") != "FORBIDDEN" || r.get("createContact") != nil {
		t.Errorf("a write with 402: want FORBIDDEN, got %s", r.raw)
	}
	for status, code := range map[int]string{402: "FORBIDDEN", 423: "CONFLICT"} {
		e := newEnv(t, on("/workspaces/101/contacts", answer(status, "application/json", `{"error":"No"}`)))
		if r := e.query(`{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { id } } } }`); r.code("workspace.contacts") != code {
			t.Errorf("a read with %d: want %s, got %s", status, code, r.raw)
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
