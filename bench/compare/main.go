// Command compare measures servers in turn, for several rounds, and prints the medians as a
// Markdown table. bench/run builds the programs that it starts.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// server is one implementation of the queries.
type server struct {
	name      string
	command   func(upstream, address string) *exec.Cmd
	nested    operation // Q1: teams, their workspaces, 20 contacts of each workspace
	flat      operation // Q2: 20 contacts of one workspace
	relations operation // Q3: Q1 with edges, relations, orders and products; empty if unsupported
	// group selects the flag that enables the server. Servers of the usual group are always measured.
	group group
}

// group is a set of servers.
type group int

const (
	usual group = iota
	peers
	telemetry
)

// operation is an HTTP request: a POST, or a GET if the body is empty.
type operation struct{ path, body string }

func graphql(query string) operation {
	return operation{"/graphql", `{"query":` + strconv.Quote(query) + `}`}
}

func program(name string, arguments ...string) *exec.Cmd {
	return exec.Command(name, arguments...) //nolint:gosec,noctx // ended by their pid
}

// inFolder starts a peer by its run script, which reads the addresses from the environment.
func inFolder(name string, environment ...string) func(upstream, address string) *exec.Cmd {
	return func(upstream, address string) *exec.Cmd {
		_, port, _ := net.SplitHostPort(address)
		c := program("bench/" + name + "/run")
		c.Env = append(append(os.Environ(), "UPSTREAM=http://"+upstream, "PORT="+port), environment...)
		return c
	}
}

func restProgram(binary string) func(upstream, address string) *exec.Cmd {
	return func(upstream, address string) *exec.Cmd {
		return program("bench/.bin/"+binary, "-listen", address, "-upstream-url", "http://"+upstream+"/{subdomain}/api/v2")
	}
}

// The same operations, in the naming of each server's schema.
var (
	camelCase = [2]operation{
		graphql(`{ teams { id name workspaces { id name subdomain contacts { id emailAddress firstName lastName } } } }`),
		graphql(`{ contacts(workspaceId: "101", subdomain: "acme-academy") { id emailAddress firstName lastName } }`),
	}
	snakeCase = [2]operation{
		graphql(`{ teams { id name workspaces { id name subdomain contacts { id email_address first_name last_name } } } }`),
		graphql(`{ contacts(workspaceId: "101", subdomain: "acme-academy") { id email_address first_name last_name } }`),
	}
	byPath = [3]operation{{"/nested", ""}, {"/contacts", ""}, {"/relations", ""}}
)

// funnelgraph returns a funnelgraph server. command adds flags and environment variables.
func funnelgraph(name string, of group, command func(c *exec.Cmd)) server {
	return server{
		name: name, group: of,
		command: func(upstream, address string) *exec.Cmd {
			c := program("bench/.bin/funnelgraph", "--listen", address, "--upstream-url", "http://"+upstream+"/{subdomain}/api/v2")
			command(c)
			return c
		},
		nested: graphql(`{ teams { nodes { id name workspaces { nodes { id name subdomain contacts { nodes { id emailAddress firstName lastName } } } } } } }`),
		flat:   graphql(`{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { id emailAddress firstName lastName } } } }`),
		relations: graphql(`{ teams { nodes { workspaces { nodes {` +
			` contacts { edges { cursor node { id emailAddress tags { name color } customAttributes { key value } workspace { name team { name } }` +
			` orders(first: 3) { nodes { id totalAmount { amount } contact { id } lineItems { quantity } } } } } }` +
			` orders { nodes { id totalAmount { amount } contact { id tags { name } } } }` +
			` products { nodes { id name } } } } } } }`),
	}
}

// traced makes a server send its traces to a collector that discards them.
func traced(c *exec.Cmd, sampler ...string) {
	c.Env = append(append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+collector(), "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"), sampler...)
}

// collector starts the collector once, and returns its address.
var collector = sync.OnceValue(func() string {
	address := freeAddress()
	sink := &http.Server{Addr: address, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	})}
	go func() { log.Print(sink.ListenAndServe()) }()
	return address
})

