package upstream

import (
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	lru "github.com/hashicorp/golang-lru/v2"
)

// host is the health of one host, the accounts' or a workspace's own, for one credential.
// Calls to a dead host fail at once, except for a probe now and then. An API can fail for
// one credential and work for another, so one credential's failures never refuse another's
// calls. It is safe for concurrent use.
type host struct {
	breaker circuitbreaker.CircuitBreaker[any]
	retries retryBudget
}

const (
	// A host is dead when so large a part of at least so many calls fails within the
	// window. Four in five is far above what a busy day brings.
	deadRate   = 0.8
	deadCalls  = 10
	deadWindow = 10 * time.Second
	// probeAfter is how long a dead host is left alone before one call tries it.
	probeAfter = 5 * time.Second

	// maxHosts bounds the memory for pairs of credential and host, about 1 KB each. The
	// least recently used are forgotten.
	maxHosts = 10_000
)

func newHost() *host {
	return &host{
		breaker: circuitbreaker.NewBuilder[any]().
			WithFailureRateThreshold(deadRate, deadCalls, deadWindow).
			WithDelay(probeAfter).WithJitterFactor(0.2).
			WithSuccessThreshold(1).
			Build(),
		retries: retryBudget{tokens: retryReserve, at: time.Now()},
	}
}

// dead returns the error of a call to the host, if it is dead and not to be tried yet.
func (h *host) dead() *Error {
	if !h.breaker.IsOpen() {
		return nil
	}
	wait := h.breaker.RemainingDelay()
	if wait <= 0 {
		return nil
	}
	return dead(wait)
}

// dead is the error of a call that is not made because its host is dead.
func dead(wait time.Duration) *Error {
	e := NewError(Unavailable, "ClickFunnels has not been answering here: try again in a few seconds.")
	e.Retryable, e.RetryAfter = true, max(wait, time.Second)
	return e
}

type hostKey struct {
	credential credential
	host       string
}

// hosts is the health of all hosts. It is bounded in memory and safe for concurrent use.
type hosts struct {
	known *lru.Cache[hostKey, *host]
}

func newHosts() hosts {
	known, err := lru.New[hostKey, *host](maxHosts)
	if err != nil {
		panic(err) // only a size below 1 is an error
	}
	return hosts{known}
}

func (h hosts) of(key hostKey) *host {
	if known, ok := h.known.Get(key); ok {
		return known
	}
	made := newHost()
	if known, ok, _ := h.known.PeekOrAdd(key, made); ok {
		return known
	}
	return made
}

// dead returns how many hosts are dead for at least one credential.
func (h hosts) dead() int {
	dead := make(map[string]bool)
	for _, key := range h.known.Keys() {
		if known, ok := h.known.Peek(key); ok && known.dead() != nil {
			dead[key.host] = true
		}
	}
	return len(dead)
}

// retryBudget keeps repeated calls to a share of all, so that an outage is not
// multiplied. It is safe for concurrent use.
type retryBudget struct {
	mu     sync.Mutex
	tokens float64
	at     time.Time
}

const (
	// retryShare is how many repetitions each first call allows for.
	retryShare = 0.5
	// retryReserve is how many are allowed for beyond that, so that a quiet server
	// repeats calls as well, and a first burst that is too fast can be refused whole.
	// They come back by retryRefill a second.
	retryReserve = initialLimit
	retryRefill  = 10
	// maxRetryTokens bounds what a good time saves up for a bad one.
	maxRetryTokens = 3 * retryReserve
)

// call counts a first call.
func (b *retryBudget) call() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(maxRetryTokens, b.tokens+retryShare)
}

// take takes the tokens of a repetition, and reports whether it may be made.
func (b *retryBudget) take(now time.Time, tokens float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < retryReserve {
		b.tokens = min(retryReserve, b.tokens+retryRefill*now.Sub(b.at).Seconds())
	}
	b.at = now
	if b.tokens < tokens {
		return false
	}
	b.tokens -= tokens
	return true
}
