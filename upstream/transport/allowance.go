package transport

import (
	"context"
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
	fresh atomic.Int64 // when the first response expires, in Unix nanoseconds; negative if one is not cached
	began time.Time
	// release stops the timer for Until. Calling it is optional, because the parent context ends
	// with the request.
	release context.CancelFunc
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
	for before := a.stale.Load(); int64(expired) > before && !a.stale.CompareAndSwap(before, int64(expired)); before = a.stale.Load() {
	}
}

// FreshUntil returns when the first of the responses expires in the cache. It is the zero time if one of
// them is not cached, or if there are none.
func (a *Allowance) FreshUntil() time.Time {
	if at := a.fresh.Load(); at > 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// addFresh records when a response expires; the zero time if it is not cached.
func (a *Allowance) addFresh(until time.Time) {
	at := int64(-1)
	if !until.IsZero() {
		at = until.UnixNano()
	}
	for before := a.fresh.Load(); (before == 0 || at < before) && !a.fresh.CompareAndSwap(before, at); before = a.fresh.Load() {
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
	aside := new(Allowance)
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
