package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// TestInputsBecomeBodies pins the names and the values of a body. An absent field stays absent, and
// null stays null.
func TestInputsBecomeBodies(t *testing.T) {
	some := "x"
	for _, test := range []struct {
		input map[string]any
		want  string
	}{
		{map[string]any{}, `{}`},
		{map[string]any{"id": "1", "workspaceId": &some, "firstName": &some}, `{"first_name":"x"}`},
		{map[string]any{"firstName": (*string)(nil)}, `{"first_name":null}`},
		{map[string]any{"addressOne": map[string]any{"streetName": &some, "city": nil}}, `{"address_one":{"city":null,"street_name":"x"}}`},
		{map[string]any{"address": map[string]any(nil)}, `{"address":null}`},
		{map[string]any{"tagIds": []string{"1", "2"}}, `{"tag_ids":["1","2"]}`},
		{map[string]any{"tagIds": []string{}}, `{"tag_ids":[]}`},
		{map[string]any{"tagIds": []string(nil)}, `{"tag_ids":null}`},
	} {
		body, err := jsonv2.Marshal(attributes(test.input, "id", "workspaceId"), jsonv2.Deterministic(true)) // as upstream does
		if err != nil || string(body) != test.want {
			t.Errorf("%v becomes %s (%v), want %s", test.input, body, err, test.want)
		}
	}
}

// TestIDsInBodiesAreRaw pins the ids that bodies take.
func TestIDsInBodiesAreRaw(t *testing.T) {
	complete := rawAttributes("assigneeId")
	for given, want := range map[string]string{
		"7": `{"assignee_id":7}`,
		model.GlobalID(upstream.Ref{Kind: upstream.KindMembership, Parent: "11", ID: "8"}): `{"assignee_id":8}`,
		model.GlobalID(upstream.Ref{Kind: upstream.KindContact, Parent: "101", ID: "8"}):   "", // of another kind
		"abcdef": "",
	} {
		body := map[string]any{"assignee_id": &given}
		err := complete(t.Context(), "101", body)
		text, _ := json.Marshal(body)
		if want != "" && (err != nil || string(text) != want) {
			t.Errorf("%s becomes %s with the error %v, want %s", given, text, err, want)
		}
		if about, ok := errors.AsType[*inputError](err); want == "" && (!ok || about.field != "assigneeId") {
			t.Errorf("%s: got the error %v, want one about assigneeId", given, err)
		}
	}
	for _, body := range []map[string]any{{}, {"image_id": (*string)(nil)}} {
		if err := complete(t.Context(), "101", body); err != nil {
			t.Errorf("%v was refused: %v", body, err)
		}
	}
}

// TestRefusalsBecomeUserErrors pins which errors are user errors of the payload, and which fail the
// mutation.
func TestRefusalsBecomeUserErrors(t *testing.T) {
	ctx := inField(t, `mutation { createContact(input: { workspaceId: "101", emailAddress: "a" }) { contact { id } } }`, nil)
	refusal := func(status int, message string) error {
		return &upstream.Error{Code: upstream.BadUserInput, Status: status, Message: message, Refused: true}
	}
	for _, test := range []struct {
		name string
		err  error
		want string // field, code and message of the only user error; empty if the mutation fails
	}{
		{"no field", refusal(422, "Nothing fits."), "<nil> INVALID Nothing fits."},
		{"a field in words", refusal(422, "Email address can't be blank"), "emailAddress INVALID Email address can't be blank"},
		{"a field as a key", refusal(400, "email_address is taken"), "emailAddress INVALID email_address is taken"},
		{"a word that begins like a field", refusal(422, "First names are odd"), "<nil> INVALID First names are odd"},
		{"a conflict", refusal(409, "First name was changed"), "firstName CONFLICT First name was changed"},
		{"a lock", refusal(423, "Locked"), "<nil> CONFLICT Locked"},
		{"another status", refusal(403, "Forbidden"), ""},
		{"an error of a call before the write", &upstream.Error{Code: upstream.BadUserInput, Status: 422, Message: "No"}, ""},
		{"an unknown outcome", &upstream.Error{Code: upstream.Unavailable, Status: 422, Message: "No", Refused: true, Unknown: true}, ""},
		{"another error", errors.New("broken"), ""},
		{"a missing record in a field", aboutField("tagIds", upstream.NewError(upstream.NotFound, "No tag.")), "tagIds NOT_FOUND No tag."},
		{"a bad value of a field", aboutField("tagIds", badInput("No id.")), "tagIds INVALID No id."},
		{"a failed look-up for a field", aboutField("tagIds", &upstream.Error{Code: upstream.BadUserInput, Status: 400, Message: "No"}), ""},
		{"an unreachable look-up for a field", aboutField("tagIds", upstream.NewError(upstream.Unavailable, "No")), ""},
	} {
		found, err := userErrors(ctx, test.err)
		got := ""
		for _, e := range found {
			field := "<nil>"
			if e.Field != nil {
				field = *e.Field
			}
			got += fmt.Sprint(field, " ", e.Code, " ", e.Message)
		}
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: user errors %q and the error %v, want %q", test.name, got, err, test.want)
		}
		if test.want == "" && !errors.Is(err, test.err) {
			t.Errorf("%s: the error became %v", test.name, err)
		}
	}
	if found, err := userErrors(ctx, nil); found == nil || len(found) > 0 || err != nil {
		t.Errorf("success has the user errors %v and the error %v, want an empty list", found, err)
	}
	if aboutField("a", nil) != nil {
		t.Error("no error became one about a field")
	}
}

