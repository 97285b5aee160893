package transport

import (
	linked "container/list"
	"context"
	"math"
	"strconv"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// ClickFunnels' rate limits are dynamic and unpublished (clickfunnels-api.md §4). The limiter therefore discovers
// how many calls may be in flight, for each credential and host.
const (
	// initialLimit is the limit before anything is known. It equals the number of rows of the
	// longest list that a query can request at once.
	initialLimit = 100
	// maxLimit is the transport's own limit for a host.
	maxLimit = maxConnsPerHost
	// latencyFloor is the lowest limit that rising latency alone can cause, because latency may
	// rise for other reasons.
	latencyFloor = 10
	// backoffFactor multiplies a limit that was too high.
	backoffFactor = 0.8
	// minRefusalSample is the smallest number of calls in flight for which the share of refusals
	// tells how much too high the limit was.
	minRefusalSample = 10
	// Calls count as slow when they take slowFactor times as long as usual plus slowMargin.
	slowFactor = 2
	slowMargin = 50 * time.Millisecond

	// maxQueued is how many calls may wait in a limiter.
	maxQueued = 2000
	// maxIdleLimiters bounds the memory for the state of limiters that are not in use.
	maxIdleLimiters = 20_000
)

// adaptiveLimit is how many calls may be in flight. It grows while calls succeed. It shrinks when
// ClickFunnels refuses a call (429) or when latency rises.
type adaptiveLimit struct {
	limit float64
	// fixed keeps the limit constant.
	fixed bool
	// recent and usual are moving averages of the duration of calls, in seconds: a fast and a slow
	// one.
	recent, usual float64
	samples       int
	// backedOff is when the limit last shrank. Calls that began earlier do not back it off again.
	// They only tell how much too high it was: of backedOffRunning calls in flight,
	// backedOffRefused were refused, and the limit was backedOffLimit.
	backedOff                          time.Time
	backedOffRunning, backedOffRefused int
	backedOffLimit                     float64
}

// initial returns the limit before anything is known.
func (p *adaptiveLimit) initial() float64 {
	if p.fixed {
		return p.limit
	}
	return initialLimit
}

// observe records the outcome of a call. running is how many calls were in flight, and share is the
// part of the limit that this server uses.
func (p *adaptiveLimit) observe(began, now time.Time, running int, share float64, how outcome) {
	switch {
	case p.fixed || how == outcomeUnknown:
		return
	case how == outcomeRefused && began.Before(p.backedOff):
		if p.backedOffRunning < minRefusalSample {
			return // also true after a backoff for another reason
		}
		p.backedOffRefused++
		p.limit = min(p.limit, max(1, math.Floor(p.backedOffLimit*(1-float64(p.backedOffRefused)/float64(p.backedOffRunning)))))
		return
	case how == outcomeRefused:
		before := p.limit
		p.backOff(began, now, 1)
		p.backedOffRunning, p.backedOffRefused, p.backedOffLimit = running, 1, before
		return
	}
	took := now.Sub(began).Seconds()
	if p.samples++; p.samples == 1 {
		p.usual = took
	}
	p.recent += (took - p.recent) / float64(min(p.samples, 10))
	slow := p.recent > slowFactor*p.usual+slowMargin.Seconds()
	memory := 500
	if slow {
		memory = 5000 // a lasting slowdown becomes the usual duration only gradually
	}
	p.usual += (took - p.usual) / float64(min(p.samples, memory))
	switch {
	case 2*float64(running) < share: // calls do not reach the limit, so they say nothing about it
		return
	case slow:
		p.backOff(began, now, latencyFloor)
		return
	}
	// The limit grows by this much in the time of one call. It grows slowly just after a backoff,
	// so that the same limit is not exceeded again and again.
	growth := min(math.Sqrt(p.limit), 1+now.Sub(p.backedOff).Seconds())
	p.limit = min(maxLimit, p.limit+growth/p.limit)
}

func (p *adaptiveLimit) backOff(began, now time.Time, least float64) {
	if began.Before(p.backedOff) || p.limit <= least {
		return
	}
	p.limit = max(least, math.Floor(p.limit*backoffFactor))
	p.backedOff, p.backedOffRunning = now, 0
}

// outcome is the result of a call as the limit sees it.
type outcome int

const (
	// outcomeAnswered is any response except a refusal.
	outcomeAnswered outcome = iota
	// outcomeRefused is a 429 response: the limit is exceeded.
	outcomeRefused
	// outcomeUnknown says nothing about the limit: there was no response, or the caller did not
	// wait for it.
	outcomeUnknown
)

// limiter is the concurrency limiter for one credential and host. Waiting calls are queued by
// client request, and the queues are served in turn. A request with many calls therefore does not
// hold up one with few. A limiter is safe for concurrent use.
type limiter struct {
	key   limiterKey
	users int // guarded by limiters.mu

	// closed, if not nil, is closed to give the lease back.
	closed chan struct{}

	mu       sync.Mutex
	adaptive adaptiveLimit
	lease    *lease // nil without replicas
	running  int
	waiting  int
	queues   linked.List                    // of *ownerQueue, none empty, in serving order
	byOwner  map[*Allowance]*linked.Element // elements of queues
	// resumesAt is when ClickFunnels accepts calls again, after it has asked to wait. From then on
	// mustProbe is set: one call at a time, the probe, may run until one is answered.
	resumesAt          time.Time
	resumeTimer        *time.Timer // set for resumesAt while calls wait for it
	mustProbe, probing bool
}

// ownerQueue holds the waiting calls of one client request.
type ownerQueue struct {
	owner   *Allowance
	waiters []*waiter
}

type waiter struct {
	owner *Allowance
	ready chan error // receives once
}

// acquire waits until a call of the client request owner may start. Each call that acquires must
// release.
//
// It fails with a [RefusedError] when too many calls are waiting, or when the pause would outlast a
// non-zero deadline.
func (l *limiter) acquire(ctx context.Context, owner *Allowance, deadline time.Time) error {
	l.mu.Lock()
	now := time.Now()
	if l.waiting == 0 && l.hasCapacity(now) {
		l.start()
		l.mu.Unlock()
		return nil
	}
	if !deadline.IsZero() && deadline.Before(l.resumesAt) {
		err := pauseError(l.resumesAt.Sub(now))
		l.mu.Unlock()
		return err
	}
	w := &waiter{owner: owner, ready: make(chan error, 1)}
	if l.waiting >= maxQueued && !l.evict(owner) {
		err := l.queueFull()
		l.mu.Unlock()
		return err
	}
	l.enqueue(w)
	l.dispatch(now)
	l.renewNow()
	l.mu.Unlock()
	select {
	case err := <-w.ready:
		return err
	case <-ctx.Done():
	}
	l.mu.Lock()
	waited := l.dequeue(w)
	l.mu.Unlock()
	if !waited && <-w.ready == nil { // it was admitted at the same moment
		l.release(time.Now(), outcomeUnknown)
	}
	return context.Cause(ctx)
}

// release ends a call that has acquired.
func (l *limiter) release(began time.Time, how outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.adaptive.observe(began, now, l.running, l.localShare(), how)
	l.running--
	if !began.Before(l.resumesAt) { // earlier calls say nothing about the time after the pause
		l.probing = false
		l.mustProbe = l.mustProbe && how != outcomeAnswered
	}
	l.dispatch(now)
}

// pauseFor starts no calls for the duration d.
func (l *limiter) pauseFor(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pauseUntil(time.Now().Add(d)) && l.lease != nil {
		l.lease.unreportedPause = l.resumesAt
	}
}

// pauseUntil starts no calls before the given time, and only a probe then. It reports whether this
// extends the current pause. The caller holds l.mu, as for all methods below.
func (l *limiter) pauseUntil(until time.Time) bool {
	if !until.After(l.resumesAt) {
		return false
	}
	l.resumesAt, l.mustProbe, l.probing = until, true, false
	return true
}

// hasCapacity reports whether one more call may start.
func (l *limiter) hasCapacity(now time.Time) bool {
	return l.running < l.capacity() && !now.Before(l.resumesAt) && !l.probing
}

// start counts a call that starts.
func (l *limiter) start() {
	l.running++
	l.probing = l.mustProbe
}

// dispatch starts as many waiting calls as possible, one from each queue in turn.
func (l *limiter) dispatch(now time.Time) {
	for l.waiting > 0 && l.hasCapacity(now) {
		first := l.queues.Front()
		queue := first.Value.(*ownerQueue)
		w := queue.waiters[0]
		queue.waiters[0] = nil
		queue.waiters = queue.waiters[1:]
		l.waiting--
		l.start()
		if len(queue.waiters) == 0 {
			l.dropQueue(first)
		} else {
			l.queues.MoveToBack(first)
		}
		w.ready <- nil
	}
	if l.waiting > 0 && now.Before(l.resumesAt) && l.resumeTimer == nil {
		l.resumeTimer = time.AfterFunc(l.resumesAt.Sub(now), func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.resumeTimer = nil
			l.dispatch(time.Now())
		})
	}
}

