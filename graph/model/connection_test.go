package model

import (
	"bytes"
	"slices"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// contacts returns contacts with these raw ids.
func contacts(t *testing.T, ids ...string) []*upstream.Contact {
	t.Helper()
	var rows []*upstream.Contact
	for _, id := range ids {
		row, err := upstream.ParseRecord[upstream.Contact]("101", `{"id":`+id+`}`)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// TestPageInfoSaysWhereThePageLies pins both directions of a walk. Behind a given cursor lies at
// least the cursor's own row.
func TestPageInfoSaysWhereThePageLies(t *testing.T) {
	for _, test := range []struct {
		more           bool
		window         upstream.Window
		next, previous bool
	}{
		{false, upstream.Window{}, false, false},
		{true, upstream.Window{}, true, false},
		{false, upstream.Window{Cursor: "5"}, false, true},
		{true, upstream.Window{Cursor: "5"}, true, true},
		{false, upstream.Window{Backward: true}, false, false},
		{true, upstream.Window{Backward: true}, false, true},
		{false, upstream.Window{Backward: true, Cursor: "5"}, true, false},
	} {
		info := NewConnection(upstream.Slice[upstream.Contact]{Rows: contacts(t, "6", "7", "9"), More: test.more}, test.window).PageInfo()
		if info.HasNextPage != test.next || info.HasPreviousPage != test.previous {
			t.Errorf("%+v, more %t: next %t and previous %t, want %t and %t", test.window, test.more, info.HasNextPage, info.HasPreviousPage, test.next, test.previous)
		}
		if *info.StartCursor != "6" || *info.EndCursor != "9" {
			t.Errorf("the cursors are %s and %s, want those of the first and the last row", *info.StartCursor, *info.EndCursor)
		}
	}
	empty := NewConnection(upstream.Slice[upstream.Contact]{}, upstream.Window{})
	if info := empty.PageInfo(); info.StartCursor != nil || info.EndCursor != nil || empty.Nodes == nil || len(empty.Edges()) != 0 {
		t.Errorf("an empty page has cursors, or null in place of an empty list: %+v", info)
	}
}

func TestEdgesHaveTheRowsAndTheirCursors(t *testing.T) {
	c := NewConnection(upstream.Slice[upstream.Contact]{Rows: contacts(t, "6", "7")}, upstream.Window{})
	var cursors []string
	for i, edge := range c.Edges() {
		cursors = append(cursors, edge.Cursor)
		if edge.Node != c.Nodes[i] || c.Row(i) != any(edge.Node) || c.CursorOf(i) != edge.Cursor {
			t.Errorf("edge %d has another row or cursor than the connection", i)
		}
	}
	if !slices.Equal(cursors, []string{"6", "7"}) || c.Len() != 2 || c.Type().Kind() != upstream.KindContact {
		t.Errorf("%d rows of the kind %s with the cursors %q, want two contacts: 6 and 7", c.Len(), c.Type().Kind(), cursors)
	}
}

// marshaled returns the JSON of a scalar.
func marshaled(m graphql.Marshaler) string {
	var b bytes.Buffer
	m.MarshalGQL(&b)
	return b.String()
}

func TestScalarsAreReadAndWritten(t *testing.T) {
	time, err := UnmarshalDateTime("2025-01-31T11:30:00.5+02:00")
	if err != nil || marshaled(MarshalDateTime(time)) != `"2025-01-31T09:30:00.500Z"` {
		t.Errorf("the time is %s (%v), want it in UTC with milliseconds", marshaled(MarshalDateTime(time)), err)
	}
	for _, bad := range []any{"2025-01-31", "soon", 7, nil} {
		if _, err := UnmarshalDateTime(bad); err == nil {
			t.Errorf("%v is read as a time, want an error", bad)
		}
	}
	if got := marshaled(MarshalJSON(nil)) + marshaled(MarshalJSON([]byte(`{"a":1}`))); got != `null{"a":1}` {
		t.Errorf("JSON values are written as %s, want null and the value as it is", got)
	}
	if got, err := UnmarshalJSON(map[string]any{"b": []any{int64(1), nil}, "a": "x"}); err != nil || string(got) != `{"a":"x","b":[1,null]}` {
		t.Errorf("JSON is read as %s (%v), want the argument with sorted keys", got, err)
	}
	for n, want := range map[int]string{7: "7", -1 << 31: "-2147483648", 1 << 31: ""} {
		var b bytes.Buffer
		if err := MarshalInt(n).MarshalGQLContext(t.Context(), &b); b.String() != want || (err == nil) != (want != "") {
			t.Errorf("%d is written as %q with the error %v, want %q", n, b.String(), err, want)
		}
	}
	ref := upstream.Ref{Kind: upstream.KindTeam, ID: "11"}
	if got := marshaled(MarshalGlobalID(ref)); got != `"MTp0ZWFtOjEx"` {
		t.Errorf("the global id is written as %s", got)
	}
	if got, err := UnmarshalGlobalID("MTp0ZWFtOjEx"); got != ref || err != nil {
		t.Errorf("the global id is read as %+v (%v), want %+v", got, err, ref)
	}
	for _, bad := range []any{"11", 11, nil} {
		if _, err := UnmarshalGlobalID(bad); err == nil {
			t.Errorf("%v is read as a global id, want an error", bad)
		}
	}
}

// TestEnumsThatClickFunnelsExtends pins values that are newer than the schema.
func TestEnumsThatClickFunnelsExtends(t *testing.T) {
	e := enum{"one_time", "renewal"}
	for value, want := range map[string]string{"renewal": `"RENEWAL"`, "one_time": `"ONE_TIME"`, "goodwill": `"UNKNOWN"`, "": `"UNKNOWN"`} {
		if got := marshaled(e.marshal(value)); got != want {
			t.Errorf("%q is written as %s, want %s", value, got, want)
		}
	}
	if got, err := e.unmarshal("ONE_TIME"); got != "one_time" || err != nil {
		t.Errorf("ONE_TIME is read as %q (%v), want one_time", got, err)
	}
	if _, err := e.unmarshal("UNKNOWN"); err == nil {
		t.Error("UNKNOWN is read as a value, want an error")
	}
}
