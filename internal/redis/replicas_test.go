//go:build redis

package redis_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/webhooks"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// The ids of the events of a test begin at 0. Events that only find out whether subscriptions have begun,
// and forged ones, have other ids.
const (
	firstProbe  = 1 << 20
	firstForged = 1 << 24
)

// The deliveries.
const (
	hookSecret = "hook-secret"
	// ada is a contact of workspace 101, which all events are about.
	ada = 3000000001
	// maxLag is how many events the slowest subscriber may be behind the deliveries. Servers keep 1,000.
	maxLag = 300
)

// fleet is servers that share a Redis, in front of one simulated API.
type fleet struct {
	t       *testing.T
	redis   *redisServer
	list    *eventList
	key     string
	client  *http.Client
	servers []*server

	// posted has the first delivery of each event that succeeded.
	mu     sync.Mutex
	posted map[int]post
	// begun counts the deliveries.
	begun atomic.Int64
}

// post is a delivery to a server.
type post struct {
	at     time.Time
	server int
}

// newFleet builds the server, and runs so many.
func newFleet(t *testing.T, n int, flags ...string) *fleet {
	t.Helper()
	folder := t.TempDir()
	binary := filepath.Join(folder, "funnelgraph")
	if out, err := exec.Command("go", "build", "-o", binary, "../..").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f := &fleet{
		t: t, redis: newRedisServer(t), list: &eventList{rest: demo.New()}, posted: make(map[int]post),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}, Timeout: 30 * time.Second},
	}
	api := httptest.NewServer(f.list)
	t.Cleanup(api.Close)
	key, hash := access.NewKey()
	f.key = key
	secret, file := filepath.Join(folder, "secret"), filepath.Join(folder, "access.yaml")
	text := fmt.Sprintf("clients: [{ name: app, keys: [%q], teams: all }]\nwebhooks: [{ name: academy, workspace: 101, secrets: [{ file: %q }] }]\n", hash, secret)
	if err := errors.Join(os.WriteFile(secret, []byte(hookSecret+"\n"), 0o600), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	template := demo.Template(strings.TrimPrefix(api.URL, "http://"))
	for i := range n {
		f.servers = append(f.servers, &server{t: t, binary: binary, log: filepath.Join(folder, fmt.Sprint("log", i)), args: append([]string{
			"--listen=127.0.0.1:0", "--access-file=" + file, "--redis-url=" + f.redis.url(), "--upstream-url=" + template,
		}, flags...)})
	}
	for _, s := range f.servers { // at once, like a deployment
		s.run()
		t.Cleanup(s.kill)
	}
	for _, s := range f.servers {
		s.wait()
	}
	return f
}

// server is a process of the binary.
type server struct {
	t      *testing.T
	binary string
	args   []string
	cmd    *exec.Cmd
	log    string // the path of its log
	url    atomic.Pointer[string]
}

