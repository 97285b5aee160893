package model

import (
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// FuzzIDs pins that an accepted id can be used in a path without escaping. A global id must be the
// one that its record gets.
func FuzzIDs(f *testing.F) {
	for _, id := range []string{"", "42", "kHdUei", "MTp0ZWFtOjEx", "MTpjb250YWN0OjEwMTozMDAwMDAwMDAx", "../teams", "1/2", "1\r\n", "MTp0ZWFtOi4uL3VzZXJz", "\u0661", strings.Repeat("9", 65)} {
		f.Add(id, "101")
	}
	f.Fuzz(func(t *testing.T, id, parent string) {
		if ref, ok := ParseGlobalID(id); ok {
			if GlobalID(ref) != id || !isPlainID(ref.ID) || kinds[ref.Kind] != (ref.Parent != "") || ref.Parent != "" && !isPlainID(ref.Parent) {
				t.Errorf("%q is %+v, which is %q", id, ref, GlobalID(ref))
			}
		}
		for kind := range kinds {
			ref, err := ParseID(kind, parent, id)
			if err == nil && (ref.Kind != kind || !isPlainID(ref.ID)) {
				t.Errorf("%q as a %s is %+v", id, kind, ref)
			}
			if err == nil && ref.Parent != parent && upstream.IsRawID(parent) && kinds[kind] && ref.Parent != "" {
				t.Errorf("%q in %s is in %s", id, parent, ref.Parent)
			}
		}
	})
}
