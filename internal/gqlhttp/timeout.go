package gqlhttp

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// TimeoutHeader is the request header with the client's timeout.
const TimeoutHeader = "X-Request-Timeout"

// parseTimeout parses a duration such as 8s or 800ms, or a number of seconds.
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

// maxSlack is the maximum time that is reserved for writing and sending the response.
const maxSlack = 500 * time.Millisecond

// deadline returns when the REST calls for a response must end, if the client's timeout begins
// now.
func deadline(timeout time.Duration) time.Time {
	return time.Now().Add(timeout - min(timeout/10, maxSlack))
}
