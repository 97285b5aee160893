package gqlhttp

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// TimeoutHeader is the request header by which a client says how long it waits for the
// answer.
const TimeoutHeader = "X-Request-Timeout"

// parseTimeout reads a time such as 8s or 800ms, or a number of seconds.
func parseTimeout(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && strings.Trim(text, "0123456789.") == "" && seconds > 0 && seconds < 1e6 {
		return time.Duration(seconds * float64(time.Second)), nil
	}
	timeout, err := time.ParseDuration(text)
	if err != nil || timeout <= 0 {
		return 0, errors.New("not a positive duration")
	}
	return timeout, nil
}

// maxSlack bounds how much earlier than the client gives up the calls for its answer end:
// the answer has to be written and sent.
const maxSlack = 500 * time.Millisecond

// deadline returns when the calls for an answer have to end, if the client gives up after
// a time from now.
func deadline(timeout time.Duration) time.Time {
	return time.Now().Add(timeout - min(timeout/10, maxSlack))
}