// run starts the process.
func (s *server) run() {
	s.t.Helper()
	log, err := os.Create(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	s.cmd = exec.Command(s.binary, s.args...)
	s.cmd.Env = append(os.Environ(), "CLICKFUNNELS_API_TOKEN="+demo.Token)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// logged returns what the process has logged.
func (s *server) logged() string {
	s.t.Helper()
	text, err := os.ReadFile(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

var listening = regexp.MustCompile(`GraphQL on (http://\S+)/graphql`)

// wait waits until the process serves requests.
func (s *server) wait() {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if found := listening.FindStringSubmatch(s.logged()); found != nil {
			s.url.Store(&found[1])
			return
		}
	}
	s.t.Fatal("a server does not start:", s.logged())
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// resident returns the memory of the process in MiB.
func (s *server) resident() float64 {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	if err != nil || found == nil {
		s.t.Fatal("no memory is known:", err)
	}
	kib, _ := strconv.Atoi(string(found[1]))
	return float64(kib) / 1024
}

// isCreated reports whether an event has the type whose subjects some subscribers load.
func isCreated(n int) bool { return n%10 == 0 || n >= firstProbe }

func eventType(n int) string {
	if isCreated(n) {
		return "contact.created"
	}
	return "contact.updated"
}

// eventList is a simulated API whose list of events has those of a test.
type eventList struct {
	rest http.Handler

	mu     sync.Mutex
	rows   []map[string]any
	listed map[int]bool
}

// add lists an event, unless it is listed.
func (l *eventList) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listed[n] {
		return
	}
	if l.listed == nil {
		l.listed = make(map[int]bool)
	}
	l.listed[n] = true
	l.rows = append(l.rows, map[string]any{
		"id": len(l.rows) + 1, "uuid": fmt.Sprintf("%032x", n), "event_type_id": eventType(n), "workspace_id": 101, "subject_id": ada, "subject_type": "Contact",
		"data": map[string]any{"id": ada, "n": n}, "created_at": time.Now().UTC().Format(time.RFC3339Nano), "api_version": 2,
	})
}

func (l *eventList) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/workspaces/101/webhooks/outgoing/events") {
		l.rest.ServeHTTP(w, r)
		return
	}
	const size = 20
	l.mu.Lock()
	rows := l.rows
	l.mu.Unlock()
	if r.URL.Query().Get("sort_order") == "desc" {
		rows = slices.Clone(rows[max(0, len(rows)-size):])
		slices.Reverse(rows)
	} else {
		after, _ := strconv.Atoi(r.URL.Query().Get("after"))
		rows = rows[min(after, len(rows)):]
		if len(rows) > size {
			rows = rows[:size]
			w.Header().Set("Pagination-Next", fmt.Sprint(rows[size-1]["id"]))
		}
	}
	if rows == nil {
		rows = []map[string]any{}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(rows)
}

// send delivers an event to a server, signed with a secret, and returns the status.
func (f *fleet) send(server, n int, secret string) (status int, err error) {
	body := fmt.Sprintf(`{"event_id": "%032x", "event_type": %q, "subject_id": %d, "subject_type": "Contact", "created_at": %q, "data": {"id": %[3]d, "n": %[1]d}}`,
		n, eventType(n), ada, time.Now().UTC().Format(time.RFC3339Nano), n)
	r, err := http.NewRequest(http.MethodPost, *f.servers[server].url.Load()+"/webhooks/academy", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Webhook-ClickFunnels-Timestamp", timestamp)
	r.Header.Set("X-Webhook-ClickFunnels-Signature", webhooks.Sign(secret, timestamp, []byte(body)))
	response, err := f.client.Do(r)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// deliver delivers an event to a server. Like ClickFunnels, it does so again if that fails.
func (f *fleet) deliver(server, n int) {
	f.list.add(n)
	for try := range 50 {
		at := time.Now()
		status, err := f.send(server, n, hookSecret)
		switch {
		case err == nil && status == http.StatusNoContent:
			f.mu.Lock()
			if first, ok := f.posted[n]; !ok || at.Before(first.at) {
				f.posted[n] = post{at, server}
			}
			f.mu.Unlock()
			return
		case err == nil && status != http.StatusServiceUnavailable:
			f.t.Errorf("event %d: status %d", n, status)
			return
		}
		time.Sleep(time.Duration(try) * 10 * time.Millisecond)
		server = (server + 1) % len(f.servers)
	}
	f.t.Errorf("event %d cannot be delivered", n)
}

// deliverAll delivers events to any servers, by eight workers that pause after each. It waits for the
// slowest subscriber, because ClickFunnels does not send as fast as this test.
func (f *fleet) deliverAll(events []int, pause time.Duration, subscribers []*subscriber) {
	var wait sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(events); i = int(next.Add(1)) - 1 {
				for deadline := time.Now().Add(time.Minute); f.lag(subscribers) > maxLag; time.Sleep(2 * time.Millisecond) {
					if f.t.Failed() || time.Now().After(deadline) {
						f.t.Error("a subscriber gets no events")
						return
					}
				}
				if server, n := rand.IntN(len(f.servers)), events[i]; n < firstForged {
					f.deliver(server, n)
				} else if status, err := f.send(server, n, "another"); err == nil && status != http.StatusUnauthorized {
					f.t.Errorf("a forged event: status %d", status)
				}
				f.begun.Add(1)
				time.Sleep(pause)
			}
		})
	}
	wait.Wait()
}

// lag returns how many events the slowest subscriber has not read.
func (f *fleet) lag(subscribers []*subscriber) int {
	f.mu.Lock()
	lag, posted := 0, len(f.posted)
	f.mu.Unlock()
	for _, s := range subscribers {
		if s.subjects {
			continue
		}
		lag = max(lag, posted-int(s.count.Load()))
	}
	return lag
}

// reaches waits until so many deliveries have ended.
func (f *fleet) reaches(n int) {
	for f.begun.Load() < int64(n) && !f.t.Failed() {
		time.Sleep(time.Millisecond)
	}
}

// subscriber is a client that subscribes again after a lost connection.
type subscriber struct {
	*fleet

	name   string
	socket bool
	// subjects says that it loads the subjects of some events, instead of reading all.
	subjects bool
	home     atomic.Int64
	count    atomic.Int64 // events of the test
	begun    chan struct{}
	once     sync.Once

	mu   sync.Mutex
	last string
	read map[int]post // when it first read each event, and from which server
	cut  context.CancelFunc
	// next is the server to which it connects after this one; -1 if it does not matter.
	next int
}

// subscribe runs n subscribers on each server until the test ends, and waits until they have begun.
func (f *fleet) subscribe(n int) (all []*subscriber) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	var wait sync.WaitGroup
	for i := range n * len(f.servers) {
		s := &subscriber{fleet: f, socket: i%2 == 1, subjects: i == 0, begun: make(chan struct{}), read: make(map[int]post), next: -1}
		s.name = fmt.Sprintf("subscriber %d (%s)", i, map[bool]string{false: "SSE", true: "WebSocket"}[s.socket])
		s.home.Store(int64(i % len(f.servers)))
		all = append(all, s)
		wait.Go(func() { s.run(ctx) })
	}
	f.t.Cleanup(func() {
		cancel()
		wait.Wait()
	})
	for probe, deadline := firstProbe, time.Now().Add(30*time.Second); ; probe++ {
		begun := 0
		for _, s := range all {
			select {
			case <-s.begun:
				begun++
			default:
			}
		}
		if begun == len(all) {
			return all
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("%d of %d subscriptions have begun", begun, len(all))
		}
		if _, err := f.send(0, probe, hookSecret); err != nil {
			f.t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// errRefused means that the server has ended a subscription with an error.
var errRefused = errors.New("the subscription ends")

// run connects again and again until the context ends.
func (s *subscriber) run(ctx context.Context) {
	for ctx.Err() == nil {
		connected, cut := context.WithCancel(ctx)
		s.mu.Lock()
		s.cut = cut
		last := s.last
		s.mu.Unlock()
		connect := s.stream
		if s.socket {
			connect = s.dial
		}
		server := int(s.home.Load())
		seen := make(map[string]bool)
		err := connect(connected, *s.servers[server].url.Load(), last, func(payload []byte) error { return s.take(server, seen, payload) })
		cut()
		if errors.Is(err, errRefused) && ctx.Err() == nil {
			s.t.Errorf("%s: %v after %q", s.name, err, last)
			return
		}
		s.mu.Lock()
		if s.next < 0 {
			s.next = (server + 1) % len(s.servers)
		}
		s.home.Store(int64(s.next))
		s.next = -1
		s.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
	}
}

// move breaks the connection, and connects to another server.
func (s *subscriber) move(server int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = server
	s.cut()
}

// take takes a result from a server. seen are the ids of the connection.
func (s *subscriber) take(server int, seen map[string]bool, payload []byte) error {
	at := time.Now()
	var result struct {
		Data struct {
			Events struct {
				ID      string
				Subject *struct{ RawID string }
			}
		}
		Errors []any
	}
	if err := json.Unmarshal(payload, &result); err != nil || len(result.Errors) > 0 {
		return fmt.Errorf("%w: %s", errRefused, payload)
	}
	event := result.Data.Events
	n, err := strconv.ParseInt(event.ID, 16, 64)
	switch {
	case err != nil || n >= firstForged:
		s.t.Errorf("%s: got %s", s.name, payload)
	case seen[event.ID]:
		s.t.Errorf("%s: event %d twice", s.name, n)
	case s.subjects && (event.Subject == nil || event.Subject.RawID != strconv.Itoa(ada)):
		s.t.Errorf("%s: no subject in %s", s.name, payload)
	}
	seen[event.ID] = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = event.ID
	if _, known := s.read[int(n)]; !known && n < firstProbe {
		s.read[int(n)] = post{at, server}
		s.count.Add(1)
	}
	s.once.Do(func() { close(s.begun) })
	return nil
}

func (s *subscriber) query() string {
	if s.subjects {
		return `subscription($after: String) { events(workspaceId: "101", after: $after, types: [CONTACT_CREATED]) { id subject { ... on Contact { rawId } } } }`
	}
	return `subscription($after: String) { events(workspaceId: "101", after: $after) { id } }`
}

// stream subscribes by SSE, and takes results until the stream ends.
func (s *subscriber) stream(ctx context.Context, url, after string, take func([]byte) error) error {
	body, err := json.Marshal(map[string]string{"query": s.query()})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Authorization", "Bearer "+s.key)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s", errRefused, response.Status)
	}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); {
		case name == "data" && value != "":
			if err := take([]byte(value)); err != nil {
				return err
			}
		case name == "event" && value == "complete":
			return fmt.Errorf("%w: complete", errRefused)
		}
	}
	return nil // the connection is broken
}

