package transport

import (
	"testing"
	"time"
)

func TestRetryAfterFormats(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, "0.5": 500 * time.Millisecond, "-1": 0, "x": 0, "NaN": 0, "1e300": MaxRetryAfter,
		"Thu, 01 Jan 2026 00:00:30 GMT": 30 * time.Second, "Wed, 31 Dec 2025 23:59:30 GMT": 0, "Fri, 31 Dec 9999 23:59:59 GMT": MaxRetryAfter,
		"120": 2 * time.Minute, "86400": MaxRetryAfter, "Inf": MaxRetryAfter,
		"1767225630": 30 * time.Second, "1767225630000": 30 * time.Second, "1767225570": 0, "1767225570000": 0, "1798761600": MaxRetryAfter,
	} {
		if got := headerWait(header, now); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
	for body, want := range map[string]time.Duration{
		`{"error": "Too many filtered requests are already running", "retry_after": 2}`: 2 * time.Second,
		`{"retry_after": "3", "error": {"retry_after": 5}}`:                             3 * time.Second,
		`{"retry_after": 1e300}`:              MaxRetryAfter,
		`{"retry_after": true}`:               0,
		`{"retry_after": 4, "x": `:            4 * time.Second,
		`[{"retry_after": 4}]`:                0,
		`{"a": {"retry_after": 4}}`:           0,
		"\xef\xbb\xbf" + `{"retry_after": 4}`: 4 * time.Second,
		`<html>`:                              0,
		``:                                    0,
	} {
		if got := bodyWait([]byte(body), now); got != want {
			t.Errorf("%q: %s, want %s", body, got, want)
		}
	}
}