var servers = []server{
	// The other servers do not log requests either.
	funnelgraph("funnelgraph", usual, func(c *exec.Cmd) { c.Args = append(c.Args, "--log-level", "warn") }),
	funnelgraph("funnelgraph, a log line each", telemetry, func(*exec.Cmd) {}),
	funnelgraph("funnelgraph, log and metrics", telemetry, func(c *exec.Cmd) {
		c.Args = append(c.Args, "--log-format", "json", "--admin-listen", "127.0.0.1:0")
	}),
	funnelgraph("funnelgraph, log, metrics, traces", telemetry, func(c *exec.Cmd) {
		c.Args = append(c.Args, "--log-format", "json", "--admin-listen", "127.0.0.1:0")
		traced(c)
	}),
	funnelgraph("funnelgraph, log, metrics, traces of all", telemetry, func(c *exec.Cmd) {
		c.Args = append(c.Args, "--log-format", "json", "--admin-listen", "127.0.0.1:0")
		traced(c, "OTEL_TRACES_SAMPLER=always_on")
	}),
	{name: "Go program, encoding/json", command: restProgram("rest"), nested: byPath[0], flat: byPath[1], relations: byPath[2]},
	{name: "Go program, jsonv2", command: restProgram("rest-jsonv2"), nested: byPath[0], flat: byPath[1], relations: byPath[2]},
	{name: "Tailcall, dedupe on", command: inFolder("tailcall", "DEDUPE=true"), nested: snakeCase[0], flat: snakeCase[1], group: peers},
	{name: "Tailcall, dedupe off", command: inFolder("tailcall", "DEDUPE=false"), nested: snakeCase[0], flat: snakeCase[1], group: peers},
	{name: "Hive Gateway", command: inFolder("mesh"), nested: snakeCase[0], flat: snakeCase[1], group: peers},
	{name: "Apollo Server", command: inFolder("apollo"), nested: camelCase[0], flat: camelCase[1], group: peers},
}

// figures are the measurements of a server by column key, one value for each round.
type figures map[string][]float64

type column struct{ key, title, format string }

// The columns of the table; columns without a figure are left out.
var columns = []column{
	{"q1", "Q1 req/s", "%.0f"},
	{"q1 share", "Q1 of the first's", "%.3f"},
	{"q1 cpu", "Q1 CPU s per 1000", "%.2f"},
	{"q1 calls", "REST calls per Q1", "%.1f"},
	{"q1u", "Q1 unique req/s", "%.0f"},
	{"q1u share", "Q1 unique of the first's", "%.3f"},
	{"q1u cpu", "Q1 unique CPU s per 1000", "%.2f"},
	{"q1u calls", "REST calls per Q1 unique", "%.1f"},
	{"q2", "Q2 req/s", "%.0f"},
	{"q2 share", "Q2 of the first's", "%.3f"},
	{"q2 cpu", "Q2 CPU s per 1000", "%.3f"},
	{"q3u", "Q3 unique req/s", "%.1f"},
	{"q3u share", "Q3 unique of the first's", "%.3f"},
	{"q3u cpu", "Q3 unique CPU s per 1000", "%.2f"},
	{"q3u calls", "REST calls per Q3 unique", "%.1f"},
	{"rss", "peak MB", "%.0f"},
	{"latency", "Q1 ms at 20 ms a call", "%.1f"},
}

// bench is one comparison.
type bench struct {
	fast, slow string // addresses of the simulated API
	seconds    int
	warm       int
	wanted     []string // figures
	runs       int
	// together keeps all servers running, and measures them in turn. Since servers are not started
	// and warmed again, turns can be short. Many short turns reveal small differences.
	together bool
	alive    map[string]*alive
}

// alive is a running server.
type alive struct {
	pid int
	url string
	end func()
}

func main() {
	rounds := flag.Int("rounds", 3, "how many `times` each server is measured")
	seconds := flag.Int("seconds", 5, "how long each measurement takes")
	warm := flag.Int("warm", 3, "`seconds` of the same requests before each measurement")
	withPeers := flag.Bool("peers", false, "also measure Tailcall, Hive Gateway and Apollo Server")
	withTelemetry := flag.Bool("telemetry", false, "also measure funnelgraph with less and with more of logs, metrics and traces")
	together := flag.Bool("together", false, "have all servers running all the time, which allows for many short rounds, and compare each with the first in each round")
	only := flag.String("only", "", "measure the servers whose name has one of these `texts` in it, separated by commas")
	figures := flag.String("figures", "q1,q1u,q2,q3u,latency", "`which` to measure: the nested query (q1), with a credential for each request (q1u), 20 contacts (q2), the query with relations, with a credential for each request (q3u), the nested query at 20 ms a call (latency)")
	flag.Parse()
	log.SetFlags(log.Ltime)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	table, err := compare(ctx, *rounds, &bench{seconds: *seconds, warm: *warm, wanted: strings.Split(*figures, ","), together: *together, alive: make(map[string]*alive)}, func(s server) bool {
		named := slices.ContainsFunc(strings.Split(*only, ","), func(text string) bool {
			return strings.Contains(strings.ToLower(s.name), strings.ToLower(text))
		})
		return named && (s.group == usual || s.group == peers && *withPeers || s.group == telemetry && *withTelemetry)
	})
	_, _ = io.WriteString(os.Stdout, table)
	if err != nil {
		log.Fatal(err) //nolint:gocritic // nothing is left running
	}
}

