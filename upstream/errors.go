package upstream

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// Code is the class of a failure. It is also an error, so that errors.Is(err, upstream.NotFound)
// tests the class of any error.
type Code string

// Classes of failures.
const (
	// The token is missing or invalid.
	Unauthenticated Code = "UNAUTHENTICATED"
	// The token, the plan or the User-Agent does not allow the call.
	Forbidden Code = "FORBIDDEN"
	// The record does not exist, or the client must not see it.
	NotFound Code = "NOT_FOUND"
	// The arguments are invalid.
	BadUserInput Code = "BAD_USER_INPUT"
	// The record's state does not allow the change.
	Conflict Code = "CONFLICT"
	// Too many calls; see [Error.RetryAfter].
	RateLimited Code = "RATE_LIMITED"
	// ClickFunnels did not respond in time.
	Timeout Code = "UPSTREAM_TIMEOUT"
	// ClickFunnels is unreachable, failed, or sent an unreadable response.
	Unavailable Code = "UPSTREAM_UNAVAILABLE"
	// The [transport.Allowance] of the request is used up.
	OverBudget Code = "CALL_BUDGET_EXCEEDED"
	// A defect of this package.
	Internal Code = "INTERNAL_SERVER_ERROR"
)

// Error implements error.
func (c Code) Error() string { return string(c) }

// Error is the error of every failed call, except for a canceled context. Its message, status and
// code contain nothing of the request beyond what the caller may see.
type Error struct {
	Code Code
	// Status is the HTTP status of the response; 0 without a response.
	Status int
	// Message can be shown to the caller. It is ClickFunnels' own text if that is readable.
	Message string
	// Retryable reports whether the same call may succeed later.
	Retryable bool
	// Unknown reports that ClickFunnels may have carried out a write despite the error. Check the
	// record before retrying.
	Unknown bool
	// RetryAfter is how long ClickFunnels asked to wait, at most two minutes; 0 if it did not say.
	RetryAfter time.Duration
	// Refused reports that this is ClickFunnels' response to the write itself, and not to a call
	// that prepared it.
	Refused bool

	messages []string
	cause    error
}

// Messages returns ClickFunnels' messages, one for each problem. Without any, it returns the
// error's own message.
func (e *Error) Messages() []string {
	if len(e.messages) == 0 {
		return []string{e.Message}
	}
	return e.messages
}

// errCursorRejected is the cause of an [Error] of a list request that ClickFunnels rejected with
// 404 or 422 because of its cursor.
var errCursorRejected = errors.New("the list was refused with this cursor")

// NewError returns an error with a code and a message that can be shown to the caller.
func NewError(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause of the failure. It is for logs, not for callers.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether the target is the error's code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// responseError converts an unsuccessful response to an error. The status alone determines the
// code; the text is only shown (clickfunnels-api.md §4).
func (c *Client) responseError(a transport.Response) *Error {
	e := &Error{Status: a.Status, RetryAfter: a.RetryAfter()}
	switch s := a.Status; {
	case s == http.StatusUnauthorized:
		e.Code = Unauthenticated
	case s == http.StatusForbidden || s == http.StatusPaymentRequired || s == http.StatusUnavailableForLegalReasons:
		e.Code = Forbidden
	case s == http.StatusNotFound || s == http.StatusGone:
		e.Code = NotFound
	case s == http.StatusConflict || s == http.StatusLocked || s == http.StatusPreconditionFailed:
		e.Code = Conflict
	case s == http.StatusTooManyRequests:
		e.Code, e.Retryable = RateLimited, true
	case s == http.StatusRequestTimeout || s == http.StatusGatewayTimeout:
		e.Code, e.Retryable = Timeout, true
	case s == http.StatusTooEarly:
		e.Code, e.Retryable = Unavailable, true
	case s >= 400 && s < 500:
		e.Code = BadUserInput
	default: // 5xx, and 3xx, since redirects are not followed
		e.Code, e.Retryable = Unavailable, s >= 500
	}
	// ClickFunnels' texts must not reveal the token, neither as it is nor with characters in it
	// that clean removes.
	read := errorBody{sanitize: func(text string) string {
		return strings.ReplaceAll(clean(strings.ReplaceAll(text, string(c.token), redacted)), string(c.token), redacted)
	}}
	// A proxy's plain text is shown if the request caused the error. For 5xx it could describe
	// internals.
	plain := strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") && e.Status < http.StatusInternalServerError
	read.read(a.Body, plain)
	e.messages = read.messages
	if e.Message = strings.Join(read.messages, "; "); e.Message == "" {
		e.Message = strings.TrimSpace("ClickFunnels answered "+strconv.Itoa(e.Status)+" "+http.StatusText(e.Status)) + "."
	}
	if e.Status == http.StatusForbidden {
		e.Message = withForbiddenHint(e.Message)
	}
	return e
}

// withForbiddenHint adds the possible causes to the text of a 403, which seldom states them. API
// access requires a larger plan, tokens can have a narrow scope, and the edge refuses calls by
// their User-Agent (clickfunnels-api.md §2).
func withForbiddenHint(text string) string {
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text + " Check that the account's plan includes API access, that the token's scope covers this, and that the User-Agent (--user-agent) is a distinct name."
}

// clean makes a text safe to show: one line, no control characters, no markup, and none of the
// API's prefixes.
func clean(text string) string {
	text = strings.ToValidUTF8(text, "")
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	text = strings.TrimSpace(text)
	for _, prefix := range []string{"Bad request: ", "Request unprocessable: ", "Not found: "} {
		text = strings.TrimSpace(strings.TrimPrefix(text, prefix))
	}
	if strings.HasPrefix(text, "<") {
		return ""
	}
	return text
}

// truncate shortens a text to at most the given number of bytes, plus an ellipsis.
func truncate(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