// TestMutationsRunInOrderAndReadTheirWrites changes a contact twice in one operation.
func TestMutationsRunInOrderAndReadTheirWrites(t *testing.T) {
	o := newOperations(t).locating(t, "101")
	const contact = `contact { firstName workspace { contacts(first: 1) { nodes { firstName } } } }`
	o.answeredWhole(t, `mutation {
		a: updateContact(input: { id: "3000000001", workspaceId: "101", firstName: "A" }) { `+contact+` }
		b: updateContact(input: { id: "3000000001", workspaceId: "101", firstName: "B" }) { `+contact+` }
		c: deleteContact(input: { id: "3000000001", workspaceId: "101" }) { deletedContactId userErrors { message } }
	}`, `{"data":{`+
		`"a":{"contact":{"firstName":"A","workspace":{"contacts":{"nodes":[{"firstName":"A"}]}}}},`+
		`"b":{"contact":{"firstName":"B","workspace":{"contacts":{"nodes":[{"firstName":"B"}]}}}},`+
		`"c":{"deletedContactId":"MTpjb250YWN0OjEwMTozMDAwMDAwMDAx","userErrors":[]}}}`)
	want := []string{
		"PUT acme-academy /contacts/3000000001", "acme-academy /workspaces/101/contacts",
		"PUT acme-academy /contacts/3000000001", "acme-academy /workspaces/101/contacts", "DELETE acme-academy /contacts/3000000001",
	}
	if got := o.Take(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("calls %q, want %q in this order", got, want)
	}
}

// TestFailedMutationStopsNoOther refuses and breaks mutations between others.
func TestFailedMutationStopsNoOther(t *testing.T) {
	o := newOperations(t).locating(t, "101")
	o.Answer = func(w http.ResponseWriter, r *http.Request, path string) bool {
		broken := r.Method == http.MethodPut && path == "/teams/12"
		if broken {
			w.WriteHeader(http.StatusBadGateway)
		}
		return broken
	}
	got := o.execute(t, `mutation {
		a: createContactTag(input: { workspaceId: "101", name: "Lead" }) { contactTag { name } userErrors { field code } }
		b: updateTeam(input: { id: "12", name: "B" }) { team { name } }
		c: updateTeam(input: { id: "11", name: "C" }) { team { name } userErrors { code } }
	}`, "")
	for _, want := range []string{`"a":{"contactTag":null,"userErrors":[{"field":"name","code":"INVALID"}]}`, `"b":null`, `"c":{"team":{"name":"C"},"userErrors":[]}`, `"path":["b"]`, `"outcome":"UNKNOWN"`} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want it to contain %s", got, want)
		}
	}
}

// TestPayloadContactCostsACallOnlyIfSelected applies a tag with different selections.
func TestPayloadContactCostsACallOnlyIfSelected(t *testing.T) {
	const apply, contact = "POST acme-academy /contacts/3000000001/applied_tags", "acme-academy /contacts/3000000001"
	for _, test := range []struct {
		selection, want string
		calls           []string
	}{
		{`appliedContactTag { tag { name } }`, `{"appliedContactTag":{"tag":{"name":"Lead"}}}`, []string{apply}},
		{`contact { rawId }`, `{"contact":{"rawId":"3000000001"}}`, []string{apply}},
		{`c: contact { tags { name } }`, `{"c":{"tags":[{"name":"Lead"}]}}`, []string{apply, contact}},
	} {
		o := newOperations(t).locating(t, "101")
		o.answeredWhole(t, `mutation { applyContactTag(input: { contactId: "3000000001", workspaceId: "101", tagId: "5002" }) { `+test.selection+` } }`, `{"data":{"applyContactTag":`+test.want+`}}`)
		o.Want(t, test.calls...)
	}
	// The tag was applied, so only the contact fails.
	o := newOperations(t).locating(t, "101")
	o.Answer = func(w http.ResponseWriter, _ *http.Request, path string) bool {
		if path == "/contacts/3000000001" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return path == "/contacts/3000000001"
	}
	got := o.execute(t, `mutation { applyContactTag(input: { contactId: "3000000001", workspaceId: "101", tagId: "5002" }) { appliedContactTag { tag { name } } c: contact { tags { name } } userErrors { code } } }`, "")
	if !strings.Contains(got, `{"appliedContactTag":{"tag":{"name":"Lead"}},"c":null,"userErrors":[]}`) || !strings.Contains(got, `"path":["applyContactTag","c"]`) {
		t.Errorf("got %s, want the applied tag, and an error at the contact", got)
	}
}