// compare returns the table of the successful measurements, and an error that joins all failures.
// A failing server loses only its own results.
func compare(ctx context.Context, rounds int, b *bench, wanted func(server) bool) (string, error) {
	var end func()
	var err error
	for _, api := range []struct {
		address *string
		latency string
	}{{&b.fast, "0s"}, {&b.slow, "20ms"}} {
		*api.address = freeAddress()
		if end, err = begin(program("bench/.bin/upstream", "-listen", *api.address, "-latency", api.latency), *api.address); err != nil {
			return "", err
		}
		defer end()
	}
	chosen := slices.DeleteFunc(slices.Clone(servers), func(s server) bool { return !wanted(s) })
	if len(chosen) == 0 {
		return "", errors.New("no server has such a name")
	}
	defer func() {
		for _, a := range b.alive {
			a.end()
		}
	}()
	all := make(map[string]figures)
	var failed []error
	for round := range rounds {
		// Each round starts with another server: a rested processor is faster.
		first := round % len(chosen)
		measured := make(map[string]figures)
		for _, s := range slices.Concat(chosen[first:], chosen[:first]) {
			log.Printf("round %d of %d: %s", round+1, rounds, s.name)
			measured[s.name] = make(figures)
			if err := b.measure(ctx, s, measured[s.name]); err != nil {
				failed = append(failed, fmt.Errorf("round %d of %s: %w", round+1, s.name, err))
				log.Print(failed[len(failed)-1])
			}
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
		}
		for _, s := range chosen {
			if b.together {
				measured[s.name].compare(measured[chosen[0].name])
			}
			if all[s.name] == nil {
				all[s.name] = make(figures)
			}
			all[s.name].take(measured[s.name])
		}
	}
	return markdown(all), errors.Join(failed...)
}

// measure measures a server once.
func (b *bench) measure(ctx context.Context, s server, f figures) error {
	err := b.running(s, func(pid int, url string, warm int) error {
		for _, m := range []struct {
			key         string
			op          operation
			rows        int
			unique      bool
			connections int
		}{
			{"q1", s.nested, 240, false, 32},
			{"q1u", s.nested, 240, true, 32},
			{"q2", s.flat, 20, false, 32},
			// Requests in flight at the end cost CPU time but do not count as answered. Few
			// connections keep their share small for a slow query.
			{"q3u", s.relations, 240, true, 4},
		} {
			if !slices.Contains(b.wanted, m.key) || m.op == (operation{}) {
				continue
			}
			if err := check(ctx, url+m.op.path, m.op.body, m.rows); err != nil {
				return err
			}
			if warm > 0 {
				if _, err := b.load(ctx, url, m.op, m.unique, m.connections, warm); err != nil {
					return err
				}
			}
			calls, cpu := b.calls(), processorTime(pid)
			r, err := b.load(ctx, url, m.op, m.unique, m.connections, b.seconds)
			if err != nil {
				return err
			}
			f.add(m.key, r.requests/r.seconds)
			f.add(m.key+" cpu", (processorTime(pid)-cpu)/r.requests*1000)
			f.add(m.key+" calls", (b.calls()-calls)/r.requests)
		}
		f.add("rss", peakMemory(pid))
		return nil
	})
	if err != nil || !slices.Contains(b.wanted, "latency") {
		return err
	}
	slow, err := start(s, b.slow)
	if err != nil {
		return err
	}
	defer slow.end()
	if _, err := b.load(ctx, slow.url, s.nested, true, 1, b.warm); err != nil {
		return err
	}
	r, err := b.load(ctx, slow.url, s.nested, true, 1, b.seconds)
	f.add("latency", r.median)
	return err
}

func (f figures) add(key string, v float64) { f[key] = append(f[key], v) }

// take appends the figures of a round.
func (f figures) take(round figures) {
	for key, values := range round {
		f[key] = append(f[key], values...)
	}
}

// compare adds the throughput relative to the other server, if the round has figures of both.
func (f figures) compare(other figures) {
	for _, key := range []string{"q1", "q1u", "q2", "q3u"} {
		if len(f[key]) > 0 && len(other[key]) > 0 {
			f.add(key+" share", f[key][0]/other[key][0])
		}
	}
}

// running calls do with a running server and the seconds to warm it. If together is set, the server
// keeps running until the end of the comparison; if do fails, the next round starts it again.
func (b *bench) running(s server, do func(pid int, url string, warm int) error) error {
	a, warm := b.alive[s.name], 0
	if a == nil {
		var err error
		if a, err = start(s, b.fast); err != nil {
			return err
		}
		warm = b.warm
	}
	err := do(a.pid, a.url, warm)
	if b.together && err == nil {
		b.alive[s.name] = a
		return nil
	}
	delete(b.alive, s.name)
	a.end()
	return err
}

