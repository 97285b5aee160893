package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/server"
	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// manyFaults fails more than every fifth call.
var manyFaults = faults{Latency: time.Millisecond, TooMany: 0.10, Broken: 0.10, Hang: 0.02}

// loadClient sends one query after another.
type loadClient struct {
	client *http.Client
	url    string
	token  string
}

// newLoadClient returns a client with a token and connections of its own.
func newLoadClient(url string, n int) *loadClient {
	return &loadClient{&http.Client{Transport: &http.Transport{}}, url, fmt.Sprint(demo.Token, "-", n)}
}

// ask returns the response and its status code, or an error.
func (a *loadClient) ask(query string) (r result, status int, err error) {
	body, _ := json.Marshal(map[string]string{"query": query})
	req, _ := http.NewRequest(http.MethodPost, a.url+"/graphql", bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+a.token)
	resp, err := a.client.Do(req)
	if err != nil {
		return r, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return r, resp.StatusCode, err
	}
	r.raw = string(raw)
	return r, resp.StatusCode, json.Unmarshal(raw, &r)
}

// correctlyPartial reports whether a response equals the whole one except for nulls. Each
// null has an error with a code.
func correctlyPartial(r result, whole any) bool {
	known := make(map[string]bool)
	for _, e := range r.Errors {
		if e.Extensions["code"] == nil || e.Extensions["code"] == "INTERNAL_SERVER_ERROR" {
			return false
		}
		known[fmt.Sprint(e.Path)] = true
	}
	var same func(got, want any, path []any) bool
	same = func(got, want any, path []any) bool {
		if got == nil && want != nil {
			return known[fmt.Sprint(path)]
		}
		switch want := want.(type) {
		case map[string]any:
			object, ok := got.(map[string]any)
			if !ok || len(object) != len(want) {
				return false
			}
			for key := range want {
				if !same(object[key], want[key], append(slices.Clone(path), key)) {
					return false
				}
			}
			return true
		case []any:
			list, ok := got.([]any)
			if !ok || len(list) != len(want) {
				return false
			}
			for i := range want {
				if !same(list[i], want[i], append(slices.Clone(path), i)) {
					return false
				}
			}
			return true
		}
		return reflect.DeepEqual(got, want)
	}
	return same(r.Data, whole, nil)
}

// TestChaosReadsAreWholeOrPartial sends nested queries over many connections while every fifth
// call fails. Nearly all responses are complete. The others hold the available data and name
// the rest. Few additional calls are made.
func TestChaosReadsAreWholeOrPartial(t *testing.T) {
	api := newChaos(t)
	url, _ := api.server("--upstream-timeout=1s")
	api.set(faults{})
	whole, _, err := newLoadClient(url, 0).ask(nested)
	if err != nil || len(whole.Errors) > 0 {
		t.Fatalf("want no errors without faults, got %v: %s", err, whole.raw)
	}
	api.set(manyFaults)
	before := api.ledger().Calls
	began := time.Now()
	connections, each := 64, size(4, 157)
	if testing.Short() { // for the race detector
		connections = 16
	}
	var complete, partial, wrong atomic.Int64
	var wait sync.WaitGroup
	for i := range connections {
		wait.Go(func() {
			a := newLoadClient(url, i)
			for range each {
				r, status, err := a.ask(nested)
				switch {
				case err == nil && r.raw == whole.raw:
					complete.Add(1)
				case err == nil && status == http.StatusOK && correctlyPartial(r, whole.Data):
					partial.Add(1)
					t.Logf("partial: %v", r.Errors)
				default:
					wrong.Add(1)
					t.Errorf("want a complete or a correct partial response, got status %d, %v: %.300s", status, err, r.raw)
				}
			}
		})
	}
	wait.Wait()
	requests := int64(connections * each)
	calls := float64(api.ledger().Calls-before) / float64(requests)
	t.Logf("%d nested reads in %s: %d complete, %d partial, %d wrong; %.2f calls each, where 16 are the least", requests, time.Since(began).Round(time.Second), complete.Load(), partial.Load(), wrong.Load(), calls)
	if short := requests - complete.Load(); short*1000 > requests && short > 1 {
		t.Errorf("%d of %d responses are complete, want 99.9 %%", complete.Load(), requests)
	}
	if calls > 1.5*16 {
		t.Errorf("%.2f calls for each query, want at most 24", calls)
	}
}