func (l *limiter) enqueue(w *waiter) {
	at := l.byOwner[w.owner]
	if at == nil {
		at = l.queues.PushBack(&ownerQueue{owner: w.owner})
		if l.byOwner == nil {
			l.byOwner = make(map[*Allowance]*linked.Element)
		}
		l.byOwner[w.owner] = at
	}
	queue := at.Value.(*ownerQueue)
	queue.waiters = append(queue.waiters, w)
	l.waiting++
}

func (l *limiter) dropQueue(at *linked.Element) {
	delete(l.byOwner, l.queues.Remove(at).(*ownerQueue).owner)
}

// dequeue removes a waiter. It returns false if the waiter no longer waits.
func (l *limiter) dequeue(w *waiter) bool {
	at := l.byOwner[w.owner]
	if at == nil {
		return false
	}
	queue := at.Value.(*ownerQueue)
	for i, other := range queue.waiters {
		if other == w {
			queue.waiters = append(queue.waiters[:i:i], queue.waiters[i+1:]...)
			l.waiting--
			if len(queue.waiters) == 0 {
				l.dropQueue(at)
			}
			return true
		}
	}
	return false
}

// evict refuses the last call of the longest queue. It returns false if that queue is the owner's
// own, or if the owner's queue would become as long.
func (l *limiter) evict(owner *Allowance) bool {
	own := 0
	if at := l.byOwner[owner]; at != nil {
		own = len(at.Value.(*ownerQueue).waiters)
	}
	var longest *ownerQueue
	for at := l.queues.Front(); at != nil; at = at.Next() {
		if queue := at.Value.(*ownerQueue); longest == nil || len(queue.waiters) > len(longest.waiters) {
			longest = queue
		}
	}
	if longest == nil || longest.owner == owner || len(longest.waiters) <= own+1 {
		return false
	}
	last := longest.waiters[len(longest.waiters)-1]
	l.dequeue(last)
	last.ready <- l.queueFull()
	return true
}

