package gqlhttp

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// recordIncremental returns the recorded incremental response of an operation with the responses of
// next.
func recordIncremental(ctx context.Context, accept string, next graphql.ResponseHandler) *httptest.ResponseRecorder {
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: "type Query { a: Int }"})
	h := Handler(Config{
		Executor: executor.New(&graphql.ExecutableSchemaMock{
			SchemaFunc: func() *ast.Schema { return schema },
			ExecFunc:   func(context.Context) graphql.ResponseHandler { return next },
		}),
		Scope:   func(context.Context) any { return "" },
		InParts: func(ctx context.Context, _ *graphql.OperationContext) (context.Context, bool) { return ctx, true },
		MaxBody: 1 << 10,
	})
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/graphql", strings.NewReader(`{"query":"{a}"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestKeepAlive checks that an idle event stream gets a comment every ten seconds. A multipart
// response gets nothing, because its format has no keep-alive.
func TestKeepAlive(t *testing.T) {
	for accept, want := range map[string]string{
		eventStream: ":\n\n:\n\n" + `event: next` + "\n" + `data: {"data":{"a":1},"hasNext":true}` + "\n\n:\n\n" +
			`event: next` + "\n" + `data: {"incremental":[{"data":{"b":2},"path":["c"]}],"hasNext":false}` + "\n\nevent: complete\ndata:\n\n",
		multipart: "\r\n---\r\ncontent-type: application/json; charset=utf-8\r\n\r\n" + `{"data":{"a":1},"hasNext":true}` +
			"\r\n---\r\ncontent-type: application/json; charset=utf-8\r\n\r\n" + `{"incremental":[{"data":{"b":2},"path":["c"]}],"hasNext":false}` + "\r\n-----\r\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			responses := []*graphql.Response{
				{Data: []byte(`{"a":1}`), HasNext: new(true)},
				{Data: []byte(`{"b":2}`), Path: ast.Path{ast.PathName("c")}, HasNext: new(false)},
			}
			waits := []time.Duration{25 * time.Second, 15 * time.Second}
			w := recordIncremental(t.Context(), accept, func(context.Context) *graphql.Response {
				time.Sleep(waits[0])
				response := responses[0]
				waits, responses = waits[1:], responses[1:]
				return response
			})
			if got := w.Body.String(); got != want || w.Code != http.StatusOK {
				t.Errorf("%d\n%s\nwant\n%s", w.Code, got, want)
			}
		})
	}
}

// TestPanicDuringIncrementalResponse lets an operation panic after its first part. The response
// ends with an error that does not contain the panic's message.
func TestPanicDuringIncrementalResponse(t *testing.T) {
	first := true
	w := recordIncremental(t.Context(), multipart, func(context.Context) *graphql.Response {
		if !first {
			panic("the inside")
		}
		first = false
		return &graphql.Response{Data: []byte(`{"a":1}`), HasNext: new(true)}
	})
	if got := w.Body.String(); strings.Contains(got, "inside") || !strings.Contains(got, `{"errors":[{"message":"`) || !strings.HasSuffix(got, `"hasNext":false}`+"\r\n-----\r\n") {
		t.Error(got)
	}
}

// TestDisconnectDuringIncrementalResponse checks that the handler returns only after the execution
// has ended if the client disconnects.
func TestDisconnectDuringIncrementalResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := false
		time.AfterFunc(time.Second, cancel)
		recordIncremental(ctx, eventStream, func(ctx context.Context) *graphql.Response {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended = true
			return nil
		})
		if !ended {
			t.Error("it goes on")
		}
	})
}
