package upstream

import (
	"errors"
	"net/url"
	"strconv"
	"time"
)

// errOverBudget is the error of a call beyond its [Allowance].
var errOverBudget = errors.New("call budget exceeded")

// errInvalidRequest is the error of a call that cannot be written as an HTTP request.
var errInvalidRequest = errors.New("invalid request")

// bodyTooLargeError is the error of a call whose response has a longer body than allowed.
type bodyTooLargeError struct {
	// max is the maximum length of a body, in bytes.
	max int64
}

func (e *bodyTooLargeError) Error() string {
	return "body exceeds the limit of " + strconv.FormatInt(e.max, 10) + " bytes"
}

// refusedError is the error of a call that was not made. The same call may be made later.
type refusedError struct {
	reason refusal
	// retryAfter is when to try again.
	retryAfter time.Duration
}

// refusal is the reason for a [refusedError].
type refusal string

const (
	// hostDown means that the host's circuit breaker is open.
	hostDown refusal = "the circuit breaker is open"
	// queueFull means that too many calls wait for the concurrency limiter.
	queueFull refusal = "too many calls are waiting"
	// hostPaused means that the host has asked to wait until after the call's deadline.
	hostPaused refusal = "the host has asked to wait"
)

func (e *refusedError) Error() string { return "call refused: " + string(e.reason) }

// withoutURL removes the URL, which may contain a caller's values, from an error of net/http.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