// TestChaosWritesHappenAtMostOnce creates and upserts contacts while a quarter of the calls
// fails, half of these after the write. No write happens twice, and the reported outcomes are
// true.
func TestChaosWritesHappenAtMostOnce(t *testing.T) {
	api := newChaos(t)
	api.set(faults{TooMany: 0.10, Broken: 0.10, Hang: 0.02, Cut: 0.05})
	client, err := upstream.New(upstream.Config{URLTemplate: api.template(), Transport: transport.Config{CallTimeout: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	client = client.WithToken(demo.Token)
	place := upstream.Place{WorkspaceID: "101", Subdomain: "acme-academy"}
	n := size(200, 1000)
	outcomes := make(map[string]string)
	var mu sync.Mutex
	var wait sync.WaitGroup
	turns := make(chan struct{}, 64)
	for i := range n {
		wait.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			email := fmt.Sprint(i, "@example.com")
			attributes := map[string]string{"email_address": email}
			var err error
			if i%2 == 0 {
				_, err = client.CreateContact(t.Context(), place, attributes)
			} else {
				_, _, err = client.UpsertContact(t.Context(), place, attributes)
			}
			outcome := "done"
			if failed, ok := errors.AsType[*upstream.Error](err); ok && failed.Unknown {
				outcome = "unknown"
			} else if err != nil {
				outcome = "not done"
			}
			mu.Lock()
			defer mu.Unlock()
			outcomes[email] = outcome
		})
	}
	wait.Wait()
	api.set(faults{})
	made := api.ledger().Made
	counts := make(map[string]int)
	for i := range n {
		email := fmt.Sprint(i, "@example.com")
		kind := map[bool]string{true: "create", false: "upsert"}[i%2 == 0]
		counts[kind+" "+outcomes[email]]++
		switch was := made[email]; {
		case was > 1:
			t.Errorf("%s %s was carried out %d times, want at most once", kind, email, was)
		case outcomes[email] == "done" && was == 0, outcomes[email] == "not done" && was == 1:
			t.Errorf("%s %s is reported %q, but was carried out %d times", kind, email, outcomes[email], was)
		}
	}
	t.Logf("%d writes: %v", n, counts)
	if counts["upsert done"] < n/2*99/100 {
		t.Errorf("want 99 %% of the upserts done, got %v", counts)
	}
}

// percentile returns the time below which the given part of the times lies. It sorts the times.
func percentile(times []time.Duration, part float64) time.Duration {
	slices.Sort(times)
	return times[int(float64(len(times)-1)*part)]
}

// TestOneDeadHostDoesNotSlowOthers never answers on one workspace's host. Queries of another
// workspace take as long as before. Both are measured in turn.
func TestOneDeadHostDoesNotSlowOthers(t *testing.T) {
	api := newChaos(t)
	url, _ := api.server("--upstream-timeout=1s", "--request-timeout=2s")
	query := func(workspace int, subdomain string) string {
		return fmt.Sprintf(`{ workspace(id: "%d", subdomain: "%s") { contacts { nodes { emailAddress } } } }`, workspace, subdomain)
	}
	measure := func(dead ...string) time.Duration {
		api.set(faults{Latency: 20 * time.Millisecond, Dead: dead})
		var mu sync.Mutex
		var times []time.Duration
		var wait sync.WaitGroup
		end := time.Now().Add(time.Duration(size(1, 10)) * time.Second)
		for i := range 24 {
			wait.Go(func() {
				a := newLoadClient(url, i)
				for time.Now().Before(end) {
					if i%4 == 0 { // these clients query the dead host
						_, _, _ = a.ask(query(102, "acme-retreats"))
						continue
					}
					began := time.Now()
					r, _, err := a.ask(query(101, "acme-academy"))
					took := time.Since(began)
					if err != nil || len(r.Errors) > 0 {
						t.Errorf("want no errors from the live host, got %v: %s", err, r.raw)
					}
					mu.Lock()
					times = append(times, took)
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		return percentile(times, 0.99)
	}
	measure()
	var ratios []float64
	for round := range size(3, 7) {
		if round > 0 {
			time.Sleep(7 * time.Second) // until the client notices that the host is back
		}
		usual := measure()
		dead := measure("acme-retreats")
		ratios = append(ratios, float64(dead)/float64(usual))
		t.Logf("99th percentile: %s, with a dead host %s", usual, dead)
		if dead >= time.Second {
			t.Errorf("queries of the live host wait for timeouts of the dead one: %s, want under 1s", dead)
		}
	}
	slices.Sort(ratios)
	t.Logf("ratios: %.2f", ratios)
	// On a busy machine only large factors are errors.
	if median := ratios[len(ratios)/2]; median > map[bool]float64{false: 2, true: 1.2}[*full] {
		t.Errorf("queries of the live host take %.2f times as long with a dead host", median)
	}
}

// TestTerminateUnderLoadBreaksNoAnswer ends a busy server. A load balancer that polls /readyz
// stops sending requests, and sees no broken response.
func TestTerminateUnderLoadBreaksNoAnswer(t *testing.T) {
	api := newChaos(t)
	api.set(faults{Latency: 30 * time.Millisecond})
	url, cmd := api.server("--drain-delay=1s")
	whole, _, err := newLoadClient(url, 0).ask(nested)
	if err != nil || len(whole.Errors) > 0 {
		t.Fatalf("want no errors before the signal, got %v: %s", err, whole.raw)
	}
	var gone atomic.Bool // from the load balancer's view
	var answered, after, broken atomic.Int64
	var wait sync.WaitGroup
	signalled := make(chan struct{})
	wait.Go(func() {
		<-signalled
		for {
			resp, err := http.Get(url + "/readyz")
			if err != nil {
				t.Error("the server refuses connections before /readyz has answered 503")
				break
			}
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusServiceUnavailable {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		gone.Store(true)
	})
	for i := range 32 {
		wait.Go(func() {
			a := newLoadClient(url, i)
			for n := 0; !gone.Load(); n++ {
				r, _, err := a.ask(nested + strings.Repeat(" ", n%7))
				if err != nil || r.raw != whole.raw {
					broken.Add(1)
					t.Errorf("want the complete response, got %v: %.200s", err, r.raw)
					return
				}
				answered.Add(1)
				select {
				case <-signalled:
					after.Add(1)
				default:
				}
			}
		})
	}
	time.Sleep(time.Second)
	close(signalled)
	_ = cmd.Process.Signal(terminate)
	began := time.Now()
	wait.Wait()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d answers, %d of them after SIGTERM, %d broken; it ended %s after it was told to", answered.Load(), after.Load(), broken.Load(), time.Since(began).Round(time.Millisecond))
	if after.Load() == 0 {
		t.Error("want responses after SIGTERM, got none")
	}
}

// TestSecondSignalEndsTheServerAtOnce sends a second signal while a server drains.
func TestSecondSignalEndsTheServerAtOnce(t *testing.T) {
	api := newChaos(t)
	api.set(faults{Latency: time.Minute})
	url, cmd := api.server()
	go func() { _, _, _ = newLoadClient(url, 0).ask(nested) }()
	time.Sleep(300 * time.Millisecond)
	began := time.Now()
	_ = cmd.Process.Signal(terminate)
	time.Sleep(200 * time.Millisecond)
	_ = cmd.Process.Signal(terminate)
	_ = cmd.Wait()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the server ended after %s, want at most 2s", took)
	}
}

// TestSoakKeepsMemoryConstant alternates between load with many faults and rest. Neither the
// heap nor the number of goroutines grows.
func TestSoakKeepsMemoryConstant(t *testing.T) {
	api := newChaos(t)
	connections := transport.NewRoundTripper()
	client, err := upstream.New(upstream.Config{URLTemplate: api.template(), Transport: transport.Config{RoundTripper: connections, CallTimeout: 500 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(server.Handler(cfg, server.Parts{Gate: access.PassThrough{Policy: limits.Policy{Limits: cfg.Limits}}, Client: client, State: new(serving.State), Telemetry: discardTelemetry()}))
	defer front.Close()
	rounds, each := size(3, 10), time.Duration(size(1, 60))*time.Second
	var heaps, goroutines []uint64
	for round := range rounds {
		api.set(manyFaults)
		var wait sync.WaitGroup
		var answers atomic.Int64
		end := time.Now().Add(each)
		for i := range 16 {
			wait.Go(func() {
				a := newLoadClient(front.URL, i)
				defer a.client.CloseIdleConnections()
				for n := 0; time.Now().Before(end); n++ {
					if _, status, err := a.ask(nested + strings.Repeat(" ", n%50)); err != nil || status != http.StatusOK {
						t.Errorf("want status 200, got %d, %v", status, err)
					}
					answers.Add(1)
				}
			})
		}
		wait.Wait()
		api.set(faults{})
		time.Sleep(time.Second)
		connections.CloseIdleConnections()
		time.Sleep(time.Second)
		heaps, goroutines = append(heaps, heap()), append(goroutines, uint64(runtime.NumGoroutine()))
		t.Logf("round %d: %d answers; %d KB of heap, %d goroutines", round, answers.Load(), heaps[round]>>10, goroutines[round])
	}
	if last := len(heaps) - 1; heaps[last] > heaps[0]+8<<20 || goroutines[last] > goroutines[0]+20 {
		t.Errorf("heaps %v and goroutines %v, want at most 8 MiB and 20 more at the end than at first", heaps, goroutines)
	}
}
