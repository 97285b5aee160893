// Package serving serves HTTP until it is told to end, and then ends so that nobody is
// left with half an answer.
package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// New returns a server that bounds how long a client may take, so that slow ones hold
// no connection for ever. The times are for a request's header, its body, its answer,
// and the next request on the same connection. It speaks HTTP/1.1, and HTTP/2 with those who
// begin with that (h2c with prior knowledge), as a proxy in front may.
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

// maxStreams is how many requests there may be at a time on one connection: a proxy opens
// another one for more.
const maxStreams = 250

// maxFrame is the largest HTTP/2 frame, in bytes, and the smallest limit that HTTP/2 allows.
// net/http allocates what a frame's header announces, by default up to 1 MiB.
const maxFrame = 16 << 10

// State is what a server is doing. It is safe for concurrent use.
type State struct {
	ready, ending atomic.Bool
}

// SetReady has the server say that it is ready.
func (s *State) SetReady() { s.ready.Store(true) }

// Healthz answers that the server runs, for as long as it does.
func (s *State) Healthz(w http.ResponseWriter, _ *http.Request) { status(w, true) }

// Readyz answers whether requests should be sent here.
func (s *State) Readyz(w http.ResponseWriter, _ *http.Request) { status(w, s.ready.Load()) }

func status(w http.ResponseWriter, good bool) {
	w.Header().Set("Cache-Control", "no-store")
	if !good {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

// ErrInterrupted as the cause of a context's end says that somebody at a terminal ended
// it: no load balancer has to notice.
var ErrInterrupted = errors.New("interrupted")

// Drain is how a server ends.
type Drain struct {
	// Delay is how long it goes on accepting requests after it has said that it is not
	// ready any more, so that load balancers send new ones elsewhere. Meanwhile every
	// answer closes its connection.
	Delay time.Duration
	// Timeout is when what is still running is cut off, Delay included.
	Timeout time.Duration
}

// Serve serves on the listener until the context ends, and then drains. It returns an
// error if it cannot serve or had to cut requests off.
func Serve(ctx context.Context, listener net.Listener, h http.Handler, state *State, drain Drain) error {
	server := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain.Timeout)
	defer cancel()
	if !errors.Is(context.Cause(ctx), ErrInterrupted) {
		select {
		case err := <-failed:
			return err
		case <-time.After(min(drain.Delay, drain.Timeout)):
		}
	}
	if err := server.Shutdown(ending); err != nil {
		_ = server.Close()
		return fmt.Errorf("requests were cut off after %s", drain.Timeout)
	}
	return nil
}
