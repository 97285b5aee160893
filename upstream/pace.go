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
	firstPace = 100
	// maxPace is the transport's own limit for a host.
	maxPace = maxConnsPerHost
	// leastPace is what rising latency alone does not go below, since it may have
	// other reasons.
	leastPace = 10
	// eased is what is left of a pace that was too fast.
	eased = 0.8
	// fewCalls are too few to tell from how many of them are refused how much too fast
	// they were.
	fewCalls = 10
	// slower is how much longer than usual calls have to take to count as slow, beside
	// muchLonger.
	slower     = 2
	muchLonger = 50 * time.Millisecond

	// maxWaiting is how many calls may wait in a lane.
	maxWaiting = 2000
	// maxLanes bounds the memory for what is known of lanes that nobody is in.
	maxLanes = 20_000
)

// pace is how many calls may be under way at a time. It grows while calls go well
// and shrinks when ClickFunnels refuses one (429) or takes longer and longer.
type pace struct {
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
	eased           time.Time
	under, refusals int
	before          float64
}

// first is the limit when nothing is known.
func (p *pace) first() float64 {
	if p.fixed {
		return p.limit
	}
	return firstPace
}

// learn takes in how a call went, when the given number were under way, of which part is
// the share of the limit.
func (p *pace) learn(began, now time.Time, running int, part float64, how outcome) {
	switch {
	case p.fixed || how == silent:
		return
	case how == refused && began.Before(p.eased):
		if p.under < fewCalls {
			return // which is also so if it was eased for another reason
		}
		p.refusals++
		p.limit = min(p.limit, max(1, math.Floor(p.before*(1-float64(p.refusals)/float64(p.under)))))
		return
	case how == refused:
		before := p.limit
		p.ease(began, now, 1)
		p.under, p.refusals, p.before = running, 1, before
		return
	}
	took := now.Sub(began).Seconds()
	if p.samples++; p.samples == 1 {
		p.usual = took
	}
	p.recent += (took - p.recent) / float64(min(p.samples, 10))
	slow := p.recent > slower*p.usual+muchLonger.Seconds()
	memory := 500
	if slow {
		memory = 5000 // so that a slow time becomes the usual one in the end, and not at once
	}
	p.usual += (took - p.usual) / float64(min(p.samples, memory))
	switch {
	case 2*float64(running) < part: // it is not the limit that holds calls back: nothing is learnt of it
		return
	case slow:
		p.ease(began, now, leastPace)
		return
	}
	// In the time of one call it grows by this much: little at first where it was too
	// much a moment ago, so that what is borne is not exceeded again and again.
	growth := min(math.Sqrt(p.limit), 1+now.Sub(p.eased).Seconds())
	p.limit = min(maxPace, p.limit+growth/p.limit)
}

func (p *pace) ease(began, now time.Time, least float64) {
	if began.Before(p.eased) || p.limit <= least {
		return
	}
	p.limit = max(least, math.Floor(p.limit*eased))
	p.eased, p.under = now, 0
}

// outcome is how a call went, as far as the pace is concerned.
type outcome int

const (
	// answered is any answer but a refusal.
	answered outcome = iota
	// refused is an answer that the limit is exceeded (429).
	refused
	// silent is what tells nothing: there was no answer, or it was not waited for.
	silent
)

// lane lets the calls of one credential to one host through at a pace. Those that
// have to wait do so in one line for each client request, and the lines are served
// in turn, so that a request with many calls does not hold up one with few. It is
// safe for concurrent use.
type lane struct {
	key   laneKey
	users int // guarded by lanes.mu

	// ended, if not nil, has the lease be given back.
	ended chan struct{}

	mu      sync.Mutex
	pace    pace
	lease   *lease // nil if there are no replicas
	running int
	waiting int
	lines   linked.List                    // of *line, none empty, in the order in which they are served
	byOwner map[*Allowance]*linked.Element // of lines
	// resumes is when ClickFunnels has said that it wants to be called again. From then on
	// the lane is cautious: it lets in one call at a time, the probe, until one is answered.
	resumes           time.Time
	alarm             *time.Timer // set for resumes while calls wait for it
	cautious, probing bool
}

