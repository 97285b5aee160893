// Package limits keeps one careless or hostile request from spending the memory of
// the server, its time, or the team's rate limit with ClickFunnels.
//
// What a document looks like is measured before it is validated, since validation
// is what takes long; what it costs is worked out before it is run; the REST calls
// and the time that it takes are counted while it runs.
package limits

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Limits are what a request may come to; 0 is no limit.
type Limits struct {
	// Tokens is the most words and signs of a document.
	Tokens int `name:"max-tokens" env:"FUNNELGRAPH_MAX_TOKENS" default:"5000" help:"Most words and signs in a document." yaml:"tokens"`
	// Depth is how deep fields may be nested, fragments included.
	Depth int `name:"max-depth" env:"FUNNELGRAPH_MAX_DEPTH" default:"20" help:"How deep fields may be nested." yaml:"depth"`
	// Aliases is the most aliases in a document.
	Aliases int `name:"max-aliases" env:"FUNNELGRAPH_MAX_ALIASES" default:"200" help:"Most aliases in a document." yaml:"aliases"`
	// Directives is the most directives in a document.
	Directives int `name:"max-directives" env:"FUNNELGRAPH_MAX_DIRECTIVES" default:"100" help:"Most directives in a document." yaml:"directives"`
	// RootFields is the most fields that an operation begins with.
	RootFields int `name:"max-root-fields" env:"FUNNELGRAPH_MAX_ROOT_FIELDS" default:"100" help:"Most fields at the root of an operation." yaml:"root-fields"`
	// Rows is how many rows of a list may be asked for, 100 at most.
	Rows int `name:"max-rows" env:"FUNNELGRAPH_MAX_ROWS" default:"100" help:"Most rows of one list that may be asked for, 100 at most." yaml:"rows"`
	// Complexity is the most fields that an answer may have if every list is as
	// long as it may be.
	Complexity int `name:"max-complexity" env:"FUNNELGRAPH_MAX_COMPLEXITY" default:"1000000" help:"Most fields that an answer may have if every list in it is as long as was asked for." yaml:"complexity"`
	// Objects is how many objects the lists of an answer may have together.
	Objects int `name:"max-objects" env:"FUNNELGRAPH_MAX_OBJECTS" default:"50000" help:"Most objects in the lists of one answer together." yaml:"objects"`
	// Calls is the most REST calls that a request may make.
	Calls int `name:"max-calls" env:"FUNNELGRAPH_MAX_CALLS" default:"500" help:"Most REST calls that one request may make. What is left out has the error CALL_BUDGET_EXCEEDED, the rest is answered." yaml:"calls"`
	// Timeout is how long a request's REST calls may take together.
	Timeout time.Duration `name:"request-timeout" env:"FUNNELGRAPH_REQUEST_TIMEOUT" default:"60s" help:"How long the REST calls of one request may take together. What is not there by then has the error UPSTREAM_TIMEOUT, the rest is answered." yaml:"timeout"`
	// Rate is the most requests of one client in a minute.
	Rate int `name:"rate-limit" env:"FUNNELGRAPH_RATE_LIMIT" default:"0" help:"Most requests of one client, or of one token, in a minute; a tenth of it may come at once. 0 is no limit." yaml:"rate"`
}

// Check returns an error of one line if a limit makes no sense.
func (l Limits) Check() error {
	for _, limit := range []struct {
		name  string
		value int
	}{
		{"tokens", l.Tokens}, {"depth", l.Depth}, {"aliases", l.Aliases}, {"directives", l.Directives}, {"root-fields", l.RootFields},
		{"rows", l.Rows}, {"complexity", l.Complexity}, {"objects", l.Objects}, {"calls", l.Calls}, {"rate", l.Rate}, {"timeout", int(l.Timeout)},
	} {
		if limit.value < 0 {
			return fmt.Errorf("the limit of %s must not be negative; 0 is no limit", limit.name)
		}
	}
	return nil
}

// Policy is what holds for one request.
type Policy struct {
	Limits

	// Client is who sends it, for reports; empty if nobody knows.
	Client string
	// Measure has limits reported and not enforced.
	Measure bool
}

// Allow returns a context whose REST calls together may come to what the policy
// says, beginning now.
func (p Policy) Allow(ctx context.Context) context.Context {
	a := &upstream.Allowance{Calls: p.Calls}
	if p.Timeout > 0 {
		a.Until = time.Now().Add(p.Timeout)
	}
	if deadline, ok := ctx.Value(deadlineKey{}).(time.Time); ok && (a.Until.IsZero() || deadline.Before(a.Until)) {
		a.Until = deadline
	}
	a.Exceeded = p.Exceeded(ctx, "calls", p.Calls)
	return upstream.WithAllowance(ctx, a)
}

type deadlineKey struct{}

// WithDeadline returns a context whose [Policy.Allow] ends calls at the deadline at the
// latest. The context itself goes on: the answer still has to be written.
func WithDeadline(ctx context.Context, deadline time.Time) context.Context {
	return context.WithValue(ctx, deadlineKey{}, deadline)
}

// Exceeded returns what is to be called when something that is counted while a
// request runs is above its limit; nil if it is to be refused.
func (p Policy) Exceeded(ctx context.Context, limit string, most int) func() {
	if !p.Measure {
		return nil
	}
	return func() { p.report(ctx, limit, most+1, most) }
}

func (p Policy) report(ctx context.Context, limit string, value, most int) {
	slog.WarnContext(ctx, "over a limit, and not refused", "limit", limit, "value", value, "max", most, "client", p.Client)
}

// over returns the error of a request whose value is over a limit, nil if it is not
// or if it is let.
func (p Policy) over(ctx context.Context, limit string, value, most int, text string) *gqlerror.Error {
	if most == 0 || value <= most {
		return nil
	}
	if p.Measure {
		p.report(ctx, limit, value, most)
		return nil
	}
	return refusal(limit, value, most, text)
}

// refusal is an error whose text names the value and the limit.
func refusal(limit string, value, most int, text string) *gqlerror.Error {
	return &gqlerror.Error{
		Err:        upstream.NewError(upstream.BadUserInput, fmt.Sprintf(text, value, most)),
		Message:    fmt.Sprintf(text, value, most),
		Extensions: map[string]any{"limit": limit, "value": value, "max": most},
	}
}
