package upstream

import (
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

var projections = map[string]*Projection{"every key": nil, "chosen keys": NewProjection(func(string) bool { return true })}

// TestDecimalIDsAreIntegers checks that decimal ids and references become integers, and that other
// values do not.
func TestDecimalIDsAreIntegers(t *testing.T) {
	for name, p := range projections {
		rows, err := decodeList[Order]([]byte(`[{"id":3000000001.0,"public_id":"3e9","workspace_id":1.01e2,"contact_id":"3000000002.0","page_id":9007199254740993.0,
			"external_id":"4.0","origination_channel_id":7.5,"total_amount":97.00,"tag_ids":[5.0,"6.0",7,"x.0",null,8e1],
			"contact":{"id":3.0e9,"email_address":1.50,"tags":[{"id":1e1,"name":2.0}]}}]`), p)
		if err != nil || len(rows) != 1 {
			t.Fatal(name, err)
		}
		o := rows[0]
		for got, want := range map[string]string{
			o.RawID(): "3000000001", *o.PublicID(): "3e9", o.text("workspace_id"): "101", o.ContactID(): "3000000002", o.PageID(): "9007199254740993",
			*o.ExternalID(): "4.0", *o.OriginationChannelID(): "7.5", o.TotalAmount().Amount(): "97.00",
			o.Contact().RawID(): "3000000000", *o.Contact().EmailAddress(): "1.50", o.Contact().Tags()[0].RawID(): "10", o.Contact().Tags()[0].Name(): "2.0",
		} {
			if got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if want := []string{"5", "6", "7", "x.0", "80"}; !slices.Equal(o.TagIDs(), want) {
			t.Errorf("%s: %q, want %q", name, o.TagIDs(), want)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Pagination-Next", "3.000000001e9")
		_, _ = w.Write([]byte("\xef\xbb\xbf" + `[{"id":3000000001}]`))
	}))
	defer server.Close()
	c, err := New(Config{URLTemplate: server.URL + "/{subdomain}"})
	if err != nil {
		t.Fatal(err)
	}
	if page, err := c.WithToken("t0ken").Teams(t.Context(), Query{}); err != nil || page.Next != "3000000001" {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestWholeNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"3.0": "3", "3.0e9": "3000000000", "3000000001.0": "3000000001", "9.007199254740993e15": "9007199254740993", "30e-1": "3", "-3.0": "-3", "-0.0e5": "0", "0e999999999": "0",
		"1E+2": "100", "3.5e1": "35", "007": "7",
		"3.5": "", "1e-1": "", "1,000": "", "": "", ".": "", ".5": "", "e5": "", "1e": "", "1e5.0": "", "1e1000000000": "", "1e99999999999999999999": "", "1e-1000000000": "", "0x1p4": "", "Infinity": "", "1.2.3": "",
	} {
		if got, ok := wholeNumber(text); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v, want %q", text, got, ok, want)
		}
	}
}

// TestIntegersAreExactOrInvalid reads whole numbers in every form, and rejects all other values.
func TestIntegersAreExactOrInvalid(t *testing.T) {
	for value, want := range map[string]int{
		`3`: 3, `"3"`: 3, `3.0`: 3, `"3.00"`: 3, `3e2`: 300, `-1`: -1, `2147483648`: 1 << 31, `9223372036854775807`: math.MaxInt64, `9007199254740993`: 9007199254740993,
		`3.5`: NotInt, `"1,000"`: NotInt, `"x"`: NotInt, `true`: NotInt, `{}`: NotInt, `1e30`: NotInt, `9223372036854775808`: NotInt,
	} {
		for name, p := range projections {
			row, err := decodeOne[CourseLesson]([]byte(`{"id":1,"sort_order":`+value+`}`), p)
			if err != nil || row.SortOrder() == nil || *row.SortOrder() != want {
				t.Errorf("%s, %s: %v, want %d", value, name, err, want)
			}
		}
	}
	for _, value := range []string{`null`, `""`} {
		for name, p := range projections {
			if row, err := decodeOne[CourseLesson]([]byte(`{"id":1,"sort_order":`+value+`}`), p); err != nil || row.SortOrder() != nil {
				t.Errorf("%s, %s: not null, or %v", value, name, err)
			}
		}
	}
}

func TestTimeFormats(t *testing.T) {
	at := time.Date(2025, 1, 1, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2025-01-01T10:00:00.000Z": at, "2025-01-01T10:00:00Z": at, "2025-01-01T12:00:00+02:00": at,
		"2025-01-01T12:00:00.000+0200": at, "2025-01-01T10:00:00+0000": at, "2025-01-01T10:00:00+00": at,
		"2025-01-01 10:00:00 UTC": at, "2025-01-01 10:00:00 +0000": at, "2025-01-01 12:00:00 +02:00": at, "2025-01-01T10:00:00 UTC": at,
		"2025-01-01T10:00:00": at, "2025-01-01 10:00:00": at, "2025-01-01 10:00:00.5": at.Add(500 * time.Millisecond),
		"2025-01-01": at.Add(-10 * time.Hour),
		"":           {}, "never": {}, "2025-01-01 10:00:00 EST": {}, "2025-13-01": {}, "17": {}, "9999-12-31T23:59:59-01:00": {}, "0000-01-01T00:00:00+01:00": {},
	} {
		if got, ok := ParseTime(text); ok == want.IsZero() || ok && !got.Equal(want) {
			t.Errorf("%q: %s %v, want %s", text, got, ok, want)
		}
	}
}
