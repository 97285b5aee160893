package model

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/upstream"
)

func TestGlobalIDsRoundTripAndNeverChange(t *testing.T) {
	for kind, k := range kinds {
		ref := upstream.Ref{Kind: kind, ID: "9007199254740993"}
		if k {
			ref.Parent = "42"
		}
		if kind.Nested() {
			ref.ID = "7-" + ref.ID
		}
		id := GlobalID(ref)
		if got, ok := ParseGlobalID(id); !ok || got != ref {
			t.Errorf("%+v becomes %s becomes %+v", ref, id, got)
		}
		if got, err := ParseID(kind, "42", id); err != nil || got != ref {
			t.Errorf("%+v: %v", ref, err)
		}
		if strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("%s needs escaping", id)
		}
	}
	// Clients keep ids, so they must never change.
	for id, ref := range map[string]upstream.Ref{
		"MTp0ZWFtOjEx":                       {Kind: upstream.KindTeam, ID: "11"},
		"MTpzcGxpdF90ZXN0X3N0ZXA6MTAxOjctOA": {Kind: upstream.KindSplitTestStep, Parent: "101", ID: "7-8"},
		"MTpjb250YWN0OjEwMTozMDAwMDAwMDAx":   {Kind: upstream.KindContact, Parent: "101", ID: "3000000001"},
	} {
		if GlobalID(ref) != id {
			t.Errorf("%+v is now %s, was %s", ref, GlobalID(ref), id)
		}
	}
}

// TestParseGlobalIDRefusesCraftedIDs feeds crafted ids to the parser.
func TestParseGlobalIDRefusesCraftedIDs(t *testing.T) {
	for _, text := range []string{
		"", "1", "1:", "1:team", "1:team:", "1:team:1:2", "2:team:1", ":team:1", "1:nope:1", "1:contact:1", "1:contact::1", "1:contact:1:", "1:contact:1:2:3",
		"1:team:../users", "1:team:1/2", "1:team:a b", "1:team:é", "1:contact:a/b:1", "1:team:" + strings.Repeat("1", 65), "1:TEAM:1", "1:team:1\n",
		"1:split_test_step:1:2", "1:split_test_step:1:-2", "1:split_test_step:1:2-",
	} {
		if ref, ok := ParseGlobalID(base64.RawURLEncoding.EncodeToString([]byte(text))); ok {
			t.Errorf("%q is taken for %+v", text, ref)
		}
	}
	for _, id := range []string{"42", "kHdUei", "MTp0ZWFtOjEx=", "MTp0ZWFtOjE", "MTp0ZWFtOjEy\n", "***"} {
		if ref, ok := ParseGlobalID(id); ok && id != "MTp0ZWFtOjE" {
			t.Errorf("%q is taken for %+v", id, ref)
		}
	}
}

func TestParseIDAcceptsAllForms(t *testing.T) {
	contact := GlobalID(upstream.Ref{Kind: upstream.KindContact, Parent: "42", ID: "7"})
	for _, test := range []struct {
		parent, id string
		want       upstream.Ref
		err        error
	}{
		{"42", "7", upstream.Ref{Kind: upstream.KindContact, Parent: "42", ID: "7"}, nil},
		{"42", "Pxocqg", upstream.Ref{Kind: upstream.KindContact, Parent: "42", ID: "Pxocqg"}, nil},
		{"42", contact, upstream.Ref{Kind: upstream.KindContact, Parent: "42", ID: "7"}, nil},
		{"", contact, upstream.Ref{Kind: upstream.KindContact, Parent: "42", ID: "7"}, nil},
		{"pub", contact, upstream.Ref{Kind: upstream.KindContact, Parent: "42", ID: "7"}, nil},
		{"43", contact, upstream.Ref{}, upstream.NotFound},
		{"42", GlobalID(upstream.Ref{Kind: upstream.KindTeam, ID: "7"}), upstream.Ref{}, upstream.BadUserInput},
		{"42", "", upstream.Ref{}, upstream.BadUserInput},
		{"42", "a/b", upstream.Ref{}, upstream.BadUserInput},
		{"42", "٣", upstream.Ref{}, upstream.BadUserInput},
		{"42", strings.Repeat("1", 65), upstream.Ref{}, upstream.BadUserInput},
	} {
		got, err := ParseID(upstream.KindContact, test.parent, test.id)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%q in %q: %+v, %v", test.id, test.parent, got, err)
		}
	}
}
