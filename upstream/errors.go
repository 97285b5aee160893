package upstream

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Code is the class of a failure. It is an error itself, so that
// errors.Is(err, upstream.NotFound) tells the class of any error.
type Code string

// The classes of failures.
const (
	Unauthenticated Code = "UNAUTHENTICATED"
	Forbidden       Code = "FORBIDDEN"
	NotFound        Code = "NOT_FOUND"
	BadUserInput    Code = "BAD_USER_INPUT"
	Conflict        Code = "CONFLICT"
	RateLimited     Code = "RATE_LIMITED"
	Timeout         Code = "UPSTREAM_TIMEOUT"
	Unavailable     Code = "UPSTREAM_UNAVAILABLE"
	OverBudget      Code = "CALL_BUDGET_EXCEEDED"
	Internal        Code = "INTERNAL_SERVER_ERROR"
)

// Error implements error.
func (c Code) Error() string { return string(c) }

// Error is the one type of every failed call. It holds nothing of the request
// but what the caller may see.
type Error struct {
	Code Code
	// Status is the HTTP status of the answer; 0 when there was none.
	Status int
	// Message is fit for the caller's eyes: ClickFunnels' own text where it
	// sent a readable one.
	Message string
	// Retryable says that the same call may succeed later.
	Retryable bool
	// Unknown says of a write that ClickFunnels may have carried it out all the same:
	// look before it is tried again.
	Unknown bool
	// RetryAfter is how long ClickFunnels asked to wait, at most two minutes; 0 when it did
	// not say.
	RetryAfter time.Duration
	// Refused says that this is ClickFunnels' answer to the write itself, and not to a call
	// that was made to prepare it.
	Refused bool

	messages []string
	cause    error
}

// Messages returns the messages that ClickFunnels sent, one for each thing that it
// objects to, or else the error's own.
func (e *Error) Messages() []string {
	if len(e.messages) == 0 {
		return []string{e.Message}
	}
	return e.messages
}

// errCursorRefused is the cause of an [Error] of a list that was asked for with a cursor
// and answered as if something were missing or wrong.
var errCursorRejected = errors.New("the list was refused with this cursor")

// NewError returns an error of a class with a message fit for the caller.
func NewError(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Unwrap returns what caused the failure; it is for logs, not for callers.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether the target is the error's code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// withoutURL takes the address, which may hold a caller's values, out of an
// error of net/http.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// answerError describes an answer that is not a success. It goes by the status;
// the text is only shown (API.md §4).
func (c *Client) responseError(a response) *Error {
	e := &Error{Status: a.status, RetryAfter: retryAfter(a.header.Get("Retry-After"), time.Now())}
	switch s := a.status; {
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
	default: // 5xx, and a 3xx, which is not followed
		e.Code, e.Retryable = Unavailable, s >= 500
	}
	// Nothing that ClickFunnels says may carry the token back out, as it is or
	// with something in it that cleaning takes out.
	read := errorBody{sanitize: func(text string) string {
		return strings.ReplaceAll(clean(strings.ReplaceAll(text, string(c.token), redacted)), string(c.token), redacted)
	}}
	// A proxy's plain text is shown where it is about the call, and not about the inside.
	plain := strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") && e.Status < http.StatusInternalServerError
	read.read(a.body, plain)
	if e.RetryAfter == 0 {
		e.RetryAfter = read.wait
	}
	e.messages = read.messages
	if e.Message = strings.Join(read.messages, "; "); e.Message == "" {
		e.Message = strings.TrimSpace("ClickFunnels answered "+strconv.Itoa(e.Status)+" "+http.StatusText(e.Status)) + "."
	}
	if e.Status == http.StatusForbidden {
		e.Message = withForbiddenHint(e.Message)
	}
	return e
}

// advised adds to the text of a 403, which seldom tells the cause, what it can be: API access is a
// feature of the larger plans, tokens can be narrowed, and the edge refuses calls by their
// User-Agent (API.md §2).
func withForbiddenHint(text string) string {
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text + " Check that the account's plan includes API access, that the token's scope covers this, and that the User-Agent (--user-agent) is a distinct name."
}

// clean makes a text fit to be shown: one line, no control characters, no
// markup, without the API's own prefixes.
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

// cut bounds a text to so many bytes.
func truncate(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// maxRetryAfter is the longest wait that is believed, wherever it comes from. After it, a
// probe finds out whether calls are accepted again: a wrong value must not stop them for
// long.
const maxRetryAfter = 2 * time.Minute

// retryAfter reads a Retry-After header: seconds, a Unix time or a date. It returns 0 if
// there is nothing to wait for, and at most maxRetryAfter.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseFloat(header, 64); err == nil {
		return numericWait(seconds, now)
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return min(at.Sub(now), maxRetryAfter)
	}
	return 0
}

// secondsToWait is [retryAfter] for a number, as in the body of an answer.
func secondsToWait(seconds float64) time.Duration { return numericWait(seconds, time.Now()) }

// Numbers from firstUnix on are Unix times, in seconds (from September 2001) or, from
// firstUnixMilli on, in milliseconds.
const firstUnix, firstUnixMilli = 1e9, 1e12

func numericWait(number float64, now time.Time) time.Duration {
	if number >= firstUnixMilli {
		number /= 1000
	}
	if number >= firstUnix {
		number -= float64(now.UnixMilli()) / 1000
	}
	if !(number > 0) { // NaN is not, either
		return 0
	}
	return time.Duration(min(number, maxRetryAfter.Seconds()) * float64(time.Second))
}
