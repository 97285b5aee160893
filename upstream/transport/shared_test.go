package transport

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeReplicas is a shared state that grants the requested leases within a limit.
type fakeReplicas struct {
	mu          sync.Mutex
	limit       float64
	count       int
	unreachable bool
	leases      map[string]int
}

func (f *fakeReplicas) Lease(lane, id string, ask Ask) (Grant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unreachable {
		return Grant{}, errors.New("unreachable")
	}
	if f.limit == 0 {
		f.limit = ask.Limit
	}
	f.limit = f.limit*ask.Ease + ask.Grow
	if f.leases == nil {
		f.leases = make(map[string]int)
	}
	if f.leases[lane+id] = ask.Want; ask.Want == 0 {
		delete(f.leases, lane+id)
	}
	return Grant{Calls: min(ask.Want, int(f.limit)), Limit: f.limit, Eased: time.Hour, Replicas: f.count}, nil
}
func (f *fakeReplicas) Evict(context.Context, string, []string) (Position, error) {
	return Position{}, nil
}
func (f *fakeReplicas) Evictions(context.Context, string, Position) ([]Eviction, bool, error) {
	return nil, true, nil
}
func (f *fakeReplicas) Answer(context.Context, string) ([]byte, bool) { return nil, false }
func (f *fakeReplicas) Keep(string, []byte, time.Duration)            {}

// TestIdleReplicasDoNotRaiseTheLimit makes a few calls at a time for long. They do not reach the
// limit, so it must not grow.
func TestIdleReplicasDoNotRaiseTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := &fakeReplicas{count: 1}
		c := newCaller(Config{RoundTripper: &limitedAPI{latency: always(5 * time.Millisecond)}, Replicas: known})
		for range 600 {
			c.fetch(t.Context(), 10, false)
		}
		time.Sleep(time.Second)
		known.mu.Lock()
		defer known.mu.Unlock()
		if known.limit != initialLimit {
			t.Errorf("the limit is %.0f", known.limit)
		}
		if len(known.leases) != 0 {
			t.Errorf("%d leases are left", len(known.leases))
		}
	})
}

// TestUnreachableReplicasSplitTheLimit checks that replicas without the shared state take equal
// parts of the limit, also for new limiters.
func TestUnreachableReplicasSplitTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known, api := &fakeReplicas{count: 4}, &limitedAPI{latency: always(100 * time.Millisecond)}
		c := newCaller(Config{RoundTripper: api, Replicas: known})
		c.as("secret").fetch(t.Context(), 10, false)
		time.Sleep(time.Second)
		known.mu.Lock()
		known.unreachable = true
		known.mu.Unlock()
		api.peak = 0
		if failed, _ := c.as("another").fetch(t.Context(), 100, false); failed > 0 || api.peak < initialLimit/4 || api.peak > initialLimit/3 {
			t.Errorf("%d calls failed, %d in flight, want about %d", failed, api.peak, initialLimit/4)
		}
	})
}

// TestSharedLimitStaysInBounds combines grants and local changes in many ways.
func TestSharedLimitStaysInBounds(t *testing.T) {
	for _, shared := range []float64{0, 1, 33, 100, 512} {
		for _, local := range []float64{1, 33, 100, 512} {
			for _, granted := range []float64{1, 33, 100, 512} {
				for _, ask := range []Ask{{Ease: 1}, {Ease: 0.3}, {Ease: 1, Grow: 50}} {
					l := &limiter{adaptive: adaptiveLimit{limit: local}, lease: &lease{sharedLimit: shared}}
					l.applyGrant(ask, Grant{Calls: 10, Limit: granted, Replicas: 2}, nil)
					if limit := l.adaptive.limit; math.IsNaN(limit) || limit < 1 || limit > maxLimit {
						t.Errorf("shared %v, local %v, granted %v after %+v: limit %v", shared, local, granted, ask, limit)
					}
					if next := l.leaseRequest(); !(next.Ease > 0 && next.Ease <= 1) || !(next.Grow >= 0) {
						t.Errorf("shared %v, local %v, granted %v after %+v: next request %+v", shared, local, granted, ask, next)
					}
				}
			}
		}
	}
}

// TestFirstCallIsNotCountedAsSlow checks that the first calls define the usual duration.
func TestFirstCallIsNotCountedAsSlow(t *testing.T) {
	p := adaptiveLimit{limit: initialLimit}
	now := time.Now()
	for range 200 {
		p.observe(now, now.Add(80*time.Millisecond), initialLimit, initialLimit, outcomeAnswered)
		if p.limit < initialLimit {
			t.Fatalf("the limit is %.0f", p.limit)
		}
	}
}

// TestSharedPauseIsBounded checks that a pause longer than MaxRetryAfter is ignored.
func TestSharedPauseIsBounded(t *testing.T) {
	for pause, pauses := range map[time.Duration]bool{time.Second: true, MaxRetryAfter: true, MaxRetryAfter + time.Millisecond: false, math.MaxInt64: false} {
		l := &limiter{adaptive: adaptiveLimit{limit: 100}, lease: new(lease)}
		l.applyGrant(Ask{Ease: 1}, Grant{Calls: 10, Limit: 100, Replicas: 2, Rest: pause}, nil)
		if l.hasCapacity(time.Now()) == pauses {
			t.Errorf("%s: the limiter is paused until %s", pause, l.resumesAt)
		}
	}
}

// TestPauseIsReportedOnce starts a pause while the shared state is unreachable. Once it is
// reachable, the rest of the pause is reported, and only once.
func TestPauseIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limiter{adaptive: adaptiveLimit{limit: 100}, lease: new(lease)}
		unreachable := errors.New("unreachable")
		for _, after := range []time.Duration{10 * time.Second, time.Minute} {
			l.pauseFor(20 * time.Second)
			if ask := l.leaseRequest(); ask.Rest != 20*time.Second {
				t.Errorf("at once: pause of %s", ask.Rest)
			}
			l.applyGrant(l.leaseRequest(), Grant{}, unreachable)
			time.Sleep(after)
			ask := l.leaseRequest()
			if want := max(0, 20*time.Second-after); ask.Rest != want {
				t.Errorf("after %s: pause of %s, want %s", after, ask.Rest, want)
			}
			l.applyGrant(ask, Grant{Calls: 10, Limit: 100, Replicas: 2}, nil)
			if again := l.leaseRequest(); again.Rest != 0 {
				t.Errorf("pause of %s is reported again", again.Rest)
			}
		}
	})
}
