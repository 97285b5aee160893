package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// sendJSON sends an operation with its variables as JSON text, unchanged.
func (e *env) sendJSON(query, variables string) (status int, r result) {
	e.t.Helper()
	text, err := json.Marshal(query)
	if err != nil {
		e.t.Fatal(err)
	}
	if variables == "" {
		variables = "null"
	}
	status, raw, _ := e.request(http.MethodPost, "/graphql", `{"query":`+string(text)+`,"variables":`+variables+`}`,
		"Content-Type: application/json", "Accept: application/graphql-response+json", "Authorization: Bearer "+demo.Token)
	if err := json.Unmarshal([]byte(raw), &r); err != nil {
		e.t.Fatalf("%s: want JSON, got %s", query, raw)
	}
	r.raw = raw
	return status, r
}

// These operations put a variable in every input position: an argument, a list, and a field of
// an input object.
const (
	byFirst  = `query($v: Int) { workspace(id: "101") { contacts(first: $v) { nodes { rawId } } } }`
	byAfter  = `query($v: String) { workspace(id: "101") { contacts(after: $v) { nodes { rawId } } } }`
	byID     = `query($v: ID!) { workspace(id: $v) { name } }`
	byIDs    = `query($v: [ID!]) { workspace(id: "101") { contacts(filter: { ids: $v }) { nodes { rawId } } } }`
	byFilter = `query($v: ContactFilter) { workspace(id: "101") { contacts(filter: $v) { nodes { rawId } } } }`
	bySort   = `query($v: Sort) { workspace(id: "101") { contacts(sort: $v, first: 1) { nodes { rawId } } } }`
	byEnum   = `query($v: SortDirection!) { workspace(id: "101") { contacts(sort: { direction: $v }, first: 1) { nodes { rawId } } } }`
	byIf     = `query($v: Boolean!) { __typename @include(if: $v) }`
	byInput  = `mutation($v: CreateContactInput!) { createContact(input: $v) { contact { rawId } } }`
)

