package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

func TestHandlerStartsATraceWhereItIsWanted(t *testing.T) {
	for _, test := range []struct {
		name           string
		always         bool
		method, header string
		may, want      bool
	}{
		{"not requested", false, http.MethodPost, "", true, false},
		{"requested", false, http.MethodPost, "1", true, true},
		{"requested by GET", false, http.MethodGet, "1", true, true},
		{"declined", false, http.MethodPost, "0", true, false},
		{"another value", false, http.MethodPost, "yes", true, false},
		{"requested without permission", false, http.MethodPost, "1", false, false},
		{"always", true, http.MethodPost, "", true, true},
		{"always, but a cacheable GET", true, http.MethodGet, "", true, false},
		{"always, and requested by GET", true, http.MethodGet, "1", true, true},
		{"always, but declined", true, http.MethodPost, "0", true, false},
		{"always, without permission", true, http.MethodPost, "", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			served := false
			h := Handler(test.always, func(context.Context) bool { return test.may }, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				served = true
				if got := Wanted(r.Context()); got != test.want {
					t.Errorf("an explanation is wanted: %t, want %t", got, test.want)
				}
			}))
			r := httptest.NewRequestWithContext(t.Context(), test.method, "/graphql", nil)
			if test.header != "" {
				r.Header.Set(Header, test.header)
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			if !served {
				t.Error("the request was not passed on")
			}
		})
	}
}

// schema is the schema of the explained operations.
var schema = gqlparser.MustLoadSchema(&ast.Source{Input: `
	type Query { teams(first: Int, last: Int): TeamConnection! }
	type TeamConnection { nodes: [Team!]! pageInfo: Boolean }
	type Team { name: String! }`})

// execute runs an operation that is executed by run, and returns its responses.
func execute(ctx context.Context, t *testing.T, run func(context.Context) graphql.ResponseHandler) (responses []*graphql.Response) {
	t.Helper()
	e := executor.New(&graphql.ExecutableSchemaMock{SchemaFunc: func() *ast.Schema { return schema }, ExecFunc: run})
	Apply(e)
	op, errs := e.CreateOperationContext(graphql.StartOperationTrace(ctx), &graphql.RawParams{Query: `{ teams(first: 3) { nodes { name } } }`})
	if errs != nil {
		t.Fatal(errs)
	}
	next, ctx := e.DispatchOperation(ctx, op)
	for response := next(ctx); response != nil; response = next(ctx) {
		responses = append(responses, response)
	}
	return responses
}

// inParts returns the responses one after another, and then nil.
func inParts(responses ...*graphql.Response) func(context.Context) graphql.ResponseHandler {
	return func(context.Context) graphql.ResponseHandler {
		return func(context.Context) *graphql.Response {
			if len(responses) == 0 {
				return nil
			}
			next := responses[0]
			responses = responses[1:]
			return next
		}
	}
}

func TestOnlyTheLastPartHasAnExplanation(t *testing.T) {
	parts := func() func(context.Context) graphql.ResponseHandler {
		return inParts(&graphql.Response{HasNext: new(true)}, &graphql.Response{HasNext: new(true)}, &graphql.Response{HasNext: new(false)})
	}
	explained := func(responses []*graphql.Response) (all []bool) {
		for _, response := range responses {
			_, ok := response.Extensions[Extension]
			all = append(all, ok)
		}
		return all
	}
	traced := upstream.WithTrace(t.Context(), upstream.NewTrace())
	if got := explained(execute(traced, t, parts())); !slices.Equal(got, []bool{false, false, true}) {
		t.Errorf("parts with an explanation: %v, want the last one only", got)
	}
	if got := explained(execute(t.Context(), t, parts())); !slices.Equal(got, []bool{false, false, false}) {
		t.Errorf("parts with an explanation: %v, want none without a trace", got)
	}
	if got := explained(execute(traced, t, inParts(&graphql.Response{}))); !slices.Equal(got, []bool{true}) {
		t.Errorf("a whole response is explained: %v, want true", got)
	}
}

// TestExplanationReplacesNoOtherExtension pins that extensions of other parts stay.
func TestExplanationReplacesNoOtherExtension(t *testing.T) {
	responses := execute(upstream.WithTrace(t.Context(), upstream.NewTrace()), t, func(context.Context) graphql.ResponseHandler {
		return graphql.OneShot(&graphql.Response{})
	})
	if len(responses) != 1 || len(responses[0].Extensions) != 1 {
		t.Fatalf("got %v, want one response with one extension", responses)
	}
	e := executor.New(&graphql.ExecutableSchemaMock{SchemaFunc: func() *ast.Schema { return schema }, ExecFunc: inParts(&graphql.Response{})})
	Apply(e)
	e.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		graphql.RegisterExtension(ctx, "other", 1)
		return next(ctx)
	})
	op, errs := e.CreateOperationContext(graphql.StartOperationTrace(t.Context()), &graphql.RawParams{Query: `{ __typename }`})
	if errs != nil {
		t.Fatal(errs)
	}
	next, ctx := e.DispatchOperation(upstream.WithTrace(t.Context(), upstream.NewTrace()), op)
	if got := next(ctx).Extensions; got["other"] != 1 || got[Extension] == nil {
		t.Errorf("extensions %v, want the other one beside the explanation", got)
	}
}