// queueFull is the error of a call that cannot be queued.
func (l *limiter) queueFull() *RefusedError {
	wait := time.Duration(float64(l.waiting) / max(1, l.adaptive.limit) * l.adaptive.recent * float64(time.Second))
	return &RefusedError{QueueFull, min(max(wait, time.Second), MaxRetryAfter)}
}

// pauseError is the error of a call whose deadline is before the end of the pause.
func pauseError(wait time.Duration) *RefusedError { return &RefusedError{HostPaused, wait} }

// DefaultFilteredReads is how many filtered reads ClickFunnels allows in flight for a token in a
// workspace (clickfunnels-api.md §4).
const DefaultFilteredReads = 2

// limiterKey identifies a limiter. Filtered reads also pass through a limiter of their own.
type limiterKey struct {
	hostKey
	filtered bool
}

// limiters holds all limiters. It is bounded in memory and safe for concurrent use.
type limiters struct {
	filteredReads int      // negative means no limit
	replicas      Replicas // nil without replicas

	// replicaCount is the known number of replicas.
	replicaCount replicaCounter

	mu     sync.Mutex
	leases uint64 // number of leases so far
	// active holds the limiters in use.
	active map[limiterKey]*limiter
	// idle holds the state of the most recently used other limiters, if it differs from the initial
	// one.
	idle *lru.Cache[limiterKey, limiterState]
}

