package upstream

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Allowance is what the calls made for one request may come to. It is safe for
// concurrent use; make one for each request.
type Allowance struct {
	// Calls is how many may be made; 0 is any number. What is answered from the
	// cache is not counted. Calls beyond it fail with the code [OverBudget].
	Calls int
	// Exceeded, if not nil, is called when one call more than that is about to be
	// made; it and those behind it are then made all the same.
	Exceeded func()
	// Until is when they have to be done; zero is never. What is not done by then
	// fails with the code [Timeout].
	Until time.Time

	made  atomic.Int64
	began time.Time
	// release gives up waiting for Until. It need not be called: the context that
	// the calls' is made from ends with the request.
	release context.CancelFunc
}

// spend counts a call, and reports whether it may be made.
func (a *Allowance) spend() bool {
	made := a.made.Add(1)
	if a.Calls == 0 || made <= int64(a.Calls) {
		return true
	}
	if a.Exceeded != nil && made == int64(a.Calls)+1 {
		a.Exceeded()
	}
	return a.Exceeded != nil
}

type allowanceKey struct{}

// WithAllowance returns a context for the calls of a request, which come out of the
// allowance. It ends with the request's own or when the allowance does, and is used
// once for each allowance.
func WithAllowance(ctx context.Context, a *Allowance) context.Context {
	a.began = time.Now()
	if !a.Until.IsZero() {
		ctx, a.release = context.WithDeadline(ctx, a.Until) //nolint:gosec // see release
	}
	return context.WithValue(ctx, allowanceKey{}, a)
}

// Aside returns a context for calls that a request does not pay for, since their number
// would tell its caller what it must not see. They have an allowance of their own, as
// large as the request's, and end with it.
func Aside(ctx context.Context) context.Context {
	aside := new(Allowance)
	if a := allowanceOf(ctx); a != nil {
		aside.Calls, aside.Until = a.Calls, a.Until
		if a.Exceeded != nil { // and reports it for its own calls
			aside.Exceeded = func() {}
		}
	}
	return WithAllowance(ctx, aside)
}

func allowanceOf(ctx context.Context) *Allowance {
	a, _ := ctx.Value(allowanceKey{}).(*Allowance)
	return a
}

var errOverBudget = errors.New("the budget of calls is spent")
