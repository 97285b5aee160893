package upstream

import (
	"context"
	"encoding/hex"
	"strconv"
	"sync"
	"time"
)

// Replicas is what servers that run side by side know together. All of it is for the
// better only: what fails is done as by a server that is alone. It is safe for
// concurrent use, and bounded in time by itself.
type Replicas interface {
	// Lease asks for a part of what all replicas together may have under way in a lane.
	// The lease is this one's until it is replaced, given back (with a zero Ask) or not
	// renewed for a while.
	Lease(lane, id string, ask Ask) (Grant, error)
	// Epoch returns what changes whenever a workspace is written to.
	Epoch(ctx context.Context, workspace string) (epoch string, err error)
	// Written changes it, also if the context has ended.
	Written(ctx context.Context, workspace string)
	// Answer returns what is kept under a key, and for how much longer.
	Answer(ctx context.Context, key string) (answer []byte, rest time.Duration, ok bool)
	// Keep keeps it, for a while.
	Keep(key string, answer []byte, ttl time.Duration)
}

// Ask is what a replica asks for, and tells, of a lane.
type Ask struct {
	// Need is how many calls are under way and waiting, Want how many there may soon be,
	// Running how many may be under way until this is answered.
	Need, Want, Running int
	// Limit is that of a lane of which nothing is known, and Most what it never exceeds.
	Limit float64
	Most  int
	// Ease and Grow are what the replica has learnt since it last asked: the limit is
	// multiplied by the one, and then the other is added.
	Ease, Grow float64
	// Took is about how long a call takes: limits that are eased by several replicas
	// within that time are so for the same reason, and once is enough.
	Took time.Duration
	// Rest is how long ClickFunnels has asked to wait; 0 for not at all. It is at most
	// LongestRest: a stored one that is longer is wrong, and has to be ignored.
	Rest, LongestRest time.Duration
}

// Grant is what a replica may have under way in a lane, and what all have learnt.
type Grant struct {
	Calls int
	Limit float64
	// Eased is how long ago the limit was eased.
	Eased    time.Duration
	Rest     time.Duration
	Replicas int
}

const (
	// A lease is renewed so often, the first where calls wait for it. It runs out some
	// time after (see Replicas).
	urgentRenewal = 50 * time.Millisecond
	normalRenewal = 250 * time.Millisecond
	// rounding is no difference between limits.
	limitEpsilon = 1e-6
	// fewReplicas can renew as often as that. More do so less often, so that a lane
	// takes as many renewals altogether.
	fewReplicas = 64
)

// lease is a lane's part of what all replicas may have under way. It is guarded by the
// lane's mutex.
type lease struct {
	// calls is how many may be under way here.
	granted int
	// alone says that the replicas cannot be reached: of what is known, each then takes
	// an equal part.
	standalone bool
	replicas   int
	// told is the limit as all know it.
	sharedLimit float64
	// rests is until when ClickFunnels has asked to wait, if replicas do not know yet.
	unreportedPause time.Time
	// more has the next renewal be made at once.
	renew chan struct{}
}

// name is the lane's among replicas. fixed is its limit if that never changes: another
// one is another lane.
func (k limiterKey) sharedKey(fixed int) string {
	sum := digest(string(k.credential[:]), k.host, strconv.FormatBool(k.filtered), strconv.Itoa(fixed))
	return hex.EncodeToString(sum[:])
}

// census is how many replicas have been seen at a time lately. It is safe for concurrent
// use.
type replicaCounter struct {
	mu     sync.Mutex
	max    int
	seenAt time.Time
}

// censusTTL is how long the most that have been seen count.
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

// keepLease keeps a lease of the lane until ended is closed.
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
			renew = nil // what there is has just been given
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

// ask returns what the lane asks for. l.mu is held.
func (l *limiter) leaseRequest() Ask {
	t := l.lease
	need := l.running + l.waiting
	want := need + need/2
	// Until this is answered no more begin than are told: others get what is left.
	t.granted = min(t.granted, max(l.running, want))
	ask := Ask{Need: need, Want: want, Running: max(l.running, t.granted), Limit: l.adaptive.initial(), Most: maxLimit, Ease: 1, Rest: max(0, time.Until(t.unreportedPause)), LongestRest: maxRetryAfter,
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

// take takes in what the replicas have answered to what was asked. l.mu is held.
func (l *limiter) applyGrant(ask Ask, grant Grant, err error) {
	t, now := l.lease, time.Now()
	expected := t.sharedLimit*ask.Ease + ask.Grow
	if t.standalone = err != nil; t.standalone {
		// It may have been heard all the same: what has been told is not told again.
		t.sharedLimit = expected
		l.dispatch(now)
		return
	}
	t.granted, t.replicas = grant.Calls, grant.Replicas
	if t.unreportedPause.Sub(now) <= ask.Rest { // else it is longer since it was asked
		t.unreportedPause = time.Time{}
	}
	if !l.adaptive.fixed {
		// What has been learnt meanwhile is told the next time.
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
	if grant.Rest > 0 && grant.Rest <= maxRetryAfter { // no replica has stored a longer one
		l.pauseUntil(now.Add(grant.Rest))
	}
	l.dispatch(now)
}

// capacity is how many calls may be under way. l.mu is held.
func (l *limiter) capacity() int {
	limit := max(1, int(l.adaptive.limit))
	switch t := l.lease; {
	case t == nil:
		return limit
	case t.standalone:
		return max(1, limit/max(1, t.replicas))
	case l.adaptive.limit < t.sharedLimit-limitEpsilon: // eased, and not yet told
		return min(t.granted, max(1, int(float64(t.granted)*l.adaptive.limit/t.sharedLimit)))
	default:
		return t.granted
	}
}

// part is how many of the calls that may be under way are this server's, if each has as
// many. l.mu is held.
func (l *limiter) localShare() float64 {
	if l.lease == nil {
		return l.adaptive.limit
	}
	return l.adaptive.limit / float64(max(1, l.lease.replicas))
}

// hunger has the lease be renewed at once. l.mu is held.
func (l *limiter) renewNow() {
	if l.lease != nil {
		select {
		case l.lease.renew <- struct{}{}:
		default:
		}
	}
}
