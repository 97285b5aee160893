package test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// admin serves the endpoints for operators, and returns a function that sends requests to them.
func (e *env) admin(w *recorder, more ...prometheus.Collector) func(method, path, body string) (int, string) {
	server := httptest.NewServer(e.telemetry.Admin(e.client.Stats, &w.level, more...))
	e.t.Cleanup(server.Close)
	return func(method, path, body string) (int, string) {
		e.t.Helper()
		r, _ := http.NewRequest(method, server.URL+path, strings.NewReader(body))
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			e.t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
}

// TestMetricsCountOperationsAndCalls reads the metrics with Prometheus' own parser, during
// calls and after them.
func TestMetricsCountOperationsAndCalls(t *testing.T) {
	w := new(recorder)
	held, come := make(chan struct{}), make(chan struct{}, 64)
	e := newEnv(t, withTelemetry(w), withCache(time.Minute), withoutRetries, withFault(func(rw http.ResponseWriter, _ *http.Request, subdomain, path string) bool {
		if strings.HasSuffix(path, "/users") {
			come <- struct{}{}
			<-held
		}
		if subdomain == "acme-retreats" {
			rw.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	}))
	admin := e.admin(w)
	scrape := func() map[string]float64 {
		status, text := admin(http.MethodGet, "/metrics", "")
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(text))
		if status != http.StatusOK || err != nil {
			t.Fatalf("want the metrics, got %d: %v", status, err)
		}
		all := make(map[string]float64)
		for name, family := range families {
			if !strings.HasPrefix(name, "funnelgraph_") {
				continue
			}
			if family.GetHelp() == "" {
				t.Errorf("%s has no help text", name)
			}
			for _, m := range family.GetMetric() {
				labels := make([]string, 0, 3)
				for _, l := range m.GetLabel() {
					labels = append(labels, l.GetName()+"="+l.GetValue())
				}
				all[name+"{"+strings.Join(labels, ",")+"}"] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
		return all
	}
	expect := func(at string, want map[string]float64) {
		t.Helper()
		got := scrape()
		for name, value := range want {
			if got[name] != value {
				t.Errorf("%s: %s is %v, want %v", at, name, got[name], value)
			}
		}
		if t.Failed() {
			t.Log(got)
		}
	}
	var asked sync.WaitGroup
	asked.Go(func() { e.ask(`{ users { nodes { rawId } } }`) })
	<-come
	expect("under way", map[string]float64{
		"funnelgraph_operations_in_flight{}": 1, "funnelgraph_upstream_in_flight{}": 1, "funnelgraph_upstream_lanes{}": 1, "funnelgraph_upstream_waiting{}": 0,
	})
	close(held)
	asked.Wait()
	for range 2 {
		e.ask(`{ teams(first: 1) { nodes { workspaces { nodes { contacts { nodes { emailAddress } } } } } } }`)
	}
	e.ask(`{ nothing }`)
	e.ask(`{ a: teams { nodes { id } } b: teams { nodes { id } } } `+strings.Repeat("#", 10), "Accept", "text/plain")
	expect("after", map[string]float64{
		"funnelgraph_operations_in_flight{}":                                         0,
		"funnelgraph_upstream_in_flight{}":                                           0,
		"funnelgraph_operations_total{outcome=ok,type=query}":                        1,
		"funnelgraph_operations_total{outcome=partial,type=query}":                   2,
		"funnelgraph_operations_total{outcome=refused,type=none}":                    2,
		"funnelgraph_operation_duration_seconds{type=query}":                         3,
		"funnelgraph_operation_calls{type=query}":                                    3,
		"funnelgraph_errors_total{code=RATE_LIMITED}":                                2,
		"funnelgraph_errors_total{code=BAD_USER_INPUT}":                              1,
		"funnelgraph_upstream_calls_total{host=accounts,origin=network,status=200}":  3,
		"funnelgraph_upstream_calls_total{host=accounts,origin=cache,status=200}":    2,
		"funnelgraph_upstream_calls_total{host=workspace,origin=network,status=200}": 3,
		"funnelgraph_upstream_calls_total{host=workspace,origin=network,status=429}": 2,
		"funnelgraph_upstream_calls_total{host=workspace,origin=cache,status=200}":   3,
		"funnelgraph_upstream_attempts_total{host=workspace,status=429}":             2,
		"funnelgraph_upstream_call_duration_seconds{host=accounts}":                  3,
		"funnelgraph_upstream_wait_seconds{host=accounts}":                           3,
		"funnelgraph_upstream_breaker_open{}":                                        0,
		"funnelgraph_cache_entries{}":                                                6,
		"funnelgraph_build_info{version=test}":                                       1,
	})
}

// TestAdminIsOnItsOwnPort requests the operators' endpoints on the admin port and on the public
// one.
func TestAdminIsOnItsOwnPort(t *testing.T) {
	w := new(recorder)
	e := newEnv(t, withTelemetry(w))
	admin := e.admin(w)
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/log-level", "", 200, "info\n"},
		{"PUT", "/log-level", "debug\n", 200, "debug\n"},
		{"GET", "/log-level", "", 200, "debug\n"},
		{"PUT", "/log-level", "loud", 400, "The body must be debug, info, warn or error.\n"},
		{"PUT", "/log-level", strings.Repeat("x", 1<<20), 400, "The body must be debug, info, warn or error.\n"},
		{"POST", "/log-level", "info", 405, "Method Not Allowed\n"},
		{"GET", "/debug/pprof/", "", 200, ""},
		{"GET", "/debug/pprof/goroutine?debug=1", "", 200, ""},
		{"GET", "/debug/pprof/heap", "", 200, ""},
		{"GET", "/debug/pprof/cmdline", "", 404, ""}, // it can hold a password
		{"GET", "/graphql", "", 404, "404 page not found\n"},
	} {
		status, text := admin(test.method, test.path, test.body)
		if status != test.status || test.want != "" && text != test.want {
			t.Errorf("%s %s: got %d %q, want %d %q", test.method, test.path, status, text, test.status, test.want)
		}
	}
	if w.level.Level() != slog.LevelDebug {
		t.Errorf("the level is %s, want DEBUG", w.level.Level())
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/log-level"} {
		resp, err := http.Get(e.url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s on the public port: got %d, want 404", path, resp.StatusCode)
		}
	}
}
