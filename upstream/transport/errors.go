package transport

import (
	"errors"
	"net/url"
	"strconv"
	"time"
)

// ErrOverBudget is the error of a call beyond its [Allowance].
var ErrOverBudget = errors.New("call budget exceeded")

// ErrInvalidRequest is the error of a call that cannot be written as an HTTP request.
var ErrInvalidRequest = errors.New("invalid request")

// BodyTooLargeError is the error of a call whose response has a body longer than [Config.MaxBody].
type BodyTooLargeError struct {
	// Max is [Config.MaxBody], in bytes.
	Max int64
}

// Error implements error.
func (e *BodyTooLargeError) Error() string {
	return "body exceeds the limit of " + strconv.FormatInt(e.Max, 10) + " bytes"
}

// RefusedError is the error of a call that was not made. The same call may be made later.
type RefusedError struct {
	Reason Refusal
	// RetryAfter is how long to wait before that, at most [MaxRetryAfter].
	RetryAfter time.Duration
}

// Refusal is the reason for a [RefusedError].
type Refusal string

// Reasons to make no call.
const (
	// HostDown means that the host's circuit breaker is open.
	HostDown Refusal = "the circuit breaker is open"
	// QueueFull means that too many calls wait for the concurrency limiter.
	QueueFull Refusal = "too many calls are waiting"
	// HostPaused means that the host has asked to wait until after the call's deadline.
	HostPaused Refusal = "the host has asked to wait"
)

// Error implements error.
func (e *RefusedError) Error() string { return "call refused: " + string(e.Reason) }

// withoutURL removes the URL, which may contain a caller's values, from an error of net/http.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