// TestTagIsRemovedOnlyIfTheContactCarriesIt pins that an ignored filter removes no other tag.
func TestTagIsRemovedOnlyIfTheContactCarriesIt(t *testing.T) {
	const remove = `mutation { removeContactTag(input: { contactId: "3000000001", workspaceId: "101", tagId: "5002" }) { removedAppliedContactTagId userErrors { field code } } }`
	for _, rows := range []string{`[{"id":1,"contact_id":3000000001,"tag_id":5001}]`, `[]`} {
		o := newOperations(t).locating(t, "101")
		o.Replace("/contacts/3000000001/applied_tags", rows)
		o.answeredWhole(t, remove, `{"data":{"removeContactTag":{"removedAppliedContactTagId":null,"userErrors":[{"field":"tagId","code":"NOT_FOUND"}]}}}`)
		o.Want(t, "acme-academy /contacts/3000000001/applied_tags tag_id×1")
	}
	o := newOperations(t).locating(t, "101")
	o.Answer = func(w http.ResponseWriter, r *http.Request, path string) bool {
		switch {
		case path == "/contacts/3000000001/applied_tags":
			_, _ = io.WriteString(w, `[{"id":2,"contact_id":3000000001,"tag_id":5002}]`)
		case r.Method == http.MethodDelete && path == "/contacts/applied_tags/2":
			w.WriteHeader(http.StatusNoContent)
		default:
			return false
		}
		return true
	}
	if got := o.execute(t, remove, ""); strings.Contains(got, "null") || !strings.Contains(got, `"userErrors":[]`) {
		t.Errorf("got %s, want the applied tag 2 removed", got)
	}
	o.Want(t, "acme-academy /contacts/3000000001/applied_tags tag_id×1", "DELETE acme-academy /contacts/applied_tags/2")
}

// TestRawIDsOfInputs translates ids of tags in any form. Raw ids need no call, unless the client
// may not see everything.
func TestRawIDsOfInputs(t *testing.T) {
	global := model.GlobalID(upstream.Ref{Kind: upstream.KindContactTag, Parent: "101", ID: "5003"})
	tooMany := make([]string, maxInputIDs+1)
	for _, test := range []struct {
		name   string
		scoped bool
		ids    []string
		want   string
		code   upstream.Code // of the error, empty for none
		calls  []string
	}{
		{"none", false, []string{}, "[]", "", nil},
		{"raw and global", false, []string{"5002", global}, "[5002 5003]", "", nil},
		{"raw of a missing tag", false, []string{"99"}, "[99]", "", nil}, // ClickFunnels refuses it
		{"raw and global of a scoped client", true, []string{"5002", global}, "[5002 5003]", "", []string{"acme-academy /workspaces/101/contacts/tags id×2"}},
		{"missing for a scoped client", true, []string{"5002", "99"}, "[]", upstream.NotFound, []string{"acme-academy /workspaces/101/contacts/tags id×2", "acme-academy /contacts/tags/99"}},
		{"of another kind", false, []string{model.GlobalID(upstream.Ref{Kind: upstream.KindTeam, ID: "11"})}, "[]", upstream.BadUserInput, nil},
		{"too many", false, tooMany, "[]", upstream.BadUserInput, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOperations(t)
			if test.scoped {
				o.Within(t, "101")
			}
			o.locating(t, "101")
			ctx := loader.With(t.Context(), loader.New(t.Context(), o.Client))
			raw, err := rawIDs(ctx, loader.ContactTags, upstream.KindContactTag, "101", test.ids)
			if got := fmt.Sprint(raw); got != test.want || (err == nil) != (test.code == "") || err != nil && !errors.Is(err, test.code) {
				t.Errorf("got %s and the error %v, want %s and %q", got, err, test.want, test.code)
			}
			o.Want(t, test.calls...)
		})
	}
}

