package gqlhttp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// heldEndpoint is an endpoint over real HTTP whose queries run until they are released or
// cancelled.
type heldEndpoint struct {
	*handler
	url string

	begun, cancelled, release chan struct{}
}

func newHeldEndpoint(t *testing.T) *heldEndpoint {
	t.Helper()
	c := &heldEndpoint{begun: make(chan struct{}, 100), cancelled: make(chan struct{}, 100), release: make(chan struct{})}
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: "type Query { a: Int }"})
	c.handler = Handler(Config{Executor: executor.New(&graphql.ExecutableSchemaMock{
		SchemaFunc: func() *ast.Schema { return schema },
		ExecFunc: func(ctx context.Context) graphql.ResponseHandler {
			return graphql.OneShot(c.execute(ctx))
		},
	}), Scope: func(context.Context) any { return "" }, MaxBody: 1 << 10}).(*handler)
	server := httptest.NewServer(c.handler)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *heldEndpoint) execute(ctx context.Context) *graphql.Response {
	c.begun <- struct{}{}
	select {
	case <-c.release:
	case <-ctx.Done():
		c.cancelled <- struct{}{}
	}
	return &graphql.Response{Data: []byte(`{"a":1}`)}
}

// send sends a body, and returns the status and the body of the response.
func (c *heldEndpoint) send(ctx context.Context, body io.Reader) string {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, body)
	if err != nil {
		return err.Error()
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "no answer"
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.StatusCode, " ", string(text))
}

// awaitWaiters waits until this many requests wait for an execution.
func (c *heldEndpoint) awaitWaiters(t *testing.T, want int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if c.flights.Waiting() == want {
			return
		}
	}
	t.Fatalf("there are never %d who wait", want)
}

const heldRequest, heldResponse = `{"query":"{ a }"}`, `200 {"data":{"a":1}}`

// TestBodiesOverHTTP checks that only requests with byte-identical bodies share an execution.
func TestBodiesOverHTTP(t *testing.T) {
	c := newHeldEndpoint(t)
	var wait sync.WaitGroup
	expect := func(body io.Reader, want string) {
		wait.Go(func() {
			if got := c.send(t.Context(), body); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	expect(strings.NewReader(heldRequest), heldResponse)
	<-c.begun
	expect(strings.NewReader(heldRequest), heldResponse)
	expect(struct{ io.Reader }{strings.NewReader(heldRequest)}, heldResponse) // chunked, without Content-Length
	c.awaitWaiters(t, 3)
	const refused = `400 {"errors":[{"message":"The body must be one JSON object.","extensions":{"code":"BAD_USER_INPUT"}}]}`
	for _, body := range []string{heldRequest[:len(heldRequest)-1] + "]", heldRequest[:len(heldRequest)-1] + " ", heldRequest + "}", "{", "}", "x"} {
		if got := c.send(t.Context(), strings.NewReader(body)); got != refused {
			t.Errorf("%s: got %s", body, got)
		}
	}
	c.awaitWaiters(t, 3)
	expect(strings.NewReader(heldRequest+"\n"), heldResponse) // a different body
	<-c.begun
	close(c.release)
	wait.Wait()
	if len(c.begun) > 0 {
		t.Error("more than two executions")
	}
	const tooLarge = `413 {"errors":[{"message":"The body is larger than 1024 bytes.","extensions":{"code":"BAD_USER_INPUT"}}]}`
	large := bytes.Repeat([]byte(" "), 1<<10+1)
	for _, body := range []io.Reader{bytes.NewReader(large), struct{ io.Reader }{bytes.NewReader(large)}} {
		if got := c.send(t.Context(), body); got != tooLarge {
			t.Errorf("got %s", got)
		}
	}
}

// TestDisconnectsOfWaitingClients checks that clients that disconnect leave a shared execution,
// which is cancelled when the last one disconnects.
func TestDisconnectsOfWaitingClients(t *testing.T) {
	c := newHeldEndpoint(t)
	var wait sync.WaitGroup
	cancels := make([]context.CancelFunc, 3)
	for i := range cancels {
		var ctx context.Context
		ctx, cancels[i] = context.WithCancel(t.Context())
		wait.Go(func() { c.send(ctx, strings.NewReader(heldRequest)) })
		c.awaitWaiters(t, i+1)
	}
	for i, cancel := range cancels {
		if len(c.cancelled) > 0 {
			t.Error("given up too early")
		}
		cancel()
		if i < len(cancels)-1 {
			c.awaitWaiters(t, len(cancels)-1-i)
		}
	}
	select {
	case <-c.cancelled:
	case <-time.After(10 * time.Second):
		t.Error("never given up")
	}
	wait.Wait()
}
