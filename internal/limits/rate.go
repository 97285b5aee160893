package limits

import (
	"crypto/sha256"
	"math"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

const (
	// paces is how many clients' paces are kept at a time: those who came last.
	paces = 100_000
	// burst is the part of a minute's requests that may come at once.
	burst = 10
)

// Spender identifies whose requests are counted together.
type Spender struct {
	// Client is the name of a client of the access file; empty for all others.
	Client string
	// Token is the hash of the token that others bring.
	Token [sha256.Size]byte
}

// Rates keeps each client's requests below a rate. It is bounded in memory and safe
// for concurrent use.
type Rates struct {
	known *lru.Cache[Spender, *rate.Limiter]
}

// NewRates returns rates of which none is used up.
func NewRates() *Rates {
	known, err := lru.New[Spender, *rate.Limiter](paces)
	if err != nil {
		panic(err) // only a size below 1 is an error
	}
	return &Rates{known}
}

// Take counts a request of a client, which may send perMinute, and reports whether
// it may be answered, and if not, when it is worth another try. 0 is no limit.
func (r *Rates) Take(client Spender, perMinute int) (wait time.Duration, ok bool) {
	if perMinute == 0 {
		return 0, true
	}
	every, most := rate.Every(time.Minute/time.Duration(perMinute)), max(1, perMinute/burst)
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