// TestMutationsOfEveryShape creates, changes and deletes records of a workspace, of another record,
// and of the accounts host, given by ids of every form.
func TestMutationsOfEveryShape(t *testing.T) {
	o := newOperations(t)
	public := func(query string) string {
		var got struct {
			Workspace map[string]struct{ Nodes []struct{ PublicID string } }
		}
		if err := json.Unmarshal([]byte(o.data(t, in101(query))), &got); err != nil {
			t.Fatal(err)
		}
		for _, list := range got.Workspace {
			return list.Nodes[0].PublicID
		}
		return ""
	}
	tag := public(`contactTags(first: 1) { nodes { publicId } }`)
	o.locating(t, "101")
	for _, test := range []struct {
		mutation, want string
		calls          []string
	}{
		{
			`createFunnelTag(input: { workspaceId: "101", name: "Made" }) { funnelTag { name workspace { rawId } } userErrors { code } }`,
			`{"funnelTag":{"name":"Made","workspace":{"rawId":"101"}},"userErrors":[]}`, []string{"POST acme-academy /workspaces/101/funnels/tags"},
		},
		{
			`createSalesOpportunityNote(input: { salesOpportunityId: "91001", workspaceId: "101", content: "Made" }) { salesOpportunityNote { content } userErrors { code } }`,
			`{"salesOpportunityNote":{"content":"Made"},"userErrors":[]}`, []string{"POST acme-academy /sales/opportunities/91001/notes"},
		},
		{
			`updateContactTag(input: { id: "` + tag + `", workspaceId: "101", name: "Changed" }) { contactTag { rawId name } userErrors { code } }`,
			`{"contactTag":{"rawId":"5001","name":"Changed"},"userErrors":[]}`, []string{"PUT acme-academy /contacts/tags/" + tag},
		},
		{
			`deleteContactTag(input: { id: "` + tag + `", workspaceId: "101" }) { deletedContactTagId userErrors { code } }`,
			`{"deletedContactTagId":"` + model.GlobalID(upstream.Ref{Kind: upstream.KindContactTag, Parent: "101", ID: "5001"}) + `","userErrors":[]}`,
			[]string{"acme-academy /contacts/tags/" + tag, "DELETE acme-academy /contacts/tags/5001"}, // the payload has the raw id
		},
		{
			`updateWorkspace(input: { id: "101", name: "Changed" }) { workspace { name } userErrors { code } }`,
			`{"workspace":{"name":"Changed"},"userErrors":[]}`, []string{"PUT accounts /workspaces/101"},
		},
		{
			`upsertContact(input: { workspaceId: "101", emailAddress: "new@example.com" }) { created contact { emailAddress } userErrors { code } }`,
			`{"created":true,"contact":{"emailAddress":"new@example.com"},"userErrors":[]}`, []string{"POST acme-academy /workspaces/101/contacts/upsert"},
		},
		{
			`redactContact(input: { id: "3000000002", workspaceId: "101", confirm: false }) { redactedContactId userErrors { field } }`,
			`{"redactedContactId":null,"userErrors":[{"field":"confirm"}]}`, nil,
		},
	} {
		o.answeredWhole(t, `mutation { m: `+test.mutation+` }`, `{"data":{"m":`+test.want+`}}`)
		o.Want(t, test.calls...)
	}
}

// TestReorderReturnsTheNewOrder answers one reordering with ids, and refuses another.
func TestReorderReturnsTheNewOrder(t *testing.T) {
	const mutation = `mutation { m: reorderFormFields(input: { formFieldSetId: "7", workspaceId: "101", fieldIds: ["2", "1"] }) { formFieldSet { rawId } orderedFieldIds userErrors { message } } }`
	for _, test := range []struct {
		status     int
		body, want string
	}{
		{http.StatusOK, `{"ordered_field_ids":[2,"1"]}`, `{"formFieldSet":{"rawId":"7"},"orderedFieldIds":["2","1"],"userErrors":[]}`},
		{http.StatusOK, `{"ordered_field_ids":[]}`, `{"formFieldSet":{"rawId":"7"},"orderedFieldIds":[],"userErrors":[]}`},
		{http.StatusUnprocessableEntity, `{"error":"No"}`, `{"formFieldSet":null,"orderedFieldIds":null,"userErrors":[{"message":"No"}]}`},
	} {
		o := newOperations(t)
		o.Locating(t, "101")
		o.Answer = func(w http.ResponseWriter, _ *http.Request, path string) bool {
			if path != "/forms/field_sets/7/fields/reorder" {
				return false
			}
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
			return true
		}
		o.answeredWhole(t, mutation, `{"data":{"m":`+test.want+`}}`)
		o.Want(t, "POST acme-academy /forms/field_sets/7/fields/reorder")
	}
}
