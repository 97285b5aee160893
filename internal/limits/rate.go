package limits

import (
	"crypto/sha256"
	"math"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

const (
	// maxTrackedClients is the number of clients whose rate is tracked: the most recent ones.
	maxTrackedClients = 100_000
	// burstDivisor divides the requests per minute to give the number that may arrive at once.
	burstDivisor = 10
)

// RateKey identifies the client whose requests are counted together.
type RateKey struct {
	// Client is the name of a client of the access file; empty for other clients.
	Client string
	// Token is the hash of the token of the other clients.
	Token [sha256.Size]byte
}

// Rates is a rate limiter with a bucket per client. Its memory is bounded. It is safe for
// concurrent use.
type Rates struct {
	known *lru.Cache[RateKey, *rate.Limiter]
}

// NewRates returns a rate limiter whose buckets are full.
func NewRates() *Rates {
	known, err := lru.New[RateKey, *rate.Limiter](maxTrackedClients)
	if err != nil {
		panic(err) // only a size below 1 is an error
	}
	return &Rates{known}
}

// Take counts a request of a client that may send perMinute requests per minute; 0 is no limit.
// If the client has exceeded its rate, ok is false and wait is the time until the next request
// is allowed, in whole seconds.
func (r *Rates) Take(client RateKey, perMinute int) (wait time.Duration, ok bool) {
	if perMinute == 0 {
		return 0, true
	}
	every, most := rate.Every(time.Minute/time.Duration(perMinute)), max(1, perMinute/burstDivisor)
	l, known := r.known.Get(client)
	if !known {
		l = rate.NewLimiter(every, most)
		if first, known, _ := r.known.PeekOrAdd(client, l); known {
			l = first
		}
	}
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
