package upstream

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestDecodingIsBounded decodes bodies of at most 16 MiB whose records would take many times as
// much memory.
func TestDecodingIsBounded(t *testing.T) {
	all := NewProjection(func(string) bool { return true })
	list := func(item string, n int) string { return "[" + strings.Repeat(item+",", n-1) + item + "]" }
	for _, test := range []struct {
		name, body, most string
	}{
		{"1.5 million rows", list(`{"id":1}`, 1_500_000), "1000 rows"},
		{"empty rows", list("{}", 5<<20), "1000 rows"},
		{"rows that are null", list("null", 3<<20), "1000 rows"},
		{"as many rows and one more", list(`{"id":1}`, maxRows+1), "1000 rows"},
		{"tags of a row", `[{"id":1,"tags":` + list("{}", 5<<20) + `}]`, "100000 objects"},
		{"tags that are null", `[{"id":1,"tags":` + list("null", 3<<20) + `}]`, "1000000 values"},
		{"custom attributes", `[{"id":1,"custom_attributes":{` + strings.Repeat(`"":1,`, 3<<20) + `"":1}}]`, "1000000 values"},
		{"an unknown member", `[{"id":1,"unknown":` + list("0", 8<<20) + `}]`, "1000000 values"},
		{"nesting", `[{"id":1,"unknown":` + strings.Repeat("[", 8<<20) + strings.Repeat("]", 8<<20) + `}]`, "100000 objects"},
	} {
		for _, p := range []*Projection{nil, all} {
			body := []byte(test.body)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := decodeList[Contact](body, p)
			runtime.ReadMemStats(&after)
			failed, ok := errors.AsType[*Error](err)
			if !ok || failed.Code != Unavailable || failed.Retryable || !strings.Contains(failed.Message, test.most) || !strings.Contains(failed.Message, "by their ids") {
				t.Errorf("%s: %v", test.name, err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
				t.Errorf("%s: %d MiB were allocated", test.name, used>>20)
			}
		}
	}
}

// TestLargePagesAreDecoded decodes pages far larger than any that the API sends.
func TestLargePagesAreDecoded(t *testing.T) {
	var b strings.Builder
	for row := range 20 {
		fmt.Fprintf(&b, `,{"id":%d,"tags":[{"id":0}`, row+1)
		for tag := range 4000 {
			fmt.Fprintf(&b, `,{"id":%d,"public_id":"aB%d","name":"[{,\"\\","color":"#fff"}`, tag, tag)
		}
		b.WriteString("]}")
	}
	body := []byte("[" + b.String()[1:] + "]")
	for _, p := range []*Projection{nil, NewProjection(func(string) bool { return true })} {
		rows, err := decodeList[Contact](body, p)
		if err != nil || len(rows) != 20 || len(rows[19].Tags()) != 4001 || rows[19].Tags()[4000].Name() != `[{,"\` {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
	}
	if rows, err := decodeList[Contact]([]byte("["+strings.Repeat(`{"id":1},`, maxRows-1)+`{"id":1}]`), nil); err != nil || len(rows) != maxRows {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}
