// Package serving runs an HTTP server, and drains it before shutdown so that no response is cut
// off.
package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// New returns a server with timeouts, so that slow clients cannot hold a connection for ever: for
// a request's header, its body, the response, and the next request on the connection. It supports
// HTTP/1.1 and, for proxies, HTTP/2 without TLS (h2c with prior knowledge).
func New(h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, MaxReadFrameSize: maxFrame},
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      5 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
}

// maxStreams is the maximum number of concurrent requests on one HTTP/2 connection. A proxy opens
// another connection for more.
const maxStreams = 250

// maxFrame is the largest HTTP/2 frame, in bytes. It is the smallest limit that HTTP/2 allows.
// net/http allocates the size that a frame's header announces, by default up to 1 MiB.
const maxFrame = 16 << 10

// State is the state of a server. It is safe for concurrent use.
type State struct {
	ready, ending atomic.Bool
	draining      atomic.Pointer[chan struct{}]
}

// Draining returns a channel that is closed when the server begins to drain. Responses without an end
// must end then.
func (s *State) Draining() <-chan struct{} {
	made := make(chan struct{})
	s.draining.CompareAndSwap(nil, &made)
	return *s.draining.Load()
}

// SetReady marks the server as ready.
func (s *State) SetReady() { s.ready.Store(true) }

// Healthz responds with 200 as long as the server runs.
func (s *State) Healthz(w http.ResponseWriter, _ *http.Request) { writeStatus(w, true) }

// Readyz responds with 200 if the server should get requests, and with 503 otherwise.
func (s *State) Readyz(w http.ResponseWriter, _ *http.Request) { writeStatus(w, s.ready.Load()) }

func writeStatus(w http.ResponseWriter, good bool) {
	w.Header().Set("Cache-Control", "no-store")
	if !good {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

// ErrInterrupted is the cause of a context that Ctrl-C has cancelled. The server then skips the
// drain delay, because no load balancer has to notice.
var ErrInterrupted = errors.New("interrupted")

// Drain configures the shutdown of a server.
type Drain struct {
	// Delay is how long the server accepts requests after it stops being ready, so that load
	// balancers can send new ones elsewhere. Meanwhile every response closes its connection.
	Delay time.Duration
	// Timeout is the time after which running requests are cut off. It includes Delay.
	Timeout time.Duration
}

// Serve serves on the listener until the context ends, and then drains. It returns an error if it
// cannot serve, or if it had to cut off requests.
func Serve(ctx context.Context, listener net.Listener, h http.Handler, state *State, drain Drain) error {
	var handlers sync.WaitGroup
	server := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handlers.Add(1)
		defer handlers.Done()
		if state.ending.Load() {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	}))
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	state.ready.Store(true)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	state.ready.Store(false)
	state.ending.Store(true)
	_ = state.Draining()
	close(*state.draining.Load())
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain.Timeout)
	defer cancel()
	if !errors.Is(context.Cause(ctx), ErrInterrupted) {
		select {
		case err := <-failed:
			return err
		case <-time.After(min(drain.Delay, drain.Timeout)):
		}
	}
	ended := make(chan struct{})
	if server.Shutdown(ending) == nil {
		go func() {
			handlers.Wait() // those of WebSockets go on, because they have taken over their connections
			close(ended)
		}()
	}
	select {
	case <-ended:
		return nil
	case <-ending.Done():
		_ = server.Close()
		return fmt.Errorf("requests were cut off after %s", drain.Timeout)
	}
}
