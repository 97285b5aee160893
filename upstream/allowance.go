package upstream

import (
	"context"
	"errors"
	"net/http"
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

	made atomic.Int64
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

// WithAllowance returns a context whose calls come out of the allowance.
func WithAllowance(ctx context.Context, a *Allowance) context.Context {
	return context.WithValue(ctx, allowanceKey{}, a)
}

func allowanceOf(ctx context.Context) *Allowance {
	a, _ := ctx.Value(allowanceKey{}).(*Allowance)
	return a
}

// deadline returns a context that ends when the calls of the context have to be
// done.
func deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if a := allowanceOf(ctx); a != nil && !a.Until.IsZero() {
		return context.WithDeadline(ctx, a.Until)
	}
	return ctx, func() {}
}

var errOverBudget = errors.New("the budget of calls is spent")

// meter is a [http.RoundTripper] that counts calls, and refuses those beyond the
// budget of their request.
type meter struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (m meter) RoundTrip(req *http.Request) (*http.Response, error) {
	if a := allowanceOf(req.Context()); a != nil && !a.spend() {
		return nil, errOverBudget
	}
	return m.next.RoundTrip(req)
}
