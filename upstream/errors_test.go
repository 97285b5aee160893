package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// TestErrorBodyShapes reads each shape of the API's error bodies (clickfunnels-api.md §4).
func TestErrorBodyShapes(t *testing.T) {
	for _, test := range []struct{ body, text string }{
		{`{"error": "API key missing or invalid"}`, "API key missing or invalid"},
		{`{"error": "Bad request: HTTP body must be valid JSON"}`, "HTTP body must be valid JSON"},
		{`{"error": "Not found: Record 4 missing"}`, "Record 4 missing"},
		{`{"error": "Request unprocessable: Amount can't be blank; Amount is not a number"}`, "Amount can't be blank; Amount is not a number"},
		{`{"error": {"message": "Name is taken"}}`, "Name is taken"},
		{`{"error": {"name": ["is taken", "is odd"]}}`, "name is taken; name is odd"},
		{`{"errors": ["one", "two"]}`, "one; two"},
		{`{"errors": {"email_address": "is invalid", "base": ["No"]}}`, "email_address is invalid; No"},
		{`{"errors": [{"detail": "too long"}]}`, "too long"},
		{`{"base": ["Cannot edit a subscription price that is attached to an order."]}`, "Cannot edit a subscription price that is attached to an order."},
		{`{"message": "Nope"}`, "Nope"},
		{`{"error": true, "message": "Name is taken"}`, "Name is taken"},
		{`{"message": "Invalid", "error": 1, "errors": {"name": ["is taken"]}}`, "name is taken"},
		{`{"title": "Invalid", "detail": "Name is taken"}`, "Name is taken"},
		{"\xef\xbb\xbf" + `{"error": "Name is taken"}`, "Name is taken"},
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
		b := errorBody{sanitize: clean}
		b.read([]byte(test.body), false)
		if text := strings.Join(b.messages, "; "); text != test.text {
			t.Errorf("%.60s: %q, want %q", test.body, text, test.text)
		}
	}
}

func TestStatusToCode(t *testing.T) {
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for status, want := range map[int]struct {
		code  Code
		retry bool
	}{
		301: {Unavailable, false}, 400: {BadUserInput, false}, 401: {Unauthenticated, false}, 402: {Forbidden, false}, 403: {Forbidden, false}, 404: {NotFound, false},
		412: {Conflict, false}, 423: {Conflict, false}, 451: {Forbidden, false},
		408: {Timeout, true}, 409: {Conflict, false}, 410: {NotFound, false}, 418: {BadUserInput, false}, 422: {BadUserInput, false},
		429: {RateLimited, true}, 500: {Unavailable, true}, 502: {Unavailable, true}, 503: {Unavailable, true}, 504: {Timeout, true}, 599: {Unavailable, true},
	} {
		e := c.WithToken("t0ken").responseError(transport.Response{Status: status, Header: http.Header{}})
		if e.Code != want.code || e.Retryable != want.retry || e.Status != status || !errors.Is(e, want.code) || errors.Is(e, Internal) || !strings.HasPrefix(e.Message, "ClickFunnels answered ") {
			t.Errorf("%d: %+v", status, e)
		}
	}
}

// TestErrorMessagesHideTheToken echoes the token at every offset, and with characters that clean
// removes.
func TestErrorMessagesHideTheToken(t *testing.T) {
	const token = "s3cret-token"
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for before := range 520 {
		for _, echo := range []string{token, "s3cret-\u0000token", "s3cret\u200b-token"} {
			body := `{"error":"` + strings.Repeat("y", before) + echo + `zzz"}`
			e := c.WithToken(token).responseError(transport.Response{Status: http.StatusInternalServerError, Header: http.Header{}, Body: []byte(body)})
			if strings.Contains(e.Message, "s3cret-t") {
				t.Fatalf("%d before: %s", before, e.Message)
			}
		}
	}
}

// TestErrorMessagesAreSplit checks that a text is split into messages only between them.
func TestErrorMessagesAreSplit(t *testing.T) {
	c := &Client{token: "t0ken"}
	for _, test := range []struct {
		body string
		want []string
	}{
		{`{"error": "Name can't be blank; Amount is no number"}`, []string{"Name can't be blank", "Amount is no number"}},
		{`{"error": "Name \"a; b\" is taken; Color \"c; d\" is odd"}`, []string{`Name "a; b" is taken`, `Color "c; d" is odd`}},
		{`{"error": "5\" is short; 6\" is long"}`, []string{`5" is short`, `6" is long`}},
		{`{"error": "an open \"quote; and more"}`, []string{`an open "quote`, "and more"}},
		{`{"name": ["is \"a; b\"", "is c; d"]}`, []string{`name is "a; b"`, "name is c; d"}},
		{`nothing that is JSON; twice`, []string{"ClickFunnels answered 422 Unprocessable Entity."}},
	} {
		e := c.responseError(transport.Response{Status: http.StatusUnprocessableEntity, Header: http.Header{}, Body: []byte(test.body)})
		if got := e.Messages(); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.body, got, test.want)
		}
	}
}

