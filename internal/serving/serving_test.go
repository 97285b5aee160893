package serving_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/serving"
)

// testServer is a server that can be shut down.
type testServer struct {
	url      string
	shutdown context.CancelCauseFunc
	ended    chan error
	// slow receives when a slow request has begun. Such a request runs until goOn is closed.
	slow, goOn chan struct{}
}

func serve(t *testing.T, drain serving.Drain) *testServer {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, tell := context.WithCancelCause(t.Context())
	s := &testServer{url: "http://" + listener.Addr().String(), shutdown: tell, ended: make(chan error, 1), slow: make(chan struct{}, 1), goOn: make(chan struct{})}
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

// get returns the status (0 if there is no response), the body, and whether the response closes
// the connection.
func (s *testServer) get(path string) (status int, body string, closes bool) {
	resp, err := http.Get(s.url + path)
	if err != nil {
		return 0, err.Error(), false
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), resp.Close
}

// TestDrain shuts a server down during a request. The server stops being ready, responds for a
// while, then accepts no new requests, and ends when the running request has its response.
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
	s.shutdown(nil)
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

// TestDrainTimeout cuts off a request that does not end.
func TestDrainTimeout(t *testing.T) {
	s := serve(t, serving.Drain{Delay: time.Hour, Timeout: 200 * time.Millisecond})
	go s.get("/slow")
	<-s.slow
	began := time.Now()
	s.shutdown(nil)
	if err := <-s.ended; err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

// TestInterrupt checks that a server that is interrupted at a terminal ends without delay.
func TestInterrupt(t *testing.T) {
	s := serve(t, serving.Drain{Delay: time.Hour, Timeout: 2 * time.Hour})
	if status, _, _ := s.get("/healthz"); status != 200 {
		t.Fatal(status)
	}
	s.shutdown(serving.ErrInterrupted)
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

// overHTTP2 returns a client that uses HTTP/2 with prior knowledge, as a proxy may.
func overHTTP2(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestHTTP2 shuts a server down during two requests on one connection. Both get a response, and
// the server tells the client to send no more requests on that connection.
func TestHTTP2(t *testing.T) {
	s := serve(t, serving.Drain{Delay: 200 * time.Millisecond, Timeout: 20 * time.Second})
	client := overHTTP2(t)
	var dialed atomic.Int32
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	get := func(path string, header ...string) (int, string, error) {
		r, err := http.NewRequest(http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := client.Do(r)
		if err != nil {
			return 0, "", err
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.ProtoMajor != 2 {
			t.Errorf("answered in %s", resp.Proto)
		}
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body), err
	}
	if status, _, err := get("/healthz"); status != 200 {
		t.Fatal(status, err)
	}
	if status, _, err := get("/healthz", "X-Large", strings.Repeat("x", 1<<20)); status == 200 {
		t.Error("a header of a megabyte is accepted:", err)
	}
	slow := make(chan string, 2)
	before := dialed.Load()
	for range cap(slow) {
		go func() {
			_, body, err := get("/slow")
			slow <- fmt.Sprint(body, err)
		}()
		<-s.slow
	}
	if more := dialed.Load() - before; more > 1 {
		t.Errorf("%d connections for two requests", more)
	}
	s.shutdown(nil)
	deadline := time.Now().Add(10 * time.Second)
	for status := 200; status != 0; status, _, _ = get("/healthz") {
		if time.Now().After(deadline) {
			t.Fatal("it goes on accepting")
		}
	}
	select {
	case err := <-s.ended:
		t.Fatalf("it ended with requests running: %v", err)
	default:
	}
	close(s.goOn)
	for range cap(slow) {
		if got := <-slow; got != "done<nil>" {
			t.Errorf("a slow request was answered %q", got)
		}
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}
