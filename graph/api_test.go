package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/funnelgraph/funnelgraph/graph/exec"
	"github.com/funnelgraph/funnelgraph/internal/apitest"
)

// operations executes operations against the simulated API.
type operations struct {
	*apitest.API
	*executor.Executor

	// session changes the session of each operation, if not nil.
	session func(*Session)
}

func newOperations(t *testing.T) *operations {
	t.Helper()
	o := &operations{API: apitest.New(t)}
	o.Executor = NewExecutor(func(ctx context.Context) Session {
		s := Session{Client: o.Client, Calls: ctx}
		if o.session != nil {
			o.session(&s)
		}
		return s
	}, true)
	return o
}

// start starts an operation, whose responses it returns one by one. Variables are JSON, or empty.
// parts lets @defer take effect.
func (o *operations) start(ctx context.Context, t *testing.T, query, variables string, parts bool) func() *graphql.Response {
	t.Helper()
	params := &graphql.RawParams{Query: query}
	if variables != "" {
		decoder := json.NewDecoder(strings.NewReader(variables))
		decoder.UseNumber()
		if err := decoder.Decode(&params.Variables); err != nil {
			t.Fatal(err)
		}
	}
	ctx = graphql.StartOperationTrace(ctx)
	op, errs := o.CreateOperationContext(ctx, params)
	ctx = graphql.WithOperationContext(ctx, op)
	if errs != nil {
		next := graphql.OneShot(o.DispatchError(ctx, errs))
		return func() *graphql.Response { return next(ctx) }
	}
	if parts {
		ctx, _ = InParts(ctx, op)
	}
	next, ctx := o.DispatchOperation(ctx, op)
	return func() *graphql.Response { return next(ctx) }
}

// execute runs an operation and returns its response as JSON.
func (o *operations) execute(t *testing.T, query, variables string) string {
	t.Helper()
	return text(t, o.start(t.Context(), t, query, variables, false)())
}

// data is [operations.execute] for an operation that must succeed. It returns the data.
func (o *operations) data(t *testing.T, query string) string {
	t.Helper()
	response := o.start(t.Context(), t, query, "", false)()
	if len(response.Errors) > 0 {
		t.Fatalf("%s failed: %v", query, response.Errors)
	}
	return string(response.Data)
}

// text returns a response as JSON.
func text(t *testing.T, response *graphql.Response) string {
	t.Helper()
	b, err := json.Marshal(response)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// in101 is a query for fields of the workspace 101, whose subdomain is known.
func in101(fields string) string {
	return `{ workspace(id: "101", subdomain: "acme-academy") { ` + fields + ` } }`
}

// operationOf returns the only operation of a document, valid or not, as resolvers see it.
func operationOf(t *testing.T, query string, variables map[string]any) *graphql.OperationContext {
	t.Helper()
	schema := exec.NewExecutableSchema(exec.Config{}).Schema()
	doc, errs := gqlparser.LoadQueryWithRules(schema, query, rules.NewDefaultRules())
	if errs != nil {
		t.Fatalf("%s: %v", query, errs)
	}
	return &graphql.OperationContext{Doc: doc, Operation: doc.Operations[0], Variables: variables}
}

// inField returns the context of the resolver of a root field, which has these selections.
func inField(t *testing.T, query string, variables map[string]any) context.Context {
	t.Helper()
	op := operationOf(t, query, variables)
	root := "Query"
	if op.Operation.Operation == ast.Mutation {
		root = "Mutation"
	}
	field := graphql.CollectFields(op, op.Operation.SelectionSet, []string{root})[0]
	return graphql.WithFieldContext(graphql.WithOperationContext(t.Context(), op), &graphql.FieldContext{Object: root, Field: field})
}

// each joins the results of f for 0 to n-1.
func each(n int, f func(i int) string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprint(&b, f(i), " ")
	}
	return b.String()
}
