package graph

import (
	"net/url"
	"strconv"
	"testing"
)

// FuzzCursors pins that a cursor which window accepts is a number and needs no escaping.
func FuzzCursors(f *testing.F) {
	for _, cursor := range []string{"", "1", "-1", "1.5", "1&a=b", "18446744073709551616", "1\n", "\u0661", "0x1", "1_0"} {
		f.Add(cursor, 20, true)
	}
	f.Fuzz(func(t *testing.T, cursor string, rows int, forward bool) {
		first, after, last, before := &rows, &cursor, (*int)(nil), (*string)(nil)
		if !forward {
			first, after, last, before = nil, nil, first, after
		}
		w, err := window(first, after, last, before)
		if err != nil {
			return
		}
		if _, err := strconv.ParseUint(w.Cursor, 10, 64); err != nil || url.QueryEscape(w.Cursor) != w.Cursor || w.Limit < 1 || w.Limit > maxRows || w.Backward == forward {
			t.Errorf("%q and %d: %+v", cursor, rows, w)
		}
	})
}
