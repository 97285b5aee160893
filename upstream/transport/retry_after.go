package transport

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// RetryAfter returns how long the response asks to wait before the next attempt, in its header or
// else in its body. It returns 0 if it does not ask, and at most MaxRetryAfter.
func (r *Response) RetryAfter() time.Duration {
	if wait := headerWait(r.Header.Get("Retry-After"), time.Now()); wait > 0 {
		return wait
	}
	return bodyWait(r.Body, time.Now())
}

// MaxRetryAfter caps every requested wait, whatever its source, so that a wrong value does not stop
// calls for long. After the wait, a probe tests whether calls are accepted again.
const MaxRetryAfter = 2 * time.Minute

// headerWait parses a Retry-After header: seconds, a Unix time or a date. It returns 0 if there is
// no wait, and at most MaxRetryAfter.
func headerWait(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseFloat(header, 64); err == nil {
		return numericWait(seconds, now)
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return min(at.Sub(now), MaxRetryAfter)
	}
	return 0
}

// Numbers from firstUnix on are Unix times in seconds (from September 2001). Numbers from
// firstUnixMilli on are Unix times in milliseconds.
const firstUnix, firstUnixMilli = 1e9, 1e12

func numericWait(number float64, now time.Time) time.Duration {
	if number >= firstUnixMilli {
		number /= 1000
	}
	if number >= firstUnix {
		number -= float64(now.UnixMilli()) / 1000
	}
	if !(number > 0) { // also true for NaN
		return 0
	}
	return time.Duration(min(number, MaxRetryAfter.Seconds()) * float64(time.Second))
}

// bodyWait returns the wait in the key retry_after of a JSON object. The 429 of a filtered read has
// one (clickfunnels-api.md §4). It returns 0 without a wait, and at most MaxRetryAfter. It reads
// token by token, so that ignored parts take no memory.
func bodyWait(body []byte, now time.Time) (wait time.Duration) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	body = body[:min(len(body), MaxErrorBody)]
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if dec.PeekKind() != '{' {
		return 0
	}
	if _, err := dec.ReadToken(); err != nil {
		return 0
	}
	for dec.PeekKind() != '}' {
		key, err := dec.ReadToken()
		if err != nil {
			return wait
		}
		if kind := dec.PeekKind(); key.String() != "retry_after" || kind != '"' && kind != '0' {
			if dec.SkipValue() != nil {
				return wait
			}
			continue
		}
		value, err := dec.ReadToken()
		if err != nil {
			return wait
		}
		if value.Kind() == '"' {
			wait = headerWait(value.String(), now)
		} else if number, err := value.Float(); err == nil {
			wait = numericWait(number, now)
		}
	}
	return wait
}
