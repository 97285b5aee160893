package upstream

import (
	linked "container/list"
	"context"
	"math"
	"strconv"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// The limits of ClickFunnels are dynamic, and no numbers are published (API.md §4):
// how many calls may be under way at a time is found out, for each credential and
// host.
const (
	// firstPace is how many calls may be under way before anything is known: as many
	// as the rows of the longest list that a query can ask for at once.
	initialLimit = 100
	// maxPace is the transport's own limit for a host.
	maxLimit = maxConnsPerHost
	// leastPace is what rising latency alone does not go below, since it may have
	// other reasons.
	latencyFloor = 10
	// eased is what is left of a pace that was too fast.
	backoffFactor = 0.8
	// fewCalls are too few to tell from how many of them are refused how much too fast
	// they were.
	minRefusalSample = 10
	// slower is how much longer than usual calls have to take to count as slow, beside
	// muchLonger.
	slowFactor = 2
	slowMargin = 50 * time.Millisecond

	// maxWaiting is how many calls may wait in a lane.
	maxQueued = 2000
	// maxLanes bounds the memory for what is known of lanes that nobody is in.
	maxIdleLimiters = 20_000
)

// pace is how many calls may be under way at a time. It grows while calls go well
// and shrinks when ClickFunnels refuses one (429) or takes longer and longer.
type adaptiveLimit struct {
	limit float64
	// fixed has it never change.
	fixed bool
	// recent and usual are how long calls take, in seconds: moving averages, a quick
	// and a slow one.
	recent, usual float64
	samples       int
	// eased is when it last shrank: what began before says nothing about the limit
	// since, but for how much too fast it was. Of so many calls under way then, so many
	// have been refused, when the limit was before.
	backedOff                          time.Time
	backedOffRunning, backedOffRefused int
	backedOffLimit                     float64
}

// first is the limit when nothing is known.
func (p *adaptiveLimit) initial() float64 {
	if p.fixed {
		return p.limit
	}
	return initialLimit
}

// learn takes in how a call went, when the given number were under way, of which part is
// the share of the limit.
func (p *adaptiveLimit) observe(began, now time.Time, running int, share float64, how outcome) {
	switch {
	case p.fixed || how == outcomeUnknown:
		return
	case how == outcomeRefused && began.Before(p.backedOff):
		if p.backedOffRunning < minRefusalSample {
			return // which is also so if it was eased for another reason
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
		memory = 5000 // so that a slow time becomes the usual one in the end, and not at once
	}
	p.usual += (took - p.usual) / float64(min(p.samples, memory))
	switch {
	case 2*float64(running) < share: // it is not the limit that holds calls back: nothing is learnt of it
		return
	case slow:
		p.backOff(began, now, latencyFloor)
		return
	}
	// In the time of one call it grows by this much: little at first where it was too
	// much a moment ago, so that what is borne is not exceeded again and again.
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

// outcome is how a call went, as far as the pace is concerned.
type outcome int

const (
	// answered is any answer but a refusal.
	outcomeAnswered outcome = iota
	// refused is an answer that the limit is exceeded (429).
	outcomeRefused
	// silent is what tells nothing: there was no answer, or it was not waited for.
	outcomeUnknown
)

// lane lets the calls of one credential to one host through at a pace. Those that
// have to wait do so in one line for each client request, and the lines are served
// in turn, so that a request with many calls does not hold up one with few. It is
// safe for concurrent use.
type limiter struct {
	key   limiterKey
	users int // guarded by lanes.mu

	// ended, if not nil, has the lease be given back.
	closed chan struct{}

	mu       sync.Mutex
	adaptive adaptiveLimit
	lease    *lease // nil if there are no replicas
	running  int
	waiting  int
	queues   linked.List                    // of *line, none empty, in the order in which they are served
	byOwner  map[*Allowance]*linked.Element // of lines
	// resumes is when ClickFunnels has said that it wants to be called again. From then on
	// the lane is cautious: it lets in one call at a time, the probe, until one is answered.
	resumesAt          time.Time
	resumeTimer        *time.Timer // set for resumes while calls wait for it
	mustProbe, probing bool
}

// line is what waits for one client request.
type ownerQueue struct {
	owner   *Allowance
	waiters []*waiter
}

type waiter struct {
	owner *Allowance
	ready chan error // receives once
}

// enter waits until a call of a client request may be made. Every call that got in has to leave. It
// fails with the code RateLimited when too many are waiting, or when the wait would
// be longer than until, if that is not zero.
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
	if !waited && <-w.ready == nil { // it was let in at the same moment
		l.release(time.Now(), outcomeUnknown)
	}
	return context.Cause(ctx)
}

// leave ends a call that got in.
func (l *limiter) release(began time.Time, how outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.adaptive.observe(began, now, l.running, l.localShare(), how)
	l.running--
	if !began.Before(l.resumesAt) { // what began before says nothing about the time after
		l.probing = false
		l.mustProbe = l.mustProbe && how != outcomeAnswered
	}
	l.dispatch(now)
}

// rest lets no call begin for a while.
func (l *limiter) pauseFor(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pauseUntil(time.Now().Add(d)) && l.lease != nil {
		l.lease.unreportedPause = l.resumesAt
	}
}

// pause lets no call begin before a time, and then one at first. It reports whether that
// is new. l.mu is held, as it is for what follows.
func (l *limiter) pauseUntil(until time.Time) bool {
	if !until.After(l.resumesAt) {
		return false
	}
	l.resumesAt, l.mustProbe, l.probing = until, true, false
	return true
}

// hasRoom reports whether one more call may begin.
func (l *limiter) hasCapacity(now time.Time) bool {
	return l.running < l.capacity() && !now.Before(l.resumesAt) && !l.probing
}

// admit counts a call that begins.
func (l *limiter) start() {
	l.running++
	l.probing = l.mustProbe
}

// wake lets those in that may begin now, one of each line in turn.
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

// remove takes a waiter out, and reports false if it is not waiting any more.
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

// makeRoom turns the last call of the longest line away, unless that is the owner's
// own or no longer than it would be then.
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

// full is the error of a call that cannot even wait.
func (l *limiter) queueFull() *Error {
	wait := time.Duration(float64(l.waiting) / max(1, l.adaptive.limit) * l.adaptive.recent * float64(time.Second))
	e := NewError(RateLimited, "Too many calls are waiting for ClickFunnels already: try again later, or ask for less at a time.")
	e.Retryable, e.RetryAfter = true, min(max(wait, time.Second), maxRetryAfter)
	return e
}

// askedToWait is the error of a call that would have to wait for too long.
func pauseError(wait time.Duration) *Error {
	e := NewError(RateLimited, "ClickFunnels has asked to wait before the next call: try again then.")
	e.Retryable, e.RetryAfter = true, wait
	return e
}

// DefaultFilteredReads is how many filtered reads ClickFunnels lets a token run at a
// time in a workspace (API.md §4).
const DefaultFilteredReads = 2

// laneKey names a lane. Filtered reads have one of their own, within the other.
type limiterKey struct {
	hostKey
	filtered bool
}

// lanes are all lanes. They are bounded in memory and safe for concurrent use.
type limiters struct {
	filteredReads int      // negative is any number
	replicas      Replicas // nil if there are none

	// others is how many replicas there are, as far as is known.
	replicaCount replicaCounter

	mu     sync.Mutex
	leases uint64 // how many there have been
	// used are those that somebody is in.
	active map[limiterKey]*limiter
	// learnt is what is known of others, where it is more than nothing: of those used
	// last.
	idle *lru.Cache[limiterKey, limiterState]
}

// learnt is what is kept of a lane that nobody is in.
type limiterState struct {
	adaptive adaptiveLimit
	resumes  time.Time
	cautious bool
}

func newLimiters(filteredReads int, replicas Replicas) *limiters {
	known, err := lru.New[limiterKey, limiterState](maxIdleLimiters)
	if err != nil {
		panic(err) // only a size below 1 is an error
	}
	return &limiters{filteredReads: filteredReads, replicas: replicas, active: make(map[limiterKey]*limiter), idle: known}
}

// through returns the lanes that a call has to go through, the narrowest first, and
// what is to be called when it is done with them.
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

// stats returns how many calls are under way, wait, and on how many lanes.
func (l *limiters) stats() (s Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, limiter := range l.active {
		limiter.mu.Lock()
		s.Waiting += limiter.waiting
		if !key.filtered { // who is in the narrow one is in the other as well, or waits
			s.InFlight += limiter.running
			s.Lanes++
		}
		limiter.mu.Unlock()
	}
	return s
}

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
