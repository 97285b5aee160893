package upstream

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// FuzzErrorBodies reads arbitrary error bodies. The message must be one short line without markup,
// control characters or the token.
func FuzzErrorBodies(f *testing.F) {
	for _, body := range []string{
		"", `{"error":"Not found: Record 4 missing"}`, `{"error":["a","b"]}`, `{"errors":{"base":["a"],"name":[{"message":"b"}]}}`, `"text"`, `<html><body>502</body></html>`, `{"error":null,"retry_after":"5"}`,
		`{"retry_after":1e300,"error":"x"}`, `{"error":"s3cret"}`, `{"error":"s3\u200bcret"}`, `{"base":["\u0000\u202e"]}`, "{\"error\":\"\xff\"}", `[[[[[["x"]]]]]]`, `{"error":{"error":{"error":1}}}`,
	} {
		f.Add([]byte(body), 422)
	}
	c := &Client{token: "s3cret"}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		e := c.responseError(transport.Response{Status: status, Header: http.Header{}, Body: body})
		if e.Message == "" || e.Code == "" || len(e.Message) > maxMessageBytes+len("…") || !utf8.ValidString(e.Message) || strings.Contains(e.Message, "s3cret") || strings.HasPrefix(e.Message, "<") {
			t.Errorf("%q: %+v", body, e)
		}
		if strings.ContainsFunc(e.Message, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q: %q", body, e.Message)
		}
		if e.RetryAfter < 0 || e.RetryAfter > transport.MaxRetryAfter {
			t.Errorf("%q: wait %s", body, e.RetryAfter)
		}
	})
}

// FuzzLists decodes arbitrary bodies as lists of contacts, as rows and with the reference decoder.
// If both succeed, the results must be equal. The row reader does not inspect skipped strings, so
// it accepts a few bodies that are not JSON.
func FuzzLists(f *testing.F) {
	for _, body := range []string{
		"", "[]", "null", "{}", "[null]", `[{"id":1,"email_address":"a","tags":[{"id":2,"name":"x"}],"custom_attributes":{"a":1,"b":null}}]`, `[{"id":"1"},{"id":2.0},{"id":null}]`,
		`[{"id":1,"created_at":"2025-01-01T00:00:00.000Z","is_active":"true","visits":{"first_visit":{"uuid":"u"}}}]`, `[{"id":1,"id":2}]`, "[{\"id\":1,\"first_name\":\"\xff\"}]", `[{"id":1,"first_name":"\ud800"}]`,
		`[{"id":1,"tags":{}},{"id":2,"tags":"x"},{"id":3,"tags":[1,null,{}]}]`, strings.Repeat("[", 200) + strings.Repeat("]", 200), `[{"id":1}] x`, `[{"id":1,}]`, `[{"id":-0.0e5}]`, `[{"id":01}]`, "[{\"id\":1\x00}]",
	} {
		f.Add([]byte(body))
	}
	all := NewProjection(func(string) bool { return true })
	f.Fuzz(func(t *testing.T, body []byte) {
		want, wantErr := readReference(body)
		if _, err := decodeList[Contact](body, nil); err != nil && !errors.Is(err, Unavailable) {
			t.Errorf("%q: %v", body, err)
		}
		rows, err := decodeList[Contact](body, all)
		if err == nil && wantErr == nil && !sameRows(want, rows) {
			t.Errorf("%q:\nrows %+v\nwant %+v", body, rows, want)
		}
		for _, row := range rows {
			row.setWorkspace("1", namedAlways)
		}
	})
}
