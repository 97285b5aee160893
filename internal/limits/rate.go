package limits

import (
	"math"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

const (
	// paces is how many clients' paces are kept at a time.
	paces = 100_000
	// burst is the part of a minute's requests that may come at once.
	burst = 10
	// paceTTL is how long a client's pace is kept after its last request: by then
	// it is where it would begin anew.
	paceTTL = time.Minute
)

// Rates keeps each client's requests below a rate. It is bounded in memory and safe
// for concurrent use.
type Rates struct {
	known *otter.Cache[string, *rate.Limiter]
}

// NewRates returns rates of which none is used up.
func NewRates() *Rates {
	return &Rates{otter.Must(&otter.Options[string, *rate.Limiter]{
		MaximumSize: paces, ExpiryCalculator: otter.ExpiryAccessing[string, *rate.Limiter](paceTTL),
	})}
}

// Take counts a request of a client, which may send perMinute, and reports whether
// it may be answered, and if not, when it is worth another try. 0 is no limit.
func (r *Rates) Take(client string, perMinute int) (wait time.Duration, ok bool) {
	if perMinute == 0 {
		return 0, true
	}
	every, most := rate.Every(time.Minute/time.Duration(perMinute)), max(1, perMinute/burst)
	l, _ := r.known.ComputeIfAbsent(client, func() (*rate.Limiter, bool) { return rate.NewLimiter(every, most), false })
	if l.Limit() != every || l.Burst() != most { // the configuration has changed
		l.SetLimit(every)
		l.SetBurst(most)
	}
	reservation := l.Reserve()
	if wait = reservation.Delay(); wait > 0 {
		reservation.Cancel()
		return time.Duration(math.Ceil(wait.Seconds())) * time.Second, false
	}
	return 0, true
}
