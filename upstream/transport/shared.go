package transport

import (
	"context"
	"encoding/hex"
	"strconv"
	"sync"
	"time"
)

// Replicas is the state that server replicas share, such as a Redis server. It is optional: if a
// method fails, the transport behaves as a standalone server. Implementations must be safe for
// concurrent use and must bound the duration of each method themselves.
type Replicas interface {
	// Lease requests a part of the concurrency limit that all replicas share for a limiter. A lease
	// lasts until it is replaced, given back (with a zero Ask) or not renewed for a while.
	Lease(lane, id string, ask Ask) (Grant, error)
	// Evict adds an eviction to those of a host, even if the context has ended. It returns its position.
	Evict(ctx context.Context, host string, tags []string) (Position, error)
	// Evictions returns the evictions of a host after a position, in their order. If the one at that
	// position is not kept any more, isWhole is false, and it returns all that are: at least the last
	// thousand.
	Evictions(ctx context.Context, host string, after Position) (next []Eviction, isWhole bool, err error)
	// Answer returns the response stored under a key.
	Answer(ctx context.Context, key string) (answer []byte, ok bool)
	// Keep stores a response for the duration ttl.
	Keep(key string, answer []byte, ttl time.Duration)
}

// Ask is a replica's request for a lease, with what it has observed since the last one.
type Ask struct {
	// Need is the number of calls in flight or waiting. Want is the number that may follow soon.
	// Running is how many calls may be in flight until the response arrives.
	Need, Want, Running int
	// Limit is the initial limit, used if no replica knows the limiter. Most is the upper bound of
	// the limit.
	Limit float64
	Most  int
	// Ease and Grow are the replica's changes since its last Ask: the shared limit is multiplied by
	// Ease, and then Grow is added.
	Ease, Grow float64
	// Took is the approximate duration of a call. Backoffs of several replicas within that time
	// have the same cause, so only one of them counts.
	Took time.Duration
	// Rest is how long ClickFunnels has asked to wait; 0 if it has not. It is at most LongestRest.
	// A longer stored pause is wrong and must be ignored.
	Rest, LongestRest time.Duration
}

// Grant is a replica's lease: how many calls it may have in flight, and the shared state.
type Grant struct {
	Calls int
	Limit float64
	// Eased is the time since the shared limit last backed off.
	Eased    time.Duration
	Rest     time.Duration
	Replicas int
}

const (
	// Leases are renewed at these intervals; urgentRenewal applies while calls wait. An unrenewed
	// lease expires some time later (see Replicas).
	urgentRenewal = 50 * time.Millisecond
	normalRenewal = 250 * time.Millisecond
	// limitEpsilon is the smallest difference between limits that counts.
	limitEpsilon = 1e-6
	// Up to fewReplicas replicas renew at these intervals. More replicas renew less often, so that
	// the total number of renewals stays the same.
	fewReplicas = 64
)

// lease is a limiter's part of the shared limit. The limiter's mutex guards it.
type lease struct {
	// granted is how many calls may be in flight on this replica.
	granted int
	// standalone is set while the shared state is unreachable. Each replica then takes an equal
	// part of the last known limit.
	standalone bool
	replicas   int
	// sharedLimit is the limit as all replicas know it.
	sharedLimit float64
	// unreportedPause is the end of a requested pause that other replicas do not know about yet.
	unreportedPause time.Time
	// renew triggers the next renewal at once.
	renew chan struct{}
}

// sharedKey returns the limiter's key in the shared state. fixed is its limit if that is constant:
// limiters with different constant limits have different keys.
func (k limiterKey) sharedKey(fixed int) string {
	sum := Digest(string(k.credential[:]), k.host, strconv.FormatBool(k.filtered), strconv.Itoa(fixed))
	return hex.EncodeToString(sum[:])
}

// replicaCounter holds the largest number of replicas seen lately. It is safe for concurrent use.
type replicaCounter struct {
	mu     sync.Mutex
	max    int
	seenAt time.Time
}

// replicaCountTTL is how long the largest number counts.
const replicaCountTTL = 10 * time.Minute

func (c *replicaCounter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(1, c.max)
}

func (c *replicaCounter) observe(replicas int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); replicas >= c.max || now.Sub(c.seenAt) > replicaCountTTL {
		c.max, c.seenAt = replicas, now
	}
}

