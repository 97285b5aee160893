package test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/server"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// faults are rates at which calls fail, each as a share of all calls.
type faults struct {
	Latency time.Duration
	// TooMany is the rate of 429 responses, Broken of 502 pages, Hang of calls without a
	// response, and Cut of connections that end in the middle.
	TooMany, Broken, Hang, Cut float64
	// Dead are subdomains that never answer.
	Dead []string
}

// chaosAPI is the simulated API with faults. It accepts contacts as well. Half of the failing
// writes are carried out, except for those with a 429.
type chaosAPI struct {
	demo   http.Handler
	faults atomic.Pointer[faults]
	calls  atomic.Int64

	mu sync.Mutex
	// made counts how often a contact was created or upserted, by its e-mail address.
	made map[string]int
}

// ledger is what the API has done so far.
type ledger struct {
	Calls int64
	Made  map[string]int
}

// serveChaos runs the API in a process of its own, which ends with its parent.
func serveChaos() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	a := &chaosAPI{demo: demo.New(20), made: make(map[string]int)}
	a.faults.Store(new(faults))
	fmt.Fprintln(os.Stderr, listener.Addr())
	go func() {
		for os.Getppid() != 1 {
			time.Sleep(time.Second)
		}
		os.Exit(0)
	}()
	panic((&http.Server{Handler: a, ReadHeaderTimeout: time.Minute}).Serve(listener))
}

func (a *chaosAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/faults":
		f := new(faults)
		if err := json.NewDecoder(r.Body).Decode(f); err != nil {
			panic(err)
		}
		a.faults.Store(f)
		return
	case "/ledger":
		a.mu.Lock()
		defer a.mu.Unlock()
		_ = json.NewEncoder(w).Encode(ledger{a.calls.Load(), a.made})
		return
	}
	a.calls.Add(1)
	content, err := io.ReadAll(r.Body) // reading to the end detects clients that disconnect
	if err != nil {
		return
	}
	f := a.faults.Load()
	subdomain, _, _ := strings.Cut(r.Host, ".")
	if slices.Contains(f.Dead, subdomain) {
		<-r.Context().Done()
		return
	}
	time.Sleep(f.Latency)
	fate := rand.Float64()
	if fate -= f.TooMany; fate < 0 {
		answer(429, "application/json", `{"error":"Too many requests"}`)(w, r)
		return
	}
	wrong := fate < f.Broken+f.Hang+f.Cut
	var created []byte
	if r.Method != http.MethodGet && (!wrong || rand.N(2) == 0) {
		created = a.write(r.URL.Path, content)
	}
	switch {
	case fate < f.Broken:
		answer(502, "text/html", badGateway)(w, r)
	case fate < f.Broken+f.Hang:
		<-r.Context().Done()
	case wrong:
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("["))
		panic(http.ErrAbortHandler)
	case created != nil:
		answer(201, "application/json", string(created))(w, r)
	default:
		r.Header.Set("Authorization", "Bearer "+demo.Token)
		a.demo.ServeHTTP(w, r)
	}
}

// write creates or upserts a contact and returns its JSON.
func (a *chaosAPI) write(path string, content []byte) []byte {
	var body struct {
		Contact struct {
			Email string `json:"email_address"`
		}
	}
	if err := json.Unmarshal(content, &body); err != nil {
		panic(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !strings.HasSuffix(path, "/upsert") || a.made[body.Contact.Email] == 0 {
		a.made[body.Contact.Email]++
	}
	return fmt.Appendf(nil, `{"id":%d,"workspace_id":101,"email_address":%q}`, len(a.made), body.Contact.Email)
}

// chaos controls an API in a process of its own.
type chaos struct {
	t       *testing.T
	address string
}

// newChaos starts the API.
func newChaos(t *testing.T) *chaos {
	t.Helper()
	_, address := process(t, beAPI+"=1")
	return &chaos{t, address}
}

// template returns a URL template in which each workspace has a host of its own, as in the real
// API.
func (c *chaos) template() string {
	_, port, _ := net.SplitHostPort(c.address)
	return "http://{subdomain}.localhost:" + port + demo.BasePath
}

// set replaces the faults.
func (c *chaos) set(f faults) {
	c.t.Helper()
	body, _ := json.Marshal(f)
	resp, err := http.Post("http://"+c.address+"/faults", "application/json", strings.NewReader(string(body)))
	if err != nil {
		c.t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// ledger returns what the API has done so far.
func (c *chaos) ledger() (l ledger) {
	c.t.Helper()
	resp, err := http.Get("http://" + c.address + "/ledger")
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&l); err != nil {
		c.t.Fatal(err)
	}
	return l
}

// server starts a funnelgraph in a process of its own, in front of the API.
func (c *chaos) server(flags ...string) (url string, cmd *exec.Cmd) {
	c.t.Helper()
	cmd, line := process(c.t, beServer+"="+strings.Join(append(flags, "--listen=127.0.0.1:0", "--upstream-url="+c.template()), " "))
	_, url, ok := strings.Cut(line, "GraphQL on ")
	if !ok {
		c.t.Fatalf("want the server's URL, got %q", line)
	}
	return strings.TrimSuffix(url, server.Endpoint), cmd
}

// terminate is the signal that starts a drain.
const terminate = syscall.SIGTERM
