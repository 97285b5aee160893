package gqlhttp

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

type (
	scopeKey     struct{}
	explainedKey struct{}
)

// slowEndpoint is an endpoint whose operations take ten seconds.
type slowEndpoint struct {
	http.Handler
	mu        sync.Mutex
	executed  int
	cancelled int // the number of cancelled operations
	changes   int // the number of mutations
	panicking bool
}

func newSlowEndpoint() *slowEndpoint {
	d := new(slowEndpoint)
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: "type Query { a(n: Int): Int } type Mutation { m: Int }"})
	d.Handler = Handler(Config{Executor: executor.New(&graphql.ExecutableSchemaMock{
		SchemaFunc: func() *ast.Schema { return schema },
		ExecFunc: func(ctx context.Context) graphql.ResponseHandler {
			return graphql.OneShot(d.execute(ctx))
		},
	}), Scope: func(ctx context.Context) any { return ctx.Value(scopeKey{}) }, Epoch: d.epoch, Explained: func(ctx context.Context) bool { return ctx.Value(explainedKey{}) != nil }, MaxBody: 1 << 20})
	return d
}

func (d *slowEndpoint) epoch() any {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changes
}

func (d *slowEndpoint) execute(ctx context.Context) *graphql.Response {
	d.mu.Lock()
	d.executed++
	n := d.executed
	if graphql.GetOperationContext(ctx).Operation.Operation == ast.Mutation {
		d.changes++
	}
	d.mu.Unlock()
	select {
	case <-time.After(10 * time.Second):
	case <-ctx.Done():
		d.mu.Lock()
		d.cancelled++
		d.mu.Unlock()
	}
	if d.panicking {
		panic("the inside")
	}
	return &graphql.Response{Data: fmt.Appendf(nil, `"%d for %s"`, n, ctx.Value(scopeKey{}))}
}

// ask sends a query, and returns the status and the body of the response.
func (d *slowEndpoint) ask(ctx context.Context, scope, query string, header ...string) string {
	r := httptest.NewRequestWithContext(context.WithValue(ctx, scopeKey{}, scope), http.MethodPost, "/graphql", strings.NewReader(`{"query":"`+query+`"}`))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return fmt.Sprint(w.Code, " ", w.Body)
}

// TestSharing checks that identical concurrent queries are executed once, and that queries with
// different keys are executed separately.
func TestSharing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSlowEndpoint()
		var wait sync.WaitGroup
		answers := make(map[string]map[string]int)
		ask := func(kind, scope, query string, header ...string) {
			for range 10 {
				wait.Go(func() {
					answer := d.ask(t.Context(), scope, query, header...)
					d.mu.Lock()
					defer d.mu.Unlock()
					if answers[kind] == nil {
						answers[kind] = make(map[string]int)
					}
					answers[kind][answer]++
					if !strings.Contains(answer, scope) {
						t.Errorf("%s got %s", scope, answer)
					}
				})
			}
		}
		ask("plain", "me", "{ a }")
		ask("another's", "you", "{ a }")
		ask("another query", "me", "{ a(n: 1) }")
		ask("fresh", "me", "{ a }", "Cache-Control", "no-cache")
		ask("another media type", "me", "{ a }", "Accept", graphqlJSON)
		wait.Wait()
		if len(answers) != 5 || d.executed != 5 {
			t.Errorf("%d executions: %v", d.executed, answers)
		}
		for kind, different := range answers {
			if len(different) != 1 {
				t.Errorf("%s: %v", kind, different)
			}
		}
		// A query that has ended is not joined.
		ask("plain", "me", "{ a }")
		wait.Wait()
		if d.executed != 6 || len(answers["plain"]) != 2 {
			t.Errorf("%d executions: %v", d.executed, answers["plain"])
		}
	})
}

// TestSharingMutations checks that each mutation is executed, and that a query after a mutation
// does not join a query from before it.
func TestSharingMutations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSlowEndpoint()
		var wait sync.WaitGroup
		executed := func(scope, query string, want int) {
			t.Helper()
			wait.Go(func() { d.ask(t.Context(), scope, query) })
			synctest.Wait()
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.executed != want {
				t.Errorf("%s for %s: %d executions, want %d", query, scope, d.executed, want)
			}
		}
		executed("me", "{ a }", 1)
		executed("you", "{ a }", 2)
		executed("me", "{ a }", 2)
		executed("me", "mutation { m }", 3)
		executed("me", "mutation { m }", 4)
		executed("me", "{ a }", 5)
		executed("me", "{ a }", 5)
		executed("you", "{ a }", 6) // others can see the change, too
		wait.Wait()
	})
}

// TestMutationEndsSharingOfEveryVariant runs queries of one client with every flight key. After a
// mutation, later queries join none of them.
func TestMutationEndsSharingOfEveryVariant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSlowEndpoint()
		var wait sync.WaitGroup
		explained := context.WithValue(t.Context(), explainedKey{}, true)
		all := func(want int) {
			t.Helper()
			for _, ctx := range []context.Context{t.Context(), explained} {
				for _, header := range [][]string{nil, {"Cache-Control", "no-cache"}, {"Accept", graphqlJSON}} {
					wait.Go(func() { d.ask(ctx, "me", "{ a }", header...) })
				}
			}
			synctest.Wait()
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.executed != want {
				t.Errorf("%d executions, want %d", d.executed, want)
			}
		}
		all(6)
		all(6)
		wait.Go(func() { d.ask(explained, "me", "mutation { m }") })
		synctest.Wait()
		all(13)
		wait.Wait()
	})
}

// TestSharingAfterDisconnects disconnects clients one by one. The others still get the response,
// and the query is cancelled when all have disconnected.
func TestSharingAfterDisconnects(t *testing.T) {
	for staying := range 3 { // the first one executes the query
		synctest.Test(t, func(t *testing.T) {
			d := newSlowEndpoint()
			var wait sync.WaitGroup
			answers := make([]string, 3)
			cancels := make([]context.CancelFunc, 3)
			for i := range 3 {
				var ctx context.Context
				ctx, cancels[i] = context.WithCancel(t.Context())
				defer cancels[i]()
				wait.Go(func() { answers[i] = d.ask(ctx, "me", "{ a }") })
				synctest.Wait()
			}
			for i, cancel := range cancels {
				if i != staying {
					cancel()
				}
			}
			wait.Wait()
			if d.executed != 1 || d.cancelled != 0 || !strings.Contains(answers[staying], "1 for me") {
				t.Errorf("%d executions, %d given up, answers %q", d.executed, d.cancelled, answers)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		d := newSlowEndpoint()
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() { d.ask(ctx, "me", "{ a }") })
		}
		synctest.Wait()
		begun := time.Now()
		cancel()
		wait.Wait()
		if d.cancelled != 1 || time.Since(begun) > 0 {
			t.Errorf("%d given up after %s", d.cancelled, time.Since(begun))
		}
	})
}

// TestSharingPanic checks that every client gets a response if a shared query panics.
func TestSharingPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSlowEndpoint()
		d.panicking = true
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				if answer := d.ask(t.Context(), "me", "{ a }"); !strings.HasPrefix(answer, "500 ") || strings.Contains(answer, "the inside") {
					t.Error(answer)
				}
			})
		}
		wait.Wait()
		if d.executed != 1 {
			t.Errorf("%d executions", d.executed)
		}
	})
}
