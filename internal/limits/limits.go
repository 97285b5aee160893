// Package limits prevents a single careless or hostile request from exhausting the server's
// memory and CPU, or the team's rate limit at ClickFunnels.
//
// It measures a document before validation, because validation is slow. It computes the cost of
// an operation before execution. REST calls and time are counted during execution.
package limits

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// Limits are the limits of one request; 0 is no limit.
type Limits struct {
	// Tokens is the maximum number of tokens in a document.
	Tokens int `name:"max-tokens" env:"FUNNELGRAPH_MAX_TOKENS" default:"5000" help:"Maximum number of lexical tokens (names, values, punctuators) in a document." yaml:"tokens"`
	// Depth is the maximum nesting depth of fields, after fragments are expanded.
	Depth int `name:"max-depth" env:"FUNNELGRAPH_MAX_DEPTH" default:"20" help:"Maximum nesting depth of fields." yaml:"depth"`
	// Aliases is the maximum number of aliases in a document.
	Aliases int `name:"max-aliases" env:"FUNNELGRAPH_MAX_ALIASES" default:"200" help:"Maximum number of aliases in a document." yaml:"aliases"`
	// Directives is the maximum number of directives in a document.
	Directives int `name:"max-directives" env:"FUNNELGRAPH_MAX_DIRECTIVES" default:"100" help:"Maximum number of directives in a document." yaml:"directives"`
	// RootFields is the maximum number of root fields in an operation.
	RootFields int `name:"max-root-fields" env:"FUNNELGRAPH_MAX_ROOT_FIELDS" default:"100" help:"Maximum number of fields at the root of an operation." yaml:"root-fields"`
	// Rows is the largest page that a client may request of a connection; never above 100.
	Rows int `name:"max-rows" env:"FUNNELGRAPH_MAX_ROWS" default:"100" help:"Maximum number of rows that a client can request per list. A maximum of 100 always applies." yaml:"rows"`
	// Complexity is the maximum number of fields in a response whose lists are all as long as
	// requested.
	Complexity int `name:"max-complexity" env:"FUNNELGRAPH_MAX_COMPLEXITY" default:"1000000" help:"Maximum number of fields that a response can have if every list has its requested length." yaml:"complexity"`
	// Objects is the maximum number of objects in all lists of a response together.
	Objects int `name:"max-objects" env:"FUNNELGRAPH_MAX_OBJECTS" default:"50000" help:"Maximum number of objects in all lists of a response together." yaml:"objects"`
	// Calls is the maximum number of REST calls of a request.
	Calls int `name:"max-calls" env:"FUNNELGRAPH_MAX_CALLS" default:"500" help:"Maximum number of REST calls per request. Fields that need more calls are null, with the error CALL_BUDGET_EXCEEDED. The other fields are complete." yaml:"calls"`
	// Timeout is the maximum time for all REST calls of a request together.
	Timeout time.Duration `name:"request-timeout" env:"FUNNELGRAPH_REQUEST_TIMEOUT" default:"60s" help:"Maximum time for all REST calls of a request together. Fields that are not loaded by then are null, with the error UPSTREAM_TIMEOUT. The other fields are complete." yaml:"timeout"`
	// Rate is the maximum number of requests of one client per minute.
	Rate int `name:"rate-limit" env:"FUNNELGRAPH_RATE_LIMIT" default:"0" help:"Maximum number of requests per minute, for each client of the access file or each token. The burst size is a tenth of the limit." yaml:"rate"`
	// Subscriptions is the maximum number of subscriptions of one client at once, and of its WebSocket
	// connections.
	Subscriptions int `name:"max-subscriptions" env:"FUNNELGRAPH_MAX_SUBSCRIPTIONS" default:"100" help:"Maximum number of subscriptions at once, for each client of the access file or each token, and of its WebSocket connections." yaml:"subscriptions"`
}

// Check returns an error of one line if a limit is negative.
func (l Limits) Check() error {
	for _, limit := range []struct {
		name  string
		value int
	}{
		{"tokens", l.Tokens}, {"depth", l.Depth}, {"aliases", l.Aliases}, {"directives", l.Directives}, {"root-fields", l.RootFields},
		{"rows", l.Rows}, {"complexity", l.Complexity}, {"objects", l.Objects}, {"calls", l.Calls}, {"rate", l.Rate}, {"timeout", int(l.Timeout)}, {"subscriptions", l.Subscriptions},
	} {
		if limit.value < 0 {
			return fmt.Errorf("the limit of %s must not be negative; 0 is no limit", limit.name)
		}
	}
	return nil
}

// Policy is the limits of one request, and how they are applied.
type Policy struct {
	Limits

	// Client is the name of the client in logs; empty if it has none.
	Client string
	// Measure reports exceeded limits and does not enforce them.
	Measure bool
}

// Allow returns a context that limits the number of REST calls, and their time from now on.
func (p Policy) Allow(ctx context.Context) context.Context {
	a := &transport.Allowance{Calls: p.Calls}
	if p.Timeout > 0 {
		a.Until = time.Now().Add(p.Timeout)
	}
	if deadline, _ := ctx.Value(deadlineKey{}).(time.Time); !deadline.IsZero() && (a.Until.IsZero() || deadline.Before(a.Until)) {
		a.Until = deadline
	}
	a.Exceeded = p.Exceeded(ctx, "calls", p.Calls)
	return transport.WithAllowance(ctx, a)
}

type deadlineKey struct{}

// WithDeadline returns a context for which [Policy.Allow] ends calls at the deadline at the
// latest; the zero time is no deadline. The context itself does not end, because the response must still
// be written.
func WithDeadline(ctx context.Context, deadline time.Time) context.Context {
	return context.WithValue(ctx, deadlineKey{}, deadline)
}

// Exceeded returns the function to call when a request exceeds a limit during execution. It
// returns nil if the policy enforces limits.
func (p Policy) Exceeded(ctx context.Context, limit string, most int) func() {
	if !p.Measure {
		return nil
	}
	return func() { p.report(ctx, limit, most+1, most) }
}

// AllowsStream reports whether a client with so many subscriptions may begin another one.
func (p Policy) AllowsStream(ctx context.Context, running int) bool {
	return p.enforce(ctx, "subscriptions", running+1, p.Subscriptions, "The client would have %d subscriptions; the limit is %d.") == nil
}

func (p Policy) report(ctx context.Context, limit string, value, most int) {
	slog.WarnContext(ctx, "limit exceeded, but not enforced", "limit", limit, "value", value, "max", most, "client", p.Client)
}

// enforce returns an error if a value exceeds a limit. If the policy only measures, it reports the
// value and returns nil.
func (p Policy) enforce(ctx context.Context, limit string, value, most int, text string) *gqlerror.Error {
	if most == 0 || value <= most {
		return nil
	}
	if p.Measure {
		p.report(ctx, limit, value, most)
		return nil
	}
	return exceededError(limit, value, most, text)
}

// exceededError returns the error of an exceeded limit. text is a format for the value and the
// limit.
func exceededError(limit string, value, most int, text string) *gqlerror.Error {
	return &gqlerror.Error{
		Err:        upstream.NewError(upstream.BadUserInput, fmt.Sprintf(text, value, most)),
		Message:    fmt.Sprintf(text, value, most),
		Extensions: map[string]any{"limit": limit, "value": value, "max": most},
	}
}