// line is what waits for one client request.
type line struct {
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
func (l *lane) enter(ctx context.Context, owner *Allowance, until time.Time) error {
	l.mu.Lock()
	now := time.Now()
	if l.waiting == 0 && l.hasRoom(now) {
		l.admit()
		l.mu.Unlock()
		return nil
	}
	if !until.IsZero() && until.Before(l.resumes) {
		err := askedToWait(l.resumes.Sub(now))
		l.mu.Unlock()
		return err
	}
	w := &waiter{owner: owner, ready: make(chan error, 1)}
	if l.waiting >= maxWaiting && !l.makeRoom(owner) {
		err := l.full()
		l.mu.Unlock()
		return err
	}
	l.push(w)
	l.wake(now)
	l.hunger()
	l.mu.Unlock()
	select {
	case err := <-w.ready:
		return err
	case <-ctx.Done():
	}
	l.mu.Lock()
	waited := l.remove(w)
	l.mu.Unlock()
	if !waited && <-w.ready == nil { // it was let in at the same moment
		l.leave(time.Now(), silent)
	}
	return context.Cause(ctx)
}

// leave ends a call that got in.
func (l *lane) leave(began time.Time, how outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.pace.learn(began, now, l.running, l.part(), how)
	l.running--
	if !began.Before(l.resumes) { // what began before says nothing about the time after
		l.probing = false
		l.cautious = l.cautious && how != answered
	}
	l.wake(now)
}

// rest lets no call begin for a while.
func (l *lane) rest(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pause(time.Now().Add(d)) && l.lease != nil {
		l.lease.rests = l.resumes
	}
}

// pause lets no call begin before a time, and then one at first. It reports whether that
// is new. l.mu is held, as it is for what follows.
func (l *lane) pause(until time.Time) bool {
	if !until.After(l.resumes) {
		return false
	}
	l.resumes, l.cautious, l.probing = until, true, false
	return true
}

// hasRoom reports whether one more call may begin.
func (l *lane) hasRoom(now time.Time) bool {
	return l.running < l.capacity() && !now.Before(l.resumes) && !l.probing
}

// admit counts a call that begins.
func (l *lane) admit() {
	l.running++
	l.probing = l.cautious
}

// wake lets those in that may begin now, one of each line in turn.
func (l *lane) wake(now time.Time) {
	for l.waiting > 0 && l.hasRoom(now) {
		first := l.lines.Front()
		waits := first.Value.(*line)
		w := waits.waiters[0]
		waits.waiters[0] = nil
		waits.waiters = waits.waiters[1:]
		l.waiting--
		l.admit()
		if len(waits.waiters) == 0 {
			l.drop(first)
		} else {
			l.lines.MoveToBack(first)
		}
		w.ready <- nil
	}
	if l.waiting > 0 && now.Before(l.resumes) && l.alarm == nil {
		l.alarm = time.AfterFunc(l.resumes.Sub(now), func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.alarm = nil
			l.wake(time.Now())
		})
	}
}

func (l *lane) push(w *waiter) {
	at := l.byOwner[w.owner]
	if at == nil {
		at = l.lines.PushBack(&line{owner: w.owner})
		if l.byOwner == nil {
			l.byOwner = make(map[*Allowance]*linked.Element)
		}
		l.byOwner[w.owner] = at
	}
	waits := at.Value.(*line)
	waits.waiters = append(waits.waiters, w)
	l.waiting++
}

func (l *lane) drop(at *linked.Element) {
	delete(l.byOwner, l.lines.Remove(at).(*line).owner)
}

// remove takes a waiter out, and reports false if it is not waiting any more.
func (l *lane) remove(w *waiter) bool {
	at := l.byOwner[w.owner]
	if at == nil {
		return false
	}
	waits := at.Value.(*line)
	for i, other := range waits.waiters {
		if other == w {
			waits.waiters = append(waits.waiters[:i:i], waits.waiters[i+1:]...)
			l.waiting--
			if len(waits.waiters) == 0 {
				l.drop(at)
			}
			return true
		}
	}
	return false
}

// makeRoom turns the last call of the longest line away, unless that is the owner's
// own or no longer than it would be then.
func (l *lane) makeRoom(owner *Allowance) bool {
	own := 0
	if at := l.byOwner[owner]; at != nil {
		own = len(at.Value.(*line).waiters)
	}
	var longest *line
	for at := l.lines.Front(); at != nil; at = at.Next() {
		if waits := at.Value.(*line); longest == nil || len(waits.waiters) > len(longest.waiters) {
			longest = waits
		}
	}
	if longest == nil || longest.owner == owner || len(longest.waiters) <= own+1 {
		return false
	}
	last := longest.waiters[len(longest.waiters)-1]
	l.remove(last)
	last.ready <- l.full()
	return true
}