// start starts a server that calls the simulated API at an address.
func start(s server, upstream string) (*alive, error) {
	address := freeAddress()
	command := s.command(upstream, address)
	end, err := begin(command, address)
	if err != nil {
		return nil, err
	}
	return &alive{command.Process.Pid, "http://" + address, end}, nil
}

// begin starts a process and waits until it listens, for a minute at most. end stops it with SIGTERM,
// and after five seconds with SIGKILL.
func begin(c *exec.Cmd, address string) (end func(), err error) {
	output, err := os.CreateTemp("", "server")
	if err != nil {
		return nil, err
	}
	defer func() { _ = output.Close() }()
	said := func() string {
		text, _ := os.ReadFile(output.Name())
		return string(text)
	}
	c.Stdout, c.Stderr = output, output
	if err := c.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = c.Wait()
		close(ended)
	}()
	end = func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			_ = c.Process.Kill()
			<-ended
		}
		_ = os.Remove(output.Name())
	}
	for range 600 {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil { //nolint:noctx // a second at most
			return end, conn.Close()
		}
		select {
		case <-ended:
			return nil, fmt.Errorf("%s ended: %s", c.Path, said())
		case <-time.After(100 * time.Millisecond):
		}
	}
	end()
	return nil, fmt.Errorf("%s does not listen: %s", c.Path, said())
}

// result is what wrk reports.
type result struct{ requests, seconds, median float64 }

// load sends an operation for the given number of seconds. It fails if any request failed.
func (b *bench) load(ctx context.Context, url string, op operation, unique bool, connections, seconds int) (r result, err error) {
	b.runs++
	arguments := []string{
		"-t1", "-c" + strconv.Itoa(connections), "-d" + strconv.Itoa(seconds) + "s", "--timeout", "30s", "-s", "bench/wrk.lua",
		url + op.path, "--", op.body, map[bool]string{true: "unique", false: "same"}[unique], "run" + strconv.Itoa(b.runs),
	}
	out, err := exec.CommandContext(ctx, "wrk", arguments...).CombinedOutput() //nolint:gosec // ours
	if err != nil {
		return r, fmt.Errorf("wrk: %w: %s", err, out)
	}
	var requests, micros, failed, median float64
	_, line, _ := strings.Cut(string(out), "result ")
	if _, err := fmt.Sscan(line, &requests, &micros, &failed, &median); err != nil {
		return r, fmt.Errorf("wrk: %w: %s", err, out)
	}
	if failed > 0 {
		return r, fmt.Errorf("%.0f of %.0f requests failed", failed, requests)
	}
	if requests == 0 {
		return r, fmt.Errorf("no request was answered in %d seconds", seconds)
	}
	return result{requests, micros / 1e6, median / 1e3}, nil
}

// check sends an operation once and checks that the response is complete: each row has one e-mail
// address.
func check(ctx context.Context, url, body string, rows int) error {
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer check")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if n := strings.Count(string(answer), "@example.com"); err == nil && n != rows {
		err = fmt.Errorf("status %d, %d rows instead of %d: %.300s", resp.StatusCode, n, rows, answer)
	}
	return err
}

// calls returns the number of REST calls that the simulated API has received.
func (b *bench) calls() float64 {
	resp, err := http.Get("http://" + b.fast + "/calls") //nolint:noctx // our own
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	var n float64
	_, _ = fmt.Fscan(resp.Body, &n)
	return n
}

// processorTime returns the CPU seconds that a process has used: fields 14 and 15 of its stat file,
// in hundredths of a second.
func processorTime(pid int) float64 {
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

// peakMemory returns the peak resident memory of a process, in MiB.
func peakMemory(pid int) float64 {
	status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes float64
	_, _ = fmt.Sscan(line, &kilobytes)
	return kilobytes / 1024
}

func freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		log.Fatal(errors.New("there is no free port"))
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// markdown returns the medians as a table, in the order of servers.
func markdown(all map[string]figures) string {
	columns := slices.DeleteFunc(slices.Clone(columns), func(c column) bool {
		for _, f := range all {
			if len(f[c.key]) > 0 {
				return false
			}
		}
		return true
	})
	var b strings.Builder
	b.WriteString("| server |")
	for _, c := range columns {
		b.WriteString(" " + c.title + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, s := range servers {
		f := all[s.name]
		if f == nil {
			continue
		}
		b.WriteString("| " + s.name + " |")
		for _, c := range columns {
			if len(f[c.key]) == 0 {
				b.WriteString(" – |")
				continue
			}
			fmt.Fprintf(&b, " "+c.format+" |", median(f[c.key]))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func median(values []float64) float64 {
	sorted := slices.SortedFunc(slices.Values(values), cmp.Compare[float64])
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
