package screens

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/contentcoding"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// API is the simulated REST API with a delay for each call. It compresses its responses, as servers
// on the internet do.
type API struct {
	demo  *demo.Server
	takes time.Duration
	calls atomic.Int64
}

// NewAPI returns an API in which each call takes the given time.
func NewAPI(takes time.Duration) *API { return &API{demo: demo.New(), takes: takes} }

// Calls returns the number of calls so far.
func (a *API) Calls() int { return int(a.calls.Load()) }

// ServeHTTP implements [http.Handler].
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.calls.Add(1)
	time.Sleep(a.takes)
	recorded := httptest.NewRecorder()
	a.demo.ServeHTTP(recorded, r)
	body := recorded.Body.Bytes()
	header := w.Header()
	for name, values := range recorded.Header() {
		header[name] = values
	}
	header.Set("Vary", "Accept-Encoding")
	if coding := contentcoding.Negotiate(r.Header.Values("Accept-Encoding")); coding != nil {
		if packed := coding.Compress(body); len(packed) < len(body) {
			header.Set("Content-Encoding", coding.Name)
			body = packed
		}
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(recorded.Code)
	_, _ = w.Write(body) //nolint:gosec // JSON, as its header says
}
