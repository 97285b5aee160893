package graph

import (
	"strings"
	"testing"
)

// TestLiteralsAreCheckedAsSpecified pins the messages of graphql-js for literals.
func TestLiteralsAreCheckedAsSpecified(t *testing.T) {
	contacts := func(arguments string) string { return in101(`contacts(` + arguments + `) { __typename }`) }
	o := newOperations(t)
	for query, message := range map[string]string{ // no message if the literal is accepted
		`{ team(id: 99999999999999999999) { __typename } }`:                        `NOT_FOUND`, // more than 64 bits
		`{ team(id: 1.0) { __typename } }`:                                         `ID cannot represent value: 1.0`,
		`{ team(id: {}) { __typename } }`:                                          `ID cannot represent value`,
		`{ team(id: [1]) { __typename } }`:                                         `ID cannot represent value`,
		`{ team(id: eleven) { __typename } }`:                                      `ID cannot represent value: eleven`,
		`{ team(id: null) { __typename } }`:                                        `Expected value of type \"ID!\", found null.`,
		`{ teams(first: 2147483648) { __typename } }`:                              `Int cannot represent non 32-bit signed integer value: 2147483648`,
		`{ teams(first: 1.0) { __typename } }`:                                     `Int cannot represent non-integer value: 1.0`,
		`{ teams(first: "1") { __typename } }`:                                     `Int cannot represent non-integer value: \"1\"`,
		`{ teams(first: null) { __typename } }`:                                    ``,
		contacts(`filter: { isActive: true, ids: "7" }`):                           ``,
		contacts(`filter: { isActive: 1 }`):                                        `Boolean cannot represent a non boolean value: 1`,
		contacts(`filter: { emailAddresses: [7] }`):                                `String cannot represent a non string value: 7`,
		contacts(`filter: 7`):                                                      `Expected value of type \"ContactFilter\", found 7.`,
		contacts(`filter: { isActiv: true }`):                                      `Field \"isActiv\" is not defined by type \"ContactFilter\". Did you mean \"isActive\"?`,
		contacts(`sort: { property: IDD }`):                                        `Value \"IDD\" does not exist in \"SortProperty\" enum. Did you mean the enum value \"ID\"?`,
		contacts(`sort: { property: "ID" }`):                                       `Enum \"SortProperty\" cannot represent non-enum value: \"ID\". Did you mean the enum value \"ID\"?`,
		contacts(`filter: { emailAddresses: ["""a""", """` + "\n  b\n" + `"""] }`): ``,
	} {
		got := o.execute(t, query, "")
		if !strings.Contains(got, message) || strings.Contains(got, `"errors"`) != (message != "") {
			t.Errorf("%s: got %s, want %q", query, got, message)
		}
	}
}

// TestBlockStringsLoseTheirCommonIndentation implements the examples of the specification.
func TestBlockStringsLoseTheirCommonIndentation(t *testing.T) {
	for raw, want := range map[string]string{
		``: ``, `a`: `a`, `  a`: `  a`, " \n\t\n": ``,
		"\n    Hello,\n      World!\n\n    Yours,\n      GraphQL.\n  ": "Hello,\n  World!\n\nYours,\n  GraphQL.",
		"first\n    second\n      third":                               "first\nsecond\n  third", // the first line has no part in it
		"a\r\n  b\r  c\n":                                              "a\nb\nc",
		`a \""" b`:                                                     `a """ b`,
		"\n  a\n \n  b":                                                "a\n\nb",
	} {
		if got := blockString(raw); got != want {
			t.Errorf("%q is read as %q, want %q", raw, got, want)
		}
	}
}
