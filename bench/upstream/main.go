// Command upstream is the simulated ClickFunnels API as a process of its own,
// for measurements: 3 teams, 4 workspaces each, 20 contacts each. Every answer
// is made once and then sent from memory, so that what is measured is the
// server in front of it. Any bearer is accepted, so that clients can have
// credentials of their own.
//
// GET /calls answers how many REST calls came in, and DELETE /calls begins anew.
package main

import (
	"flag"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9090", "`address` to listen on")
	latency := flag.Duration("latency", 0, "how long each call takes")
	flag.Parse()
	if host, _, err := net.SplitHostPort(*listen); err != nil || !net.ParseIP(host).IsLoopback() {
		log.Fatalf("-listen %s: give a loopback address and a port, such as 127.0.0.1:9090", *listen)
	}
	api := &api{demo: demo.New(20), latency: *latency}
	log.Printf("simulated API on %s", demo.Template(*listen))
	log.Fatal(http.ListenAndServe(*listen, api)) //nolint:gosec // local and short-lived
}

// api sends what the simulated API answered to the same URL before.
type api struct {
	demo    http.Handler
	latency time.Duration
	answers sync.Map // of *httptest.ResponseRecorder, by URL
	calls   atomic.Int64
}

// ServeHTTP implements [http.Handler].
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/calls" {
		if r.Method == http.MethodDelete {
			a.calls.Store(0)
		}
		_, _ = fmt.Fprintln(w, a.calls.Load())
		return
	}
	a.calls.Add(1)
	if a.latency > 0 {
		time.Sleep(a.latency)
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		http.Error(w, `{"error":"API key missing or invalid"}`, http.StatusUnauthorized)
		return
	}
	known, ok := a.answers.Load(r.RequestURI)
	if !ok {
		answer := httptest.NewRecorder()
		copied := r.Clone(r.Context())
		copied.Header.Set("Authorization", "Bearer "+demo.Token)
		copied.Header.Set("User-Agent", "bench") // some of the servers send none
		a.demo.ServeHTTP(answer, copied)
		answer.Header().Set("Content-Length", strconv.Itoa(answer.Body.Len()))
		known, _ = a.answers.LoadOrStore(r.RequestURI, answer)
	}
	answer := known.(*httptest.ResponseRecorder)
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}
