//go:build redis

// These tests need a redis-server, which .ci/run installs.
package redis_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// redisServer is a redis-server process of a test.
type redisServer struct {
	tb   testing.TB
	port string
	cmd  *exec.Cmd
}

func newRedisServer(tb testing.TB) *redisServer {
	tb.Helper()
	free, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	_ = free.Close()
	r := &redisServer{tb: tb, port: port}
	r.start()
	tb.Cleanup(r.kill)
	return r
}

func (r *redisServer) url() string { return "redis://127.0.0.1:" + r.port }

func (r *redisServer) start() {
	r.tb.Helper()
	r.cmd = exec.Command("redis-server", "--port", r.port, "--bind", "127.0.0.1", "--save", "", "--dir", r.tb.TempDir())
	if err := r.cmd.Start(); err != nil {
		r.tb.Fatal(err)
	}
	for range 200 {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+r.port); err == nil {
			_ = conn.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.tb.Fatal("redis-server does not start")
}

func (r *redisServer) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

func (r *redisServer) signal(s syscall.Signal) { _ = r.cmd.Process.Signal(s) }

// api simulates the REST API that the replicas call.
type api struct {
	takes time.Duration
	// capacity is the maximum number of concurrent calls; 0 is unlimited.
	capacity int

	mu                           sync.Mutex
	running, peak, refused, made int
	version                      int
}

func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	a.running++
	a.made++
	a.peak = max(a.peak, a.running)
	over := a.capacity > 0 && a.running > a.capacity
	if over {
		a.refused++
	}
	if r.Method != http.MethodGet {
		a.version++
	}
	body := fmt.Sprintf(`[{"id":%d}]`, a.version+1)
	a.mu.Unlock()
	if over {
		time.Sleep(a.takes / 10)
	} else {
		time.Sleep(a.takes)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
	status := http.StatusOK
	if over {
		status = http.StatusTooManyRequests
	} else if r.Method != http.MethodGet {
		status, body = http.StatusCreated, body[1:len(body)-1]
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func (a *api) reset() (peak, refused, made int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	peak, refused, made = a.peak, a.refused, a.made
	a.peak, a.refused, a.made = 0, 0, 0
	return peak, refused, made
}

// replica is the REST client of one of the servers.
type replica struct {
	*upstream.Client
	shared *redis.Client
}

func newReplica(t *testing.T, r *redisServer, a *api, ttl time.Duration) replica {
	t.Helper()
	shared, err := redis.Connect(t.Context(), r.url())
	if err != nil {
		t.Fatal(err)
	}
	client, err := upstream.New(upstream.Config{Transport: transport.Config{RoundTripper: a, Replicas: shared, CacheTTL: ttl}})
	if err != nil {
		t.Fatal(err)
	}
	return replica{client.WithToken("secret"), shared}
}

var place = upstream.Place{WorkspaceID: "101", Subdomain: "acme"}

var pages atomic.Int64

// burst reads n different pages concurrently from each replica. It returns the number of failures
// and the time that each replica took.
func burst(t *testing.T, n int, q upstream.Query, all ...replica) (failed int64, took []time.Duration) {
	t.Helper()
	var wait sync.WaitGroup
	var bad atomic.Int64
	took = make([]time.Duration, len(all))
	began := time.Now()
	for i, r := range all {
		wait.Go(func() {
			ctx := transport.WithAllowance(t.Context(), &transport.Allowance{})
			var own sync.WaitGroup
			for range n {
				own.Go(func() {
					q := q
					q.After = fmt.Sprint(pages.Add(1))
					if _, err := r.Contacts(ctx, place, q); err != nil {
						bad.Add(1)
					}
				})
			}
			own.Wait()
			took[i] = time.Since(began)
		})
	}
	wait.Wait()
	return bad.Load(), took
}

// TestBurst sends a burst to two replicas at once. Together they never exceed the shared
// concurrency limit, use all of it, and each gets its part.
func TestBurst(t *testing.T) {
	r, a := newRedisServer(t), &api{takes: 50 * time.Millisecond}
	one, two := newReplica(t, r, a, 0), newReplica(t, r, a, 0)
	for round := range 5 {
		failed, took := burst(t, 500, upstream.Query{}, one, two)
		peak, _, _ := a.reset()
		t.Logf("round %d: %d at a time, took %s", round, peak, took)
		if failed > 0 {
			t.Errorf("%d failed", failed)
		}
		// The limit is 100 at first and grows while calls succeed: by its square root in the
		// time of one call.
		if most := 100 + (round+1)*200; peak > min(most, 512) || peak < 50 {
			t.Errorf("round %d: %d at a time", round, peak)
		}
		if long, short := max(took[0], took[1]), min(took[0], took[1]); short < long/3 {
			t.Errorf("round %d: one took %s, the other %s", round, took[0], took[1])
		}
	}
}

// TestFilteredReads has more replicas than the limit of concurrent filtered reads. They never
// exceed it, and each gets its turn.
func TestFilteredReads(t *testing.T) {
	r, a := newRedisServer(t), &api{takes: 20 * time.Millisecond}
	filter, err := upstream.Filter("").With("email_address", "a@example.com")
	if err != nil {
		t.Fatal(err)
	}
	all := []replica{newReplica(t, r, a, 0), newReplica(t, r, a, 0), newReplica(t, r, a, 0), newReplica(t, r, a, 0)}
	failed, took := burst(t, 20, upstream.Query{Filter: filter}, all...)
	peak, _, _ := a.reset()
	t.Logf("%d at a time, took %s", peak, took)
	if failed > 0 || peak != transport.DefaultFilteredReads {
		t.Errorf("%d failed, %d at a time", failed, peak)
	}
	for _, d := range took {
		if d > 10*time.Second { // 0.8 s without waiting for turns
			t.Errorf("took %s", took)
		}
	}
}

// TestLearntLimitIsShared uses an API that allows twenty concurrent calls. A second replica uses
// the limit that the first one has learnt from its first call on.
func TestLearntLimitIsShared(t *testing.T) {
	// A call takes long enough for all calls of a burst to overlap.
	r, a := newRedisServer(t), &api{takes: 60 * time.Millisecond, capacity: 20}
	one, two := newReplica(t, r, a, 0), newReplica(t, r, a, 0)
	for range 6 {
		burst(t, 100, upstream.Query{}, one)
	}
	a.reset()
	failed, _ := burst(t, 100, upstream.Query{}, two)
	peak, refused, _ := a.reset()
	alone, err := upstream.New(upstream.Config{Transport: transport.Config{RoundTripper: a}})
	if err != nil {
		t.Fatal(err)
	}
	burst(t, 100, upstream.Query{}, replica{Client: alone.WithToken("secret")})
	peakAlone, refusedAlone, _ := a.reset()
	t.Logf("%d at a time and %d refused, alone %d and %d", peak, refused, peakAlone, refusedAlone)
	if failed > 0 || peak > 45 || peakAlone < 60 || refused > refusedAlone/2 {
		t.Errorf("%d failed", failed)
	}
}

// TestCacheIsShared checks that a replica returns a response that the other has cached, until
// either of them writes. The cached responses cannot be read without the token.
func TestCacheIsShared(t *testing.T) {
	r, a := newRedisServer(t), new(api)
	one, two := newReplica(t, r, a, time.Minute), newReplica(t, r, a, time.Minute)
	read := func(from replica) string {
		t.Helper()
		page, err := from.Contacts(t.Context(), place, upstream.Query{})
		if err != nil {
			t.Fatal(err)
		}
		return page.Rows[0].RawID()
	}
	for i, writer := range []replica{one, two, one} {
		want := fmt.Sprint(i + 1)
		first := read(one)
		time.Sleep(200 * time.Millisecond) // the response is stored in the background
		if got := first + read(two) + read(two) + read(one); got != strings.Repeat(want, 4) {
			t.Errorf("read %s, want %s", got, want)
		}
		if _, _, made := a.reset(); i == 0 && made != 1 || made > 1 {
			t.Errorf("%d calls for the same list, want 1", made)
		}
		if _, err := writer.CreateContact(t.Context(), place, map[string]string{}); err != nil {
			t.Fatal(err)
		}
		if got := read(writer); got == want {
			t.Error("who wrote does not see it")
		}
		deadline := time.Now().Add(5 * time.Second)
		for read(one) == want || read(two) == want {
			if time.Now().After(deadline) {
				t.Fatal("a write at one does not empty the other's cache")
			}
		}
		a.reset()
	}
	other := newReplica(t, r, a, time.Minute)
	if page, err := other.WithToken("another").Contacts(t.Context(), place, upstream.Query{}); err != nil || len(page.Rows) != 1 {
		t.Error(err)
	}
	if _, _, made := a.reset(); made != 1 {
		t.Error("one credential was given another's answer")
	}
	dump, err := exec.Command("sh", "-c", "for k in $(redis-cli -p "+r.port+" keys '*'); do echo $k; redis-cli -p "+r.port+" get $k; done").Output()
	if err != nil || !bytes.Contains(dump, []byte("answer:")) {
		t.Fatalf("%v: %q", err, dump)
	}
	for _, secret := range []string{"secret", `"id"`, "contacts", "filter"} {
		if bytes.Contains(dump, []byte(secret)) {
			t.Errorf("Redis holds %q", secret)
		}
	}
}

// documentCache is a document cache in memory.
type documentCache struct{ sync.Map }

func (s *documentCache) Get(_ context.Context, key string) (string, bool) {
	v, ok := s.Load(key)
	text, _ := v.(string)
	return text, ok
}
func (s *documentCache) Add(_ context.Context, key, text string) { s.Store(key, text) }

// TestDocumentsAreShared finds a document at one replica that a client has sent to the other, and
// rejects documents whose hash is wrong.
func TestDocumentsAreShared(t *testing.T) {
	r, a := newRedisServer(t), new(api)
	one, two := newReplica(t, r, a, 0), newReplica(t, r, a, 0)
	const document = "{ teams { nodes { id } } }"
	sum := sha256.Sum256([]byte(document))
	hash := hex.EncodeToString(sum[:])
	at1, at2 := one.shared.Documents(new(documentCache)), two.shared.Documents(new(documentCache))
	if _, ok := at2.Get(t.Context(), hash); ok {
		t.Error("found before it was sent")
	}
	at1.Add(t.Context(), hash, document)
	if got, ok := at2.Get(t.Context(), hash); !ok || got != document {
		t.Errorf("found %q", got)
	}
	forged := strings.Repeat("a", 64)
	at1.Add(t.Context(), forged, "{ evil }")
	if got, ok := at2.Get(t.Context(), forged); ok {
		t.Errorf("found %q", got)
	}
}

// TestRedisOutage kills and pauses Redis during bursts. No call fails, each replica runs standalone
// and logs one line, and they share again when Redis is back.
func TestRedisOutage(t *testing.T) {
	var log syncBuffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	r, a := newRedisServer(t), &api{takes: 20 * time.Millisecond}
	one, two := newReplica(t, r, a, time.Minute), newReplica(t, r, a, time.Minute)
	for name, disturb := range map[string]struct{ away, back func() }{
		"killed":  {r.kill, r.start},
		"stopped": {func() { r.signal(syscall.SIGSTOP) }, func() { r.signal(syscall.SIGCONT) }},
	} {
		log.Reset()
		time.AfterFunc(300*time.Millisecond, disturb.away)
		for range 10 {
			began := time.Now()
			if failed, _ := burst(t, 300, upstream.Query{}, one, two); failed > 0 {
				t.Errorf("%s: %d failed", name, failed)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s: a burst took %s", name, took)
			}
		}
		if _, err := one.CreateContact(t.Context(), place, map[string]string{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := strings.Count(log.String(), "Redis does not respond"); n != 2 { // there are two servers
			t.Errorf("%s: the log has %d lines of it:\n%s", name, n, log.String())
		}
		if one.shared.Failures() == 0 {
			t.Errorf("%s: no failure is counted", name)
		}
		if up := metrics(t, one); up["funnelgraph_redis_up"] != 0 || up["funnelgraph_redis_failures_total"] != float64(one.shared.Failures()) {
			t.Errorf("%s: metrics %v", name, up)
		}
		disturb.back()
		deadline := time.Now().Add(20 * time.Second)
		for {
			a.reset()
			burst(t, 1, upstream.Query{}, one)
			id := fmt.Sprint(pages.Load())
			if _, err := two.Contacts(t.Context(), place, upstream.Query{After: id}); err != nil {
				t.Fatal(err)
			}
			if _, _, made := a.reset(); made == 1 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: they do not share again", name)
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
}

// metrics returns the metrics of a replica by name.
func metrics(t *testing.T, r replica) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(r.shared.Metrics()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			all[family.GetName()] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return all
}

type syncBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// TestStartWithoutRedis starts a replica before Redis.
func TestStartWithoutRedis(t *testing.T) {
	r, a := newRedisServer(t), new(api)
	r.kill()
	began := time.Now()
	one := newReplica(t, r, a, time.Minute)
	if failed, _ := burst(t, 50, upstream.Query{}, one); failed > 0 || time.Since(began) > 5*time.Second {
		t.Errorf("%d failed in %s", failed, time.Since(began))
	}
	r.start()
	two := newReplica(t, r, a, time.Minute)
	deadline := time.Now().Add(20 * time.Second)
	for {
		a.reset()
		burst(t, 1, upstream.Query{}, one)
		if _, err := two.Contacts(t.Context(), place, upstream.Query{After: fmt.Sprint(pages.Load())}); err != nil {
			t.Fatal(err)
		}
		if _, _, made := a.reset(); made == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the one that started without Redis does not find it")
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// TestStoredWaitIsBounded checks that an invalid pause in Redis is ignored and replaced. A pause
// that a replica has just learnt is bounded and shared.
func TestStoredWaitIsBounded(t *testing.T) {
	r := newRedisServer(t)
	cli := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("redis-cli", append([]string{"-p", r.port}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	shared, err := redis.Connect(t.Context(), r.url())
	if err != nil {
		t.Fatal(err)
	}
	const longest = 2 * time.Minute
	ask := transport.Ask{Need: 1, Want: 1, Limit: 100, Most: 512, Ease: 1, LongestRest: longest}
	for _, stored := range []string{"99999999999999", "1e300", "nan", "soon"} {
		cli("hset", "funnelgraph:3:lane:a", "resumes", stored, "eased", stored, "other", "100:1:100:"+stored)
		grant, err := shared.Lease("a", "1", ask)
		if err != nil || grant.Calls != 1 || grant.Rest != 0 || grant.Eased < 0 {
			t.Errorf("stored %s: %+v, %v", stored, grant, err)
		}
		if after := cli("hget", "funnelgraph:3:lane:a", "resumes"); after != "0" {
			t.Errorf("stored %s: it is %s afterwards", stored, after)
		}
	}
	// A server that starts with such a value calls at once.
	credential := sha256.Sum256([]byte("Bearer secret"))
	lane := hex.EncodeToString(credential[:]) + ":" + place.Subdomain
	cli("hset", "funnelgraph:3:lane:"+lane, "resumes", "99999999999999")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := newReplica(t, r, new(api), 0).Contacts(ctx, place, upstream.Query{}); err != nil {
		t.Error(err)
	}
	learnt := ask
	learnt.Rest = 24 * time.Hour
	for _, ask := range []transport.Ask{learnt, ask} {
		grant, err := shared.Lease("b", "1", ask)
		if err != nil || grant.Rest > longest || grant.Rest < longest-time.Minute {
			t.Errorf("%+v: %+v, %v", ask, grant, err)
		}
	}
}
