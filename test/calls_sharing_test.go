package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/server"
	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// tokenEcho is an API that puts the caller's token into every text. A response with the data of
// another credential is therefore easy to find.
type tokenEcho struct{ calls atomic.Int64 }

func (c *tokenEcho) RoundTrip(r *http.Request) (*http.Response, error) {
	if n := c.calls.Add(1); n%4 == 0 {
		time.Sleep(50 * time.Microsecond) // so that other requests arrive meanwhile
	}
	token := strings.Replace(r.Header.Get("Authorization"), "Bearer secret-", "mine-", 1)
	var body string
	switch _, kind, _ := strings.Cut(r.URL.Path, "/api/"); {
	case kind == "teams":
		body = fmt.Sprintf(`[{"id":1,"name":%q},{"id":2,"name":%[1]q}]`, token)
	case strings.HasSuffix(kind, "/workspaces"):
		body = fmt.Sprintf(`[{"id":3,"team_id":1,"name":%q,"subdomain":"acme"}]`, token)
	case strings.HasSuffix(kind, "/contacts"):
		body = fmt.Sprintf(`[{"id":4,"workspace_id":3,"email_address":%q,"first_name":"\u00e9\"","tags":[{"id":5,"name":%[1]q}]},{"id":6,"workspace_id":3,"email_address":%[1]q}]`, token)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// TestAnswersAreNeverSharedAcrossCredentials sends 100,000 random requests of many credentials.
// There are few operations, so that most requests meet an identical one in flight. They arrive
// by every method and media type, and some are canceled early. Every byte of every response
// must be the one that its credential gets alone.
func TestAnswersAreNeverSharedAcrossCredentials(t *testing.T) {
	t.Parallel()
	requests, credentials := 100_000, 40
	if testing.Short() {
		requests = 4_000 // the race detector makes each of them slow
	}
	operations := []map[string]any{
		{"query": `{ teams { nodes { name } } }`},
		{"query": nested},
		{"query": `query($first: Int) { teams(first: $first) { nodes { id name } pageInfo { endCursor } } }`, "variables": map[string]any{"first": 1}},
		{"query": `query($first: Int) { teams(first: $first) { nodes { id name } pageInfo { endCursor } } }`, "variables": map[string]any{"first": 2}},
		{"query": `query A { teams { nodes { name } } } query B { workspace(id: "3", subdomain: "acme") { contacts { nodes { emailAddress firstName tags { name } } } } }`, "operationName": "A"},
		{"query": `query A { teams { nodes { name } } } query B { workspace(id: "3", subdomain: "acme") { contacts { nodes { emailAddress firstName tags { name } } } } }`, "operationName": "B"},
		{"query": `{ teams { nodes { nope } } }`},
	}
	for _, ttl := range []time.Duration{0, time.Minute} {
		t.Run("cached for "+ttl.String(), func(t *testing.T) {
			api := new(tokenEcho)
			client, err := upstream.New(upstream.Config{URLTemplate: "http://127.0.0.1/{subdomain}/api", Transport: transport.Config{RoundTripper: api, CacheTTL: ttl}})
			if err != nil {
				t.Fatal(err)
			}
			h := server.Handler(config.Config{MaxBody: 1 << 20}, server.Parts{Gate: access.PassThrough{}, Client: client, State: new(serving.State), Telemetry: discardTelemetry()})
			send := func(ctx context.Context, credential, operation, way int) *httptest.ResponseRecorder {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, identified(operationRequest(ctx, operations[operation], way), credential))
				return w
			}
			// The reference responses come from requests that are sent alone.
			want := make(map[[3]int]string)
			for credential := range credentials {
				for operation := range operations {
					for way := range ways {
						w := send(t.Context(), credential, operation, way)
						want[[3]int{credential, operation, way}] = fmt.Sprint(w.Code, w.Body)
						if answer := w.Body.String(); strings.Count(answer, answerTo(credential)) != strings.Count(answer, "mine") || operation < 6 && !strings.Contains(answer, answerTo(credential)) {
							t.Fatalf("credential %d alone: want only its own data, got %s", credential, answer)
						}
					}
				}
			}
			alone := float64(api.calls.Swap(0)) / float64(len(want))

			var wait sync.WaitGroup
			seed := rand.Uint64()
			const clients = 64
			for i := range clients {
				wait.Go(func() {
					random := rand.New(rand.NewPCG(seed, uint64(i)))
					for n := range requests / clients {
						// Only a few credentials are active at a time, so that requests meet.
						credential := (n/50 + random.IntN(4)) % credentials
						operation, way := random.IntN(len(operations)), random.IntN(ways)
						ctx, cancel := context.WithCancel(t.Context())
						impatient := random.IntN(20) == 0
						if impatient {
							time.AfterFunc(time.Duration(random.IntN(200))*time.Microsecond, cancel)
						}
						w := send(ctx, credential, operation, way)
						cancel()
						if got := fmt.Sprint(w.Code, w.Body); got != want[[3]int{credential, operation, way}] && (!impatient || strings.Count(got, "mine") != strings.Count(got, answerTo(credential))) {
							t.Errorf("seed %d: %s got %s\nwant %s", seed, tokenOf(credential), got, want[[3]int{credential, operation, way}])
							return
						}
					}
				})
			}
			wait.Wait()
			t.Logf("%.2f REST calls for a request, %.2f alone", float64(api.calls.Load())/float64(requests), alone)
			if shared := float64(api.calls.Load()) / float64(requests); ttl == 0 && shared > 0.8*alone {
				t.Errorf("%.2f REST calls for each request, %.2f alone: want many shared calls", shared, alone)
			}
		})
	}
}

// answerTo returns the text that the API puts into the responses of a credential.
func answerTo(credential int) string { return fmt.Sprintf("mine-%02d", credential) }

func tokenOf(credential int) string { return fmt.Sprintf("secret-%02d", credential) }

// ways is the number of forms in which a request can arrive.
const ways = 6

// operationRequest builds a request by POST or GET with the Accept and Cache-Control headers of
// a form.
func operationRequest(ctx context.Context, operation map[string]any, way int) *http.Request {
	body, _ := json.Marshal(operation)
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/graphql", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if way%2 == 1 {
		query := url.Values{}
		for key, value := range operation {
			text, ok := value.(string)
			if !ok {
				encoded, _ := json.Marshal(value)
				text = string(encoded)
			}
			query.Set(key, text)
		}
		r = httptest.NewRequestWithContext(ctx, http.MethodGet, "/graphql?"+query.Encode(), nil)
	}
	switch way / 2 {
	case 1:
		r.Header.Set("Accept", "application/graphql-response+json")
	case 2:
		r.Header.Set("Cache-Control", "no-cache")
	}
	return r
}

