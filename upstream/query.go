package upstream

import (
	"net/url"
	"strings"
)

// PageSize is the number of rows of every page; it cannot be chosen
// (API.md §3.1).
const PageSize = 20

// Query is what a list can be asked for. The zero value is the first page in
// the order of creation. It is comparable, so that it can be a cache's key.
type Query struct {
	// After is the id of the last row already had; empty for the first page.
	After string
	// SortProperty is "id" or "updated_at"; empty is "id".
	SortProperty string
	Descending   bool
	Filter       Filter
}

// encode returns the query as it stands in a URL. expand are the keys that are
// sent only when asked for (API.md §3.5).
func (q Query) encode(expand []string) string {
	var b strings.Builder
	add := func(key, value string) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(key)
		b.WriteByte('=')
		b.WriteString(value)
	}
	if q.Filter != "" {
		b.WriteString(string(q.Filter))
	}
	if q.SortProperty != "" && q.SortProperty != "id" {
		add("sort_property", url.QueryEscape(q.SortProperty))
	}
	if q.Descending {
		add("sort_order", "desc")
	}
	if q.After != "" {
		add("after", url.QueryEscape(q.After))
	}
	for _, key := range expand {
		add("expand%5B%5D", key)
	}
	return b.String()
}

// Filter narrows a list: a row has to match every key, and of each key any
// value (API.md §3.3). It is the encoded form, comparable; build it with
// [Filter.With].
type Filter string

// filterKey is how the key of a filter begins in a URL.
const filterKey = "filter%5B"

// With returns the filter narrowed further to rows whose key is one of the
// values. Values are escaped; since a comma separates them and ClickFunnels
// knows no way to escape one (API.md §9), a value that is blank or holds a
// comma is refused with the code BadUserInput.
func (f Filter) With(key string, values ...string) (Filter, error) {
	var b strings.Builder
	b.WriteString(string(f))
	if b.Len() > 0 {
		b.WriteByte('&')
	}
	b.WriteString(filterKey)
	b.WriteString(url.QueryEscape(key))
	b.WriteString("%5D=")
	for i, value := range values {
		if strings.TrimSpace(value) == "" || strings.ContainsAny(value, ",\x00\r\n") {
			return "", NewError(BadUserInput, "A value to filter by can be neither blank nor hold a comma or a line break.")
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(url.QueryEscape(value))
	}
	return Filter(b.String()), nil
}