// dial subscribes by WebSocket, and takes results until the connection ends.
func (s *subscriber) dial(ctx context.Context, url, after string, take func([]byte) error) error {
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(url, "http")+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	variables := map[string]any{"after": after}
	if after == "" {
		variables["after"] = nil
	}
	for _, message := range []any{
		map[string]any{"type": "connection_init", "payload": map[string]string{"authorization": "Bearer " + s.key}},
		map[string]any{"type": "subscribe", "id": "1", "payload": map[string]any{"query": s.query(), "variables": variables}},
	} {
		text, err := json.Marshal(message)
		if err != nil {
			return err
		}
		if err := conn.Write(ctx, websocket.MessageText, text); err != nil {
			return err
		}
	}
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		var message struct {
			Type    string
			Payload json.RawMessage
		}
		if err := json.Unmarshal(text, &message); err != nil {
			return err
		}
		switch message.Type {
		case "next":
			if err := take(message.Payload); err != nil {
				return err
			}
		case "error", "complete":
			return fmt.Errorf("%w: %s", errRefused, text)
		}
	}
}

// missing returns how many events a subscriber has not read, and the first of them.
func (s *subscriber) missing(events []int) (missing, first int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range events {
		if _, ok := s.read[n]; ok || s.subjects && !isCreated(n) {
			continue
		}
		if missing++; missing == 1 {
			first = n
		}
	}
	return missing, first
}

