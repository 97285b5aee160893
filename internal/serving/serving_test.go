package serving_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/serving"
)

// served is a server that can be told to end.
type served struct {
	url   string
	tell  context.CancelCauseFunc
	ended chan error
	// slow receives when a slow request has begun, which lasts until go on is closed.
	slow, goOn chan struct{}
}

func serve(t *testing.T, drain serving.Drain) *served {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, tell := context.WithCancelCause(t.Context())
	s := &served{url: "http://" + listener.Addr().String(), tell: tell, ended: make(chan error, 1), slow: make(chan struct{}, 1), goOn: make(chan struct{})}
	state := new(serving.State)
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", state.Healthz)
	mux.HandleFunc("/readyz", state.Readyz)
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		s.slow <- struct{}{}
		select {
		case <-s.goOn:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "done")
	})
	go func() { s.ended <- serving.Serve(ctx, listener, mux, state, drain) }()
	return s
}

// get returns the status, 0 if there is no answer, the body, and whether the answer
// closes the connection.
func (s *served) get(path string) (status int, body string, closes bool) {
	resp, err := http.Get(s.url + path)
	if err != nil {
		return 0, err.Error(), false
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), resp.Close
}

// TestDrain ends a server while it has work to do: it says that it is not ready, goes
// on answering for a while, then takes nothing new, and ends when all is answered.
func TestDrain(t *testing.T) {
	s := serve(t, serving.Drain{Delay: 500 * time.Millisecond, Timeout: 20 * time.Second})
	if status, _, closes := s.get("/readyz"); status != 200 || closes {
		t.Errorf("ready: %d, closes %v", status, closes)
	}
	slow := make(chan string, 1)
	go func() {
		_, body, _ := s.get("/slow")
		slow <- body
	}()
	<-s.slow
	s.tell(nil)
	deadline := time.Now().Add(10 * time.Second)
	for status := 200; status == 200; status, _, _ = s.get("/readyz") {
		if time.Now().After(deadline) {
			t.Fatal("it goes on saying that it is ready")
		}
	}
	if status, _, closes := s.get("/healthz"); status != 200 || !closes {
		t.Errorf("healthy: %d, closes %v", status, closes)
	}
	for status := 200; status != 0; status, _, _ = s.get("/healthz") {
		if time.Now().After(deadline) {
			t.Fatal("it goes on accepting")
		}
	}
	select {
	case err := <-s.ended:
		t.Fatalf("it ended with a request running: %v", err)
	default:
	}
	close(s.goOn)
	if body := <-slow; body != "done" {
		t.Errorf("the slow request was answered %q", body)
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

// TestDrainTimeout has a request that does not end: it is cut off.
func TestDrainTimeout(t *testing.T) {
	s := serve(t, serving.Drain{Delay: time.Hour, Timeout: 200 * time.Millisecond})
	go s.get("/slow")
	<-s.slow
	began := time.Now()
	s.tell(nil)
	if err := <-s.ended; err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

// TestInterrupt ends a server at a terminal: nobody has to wait.
func TestInterrupt(t *testing.T) {
	s := serve(t, serving.Drain{Delay: time.Hour, Timeout: 2 * time.Hour})
	if status, _, _ := s.get("/healthz"); status != 200 {
		t.Fatal(status)
	}
	s.tell(serving.ErrInterrupted)
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}
