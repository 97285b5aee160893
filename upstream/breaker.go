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
type hostHealth struct {
	breaker circuitbreaker.CircuitBreaker[any]
	retries retryBudget
}

const (
	// A host is dead when so large a part of at least so many calls fails within the
	// window. Four in five is far above what a busy day brings.
	breakerFailureRate = 0.8
	breakerMinCalls    = 10
	breakerWindow      = 10 * time.Second
	// probeAfter is how long a dead host is left alone before one call tries it.
	breakerDelay = 5 * time.Second

	// maxHosts bounds the memory for pairs of credential and host, about 1 KB each. The
	// least recently used are forgotten.
	maxHosts = 10_000
)

func newHostHealth() *hostHealth {
	return &hostHealth{
		breaker: circuitbreaker.NewBuilder[any]().
			WithFailureRateThreshold(breakerFailureRate, breakerMinCalls, breakerWindow).
			WithDelay(breakerDelay).WithJitterFactor(0.2).
			WithSuccessThreshold(1).
			Build(),
		retries: retryBudget{tokens: retryReserve, refilledAt: time.Now()},
	}
}

// dead returns the error of a call to the host, if it is dead and not to be tried yet.
func (h *hostHealth) openError() *Error {
	if !h.breaker.IsOpen() {
		return nil
	}
	wait := h.breaker.RemainingDelay()
	if wait <= 0 {
		return nil
	}
	return breakerError(wait)
}

// dead is the error of a call that is not made because its host is dead.
func breakerError(wait time.Duration) *Error {
	e := NewError(Unavailable, "ClickFunnels has not been answering here: try again in a few seconds.")
	e.Retryable, e.RetryAfter = true, max(wait, time.Second)
	return e
}

type hostKey struct {
	credential credential
	host       string
}

// hosts is the health of all hosts. It is bounded in memory and safe for concurrent use.
type healthByHost struct {
	known *lru.Cache[hostKey, *hostHealth]
}

func newHealthByHost() healthByHost {
	known, err := lru.New[hostKey, *hostHealth](maxHosts)
	if err != nil {
		panic(err) // only a size below 1 is an error
	}
	return healthByHost{known}
}

func (h healthByHost) get(key hostKey) *hostHealth {
	if known, ok := h.known.Get(key); ok {
		return known
	}
	made := newHostHealth()
	if known, ok, _ := h.known.PeekOrAdd(key, made); ok {
		return known
	}
	return made
}

// dead returns how many hosts are dead for at least one credential.
func (h healthByHost) countOpen() int {
	open := make(map[string]bool)
	for _, key := range h.known.Keys() {
		if known, ok := h.known.Peek(key); ok && known.openError() != nil {
			open[key.host] = true
		}
	}
	return len(open)
}

// retryBudget keeps repeated calls to a share of all, so that an outage is not
// multiplied. It is safe for concurrent use.
type retryBudget struct {
	mu         sync.Mutex
	tokens     float64
	refilledAt time.Time
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
func (b *retryBudget) deposit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(maxRetryTokens, b.tokens+retryShare)
}

// take takes the tokens of a repetition, and reports whether it may be made.
func (b *retryBudget) withdraw(now time.Time, tokens float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < retryReserve {
		b.tokens = min(retryReserve, b.tokens+retryRefill*now.Sub(b.refilledAt).Seconds())
	}
	b.refilledAt = now
	if b.tokens < tokens {
		return false
	}
	b.tokens -= tokens
	return true
}