// full is the error of a call that cannot even wait.
func (l *lane) full() *Error {
	wait := time.Duration(float64(l.waiting) / max(1, l.pace.limit) * l.pace.recent * float64(time.Second))
	e := NewError(RateLimited, "Too many calls are waiting for ClickFunnels already: try again later, or ask for less at a time.")
	e.Retryable, e.RetryAfter = true, min(max(wait, time.Second), maxRetryAfter)
	return e
}

// askedToWait is the error of a call that would have to wait for too long.
func askedToWait(wait time.Duration) *Error {
	e := NewError(RateLimited, "ClickFunnels has asked to wait before the next call: try again then.")
	e.Retryable, e.RetryAfter = true, wait
	return e
}

// DefaultFilteredReads is how many filtered reads ClickFunnels lets a token run at a
// time in a workspace (API.md §4).
const DefaultFilteredReads = 2

// laneKey names a lane. Filtered reads have one of their own, within the other.
type laneKey struct {
	hostKey
	filtered bool
}

// lanes are all lanes. They are bounded in memory and safe for concurrent use.
type lanes struct {
	filteredReads int      // negative is any number
	replicas      Replicas // nil if there are none

	// others is how many replicas there are, as far as is known.
	others census

	mu     sync.Mutex
	leases uint64 // how many there have been
	// used are those that somebody is in.
	used map[laneKey]*lane
	// learnt is what is known of others, where it is more than nothing: of those used
	// last.
	learnt *lru.Cache[laneKey, learnt]
}

// learnt is what is kept of a lane that nobody is in.
type learnt struct {
	pace     pace
	resumes  time.Time
	cautious bool
}

func newLanes(filteredReads int, replicas Replicas) *lanes {
	known, err := lru.New[laneKey, learnt](maxLanes)
	if err != nil {
		panic(err) // only a size below 1 is an error
	}
	return &lanes{filteredReads: filteredReads, replicas: replicas, used: make(map[laneKey]*lane), learnt: known}
}

// through returns the lanes that a call has to go through, the narrowest first, and
// what is to be called when it is done with them.
func (l *lanes) through(of hostKey, filtered bool) (through []*lane, done func()) {
	key := laneKey{hostKey: of}
	l.mu.Lock()
	defer l.mu.Unlock()
	if filtered && l.filteredReads >= 0 {
		narrow := key
		narrow.filtered = true
		through = []*lane{l.use(narrow, float64(l.filteredReads), true), l.use(key, firstPace, false)}
	} else {
		through = []*lane{l.use(key, firstPace, false)}
	}
	return through, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, lane := range through {
			l.give(lane)
		}
	}
}

// stats returns how many calls are under way, wait, and on how many lanes.
func (l *lanes) stats() (s Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, lane := range l.used {
		lane.mu.Lock()
		s.Waiting += lane.waiting
		if !key.filtered { // who is in the narrow one is in the other as well, or waits
			s.InFlight += lane.running
			s.Lanes++
		}
		lane.mu.Unlock()
	}
	return s
}

func (l *lanes) use(key laneKey, limit float64, fixed bool) *lane {
	known := l.used[key]
	if known == nil {
		known = &lane{key: key, pace: pace{limit: limit, fixed: fixed}}
		if before, ok := l.learnt.Get(key); ok {
			known.pace, known.resumes, known.cautious = before.pace, before.resumes, before.cautious
			l.learnt.Remove(key)
		}
		if l.replicas != nil {
			l.leases++
			known.ended = make(chan struct{})
			known.lease = &lease{replicas: l.others.count(), more: make(chan struct{}, 1)}
			go known.keepLease(l.replicas, &l.others, strconv.FormatUint(l.leases, 10), known.ended)
		}
		l.used[key] = known
	}
	known.users++
	return known
}

func (l *lanes) give(lane *lane) {
	if lane.users--; lane.users > 0 {
		return
	}
	delete(l.used, lane.key)
	if lane.ended != nil {
		close(lane.ended)
	}
	lane.mu.Lock()
	defer lane.mu.Unlock()
	if lane.pace.limit != firstPace && !lane.pace.fixed || lane.cautious {
		l.learnt.Add(lane.key, learnt{lane.pace, lane.resumes, lane.cautious})
	}
}