// TestVariablesAreCoerced pins the variables that the specification accepts and refuses, with
// the error messages.
func TestVariablesAreCoerced(t *testing.T) {
	e := newEnv(t)
	for _, row := range []struct{ query, v, want string }{
		{byFirst, `2`, ""}, {byFirst, `2.0`, ""}, {byFirst, `2e0`, ""}, {byFirst, `null`, ""},
		{byFirst, `"2"`, `got invalid value "2"; Int cannot represent non-integer value: "2"`},
		{byFirst, `1.5`, `got invalid value 1.5; Int cannot represent non-integer value: 1.5`},
		{byFirst, `true`, `got invalid value true; Int cannot represent non-integer value: true`},
		{byFirst, `[1]`, `got invalid value […]; Int cannot represent non-integer value: […]`},
		{byFirst, `2147483648`, `got invalid value 2147483648; Int cannot represent non 32-bit signed integer value: 2147483648`},
		{byFirst, `1e400`, `got invalid value 1e400; Int cannot represent non-integer value: 1e400`},
		{byAfter, `"1"`, ""},
		{byAfter, `1`, `got invalid value 1; String cannot represent a non string value: 1`},
		{byAfter, `false`, `got invalid value false; String cannot represent a non string value: false`},
		{byAfter, `{"a":1}`, `got invalid value {…}; String cannot represent a non string value: {…}`},
		{byID, `"101"`, ""}, {byID, `101`, ""}, {byID, `101.0`, ""}, {byID, `1.01e2`, ""},
		{byID, `101.5`, `got invalid value 101.5; ID cannot represent value: 101.5`},
		{byID, `true`, `got invalid value true; ID cannot represent value: true`},
		{byID, `null`, `of non-null type "ID!" must not be null.`},
		{byID, ``, `of required type "ID!" was not provided.`},
		{byIDs, `["900001"]`, ""}, {byIDs, `"900001"`, ""}, {byIDs, `900001`, ""}, {byIDs, `null`, ""},
		{byIDs, `["900001", null]`, `got invalid value null at "v[1]"; Expected non-nullable type "ID!" not to be null.`},
		{byIDs, `[["900001"]]`, `got invalid value […] at "v[0]"; ID cannot represent value: […]`},
		{byFilter, `{"ids":900001}`, ""}, {byFilter, `{"ids":null}`, ""}, {byFilter, `{}`, ""},
		{byFilter, `[]`, `got invalid value […]; Expected type "ContactFilter" to be an object.`},
		{byFilter, `"ids"`, `got invalid value "ids"; Expected type "ContactFilter" to be an object.`},
		{byFilter, `{"ids":[1.5]}`, `got invalid value 1.5 at "v.ids[0]"; ID cannot represent value: 1.5`},
		{byFilter, `{"id":"1"}`, `got invalid value {…}; Field "id" is not defined by type "ContactFilter". Did you mean "ids"?`},
		{byFilter, `{"__typename":"ContactFilter"}`, `got invalid value {…}; Field "__typename" is not defined by type "ContactFilter".`},
		{bySort, `{}`, ""}, {bySort, `{"property":"ID"}`, ""},
		{bySort, `{"property":"id"}`, `got invalid value "id" at "v.property"; Value "id" does not exist in "SortProperty" enum. Did you mean the enum value "ID"?`},
		{bySort, `{"direction":null}`, `got invalid value null at "v.direction"; Expected non-nullable type "SortDirection!" not to be null.`},
		{byEnum, `"ASC"`, ""},
		{byEnum, `"asc"`, `got invalid value "asc"; Value "asc" does not exist in "SortDirection" enum. Did you mean the enum value "ASC" or "DESC"?`},
		{byEnum, `0`, `got invalid value 0; Enum "SortDirection" cannot represent non-string value: 0.`},
		{byIf, `true`, ""},
		{byIf, `"true"`, `got invalid value "true"; Boolean cannot represent a non boolean value: "true"`},
		{byIf, `1`, `got invalid value 1; Boolean cannot represent a non boolean value: 1`},
		{byInput, `{}`, `got invalid value {…}; Field "workspaceId" of required type "ID!" was not provided.`},
	} {
		variables := `{"v":` + row.v + `}`
		if row.v == "" {
			variables = `{}`
		}
		status, r := e.sendJSON(row.query, variables)
		if row.want == "" {
			if status != http.StatusOK || len(r.Errors) > 0 {
				t.Errorf("%s %s: want no errors, got %d %s", row.query, row.v, status, r.raw)
			}
			continue
		}
		message, err := json.Marshal(`Variable "$v" ` + row.want)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`{"errors":[{"message":%s,"locations":[{"line":1,"column":%d}],"extensions":{"code":"BAD_USER_INPUT"}}]}`, message, 1+strings.Index(row.query, "$"))
		if status != http.StatusBadRequest || r.raw != want {
			t.Errorf("%s %s:\n%d %s\nwant %s", row.query, row.v, status, r.raw, want)
		}
	}
	if status, r := e.sendJSON(byInput, `{"v":{"workspaceId":1.5,"firstName":1}}`); status != http.StatusBadRequest || len(r.Errors) != 2 {
		t.Errorf("want an error for each of two mistakes, got %s", r.raw)
	}
}

// TestCoercedVariablesReachUpstream pins the values that reach the REST API.
func TestCoercedVariablesReachUpstream(t *testing.T) {
	e := newEnv(t)
	for _, row := range []struct{ query, v, want string }{
		{byFirst, `3e0`, ""},
		{byID, `1.01e2`, "accounts /workspaces/101"},
		{byID, `123456789012345678901234567890`, "accounts /workspaces/123456789012345678901234567890"},
		{byID, `1e30`, "accounts /workspaces/1000000000000000000000000000000"},
		{`query($v: ID = 123456789012345678901234567890) { workspace(id: $v) { name } }`, "", "accounts /workspaces/123456789012345678901234567890"},
		{`{ workspace(id: 123456789012345678901234567890) { name } }`, "", "accounts /workspaces/123456789012345678901234567890"},
		{byFilter, `{"ids":900001}`, "acme-academy /workspaces/101/contacts?filter%5Bid%5D=900001"},
	} {
		e.take(demo.Token)
		variables := `{}`
		if row.v != "" {
			variables = `{"v":` + row.v + `}`
		}
		_, r := e.sendJSON(row.query, variables)
		calls := e.take(demo.Token)
		if row.want != "" && !slices.ContainsFunc(calls, func(call string) bool { return strings.HasPrefix(call, row.want) }) {
			t.Errorf("%s %s: calls %q, want one to %s: %s", row.query, row.v, calls, row.want, r.raw)
		}
	}
}

