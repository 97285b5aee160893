package upstream

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestErrorBodies reads every shape that the API's errors have (API.md §4).
func TestErrorBodies(t *testing.T) {
	for _, test := range []struct{ body, text string }{
		{`{"error": "API key missing or invalid"}`, "API key missing or invalid"},
		{`{"error": "Bad request: HTTP body must be valid JSON"}`, "HTTP body must be valid JSON"},
		{`{"error": "Not found: Record 4 missing"}`, "Record 4 missing"},
		{`{"error": "Request unprocessable: Amount can't be blank; Amount is not a number"}`, "Amount can't be blank; Amount is not a number"},
		{`{"error": {"message": "Name is taken"}}`, "Name is taken"},
		{`{"error": {"name": ["is taken", "is odd"]}}`, "name is taken; name is odd"},
		{`{"errors": ["one", "two"]}`, "one; two"},
		{`{"errors": {"email_address": "is invalid", "base": ["No"]}}`, "No; email_address is invalid"},
		{`{"errors": [{"detail": "too long"}]}`, "too long"},
		{`{"base": ["Cannot edit a subscription price that is attached to an order."]}`, "Cannot edit a subscription price that is attached to an order."},
		{`{"message": "Nope"}`, "Nope"},
		{`{"status": 422, "error": "Bad"}`, "Bad"},
		{`{"error": null, "errors": ["x"]}`, "x"},
		{`["one", "two"]`, "one; two"},
		{`"No such route"`, "No such route"},
		{`<html><body>502</body></html>`, ""},
		{`{"error": "<html>502</html>"}`, ""},
		{`No such route`, ""},
		{`{"error": `, ""},
		{`{}`, ""},
		{`[]`, ""},
		{`null`, ""},
		{`7`, ""},
		{``, ""},
		{"\xff\xfe", ""},
		{`{"error": "a\u0000b\nc\u202ed"}`, "ab cd"},
		{`{"error": "` + strings.Repeat("é", 600) + `"}`, strings.Repeat("é", 250) + "…"},
	} {
		text, _ := readErrorBody([]byte(test.body))
		if text = cut(clean(text)); text != test.text {
			t.Errorf("%.60s: %q, want %q", test.body, text, test.text)
		}
	}
}

func TestStatus(t *testing.T) {
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for status, want := range map[int]struct {
		code  Code
		retry bool
	}{
		301: {Unavailable, false}, 400: {BadUserInput, false}, 401: {Unauthenticated, false}, 403: {Forbidden, false}, 404: {NotFound, false},
		408: {Timeout, true}, 409: {Conflict, false}, 410: {NotFound, false}, 418: {BadUserInput, false}, 422: {BadUserInput, false},
		429: {RateLimited, true}, 500: {Unavailable, true}, 502: {Unavailable, true}, 503: {Unavailable, true}, 504: {Timeout, true}, 599: {Unavailable, true},
	} {
		e := c.WithToken("t0ken").answerError(&http.Response{StatusCode: status, Header: http.Header{}}, nil)
		if e.Code != want.code || e.Retryable != want.retry || e.Status != status || !errors.Is(e, want.code) || errors.Is(e, Internal) || !strings.HasPrefix(e.Message, "ClickFunnels answered ") {
			t.Errorf("%d: %+v", status, e)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, "0.5": 500 * time.Millisecond, "-1": 0, "x": 0, "NaN": 0, "1e300": maxRetryAfter,
		"Thu, 01 Jan 2026 00:00:30 GMT": 30 * time.Second, "Wed, 31 Dec 2025 23:59:30 GMT": 0, "Fri, 31 Dec 9999 23:59:59 GMT": maxRetryAfter,
		"120": 2 * time.Minute, "86400": maxRetryAfter, "Inf": maxRetryAfter,
		"1767225630": 30 * time.Second, "1767225630000": 30 * time.Second, "1767225570": 0, "1767225570000": 0, "1798761600": maxRetryAfter,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
	if _, wait := readErrorBody([]byte(`{"error": "Too many filtered requests are already running", "retry_after": 2}`)); wait != 2*time.Second {
		t.Errorf("in the body: %s", wait)
	}
}

// TestTokenInAnError has ClickFunnels echo the token in every place that could
// let it through.
func TestTokenInAnError(t *testing.T) {
	const token = "s3cret-token"
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for before := range 520 {
		for _, echo := range []string{token, "s3cret-\u0000token", "s3cret\u200b-token"} {
			body := `{"error":"` + strings.Repeat("y", before) + echo + `zzz"}`
			e := c.WithToken(token).answerError(&http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{}}, []byte(body))
			if strings.Contains(e.Message, "s3cret-t") {
				t.Fatalf("%d before: %s", before, e.Message)
			}
		}
	}
}
