package upstream

import (
	"fmt"
	"net/url"
	"strconv"
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

// follows reports whether a row with the key may stand behind the query's cursor. Only a
// list sorted by id tells: there, ids rise or fall.
func (q Query) follows(key string) bool {
	if q.After == "" || q.SortProperty != "" && q.SortProperty != "id" {
		return true
	}
	row, err := strconv.ParseUint(key, 10, 64)
	cursor, badCursor := strconv.ParseUint(q.After, 10, 64)
	if err != nil || badCursor != nil {
		return true
	}
	if q.Descending {
		return row < cursor
	}
	return row > cursor
}

// Filter narrows a list: a row has to match every key, and of each key any
// value (API.md §3.3). It is the encoded form, comparable; build it with
// [Filter.With].
type Filter string

// filterKey is how the key of a filter begins in a URL.
const filterKey = "filter%5B"

const (
	// maxFilterBytes keeps the URL of a filtered list below the 8 KB that servers
	// commonly accept; ClickFunnels does not say what it accepts (API.md §9, 4).
	maxFilterBytes = 6 << 10
	// maxValueBytes is far above any value. Escaped, two of them still fit a filter.
	maxValueBytes = 1000
)

// Split returns filters that find the same rows together, each short enough for a URL.
// Nearly always that is the filter itself. A row can match several of them.
func (f Filter) Split() []Filter {
	if len(f) <= maxFilterBytes {
		return []Filter{f}
	}
	// The values of the longest key are halved: keys are ANDed, values are ORed.
	keys := strings.Split(string(f), "&")
	longest := 0
	for i, key := range keys {
		if len(key) > len(keys[longest]) {
			longest = i
		}
	}
	name, list, _ := strings.Cut(keys[longest], "=")
	values := strings.Split(list, ",")
	if len(values) == 1 {
		return []Filter{f}
	}
	var parts []Filter
	for _, half := range [][]string{values[:len(values)/2], values[len(values)/2:]} {
		keys[longest] = name + "=" + strings.Join(half, ",")
		parts = append(parts, Filter(strings.Join(keys, "&")).Split()...)
	}
	return parts
}

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
		if len(value) > maxValueBytes {
			return "", NewError(BadUserInput, fmt.Sprintf("A value to filter by has %d bytes; it can have %d.", len(value), maxValueBytes))
		}
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