// TestErrorsDoNotRepeatInput keeps long input, and input that may be secret, out of errors.
func TestErrorsDoNotRepeatInput(t *testing.T) {
	e := newEnv(t)
	secret := strings.Repeat("s3cr3t", 20_000)
	for query, v := range map[string]string{
		byFirst: `"` + secret + `"`, byEnum: `"` + secret + `"`, byFilter: `{"` + secret + `":1}`, byIDs: `["` + secret + `",true]`,
		byAfter: strings.Repeat("7", 100_000), bySort: `{"property":"` + secret + `"}`,
	} {
		if _, r := e.sendJSON(query, `{"v":`+v+`}`); len(r.Errors) != 1 || len(r.raw) > 500 || strings.Contains(r.raw, "s3cr3ts3cr3t") {
			t.Errorf("%s: want one short error without the input, got %.1000s", query, r.raw)
		}
	}
	for _, query := range []string{`{ teams(first: "` + secret + `") { __typename } }`, `{ workspace(id: 1) { contacts(sort: { direction: "` + secret + `" }) { __typename } } }`, `{ workspace(id: 1) { contacts(filter: "` + secret + `") { __typename } } }`} {
		if _, r := e.sendJSON(query, ""); len(r.Errors) != 1 || len(r.raw) > 500 || strings.Contains(r.raw, "s3cr3ts3cr3t") {
			t.Errorf("%.100s: want one short error without the input, got %.1000s", query, r.raw)
		}
	}
	many := `{"v":{` + each(3000, func(i int) string { return fmt.Sprintf(`"idz%d":1,`, i) }) + `"x":1}}`
	if _, r := e.sendJSON(byFilter, many); len(r.Errors) > 11 {
		t.Errorf("%d errors, want at most 11", len(r.Errors))
	}
}

// TestLiteralsAreCoerced pins the literals that the specification accepts and refuses, with the
// error messages.
func TestLiteralsAreCoerced(t *testing.T) {
	e := newEnv(t)
	for _, row := range []struct{ query, want string }{
		{`{ workspace(id: 101) { rawId } }`, ""},
		{`{ workspace(id: {}) { rawId } }`, "ID cannot represent value: {…}"},
		{`{ workspace(id: 101.0) { rawId } }`, "ID cannot represent value: 101.0"},
		{`{ workspace(id: [101]) { rawId } }`, "ID cannot represent value: […]"},
		{`{ workspace(id: acme) { rawId } }`, "ID cannot represent value: acme"},
		{`{ team(id: null) { rawId } }`, `Expected value of type "ID!", found null.`},
		{`{ teams(first: 2147483647) { nodes { rawId } } }`, "first is 2147483647; it can be 1 to 100."},
		{`{ teams(first: 2147483648) { nodes { rawId } } }`, "Int cannot represent non 32-bit signed integer value: 2147483648"},
		{`{ teams(first: -2147483649) { nodes { rawId } } }`, "Int cannot represent non 32-bit signed integer value: -2147483649"},
		{`{ teams(first: 1.0) { nodes { rawId } } }`, "Int cannot represent non-integer value: 1.0"},
		{`{ teams(first: {}) { nodes { rawId } } }`, "Int cannot represent non-integer value: {…}"},
		{`{ teams(after: {}) { nodes { rawId } } }`, "String cannot represent a non string value: {…}"},
		{`{ teams(after: 1) { nodes { rawId } } }`, "String cannot represent a non string value: 1"},
		{`query($v: Int = {}) { teams(first: $v) { nodes { rawId } } }`, "Int cannot represent non-integer value: {…}"},
		{`{ workspace(id: 101) { contacts(filter: []) { nodes { rawId } } } }`, `Expected value of type "ContactFilter", found [].`},
		{`{ workspace(id: 101) { contacts(filter: { isActive: {} }) { nodes { rawId } } } }`, "Boolean cannot represent a non boolean value: {…}"},
		{`{ workspace(id: 101) { contacts(filter: { ids: 900001 }) { nodes { rawId } } } }`, ""},
		{`{ workspace(id: 101) { contacts(filter: { ids: [{}] }) { nodes { rawId } } } }`, "ID cannot represent value: {…}"},
		{`{ workspace(id: 101) { contacts(filter: { id: 1 }) { nodes { rawId } } } }`, `Field "id" is not defined by type "ContactFilter". Did you mean "ids"?`},
		{`{ workspace(id: 101) { contacts(sort: { direction: {} }) { nodes { rawId } } } }`, `Enum "SortDirection" cannot represent non-enum value: {}.`},
		{`{ workspace(id: 101) { contacts(sort: { direction: "ASC" }) { nodes { rawId } } } }`, `Enum "SortDirection" cannot represent non-enum value: "ASC". Did you mean the enum value "ASC" or "DESC"?`},
		{`{ workspace(id: 101) { contacts(sort: { direction: DSC }) { nodes { rawId } } } }`, `Value "DSC" does not exist in "SortDirection" enum. Did you mean the enum value "ASC" or "DESC"?`},
		{`{ __typename @skip(if: {}) }`, "Boolean cannot represent a non boolean value: {…}"},
		{`{ __typename @include(if: null) }`, `Expected value of type "Boolean!", found null.`},
		{`mutation { createContact(input: {}) { contact { rawId } } }`, `Field "CreateContactInput.workspaceId" of required type "ID!" was not provided.`},
	} {
		_, r := e.sendJSON(row.query, "")
		switch {
		case row.want == "" && len(r.Errors) == 0:
		case row.want == "" || len(r.Errors) != 1 || r.Errors[0].Message != row.want:
			t.Errorf("%s: %s\nwant %s", row.query, r.raw, row.want)
		case r.Errors[0].Path != nil && r.Data == nil:
			t.Errorf("want no path in a request error, got %s", r.raw)
		}
	}
}