func identified(r *http.Request, credential int) *http.Request {
	r.Header.Set("Authorization", "Bearer "+tokenOf(credential))
	return r
}

// TestIdenticalOperationsRunOnce expects one execution for many identical requests, and a
// second one for another credential.
func TestIdenticalOperationsRunOnce(t *testing.T) {
	e := newEnv(t, withLatency(500*time.Millisecond))
	const query = `{ teams { nodes { name } } }`
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() { e.must(query) })
	}
	wait.Go(func() { e.queryAs("stranger", query) })
	wait.Wait()
	if calls := len(e.callsOf(demo.Token)) + len(e.callsOf("stranger")); calls != 2 {
		t.Errorf("%d calls, want 2", calls)
	}
}

// TestCacheHonoursNoCache answers a second request from the cache, unless it says no-cache.
func TestCacheHonoursNoCache(t *testing.T) {
	e := newEnv(t, withCache(time.Minute))
	const query = `{ teams { nodes { name } } }`
	ask := func(cacheControl string, want int) {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, e.url+"/graphql?query="+url.QueryEscape(query), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+demo.Token)
		if cacheControl != "" {
			r.Header.Set("Cache-Control", cacheControl)
		}
		if _, body, _ := e.do(r); !strings.Contains(body, "Acme Coaching") {
			t.Errorf("want the teams, got %s", body)
		}
		if calls := e.callsOf(demo.Token); len(calls) != want {
			t.Errorf("%q: %d calls, want %d", cacheControl, len(calls), want)
		}
	}
	ask("", 1)
	ask("", 1)
	ask("max-age=0", 1)
	ask("no-transform, No-Cache", 2)
	ask("", 2)
}

// TestMutationEndsSharingOfExplainedQueries sends an explained query while the same one is in
// flight. A mutation of the same client in between must end the sharing.
func TestMutationEndsSharingOfExplainedQueries(t *testing.T) {
	var slow sync.WaitGroup
	release, begun := make(chan struct{}), make(chan struct{}, 10)
	e := newEnv(t, withFault(func(_ http.ResponseWriter, r *http.Request, _, path string) bool {
		if path == "/teams" && r.Method == http.MethodGet {
			begun <- struct{}{}
			<-release
		}
		return false
	}))
	send := func(query, explain string) {
		slow.Go(func() {
			r := post(`{"query":"`+query+`"}`, "X-Funnelgraph-Explain: "+explain)(e)
			_, _, _ = e.do(r)
		})
	}
	await := func(n int) {
		t.Helper()
		for range n {
			select {
			case <-begun:
			case <-time.After(10 * time.Second):
				t.Fatal("the query has joined one from before the mutation, want a new call")
			}
		}
	}
	send(`{ teams { nodes { name } } }`, "1")
	await(1)
	e.must(`mutation { updateTeam(input: { id: "11", name: "Renamed" }) { team { name } } }`)
	send(`{ teams { nodes { name } } }`, "1")
	await(1)
	close(release)
	slow.Wait()
}