// complete waits until all subscribers have read all events.
func (f *fleet) complete(subscribers []*subscriber, events []int, within time.Duration) {
	f.t.Helper()
	deadline := time.Now().Add(within)
	for _, s := range subscribers {
		missing, first := s.missing(events)
		for ; missing > 0 && time.Now().Before(deadline); missing, first = s.missing(events) {
			time.Sleep(10 * time.Millisecond)
		}
		if missing > 0 {
			f.mu.Lock()
			f.t.Errorf("%s on server %d has not read %d events, such as %d, which server %d received", s.name, s.home.Load(), missing, first, f.posted[first].server)
			f.mu.Unlock()
		}
	}
}

// waitForWalk waits until a server has found the end of the list of events. It tries so every five seconds.
func (f *fleet) waitForWalk() {
	f.t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		out, err := exec.Command("redis-cli", "-p", f.redis.port, "exists", "funnelgraph:3:cursor:101").Output()
		if err != nil || time.Since(began) > 30*time.Second {
			f.t.Fatal("no server walks:", err)
		}
		if strings.TrimSpace(string(out)) == "1" {
			return
		}
	}
}

// numbers returns the numbers from..to-1.
func numbers(from, to int) (all []int) {
	for n := from; n < to; n++ {
		all = append(all, n)
	}
	return all
}

// times describes durations.
type times []time.Duration

func (d times) String() string {
	if len(d) == 0 {
		return "none"
	}
	slices.Sort(d)
	return fmt.Sprintf("median %s, 99th percentile %s, longest %s", d[len(d)/2].Round(10*time.Microsecond), d[len(d)*99/100].Round(10*time.Microsecond), d[len(d)-1].Round(10*time.Microsecond))
}

// logTimes logs how long after their deliveries events were read.
func (f *fleet) logTimes(subscribers []*subscriber, events []int) {
	f.t.Helper()
	var own, others, subjects times
	for _, s := range subscribers {
		for _, n := range events {
			read, posted := s.read[n], f.posted[n]
			switch took := read.at.Sub(posted.at); {
			case read.at.IsZero() || took < 0: // published by a server that was killed before it answered
			case s.subjects:
				subjects = append(subjects, took)
			case read.server == posted.server:
				own = append(own, took)
			default:
				others = append(others, took)
			}
		}
	}
	f.t.Log("on the server that received an event: ", own)
	f.t.Log("on other servers:                     ", others)
	f.t.Log("with the subject:                     ", subjects)
}