// renewLease renews the limiter's lease until closed is closed, and then gives it back.
func (l *limiter) renewLease(replicas Replicas, counter *replicaCounter, id string, closed <-chan struct{}) {
	fixed := 0
	if l.adaptive.fixed {
		fixed = int(l.adaptive.limit)
	}
	name := l.key.sharedKey(fixed)
	for {
		l.mu.Lock()
		ask := l.leaseRequest()
		l.mu.Unlock()
		grant, err := replicas.Lease(name, id, ask)
		if err == nil {
			counter.observe(grant.Replicas)
		}
		l.mu.Lock()
		l.applyGrant(ask, grant, err)
		urgent := l.waiting > 0
		renew := l.lease.renew
		if urgent {
			renew = nil // the lease was granted a moment ago
		}
		renewal := normalRenewal
		if urgent {
			renewal = urgentRenewal
		}
		renewal = renewal * time.Duration(max(fewReplicas, min(l.lease.replicas, 8*fewReplicas))) / fewReplicas
		l.mu.Unlock()
		timer := time.NewTimer(renewal)
		select {
		case <-closed:
			timer.Stop()
			l.mu.Lock()
			ask := l.leaseRequest()
			l.mu.Unlock()
			_, _ = replicas.Lease(name, id, Ask{Limit: ask.Limit, Most: ask.Most, Ease: ask.Ease, Grow: ask.Grow, Took: ask.Took, Rest: ask.Rest, LongestRest: ask.LongestRest})
			return
		case <-renew:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// leaseRequest returns the limiter's next request. l.mu is held.
func (l *limiter) leaseRequest() Ask {
	t := l.lease
	need := l.running + l.waiting
	want := need + need/2
	// Until the response arrives, no more calls start than the request states. The other replicas
	// share the rest.
	t.granted = min(t.granted, max(l.running, want))
	ask := Ask{Need: need, Want: want, Running: max(l.running, t.granted), Limit: l.adaptive.initial(), Most: maxLimit, Ease: 1, Rest: max(0, time.Until(t.unreportedPause)), LongestRest: MaxRetryAfter,
		Took: time.Duration(l.adaptive.recent * float64(time.Second))}
	if l.adaptive.fixed {
		return ask
	}
	switch limit := l.adaptive.limit; {
	case t.sharedLimit == 0:
	case limit < t.sharedLimit-limitEpsilon:
		ask.Ease = limit / t.sharedLimit
	default:
		ask.Grow = max(0, limit-t.sharedLimit)
	}
	return ask
}

// applyGrant applies the response to a lease request. l.mu is held.
func (l *limiter) applyGrant(ask Ask, grant Grant, err error) {
	t, now := l.lease, time.Now()
	expected := t.sharedLimit*ask.Ease + ask.Grow
	if t.standalone = err != nil; t.standalone {
		// The request may have arrived despite the error. Its changes are therefore not reported
		// again.
		t.sharedLimit = expected
		l.dispatch(now)
		return
	}
	t.granted, t.replicas = grant.Calls, grant.Replicas
	if t.unreportedPause.Sub(now) <= ask.Rest { // otherwise the pause was extended after the request
		t.unreportedPause = time.Time{}
	}
	if !l.adaptive.fixed {
		// Changes since the request are reported by the next one.
		switch limit := l.adaptive.limit; {
		case t.sharedLimit == 0:
			limit = grant.Limit
			fallthrough
		case limit < expected-limitEpsilon:
			l.adaptive.limit = grant.Limit * min(1, limit/max(1, expected))
		default:
			l.adaptive.limit = grant.Limit + max(0, limit-expected)
		}
		l.adaptive.limit = min(maxLimit, max(1, l.adaptive.limit))
		t.sharedLimit = grant.Limit
		if at := now.Add(-grant.Eased); at.After(l.adaptive.backedOff) {
			l.adaptive.backedOff, l.adaptive.backedOffRunning = at, 0
		}
	}
	if grant.Rest > 0 && grant.Rest <= MaxRetryAfter { // replicas store no longer pause
		l.pauseUntil(now.Add(grant.Rest))
	}
	l.dispatch(now)
}

// capacity returns how many calls may be in flight. l.mu is held.
func (l *limiter) capacity() int {
	limit := max(1, int(l.adaptive.limit))
	switch t := l.lease; {
	case t == nil:
		return limit
	case t.standalone:
		return max(1, limit/max(1, t.replicas))
	case l.adaptive.limit < t.sharedLimit-limitEpsilon: // backed off, but not yet reported
		return min(t.granted, max(1, int(float64(t.granted)*l.adaptive.limit/t.sharedLimit)))
	default:
		return t.granted
	}
}

// localShare returns this server's part of the limit if all replicas have equal parts. l.mu is
// held.
func (l *limiter) localShare() float64 {
	if l.lease == nil {
		return l.adaptive.limit
	}
	return l.adaptive.limit / float64(max(1, l.lease.replicas))
}

// renewNow triggers a renewal of the lease at once. l.mu is held.
func (l *limiter) renewNow() {
	if l.lease != nil {
		select {
		case l.lease.renew <- struct{}{}:
		default:
		}
	}
}