// TestNullDoesNotReachNonNullPositions passes null in a nullable variable with a default to a
// non-null position. Only that field fails: the default applies to absent variables only.
func TestNullDoesNotReachNonNullPositions(t *testing.T) {
	e := newEnv(t)
	for _, row := range []struct{ query, want string }{
		{`query($v: ID = "1") { first: team(id: $v) { name } __typename }`, `"id" of non-null type "ID!" must not be null.`},
		{`query($v: ID = "1") { first: contact(id: $v, workspaceId: "101") { emailAddress } second: contact(id: "3000000001", workspaceId: "101") { workspace { rawId } } __typename }`, `"id" of non-null type "ID!" must not be null.`},
		{`query($v: ID = "1") { first: nodes(ids: [$v]) { id } __typename }`, `"ids" has an invalid value: "$v" of non-null type "ID!" must not be null.`},
		{`query($v: [ID!] = ["1"]) { first: nodes(ids: $v) { id } __typename }`, `"ids" of non-null type "[ID!]!" must not be null.`},
		{`query($v: SortDirection) { w: workspace(id: "101") { rawId first: contacts(sort: { direction: $v }) { nodes { rawId } } } __typename }`, `"sort" has an invalid value: "$v" of non-null type "SortDirection!" must not be null.`},
		{`query($v: String = "city") { contact(id: "3000000001", workspaceId: "101") { first: customAttribute(key: $v) } __typename }`, `"key" of non-null type "String!" must not be null.`},
		{`query($v: String = "city") { contact(id: "3000000001", workspaceId: "101") { first: customAttributes(keys: [$v]) { value } } __typename }`, `"keys" has an invalid value: "$v" of non-null type "String!" must not be null.`},
		{`mutation($v: ID = "1") { first: deleteContact(input: { id: $v, workspaceId: "101" }) { deletedContactId } __typename }`, `"input" has an invalid value: "$v" of non-null type "ID!" must not be null.`},
		{`mutation($v: DeleteContactInput = { id: "1", workspaceId: "101" }) { first: deleteContact(input: $v) { deletedContactId } __typename }`, `"input" of non-null type "DeleteContactInput!" must not be null.`},
	} {
		e.forget()
		status, r := e.sendJSON(row.query, `{"v":null}`)
		if status != http.StatusOK || len(r.Errors) != 1 || r.Errors[0].Message != "Argument "+row.want || r.Errors[0].Extensions["code"] != "BAD_USER_INPUT" ||
			len(r.Errors[0].Path) == 0 || r.Errors[0].Path[len(r.Errors[0].Path)-1] != "first" {
			t.Errorf("%s: want BAD_USER_INPUT at the field, got %d %s", row.query, status, r.raw)
		}
		for _, call := range e.callsOf(demo.Token) {
			if strings.Contains(call, "null") || strings.HasPrefix(call, "DELETE") || strings.HasSuffix(call, "/1") {
				t.Errorf("%s: want no call with the null, got %s", row.query, call)
			}
		}
		if strings.HasPrefix(row.query, "query") && r.Data != nil && r.Data["__typename"] != "Query" {
			t.Errorf("want the other fields answered, got %s", r.raw)
		}
	}
	// An absent variable leaves the default of its position.
	if _, r := e.sendJSON(`query($v: SortDirection) { workspace(id: "101") { contacts(first: 1, sort: { direction: $v }) { nodes { rawId } } } }`, `{}`); len(r.Errors) > 0 {
		t.Errorf("want no errors, got %s", r.raw)
	}
}

