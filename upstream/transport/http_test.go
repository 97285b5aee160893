package transport

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// relay forwards TCP connections to an address. freeze stops the current connections without
// closing them; later ones work.
type relay struct {
	net.Listener
	to string

	mu     sync.Mutex
	active []*atomic.Bool // one for each connection: is it frozen
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: l, to: to}
	go r.serve(t)
	t.Cleanup(func() { _ = l.Close() })
	return r
}

func (r *relay) serve(t *testing.T) {
	t.Helper()
	for {
		from, err := r.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", r.to)
		if err != nil {
			_ = from.Close()
			continue
		}
		t.Cleanup(func() { _ = from.Close(); _ = to.Close() })
		frozen := new(atomic.Bool)
		r.mu.Lock()
		r.active = append(r.active, frozen)
		r.mu.Unlock()
		forward := func(to, from net.Conn) {
			buf := make([]byte, 32<<10)
			for {
				n, err := from.Read(buf)
				if frozen.Load() && err == nil {
					continue // received but not forwarded
				}
				if frozen.Load() {
					return
				}
				if _, failed := to.Write(buf[:n]); err != nil || failed != nil {
					_ = to.Close()
					return
				}
			}
		}
		go forward(to, from)
		go forward(from, to)
	}
}

func (r *relay) freeze() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, frozen := range r.active {
		frozen.Store(true)
	}
	return len(r.active)
}

// TestSilentHTTP2ConnectionIsReplaced freezes the connection that all calls share. The calls are
// retried on a new connection within seconds, and the breaker stays closed.
func TestSilentHTTP2ConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	var http1 atomic.Int64
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			http1.Add(1)
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	api.EnableHTTP2 = true
	api.StartTLS()
	defer api.Close()
	relay := newRelay(t, api.Listener.Addr().String())
	connections := NewRoundTripper()
	connections.TLSClientConfig = &tls.Config{RootCAs: api.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS13}
	defer connections.CloseIdleConnections()
	c, host := newCaller(Config{RoundTripper: connections}), relay.Addr().String()
	if err := c.get(t.Context(), host, "/"); err != nil {
		t.Fatal(err)
	}
	if n := relay.freeze(); n != 1 || http1.Load() > 0 {
		t.Fatalf("%d connections, %d calls over HTTP/1", n, http1.Load())
	}
	began := time.Now()
	var wait sync.WaitGroup
	for i := range 4 * breakerMinCalls {
		wait.Go(func() {
			if err := c.get(t.Context(), host, fmt.Sprint("/", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if took := time.Since(began); took > pingAfter+pingTimeout+5*time.Second {
		t.Errorf("the calls took %s", took)
	}
}
