package demo

import (
	"maps"
	"slices"
	"testing"
)

// TestTablesAcceptDeclaredFilters checks that each table accepts the filters of the description.
func TestTablesAcceptDeclaredFilters(t *testing.T) {
	for _, r := range Resources {
		i := slices.IndexFunc(example(), func(t *table) bool { return t.resource != nil && t.resource.Type == r.Type })
		if i < 0 {
			t.Errorf("no table for %s", r.Type)
			continue
		}
		taken := slices.Collect(maps.Keys(example()[i].filters))
		for _, key := range r.Filters {
			if !slices.Contains(taken, key) {
				t.Errorf("%s does not take the filter %s", r.Path, key)
			}
		}
	}
}