// TestExplanationCountsCallsByOrigin makes three calls: one over the network, its repetition from
// the cache, and one that fails. The last two depend on the first.
func TestExplanationCountsCallsByOrigin(t *testing.T) {
	api := httptest.NewServer(demo.New())
	defer api.Close()
	c, err := upstream.New(upstream.Config{URLTemplate: demo.Template(strings.TrimPrefix(api.URL, "http://")), Transport: transport.Config{CacheTTL: time.Minute, Attempts: 1}})
	if err != nil {
		t.Fatal(err)
	}
	c = c.WithToken(demo.Token)
	ctx := upstream.WithTrace(t.Context(), upstream.NewTrace())
	responses := execute(ctx, t, func(context.Context) graphql.ResponseHandler {
		for range 2 {
			if _, err := c.Teams(ctx, upstream.Query{Descending: true}); err != nil {
				t.Error(err)
			}
		}
		_, _ = c.Team(ctx, "99")
		return graphql.OneShot(&graphql.Response{})
	})
	what := responses[0].Extensions[Extension].(Explanation)
	if what.Network != 2 || what.Cache != 1 || what.Coalesced != 0 || what.Chain != 3 {
		t.Errorf("%d calls over the network, %d from the cache, %d shared, a chain of %d; want 2, 1, 0 and 3", what.Network, what.Cache, what.Coalesced, what.Chain)
	}
	if want := 1 + 3*2; what.Complexity != want {
		t.Errorf("the trace has complexity %d, want the complexity of the operation, %d", what.Complexity, want)
	}
	var got []string
	for _, call := range what.Calls {
		got = append(got, fmt.Sprint(call.Method, " ", call.Path, " ", call.Parameters, " ", call.Status, " ", call.Origin))
		if call.StartMS < 0 || call.DurationMS < 0 || call.StartMS+call.DurationMS > what.DurationMS+1 || !strings.HasSuffix(call.Host, "/accounts") {
			t.Errorf("%+v does not lie within the request's %g ms, on the accounts host", call, what.DurationMS)
		}
	}
	if want := []string{"GET /teams [sort_order] 200 network", "GET /teams [sort_order] 200 cache", "GET /teams/{id} [] 404 network"}; !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
}

// TestExplanationCountsSharedCalls makes the same call twice at once.
func TestExplanationCountsSharedCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := upstream.New(upstream.Config{Transport: transport.Config{RoundTripper: slowTransport{}}})
		if err != nil {
			t.Fatal(err)
		}
		c = c.WithToken(demo.Token)
		go func() { _, _ = c.Teams(t.Context(), upstream.Query{}) }()
		synctest.Wait()
		ctx := upstream.WithTrace(t.Context(), upstream.NewTrace())
		time.Sleep(time.Second)
		if _, err := c.Teams(ctx, upstream.Query{}); err != nil {
			t.Error(err)
		}
		what := explanation(upstream.TraceOf(ctx), &graphql.OperationContext{})
		if what.Coalesced != 1 || what.Network != 0 || len(what.Calls) != 1 {
			t.Errorf("%+v, want one call that another request made", what)
		}
		if what.Complexity != 0 {
			t.Errorf("complexity %d without an operation, want 0", what.Complexity)
		}
		if call := what.Calls[0]; call.StartMS != 1000 || call.DurationMS != 9000 || what.DurationMS != 10_000 {
			t.Errorf("the call starts at %g ms and takes %g of %g; want 1000, 9000 and 10000", call.StartMS, call.DurationMS, what.DurationMS)
		}
	})
}

// slowTransport answers each call with an empty list after ten seconds.
type slowTransport struct{}

// RoundTrip implements [http.RoundTripper].
func (slowTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	select {
	case <-time.After(10 * time.Second):
		_, _ = w.WriteString("[]")
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return w.Result(), nil
}

func TestExplanationIsJSONWithRoundedTimes(t *testing.T) {
	for d, want := range map[time.Duration]float64{0: 0, 1234567: 1.23, 1235001: 1.24, 2 * time.Second: 2000} {
		if got := ms(d); got != want {
			t.Errorf("%s is %g ms, want %g", d, got, want)
		}
	}
	text, err := json.Marshal(Explanation{Calls: []Call{{Method: "GET", Host: "h", Path: "/teams", Status: 200, Origin: transport.FromCache}}})
	const want = `{"calls":[{"method":"GET","host":"h","path":"/teams","status":200,"origin":"cache","ageMs":0,"startMs":0,"durationMs":0}],"network":0,"coalesced":0,"cache":0,"chain":0,"complexity":0,"durationMs":0}`
	if err != nil || string(text) != want {
		t.Errorf("%s %v, want %s", text, err, want)
	}
}