// TestNullConditionsAreRefused passes null to @skip, @include and @defer. The whole request is
// refused.
func TestNullConditionsAreRefused(t *testing.T) {
	logs := captureLog(t)
	e := newEnv(t)
	for _, query := range []string{
		`query($v: Boolean = true) { __typename @skip(if: $v) }`,
		`query($v: Boolean = true) { __typename ... @include(if: $v) { __typename } }`,
		`query($v: Boolean = true) { workspace(id: "101") { ...F } } fragment F on Workspace { rawId ...G @skip(if: $v) } fragment G on Workspace { name }`,
		`query($v: Boolean = true) { workspace(id: "101") { ... @defer(if: $v) { name } } }`,
		`query($v: Boolean) { workspace(id: "101") { ... @defer(if: $v) { name } } }`,
	} {
		status, r := e.sendJSON(query, `{"v":null}`)
		if status != http.StatusBadRequest || r.Data != nil || len(r.Errors) != 1 || r.Errors[0].Path != nil ||
			r.Errors[0].Message != `Argument "if" of non-null type "Boolean!" must not be null.` || !strings.Contains(r.raw, `"locations":[{"line":1,"column":`) {
			t.Errorf("%s: want 400 with one error, got %d %s", query, status, r.raw)
		}
	}
	// Operations that do not use the variable in a condition are not affected.
	both := `query A($v: Boolean = true) { __typename @skip(if: $v) } query B($v: String) { teams(after: $v) { nodes { rawId } } }`
	_, raw, _ := e.request(http.MethodPost, "/graphql", `{"operationName":"B","query":"`+both+`","variables":{"v":null}}`, "Content-Type: application/json", "Authorization: Bearer "+demo.Token)
	if strings.Contains(raw, "errors") {
		t.Errorf("want no errors, got %s", raw)
	}
	if text := logs(); strings.Contains(text, "panic") {
		t.Errorf("want no panic in the log, got %s", text)
	}
}

// TestBlockStringIndentationIgnoresTheFirstLine pins the values of block strings.
func TestBlockStringIndentationIgnoresTheFirstLine(t *testing.T) {
	e := newEnv(t)
	for literal, want := range map[string]string{
		`"""one"""`: "one", `"""  one"""`: "  one", `""""""`: "",
		"\"\"\"one\n    two\n      three\"\"\"":    "one\ntwo\n  three",
		"\"\"\"\n\n    one\n\n      two\n  \"\"\"": "one\n\n  two",
		"\"\"\"one\r\n\ttwo\r\tthree\"\"\"":        "one\ntwo\nthree",
		"\"\"\"   \n  one\n two\"\"\"":             " one\ntwo",
		"\"\"\"ünï\n    cödé\"\"\"":                "ünï\ncödé",
		"\"\"\"a \\\"\"\"quoted\\\"\"\"\n b\"\"\"": "a \"\"\"quoted\"\"\"\nb",
	} {
		query := "# ü\nmutation { createContact(input: { workspaceId: \"101\", emailAddress: \"block@example.com\", firstName: " + literal + " }) { contact { ...F ...F id } userErrors { message } } } fragment F on Contact { firstName }"
		_, r := e.sendJSON(query, "")
		id, _ := r.get("createContact.contact.id").(string)
		if got := r.get("createContact.contact.firstName"); got != want {
			t.Errorf("%s: got %q, want %q: %s", literal, got, want, r.raw)
		}
		e.sendJSON(`mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedContactId } }`, `{"id":"`+id+`"}`)
	}
}