// TestPlainTextErrorMessages checks that plain text is shown for 4xx but not for 5xx.
func TestPlainTextErrorMessages(t *testing.T) {
	c := &Client{token: "t0ken"}
	for _, test := range []struct {
		status      int
		media, body string
		want        string
	}{
		{422, "text/plain; charset=utf-8", "Name is taken\nby t0ken\n", "Name is taken by ***"},
		{422, "text/plain", `{"error": "Name is taken"}`, "Name is taken"},
		{404, "text/plain", "404 page not found\n", "404 page not found"},
		{422, "text/plain", "<html>no</html>", "ClickFunnels answered 422 Unprocessable Entity."},
		{422, "text/html", "Name is taken", "ClickFunnels answered 422 Unprocessable Entity."},
		{503, "text/plain", "connect to 10.0.0.7:3000: refused", "ClickFunnels answered 503 Service Unavailable."},
	} {
		e := c.responseError(transport.Response{Status: test.status, Header: http.Header{"Content-Type": {test.media}}, Body: []byte(test.body)})
		if e.Message != test.want {
			t.Errorf("%d %s %q: %q, want %q", test.status, test.media, test.body, e.Message, test.want)
		}
	}
}

// TestErrorBodiesAreBounded reads bodies with many or long messages.
func TestErrorBodiesAreBounded(t *testing.T) {
	c := &Client{token: "t0ken"}
	key := strings.Repeat("k", 50<<10)
	for name, body := range map[string]string{
		"a long attribute with many messages": `{"` + key + `":["a"` + strings.Repeat(`,"a"`, 5000) + `]}`,
		"an attribute longer than the limit":  `{"` + key + key + `":["a"` + strings.Repeat(`,"a"`, 20_000) + `]}`,
		"many attributes":                     `{"a":"b"` + strings.Repeat(`,"a":"b"`, 2<<20) + `}`,
		"many objects":                        `[{}` + strings.Repeat(`,{}`, 5<<20) + `]`,
		"a long message":                      `{"error":"` + strings.Repeat("a", 16<<20) + `"}`,
		"deep nesting":                        strings.Repeat(`[`, 8<<20),
		"deep objects":                        strings.Repeat(`{"a":`, 3<<20),
		"many messages to split":              `{"error":"` + strings.Repeat("a; ", 20_000) + `"}`,
	} {
		text := []byte(body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		e := c.responseError(transport.Response{Status: http.StatusUnprocessableEntity, Header: http.Header{}, Body: text})
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
			t.Errorf("%s: %d MiB were allocated", name, used>>20)
		}
		if len(e.Message) > maxMessageBytes+len("…") || e.Message == "" {
			t.Errorf("%s: %q", name, e.Message)
		}
	}
	e := c.responseError(transport.Response{Status: http.StatusUnprocessableEntity, Header: http.Header{}, Body: []byte(`{"name":["is taken"],"` + key + key + `":["a"]}`)})
	if e.Message != "name is taken" {
		t.Errorf("a message before the limit is lost: %q", e.Message)
	}
	long := strings.Repeat("Name is taken; ", 5000)
	for media, body := range map[string]string{"application/json": `{"error":"` + long + `"}`, "text/plain": long} {
		e := c.responseError(transport.Response{Status: http.StatusUnprocessableEntity, Header: http.Header{"Content-Type": {media}}, Body: []byte(body)})
		if !strings.HasPrefix(e.Message, "Name is taken; Name is taken") || len(e.Message) > maxMessageBytes+len("…") {
			t.Errorf("a long text as %s: %q", media, e.Message)
		}
	}
}

// TestTransportErrorsToCodes converts each error of the transport. Errors of the caller's own
// context take precedence.
func TestTransportErrorsToCodes(t *testing.T) {
	for name, test := range map[string]struct {
		err     error
		code    Code
		message string
		wait    time.Duration
		retry   bool
	}{
		"host down":       {&transport.RefusedError{Reason: transport.HostDown, RetryAfter: 3 * time.Second}, Unavailable, "not responding", 3 * time.Second, true},
		"queue full":      {&transport.RefusedError{Reason: transport.QueueFull, RetryAfter: time.Second}, RateLimited, "already waiting", time.Second, true},
		"host paused":     {&transport.RefusedError{Reason: transport.HostPaused, RetryAfter: time.Minute}, RateLimited, "asked to wait", time.Minute, true},
		"over budget":     {transport.ErrOverBudget, OverBudget, "budget", 0, false},
		"long body":       {&transport.BodyTooLargeError{Max: 4 << 20}, Unavailable, "limit of 4 MiB", 0, false},
		"invalid request": {fmt.Errorf("%w: x", transport.ErrInvalidRequest), Internal, "could not be made", 0, false},
		"timeout":         {context.DeadlineExceeded, Timeout, "in time", 0, true},
		"lost connection": {io.ErrUnexpectedEOF, Unavailable, "could not be reached", 0, true},
	} {
		got, _ := errors.AsType[*Error](callError(t.Context(), test.err))
		if got == nil || got.Code != test.code || !strings.Contains(got.Message, test.message) || got.RetryAfter != test.wait || got.Retryable != test.retry || got.Status != 0 {
			t.Errorf("%s: %+v", name, got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := callError(ctx, test.err); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, canceled: %v", name, err)
		}
	}
}
