package transport

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Allowance limits the calls made for one client request. It is safe for concurrent use. Each
// request needs its own.
type Allowance struct {
	// Calls is the maximum number of calls; 0 means no limit. Responses from the cache are not
	// counted. Further calls fail with [ErrOverBudget].
	Calls int
	// Exceeded, if not nil, is called once, before the first call beyond the limit. Calls beyond
	// the limit are then made and do not fail.
	Exceeded func()
	// Until is the deadline of the calls; zero means none. Calls that have not finished by then
	// fail with [context.DeadlineExceeded].
	Until time.Time
	// CacheTags, if not nil, collects the tags of the responses.
	CacheTags *CacheTags

	made  atomic.Int64
	stale atomic.Int64 // the longest time since a response expired
	began time.Time
	// release stops the timer for Until. Calling it is optional, because the parent context ends
	// with the request.
	release context.CancelFunc

	request *Allowance // of the client request, if this is a separate one

	mu             sync.Mutex
	parts          map[part]uint64 // the number of evictions when the first response was valid
	fresh          time.Time       // when the first response expires
	mustRevalidate bool
}

// part is the part of a response that comes from the cached responses of a host.
type part struct {
	cache *cache
	host  string
}

// Spend counts a call, and reports whether it may be made.
func (a *Allowance) Spend() bool {
	made := a.made.Add(1)
	if a.Calls == 0 || made <= int64(a.Calls) {
		return true
	}
	if a.Exceeded != nil && made == int64(a.Calls)+1 {
		a.Exceeded()
	}
	return a.Exceeded != nil
}

// Began returns when [WithAllowance] was called.
func (a *Allowance) Began() time.Time { return a.began }

// Stale returns the longest time since the expiry of a response that was given nevertheless; 0 if there
// was none.
func (a *Allowance) Stale() time.Duration { return time.Duration(a.stale.Load()) }

// addStale records a stale response.
func (a *Allowance) addStale(expired time.Duration) {
	if a == nil {
		return
	}
	a.MustRevalidate()
	for before := a.stale.Load(); int64(expired) > before && !a.stale.CompareAndSwap(before, int64(expired)); before = a.stale.Load() {
	}
}

// FreshUntil returns when the first of the responses expires in the cache. It is the zero time if one of
// them is not cached or has been evicted since, if a load failed, or if there are none. A nil Allowance has
// none.
func (a *Allowance) FreshUntil(ctx context.Context) time.Time {
	if a == nil {
		return time.Time{}
	}
	a.mu.Lock()
	parts, until := maps.Clone(a.parts), a.fresh
	isFresh := len(parts) > 0 && !a.mustRevalidate
	a.mu.Unlock()
	for part, began := range parts {
		isFresh = isFresh && part.cache.isCurrent(ctx, part.host, began)
	}
	if !isFresh {
		return time.Time{}
	}
	return until
}

// used records a response that expires at a time; the zero time if it is not cached. began is the number of
// evictions when it was valid.
func (a *Allowance) used(c *cache, host string, began uint64, expires time.Time) {
	switch {
	case a == nil:
		return
	case expires.IsZero():
		a.MustRevalidate()
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.parts == nil {
		a.parts, a.fresh = make(map[part]uint64), expires
	}
	of := part{c, host}
	if before, ok := a.parts[of]; !ok || began < before {
		a.parts[of] = began
	}
	a.fresh = earlier(a.fresh, expires)
}

// MustRevalidate records that clients must not use the response to the request without asking again,
// because a part of it is not cached, or because a load failed.
func (a *Allowance) MustRevalidate() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mustRevalidate = true
}

// Failed records that a load failed, so that clients must not use the response without asking again. With a
// separate allowance, this also holds for the response to the client request. There it does not if the
// record is missing, because a hidden one must look the same. A refusal tells nothing about hidden records.
func (a *Allowance) Failed(isMissing bool) {
	a.MustRevalidate()
	if a != nil && !isMissing {
		a.request.Failed(false)
	}
}

type allowanceKey struct{}

// WithAllowance returns a context whose calls count against the allowance. It ends when ctx ends or
// the deadline passes. Use it once for each allowance.
func WithAllowance(ctx context.Context, a *Allowance) context.Context {
	a.began = time.Now()
	if !a.Until.IsZero() {
		ctx, a.release = context.WithDeadline(ctx, a.Until) //nolint:gosec // see release
	}
	return context.WithValue(ctx, allowanceKey{}, a)
}

// WithSeparateAllowance returns a context for calls that do not count against the request's
// allowance, because their number would reveal hidden records to its caller. They have an allowance
// of the same size and deadline.
func WithSeparateAllowance(ctx context.Context) context.Context {
	aside := &Allowance{request: AllowanceOf(ctx)}
	if a := AllowanceOf(ctx); a != nil {
		aside.Calls, aside.Until = a.Calls, a.Until
		if a.Exceeded != nil { // only the request's own calls are reported
			aside.Exceeded = func() {}
		}
	}
	return WithAllowance(ctx, aside)
}

// AllowanceOf returns the allowance of a context; nil without one.
func AllowanceOf(ctx context.Context) *Allowance {
	a, _ := ctx.Value(allowanceKey{}).(*Allowance)
	return a
}
