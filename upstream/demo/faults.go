package demo

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Faults holds the shares of calls that fail, in the given order.
type Faults []fault

// fault is one kind of failure. Status 0 means no response.
type fault struct {
	status int
	share  float64
}

// timeout is the name of a fault without a response.
const timeout = "timeout"

// ParseFaults parses faults such as "429=0.1,502=0.1,timeout=0.05". In this example, a tenth of all
// calls is answered with 429, a tenth with 502, and one in twenty gets no response. The error tells
// what is wrong with the text.
func ParseFaults(text string) (Faults, error) {
	var faults Faults
	sum := 0.0
	for part := range strings.SplitSeq(text, ",") {
		name, number, _ := strings.Cut(strings.TrimSpace(part), "=")
		share, err := strconv.ParseFloat(number, 64)
		if err != nil || !(share >= 0 && share <= 1) {
			return nil, fmt.Errorf("%q needs a share from 0 to 1, such as 429=0.1", part)
		}
		f := fault{share: share}
		if name != timeout {
			if f.status, err = strconv.Atoi(name); err != nil || f.status < 400 || f.status > 599 {
				return nil, fmt.Errorf("%q must begin with a status from 400 to 599, or with %s", part, timeout)
			}
		}
		if slices.ContainsFunc(faults, func(other fault) bool { return other.status == f.status }) {
			return nil, fmt.Errorf("%q gives two shares for %s", text, name)
		}
		faults = append(faults, f)
		sum += share
	}
	const rounding = 1e-9
	if sum > 1+rounding {
		return nil, fmt.Errorf("the shares of %q add up to more than 1", text)
	}
	return faults, nil
}

// Unreliable returns a handler that delays each call by latency and then passes it to next, except
// for the calls that fail. Failed calls are not carried out. The failures come from a fixed seed,
// so the nth call always meets the same fault. The handler is safe for concurrent use if next is.
func Unreliable(next http.Handler, latency time.Duration, faults Faults) http.Handler {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // the same each time on purpose
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		drawn := random.Float64()
		mu.Unlock()
		if latency > 0 {
			select {
			case <-time.After(latency):
			case <-r.Context().Done():
				return
			}
		}
		for _, f := range faults {
			if drawn -= f.share; drawn < 0 {
				f.answer(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// answer sends ClickFunnels' response for the status (clickfunnels-api.md §4).
func (f fault) answer(w http.ResponseWriter, r *http.Request) {
	switch f.status {
	case 0:
		<-r.Context().Done()
	case http.StatusForbidden:
		w.WriteHeader(f.status)
	case http.StatusBadGateway:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(f.status)
		_, _ = w.Write([]byte("<html><body><h1>502 Bad Gateway</h1></body></html>"))
	default:
		text := http.StatusText(f.status)
		if text == "" {
			text = "Status " + strconv.Itoa(f.status)
		}
		fail(w, f.status, text+" (simulated by --demo-faults)")
	}
}
