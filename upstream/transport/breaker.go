package transport

import (
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	lru "github.com/hashicorp/golang-lru/v2"
)

// hostHealth is the circuit breaker and the retry budget of one host for one credential. The host
// is the accounts host or a workspace's host. While the breaker is open, calls fail at once, except
// for an occasional probe. An API can fail for one credential and work for another, so breakers are
// per credential. A hostHealth is safe for concurrent use.
type hostHealth struct {
	breaker circuitbreaker.CircuitBreaker[any]
	retries retryBudget
}

const (
	// The breaker opens when this rate of failures, among at least this many calls, occurs within
	// the window. Even on a busy day, far fewer attempts fail than 80 %.
	breakerFailureRate = 0.8
	breakerMinCalls    = 10
	breakerWindow      = 10 * time.Second
	// breakerDelay is how long the breaker stays open before a call probes the host.
	breakerDelay = 5 * time.Second

	// maxHosts bounds the number of pairs of credential and host, about 1 KB each. The least
	// recently used are forgotten.
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

// openError returns the error of a call while the breaker is open, and nil if a call may be made.
func (h *hostHealth) openError() *RefusedError {
	if !h.breaker.IsOpen() {
		return nil
	}
	wait := h.breaker.RemainingDelay()
	if wait <= 0 {
		return nil
	}
	return breakerError(wait)
}

// breakerError is the error of a call that an open breaker refuses.
func breakerError(wait time.Duration) *RefusedError {
	return &RefusedError{HostDown, max(wait, time.Second)}
}

type hostKey struct {
	credential Credential
	host       string
}

// healthByHost holds the health of all hosts. It is bounded in memory and safe for concurrent use.
type healthByHost struct {
	known *lru.Cache[hostKey, *hostHealth]
}

func newHealthByHost() healthByHost {
	known, err := lru.New[hostKey, *hostHealth](maxHosts)
	if err != nil {
		panic(err) // fails only for a size below 1
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

// countOpen returns the number of hosts whose breaker is open for at least one credential.
func (h healthByHost) countOpen() int {
	open := make(map[string]bool)
	for _, key := range h.known.Keys() {
		if known, ok := h.known.Peek(key); ok && known.openError() != nil {
			open[key.host] = true
		}
	}
	return len(open)
}

// retryBudget limits retries to a share of all calls, so that retries do not amplify an outage. It
// is safe for concurrent use.
type retryBudget struct {
	mu         sync.Mutex
	tokens     float64
	refilledAt time.Time
}

const (
	// retryShare is the number of retries that each first call adds to the budget.
	retryShare = 0.5
	// retryReserve is the budget beyond that share. It lets a quiet server retry, and covers a
	// first burst that is refused entirely. It refills by retryRefill tokens a second.
	retryReserve = initialLimit
	retryRefill  = 10
	// maxRetryTokens bounds the budget that successful calls can build up.
	maxRetryTokens = 3 * retryReserve
)

// deposit counts a first call.
func (b *retryBudget) deposit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(maxRetryTokens, b.tokens+retryShare)
}

// withdraw takes the tokens for a retry, and reports whether the budget allows it.
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
