package transport

import (
	"fmt"
	"slices"
	"testing"
)

// TestCacheTags collects tags up to the limit.
func TestCacheTags(t *testing.T) {
	var none CacheTags
	if got := none.All(); len(got) > 0 {
		t.Errorf("%q of no responses", got)
	}
	ids := make([]string, maxCacheTags)
	for i := range ids {
		ids[i] = fmt.Sprint(100 + i)
	}
	var tags CacheTags
	tags.Add("acme", "contacts", "7")
	tags.Add("acme", "7")
	tags.Add("acme", ids[:maxCacheTags-4]...)
	tags.Add("books")
	if got := tags.All(); len(got) != maxCacheTags || !slices.Contains(got, "acme/contacts") || !slices.Contains(got, "books") {
		t.Errorf("%q at the limit", got)
	}
	tags.Add("books", ids...)
	if got, want := tags.All(), []string{"acme", "acme/any", "books", "books/any"}; !slices.Equal(got, want) || tags.count != maxCacheTags+1 {
		t.Errorf("%q beyond the limit, want %q", got, want)
	}
	for _, id := range ids[:maxCacheTags/2-2] {
		tags.Add("host" + id)
	}
	if got := tags.All(); len(got) != maxCacheTags {
		t.Errorf("%q of half as many hosts", got)
	}
	tags.Add("one-more")
	if got := tags.All(); got != nil {
		t.Errorf("%q of more hosts", got)
	}
}
