package upstream

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// PageSize is the fixed number of rows of a page (clickfunnels-api.md §3.1).
const PageSize = 20

// Query holds the parameters of a list. The zero value requests the first page in the order of
// creation. A Query is comparable and can be used in a cache key.
type Query struct {
	// After is the id of the last row of the previous page; empty for the first page.
	After string
	// SortProperty is "id" or "updated_at"; empty means "id".
	SortProperty string
	Descending   bool
	Filter       Filter
	// Params are further parameters of the path, encoded, such as `include_archived=true`.
	Params string
	// Stored reports whether the parameters name a stored filter.
	Stored bool
}

// encode returns the query string. expand lists the keys that are sent only on request
// (clickfunnels-api.md §3.5).
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
	if q.Params != "" {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(q.Params)
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

// follows reports whether a row with the key can come after the query's cursor. Only lists sorted
// by id can tell, because their ids rise or fall.
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

// Filter restricts a list to rows that match each key with any of its values (clickfunnels-api.md §3.3). It is
// in encoded form and comparable. Build it with [Filter.With].
type Filter string

// filterKey is the start of a filter's key in a URL.
const filterKey = "filter%5B"

const (
	// maxFilterBytes keeps the URL of a filtered list below 8 KB, which servers commonly accept.
	// The API's limit is not documented (clickfunnels-api.md §9, 4).
	maxFilterBytes = 6 << 10
	// maxValueBytes is far above any value. Two escaped values still fit a filter.
	maxValueBytes = 1000
)

// Split returns filters that together find the same rows, each short enough for a URL. Nearly
// always that is the filter itself. A row can match several of them.
func (f Filter) Split() []Filter {
	if len(f) <= maxFilterBytes {
		return []Filter{f}
	}
	// Split halves the values of the longest key: keys are ANDed, values are ORed.
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

// With returns the filter, further restricted to rows whose key has one of the values. Values are
// escaped. A comma separates them, and no way to escape one is known (clickfunnels-api.md §9). With therefore
// refuses blank values and values with a comma or a line break, with the code BadUserInput. It also
// refuses values longer than 1000 bytes.
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
			return "", NewError(BadUserInput, fmt.Sprintf("A filter value has %d bytes; the maximum is %d.", len(value), maxValueBytes))
		}
		if strings.TrimSpace(value) == "" || strings.ContainsAny(value, ",\x00\r\n") {
			return "", NewError(BadUserInput, "A filter value must not be blank or contain a comma or a line break.")
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(url.QueryEscape(value))
	}
	return Filter(b.String()), nil
}