// TestEventsReachAllSubscribers delivers events twice, in any order. One of the servers is killed.
// Each subscriber reads each event, and within a connection only once.
func TestEventsReachAllSubscribers(t *testing.T) {
	n := 1500
	if *full {
		n = 10_000
	}
	f := newFleet(t, 3, "--log-level=warn")
	subscribers := f.subscribe(3)
	deliveries := slices.Concat(numbers(0, n), numbers(0, n), numbers(firstForged, firstForged+n/100))
	rand.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
	began, delivered := time.Now(), make(chan time.Duration, 1)
	go func() {
		f.deliverAll(deliveries, 0, subscribers)
		delivered <- time.Since(began)
	}()
	var before [3]float64
	f.reaches(len(deliveries) / 5)
	for i, s := range f.servers {
		before[i] = s.resident()
	}
	const killed = 1
	f.reaches(len(deliveries) / 2)
	f.servers[killed].kill()
	f.reaches(len(deliveries) * 5 / 8)
	restart := time.Now()
	f.servers[killed].run()
	f.servers[killed].wait()
	t.Logf("a server starts within %s, at %d of %d deliveries", time.Since(restart).Round(time.Millisecond), f.begun.Load(), len(deliveries))
	before[killed] = f.servers[killed].resident()
	subscribers[3].move(killed) // the server has the events from before it started
	took := <-delivered
	f.complete(subscribers, numbers(0, n), 30*time.Second)
	t.Logf("%d events a second, delivered twice each; all read after %s", int(float64(n)/took.Seconds()), time.Since(began).Round(time.Millisecond))
	f.logTimes(subscribers, numbers(0, n))
	for i, s := range f.servers {
		after := s.resident()
		t.Logf("server %d has %.1f MiB, then %.1f MiB", i, before[i], after)
		if after-before[i] > 64 {
			t.Errorf("the memory of server %d grows", i)
		}
		if text := s.logged(); strings.Count(text, "\n") > 10 || strings.Contains(text, "level=ERROR") {
			t.Errorf("server %d logs %s", i, text)
		}
	}
}

// TestEventsWithoutRedis kills Redis in the middle of deliveries. Subscribers get the events that their
// server receives, and those of the others when Redis is back, although it has lost everything.
func TestEventsWithoutRedis(t *testing.T) {
	f := newFleet(t, 3, "--log-level=info")
	subscribers := f.subscribe(2)
	deliverAll := func(from, to int, pause time.Duration) (delivered chan struct{}) {
		delivered = make(chan struct{})
		go func() {
			f.deliverAll(numbers(from, to), pause, nil)
			close(delivered)
		}()
		return delivered
	}
	f.waitForWalk()
	delivered := deliverAll(0, 300, 0)
	f.reaches(150)
	f.redis.kill()
	<-delivered
	var own times
	for n := 300; n < 360; n++ {
		server := n % len(f.servers)
		began := time.Now()
		f.deliver(server, n)
		for _, s := range subscribers {
			if int(s.home.Load()) != server {
				continue
			}
			for missing := 1; missing > 0; missing, _ = s.missing([]int{n}) {
				if time.Since(began) > time.Second {
					t.Fatalf("%s has not read event %d of its server within a second", s.name, n)
				}
				time.Sleep(time.Millisecond)
			}
			own = append(own, time.Since(began))
		}
	}
	t.Log("on the server that received an event, without Redis:", own)
	delivered = deliverAll(360, 600, 100*time.Millisecond)
	f.reaches(400)
	restarted := time.Now()
	f.redis.start()
	<-delivered
	f.complete(subscribers, numbers(0, 600), time.Until(restarted.Add(30*time.Second)))
	t.Logf("all events are read %s after Redis is back", time.Since(restarted).Round(10*time.Millisecond))
	for i, s := range f.servers {
		for line, deadline := "Redis responds again", time.Now().Add(10*time.Second); !strings.Contains(s.logged(), line) && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
		text := s.logged()
		if away, back := strings.Count(text, "Redis does not respond"), strings.Count(text, "Redis responds again"); away != 1 || back != 1 {
			t.Errorf("server %d logs %d and %d times of Redis:\n%s", i, away, back, text)
		}
		if strings.Contains(text, "level=ERROR") {
			t.Errorf("server %d logs %s", i, text)
		}
	}
}