// limiterState is the retained state of a limiter that is not in use.
type limiterState struct {
	adaptive adaptiveLimit
	resumes  time.Time
	cautious bool
}

func newLimiters(filteredReads int, replicas Replicas) *limiters {
	known, err := lru.New[limiterKey, limiterState](maxIdleLimiters)
	if err != nil {
		panic(err) // fails only for a size below 1
	}
	return &limiters{filteredReads: filteredReads, replicas: replicas, active: make(map[limiterKey]*limiter), idle: known}
}

// forCall returns the limiters that a call must acquire, the narrowest first. The caller must call
// done after it has released them.
func (l *limiters) forCall(of hostKey, filtered bool) (path []*limiter, done func()) {
	key := limiterKey{hostKey: of}
	l.mu.Lock()
	defer l.mu.Unlock()
	if filtered && l.filteredReads >= 0 {
		narrow := key
		narrow.filtered = true
		path = []*limiter{l.retain(narrow, float64(l.filteredReads), true), l.retain(key, initialLimit, false)}
	} else {
		path = []*limiter{l.retain(key, initialLimit, false)}
	}
	return path, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, limiter := range path {
			l.drop(limiter)
		}
	}
}

// stats returns the numbers of calls in flight, of waiting calls and of limiters.
func (l *limiters) stats() (s Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, limiter := range l.active {
		limiter.mu.Lock()
		s.Waiting += limiter.waiting
		if !key.filtered { // calls in the narrow limiter also are in the other one, or wait there
			s.InFlight += limiter.running
			s.Lanes++
		}
		limiter.mu.Unlock()
	}
	return s
}

// retain returns the limiter for a key, with one more user. l.mu is held.
func (l *limiters) retain(key limiterKey, limit float64, fixed bool) *limiter {
	known := l.active[key]
	if known == nil {
		known = &limiter{key: key, adaptive: adaptiveLimit{limit: limit, fixed: fixed}}
		if before, ok := l.idle.Get(key); ok {
			known.adaptive, known.resumesAt, known.mustProbe = before.adaptive, before.resumes, before.cautious
			l.idle.Remove(key)
		}
		if l.replicas != nil {
			l.leases++
			known.closed = make(chan struct{})
			known.lease = &lease{replicas: l.replicaCount.count(), renew: make(chan struct{}, 1)}
			go known.renewLease(l.replicas, &l.replicaCount, strconv.FormatUint(l.leases, 10), known.closed)
		}
		l.active[key] = known
	}
	known.users++
	return known
}

// drop ends one use of a limiter, and keeps the state of an unused one. l.mu is held.
func (l *limiters) drop(lim *limiter) {
	if lim.users--; lim.users > 0 {
		return
	}
	delete(l.active, lim.key)
	if lim.closed != nil {
		close(lim.closed)
	}
	lim.mu.Lock()
	defer lim.mu.Unlock()
	if lim.adaptive.limit != initialLimit && !lim.adaptive.fixed || lim.mustProbe {
		l.idle.Add(lim.key, limiterState{lim.adaptive, lim.resumesAt, lim.mustProbe})
	}
}
