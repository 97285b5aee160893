package gqlhttp

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
)

// stuckClient is a response whose client reads nothing.
type stuckClient struct{ *httptest.ResponseRecorder }

// Write implements [io.Writer].
func (stuckClient) Write([]byte) (int, error) { return 0, errors.New("the deadline is over") }

// WriteString implements [io.StringWriter].
func (stuckClient) WriteString(string) (int, error) { return 0, errors.New("the deadline is over") }

// TestStreamsToClientsThatDoNotReadEnd pins that a failed write ends a stream, whatever its context says.
func TestStreamsToClientsThatDoNotReadEnd(t *testing.T) {
	ended := make(chan any)
	go func() {
		defer func() { ended <- recover() }()
		a := &answer{handler: new(handler), w: stuckClient{httptest.NewRecorder()}, r: httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", nil), parts: eventStream}
		a.writeEvents(context.Background(), make(chan *graphql.Response))
	}()
	select {
	case reason := <-ended:
		if err, ok := reason.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("the stream ends with %v", reason)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the stream goes on")
	}
}
