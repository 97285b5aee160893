package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/graph/exec"
	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// recheckInterval is how often a running subscription checks that the caller still sees its object.
const recheckInterval = 5 * time.Minute

// stream is a running subscription. Each event is answered like a query of its own: with the caller's
// current rights, with new loaders, and with the budgets of one request.
type stream struct {
	schema graphql.ExecutableSchema
	plan   *selection
	field  *field // the only root field
	begin  beginner
	events <-chan *model.Event
	// isProbe makes the source begin now, whatever the arguments say.
	isProbe bool
	// checked is when the caller was last seen to have access.
	checked time.Time

	mu  sync.Mutex
	err error // why the source has ended
}

// beginner begins an execution of the context's operation. It fails if the caller may not run it any
// more.
type beginner func(context.Context) (context.Context, *execution, error)

type streamKey struct{}

// LastEvent returns a context in which subscriptions begin after the event with an id, whatever their
// arguments say.
func LastEvent(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, lastEventKey{}, id)
}

type lastEventKey struct{}

func lastEventOf(ctx context.Context) string {
	id, _ := ctx.Value(lastEventKey{}).(string)
	return id
}

// fail sets the reason for the end of the source.
func (s *stream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// execution begins an execution.
func (s *stream) execution(ctx context.Context) (*execution, error) {
	ctx, x, err := s.begin(context.WithValue(ctx, streamKey{}, s))
	if err != nil {
		return nil, err
	}
	x.ctx, x.op = ctx, graphql.GetOperationContext(ctx)
	x.relations = exec.NewRelations(x.op, s.schema)
	return x, nil
}

// start calls the resolver of the root field, which checks the arguments and the rights and starts the
// source. It returns a response if that fails.
func (s *stream) start(ctx context.Context) *graphql.Response {
	x, err := s.execution(ctx)
	if err != nil {
		return ended(ctx, err)
	}
	root := s.plan.newObject(nil, nil, 0)
	values, errs := x.newRootCall(s.field, root).resolve(x.loaders) //nolint:contextcheck // the operation's
	if errs != nil {
		w := &writer{execution: x, path: []step{{key: s.field.Alias}}}
		w.fail(errs[0])
		return &graphql.Response{Errors: w.errs}
	}
	s.events, s.checked = values[0].(<-chan *model.Event), time.Now()
	return nil
}

// next waits for an event and answers it. It returns nil when the subscription has ended.
func (s *stream) next(ctx context.Context) *graphql.Response {
	for {
		recheck := time.NewTimer(time.Until(s.checked.Add(recheckInterval)))
		select {
		case event, ok := <-s.events:
			recheck.Stop()
			if !ok {
				return s.end(ctx)
			}
			return s.answer(ctx, event)
		case <-recheck.C:
			if refused := s.recheck(ctx); refused != nil {
				return refused
			}
		case <-ctx.Done():
			recheck.Stop()
			return nil
		}
	}
}

// recheck starts the subscription once more, to see whether the caller still may, and ends that one. It
// returns nil if ClickFunnels cannot tell at the moment.
func (s *stream) recheck(ctx context.Context) *graphql.Response {
	probing, stop := context.WithCancel(ctx)
	defer stop()
	again := &stream{schema: s.schema, plan: s.plan, field: s.field, begin: s.begin, isProbe: true}
	refused := again.start(probing)
	s.checked = time.Now()
	if refused == nil || !isFinal(refused.Errors) {
		return nil
	}
	return refused
}

// isFinal reports whether errors mean that a caller has no access.
func isFinal(errs gqlerror.List) bool {
	return slices.ContainsFunc(errs, func(err *gqlerror.Error) bool {
		code := fmt.Sprint(err.Extensions["code"])
		return slices.Contains([]upstream.Code{upstream.NotFound, upstream.Forbidden, upstream.Unauthenticated, upstream.BadUserInput}, upstream.Code(code))
	})
}

// end returns the response for the end of the source, nil if there is no reason.
func (s *stream) end(ctx context.Context) *graphql.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		return nil
	}
	err, known := errors.AsType[*upstream.Error](s.err)
	if !known {
		err = upstream.NewError(upstream.Unavailable, sentence(s.err.Error()))
	}
	s.err = nil
	return ended(ctx, err)
}

// ended returns the response for a subscription that cannot go on.
func ended(ctx context.Context, err error) *graphql.Response {
	return &graphql.Response{Errors: gqlerror.List{present(ctx, err)}}
}

// sentence returns the text of an error as a sentence.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

// answer loads and writes the response to an event.
func (s *stream) answer(ctx context.Context, event *model.Event) *graphql.Response {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the deadline of the calls would outlive the event
	if event.Current {
		ctx = upstream.WithSubject(ctx, event.Ref, event.Data)
	}
	x, err := s.execution(ctx)
	if err != nil {
		s.events = nil
		return ended(ctx, err)
	}
	if event.Data != nil && s.selectsData() {
		seen := *event
		if subject, err := eventSubject(loader.With(x.ctx, x.loaders), event); err != nil || subject == nil { //nolint:contextcheck // the operation's
			seen.Data = nil // the caller may not see it now
		}
		event = &seen
	}
	root := s.plan.newObject(nil, nil, 0)
	c := x.newRootCall(s.field, root)
	groups := c.attach([]any{event}, nil)
	root.results = c.objs[0].results
	x.start(x.nextCalls(groups)) //nolint:contextcheck // the operation's
	x.loads.Wait()
	w := &writer{execution: x}
	if !w.object(s.plan, nil, root) { //nolint:contextcheck // the operation's
		w.buf = []byte("null")
	}
	response := &graphql.Response{Data: w.buf, Errors: w.errs, Label: event.ID}
	x.markStale(response)
	return response
}

// selectsData reports whether the subscription selects the data of events.
func (s *stream) selectsData() bool {
	for _, f := range s.field.objectSelection.fields {
		if f.Name == "data" {
			return true
		}
	}
	return false
}
