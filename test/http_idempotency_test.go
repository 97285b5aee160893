package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

const (
	withKey  = "Idempotency-Key: 8e03978e-40d5-43e8-bc93-6894a57f9324"
	replayed = "Idempotency-Replayed"
)

// createTag is the body of a request that creates a tag. A second execution would be refused,
// because names are unique.
func createTag(name string) string {
	return `{"query":"mutation Create($name: String!) { createContactTag(input: { workspaceId: \"101\", name: $name }) { contactTag { id name } userErrors { message } } }","variables":{"name":"` + name + `"}}`
}

// writes returns the number of REST calls of a token that are not reads.
func (e *env) writes(token string) (n int) {
	for _, call := range e.callsOf(token) {
		if strings.HasPrefix(call, "POST ") || strings.HasPrefix(call, "PUT ") || strings.HasPrefix(call, "DELETE ") {
			n++
		}
	}
	return n
}

// TestRepeatedMutationsGetTheFirstAnswer repeats a mutation in different forms of the same request.
// Each repetition gets the bytes of the first answer, without a REST call.
func TestRepeatedMutationsGetTheFirstAnswer(t *testing.T) {
	e := newEnv(t)
	status, first, header := e.do(post(createTag("A"), withKey)(e))
	if status != http.StatusOK || !strings.Contains(first, `"name":"A"`) || header.Get(replayed) != "" {
		t.Fatal(status, first, header)
	}
	calls := len(e.callsOf(demo.Token))
	var params map[string]any
	if err := json.Unmarshal([]byte(createTag("A")), &params); err != nil {
		t.Fatal(err)
	}
	params["operationName"] = "Create"
	params["extensions"] = map[string]any{"clientLibrary": map[string]any{"name": "app", "version": "2"}}
	another, _ := json.MarshalIndent(params, "", "  ")
	for _, again := range []func(*env) *http.Request{
		post(createTag("A"), withKey),
		post(createTag("A"), `Idempotency-Key: "8e03978e-40d5-43e8-bc93-6894a57f9324"`),
		post(createTag("A"), withKey, "X-Request-Timeout: 5s", "Cache-Control: no-cache"),
		post(string(another), withKey),
	} {
		status, answer, header := e.do(again(e))
		if status != http.StatusOK || answer != first || header.Get(replayed) != "true" || header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%d %s %v, want %s", status, answer, header, first)
		}
	}
	if n := len(e.callsOf(demo.Token)); n != calls {
		t.Errorf("%d REST calls, want %d: %q", n, calls, e.callsOf(demo.Token))
	}
}

// TestKeysOfOtherRequestsAreRefused sends other requests with a used key. They are not executed,
// and the first answer is not lost.
func TestKeysOfOtherRequestsAreRefused(t *testing.T) {
	e := newEnv(t)
	const asResponse = "Accept: application/graphql-response+json"
	_, first, _ := e.do(post(createTag("A"), withKey, asResponse)(e))
	for name, other := range map[string]func(*env) *http.Request{
		"variables":   post(createTag("B"), withKey, asResponse),
		"document":    post(strings.Replace(createTag("A"), "id name", "name", 1), withKey, asResponse),
		"explanation": post(createTag("A"), withKey, asResponse, "X-Funnelgraph-Explain: 1"),
		"parts":       post(createTag("A"), withKey, asResponse+", multipart/mixed"),
	} {
		status, answer, header := e.do(other(e))
		if status != http.StatusUnprocessableEntity || !strings.Contains(answer, bad) || !strings.Contains(answer, "belongs to another request") || header.Get(replayed) != "" {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	// Clients of the older media type expect 200.
	if status, answer, _ := e.do(post(createTag("A"), withKey)(e)); status != http.StatusOK || !strings.Contains(answer, bad) {
		t.Error(status, answer)
	}
	if _, answer, _ := e.do(post(createTag("A"), withKey, asResponse)(e)); answer != first {
		t.Errorf("%s, want %s", answer, first)
	}
	if n := e.writes(demo.Token); n != 1 {
		t.Errorf("%d writes", n)
	}
}

// TestOneOperationOfADocumentIsNotAnother sends the operations of one document with one key.
func TestOneOperationOfADocumentIsNotAnother(t *testing.T) {
	e := newEnv(t)
	body := func(name string) string {
		return `{"query":"mutation A { createContactTag(input: { workspaceId: \"101\", name: \"A\" }) { contactTag { name } } } mutation B { createContactTag(input: { workspaceId: \"101\", name: \"B\" }) { contactTag { name } } }","operationName":"` + name + `"}`
	}
	e.do(post(body("A"), withKey)(e))
	if _, answer, _ := e.do(post(body("B"), withKey)(e)); !strings.Contains(answer, bad) {
		t.Error(answer)
	}
}

// TestPersistedDocumentsAreTheSameRequest sends a mutation as text with its hash, and then the hash
// alone.
func TestPersistedDocumentsAreTheSameRequest(t *testing.T) {
	e := newEnv(t)
	const document = `mutation { createContactTag(input: { workspaceId: "101", name: "A" }) { contactTag { name } userErrors { message } } }`
	extensions := `"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + hashOf(document) + `"}}`
	if _, answer, _ := e.do(post(`{`+extensions+`}`, withKey)(e)); !strings.Contains(answer, "PERSISTED_QUERY_NOT_FOUND") {
		t.Fatal(answer)
	}
	_, first, _ := e.do(post(fmt.Sprintf(`{"query":%q,%s}`, document, extensions), withKey)(e))
	if _, answer, header := e.do(post(`{`+extensions+`}`, withKey)(e)); answer != first || header.Get(replayed) != "true" || !strings.Contains(first, `"name":"A"`) {
		t.Errorf("%s, want %s", answer, first)
	}
}

// TestMalformedKeys sends keys that are not valid. They matter for mutations only.
func TestMalformedKeys(t *testing.T) {
	e := newEnv(t)
	for name, lines := range map[string][]string{"empty": {""}, "long": {strings.Repeat("k", 256)}, "not ASCII": {"ключ"}, "several": {"a", "b"}} {
		for query, refused := range map[string]bool{createTag("A"): true, `{"query":"{ __typename }"}`: false} {
			r := post(query)(e)
			r.Header["Idempotency-Key"] = lines
			status, answer, _ := e.do(r)
			if (status == http.StatusBadRequest && strings.Contains(answer, bad)) != refused {
				t.Errorf("%s: %d %s", name, status, answer)
			}
		}
	}
	if calls := e.callsOf(demo.Token); len(calls) != 0 {
		t.Errorf("want nothing executed, got %q", calls)
	}
}

// TestQueriesIgnoreKeys sends different queries with one key, and then a mutation.
func TestQueriesIgnoreKeys(t *testing.T) {
	e := newEnv(t)
	for query, want := range map[string]string{`{"query":"{ a: __typename }"}`: `{"data":{"a":"Query"}}`, `{"query":"{ b: __typename }"}`: `{"data":{"b":"Query"}}`} {
		if _, answer, header := e.do(post(query, withKey)(e)); answer != want || header.Get(replayed) != "" {
			t.Error(answer, header)
		}
	}
	if _, answer, _ := e.do(post(createTag("A"), withKey)(e)); !strings.Contains(answer, `"name":"A"`) {
		t.Error(answer)
	}
}

// TestKeysBelongToTheirCaller sends the same request with one key and different tokens. Each is
// executed, and gets an answer of its own: the name of the tag is free for the first one only.
func TestKeysBelongToTheirCaller(t *testing.T) {
	e := newEnv(t)
	for _, caller := range []struct{ token, want string }{{demo.Token, `"name":"A"`}, {demo.Token + "-a", "already been taken"}, {demo.Token + "-b", "already been taken"}} {
		for range 2 {
			if _, answer, _ := e.do(post(createTag("A"), withKey, "Authorization: Bearer "+caller.token)(e)); !strings.Contains(answer, caller.want) {
				t.Errorf("%s, want %s", answer, caller.want)
			}
		}
		if n := e.writes(caller.token); n != 1 {
			t.Errorf("%d writes", n)
		}
	}
}

// TestLostConnections disconnects a client while ClickFunnels makes the change, or while it waits
// for the answer in parts. The execution runs to its end, and the repeated request gets its answer.
func TestLostConnections(t *testing.T) {
	for _, accept := range []string{"application/json", "multipart/mixed", "text/event-stream"} {
		t.Run(accept, func(t *testing.T) {
			goOn, came := make(chan struct{}), make(chan struct{}, 1)
			e := newEnv(t, withFault(func(_ http.ResponseWriter, r *http.Request, _, _ string) bool {
				if r.Method == http.MethodPost {
					came <- struct{}{}
					<-goOn
					// A cancelled call would not count as one that the client of the API waits for.
					if r.Context().Err() != nil {
						t.Error("the REST call was cancelled")
					}
				}
				return false
			}))
			e.serveLikeProduction()
			body := `{"query":"mutation { createContactTag(input: { workspaceId: \"101\", name: \"A\" }) { contactTag { name ... @defer { color } } userErrors { message } } }"}`
			ctx, cancel := context.WithCancel(t.Context())
			lost := make(chan error, 1)
			go func() {
				resp, err := http.DefaultClient.Do(post(body, withKey, "Accept: "+accept+", application/json;q=0.5")(e).WithContext(ctx))
				if err == nil {
					_ = resp.Body.Close()
				}
				lost <- err
			}()
			<-came
			cancel()
			if err := <-lost; err == nil {
				t.Fatal("want a lost connection")
			}
			time.AfterFunc(500*time.Millisecond, func() { close(goOn) }) // the server has noticed by then
			_, answer, header := e.do(post(body, withKey, "Accept: "+accept+", application/json;q=0.5")(e))
			if !strings.Contains(answer, `"name":"A"`) || !strings.Contains(answer, `"color"`) || header.Get(replayed) != "true" || !strings.HasPrefix(header.Get("Content-Type"), accept) {
				t.Errorf("%v %s", header, answer)
			}
			if n := e.writes(demo.Token); n != 1 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

// TestConcurrentRepetitions sends a mutation many times at once. It is executed once, and all
// clients get its answer.
func TestConcurrentRepetitions(t *testing.T) {
	e := newEnv(t, withLatency(100*time.Millisecond))
	var wait sync.WaitGroup
	var firsts atomic.Int64
	answers := make([]string, 20)
	for i := range answers {
		wait.Go(func() {
			_, answer, header := e.do(post(createTag("A"), withKey)(e))
			if answers[i] = answer; header.Get(replayed) == "" {
				firsts.Add(1)
			}
		})
	}
	wait.Wait()
	if n := firsts.Load(); n != 1 || e.writes(demo.Token) != 1 || len(slices.Compact(answers)) != 1 || !strings.Contains(answers[0], `"name":"A"`) {
		t.Errorf("%d firsts, %d writes, answers %q", n, e.writes(demo.Token), answers)
	}
}

// TestWaitingEndsWithTheClientsDeadline repeats a running request with a short deadline.
func TestWaitingEndsWithTheClientsDeadline(t *testing.T) {
	goOn, came := make(chan struct{}), make(chan struct{}, 1)
	e := newEnv(t, withFault(func(_ http.ResponseWriter, r *http.Request, _, _ string) bool {
		if r.Method == http.MethodPost {
			came <- struct{}{}
			<-goOn
		}
		return false
	}))
	var wait sync.WaitGroup
	wait.Go(func() { e.do(post(createTag("A"), withKey)(e)) })
	<-came
	status, answer, header := e.do(post(createTag("A"), withKey, "X-Request-Timeout: 100ms", "Accept: application/graphql-response+json, application/json;q=0")(e))
	if status != http.StatusConflict || !strings.Contains(answer, `"CONFLICT"`) || !strings.Contains(answer, "still running") || !strings.Contains(answer, `"retryAfter":1`) || header.Get("Retry-After") != "1" {
		t.Errorf("%d %s %v", status, answer, header)
	}
	close(goOn)
	wait.Wait()
}

// TestPartsAreRepeated repeats mutations whose responses are in parts. The text is the same, also
// for a client that accepts compression.
func TestPartsAreRepeated(t *testing.T) {
	for _, accept := range []string{"multipart/mixed", "text/event-stream"} {
		e := newEnv(t)
		body := `{"query":"mutation { createContact(input: { workspaceId: \"101\", emailAddress: \"zoe@example.com\" }) { contact { id ... @defer { emailAddress workspace { name } } } } }"}`
		_, first, _ := e.do(post(body, withKey, "Accept: "+accept, "Accept-Encoding: identity")(e))
		calls := len(e.callsOf(demo.Token))
		for _, coding := range []string{"identity", "gzip"} {
			r := post(body, withKey, "Accept: "+accept)(e)
			if coding == "identity" {
				r.Header.Set("Accept-Encoding", coding)
			} // otherwise net/http asks for gzip and decompresses it
			if _, answer, header := e.do(r); answer != first || header.Get(replayed) != "true" || !strings.HasPrefix(header.Get("Content-Type"), accept) || !strings.Contains(first, "Acme Academy") {
				t.Errorf("%s: %q, want %q", accept, answer, first)
			}
		}
		if n := len(e.callsOf(demo.Token)); n != calls {
			t.Errorf("%s: %d more REST calls", accept, n-calls)
		}
	}
}

// TestFailedExecutionsAreRepeated lets ClickFunnels fail. A repeated request gets the same error,
// because the change may have been made.
func TestFailedExecutionsAreRepeated(t *testing.T) {
	e := newEnv(t, withoutRetries, withFault(func(w http.ResponseWriter, r *http.Request, _, _ string) bool {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusBadGateway)
		}
		return r.Method == http.MethodPost
	}))
	_, first, _ := e.do(post(createTag("A"), withKey)(e))
	_, answer, _ := e.do(post(createTag("A"), withKey)(e))
	if answer != first || !strings.Contains(first, `"outcome":"UNKNOWN"`) || e.writes(demo.Token) != 1 {
		t.Errorf("%d writes: %s, want %s", e.writes(demo.Token), answer, first)
	}
}

// TestRefusedRequestsLeaveTheirKey sends requests that are refused before anything is changed, and
// then a corrected one with the same key.
func TestRefusedRequestsLeaveTheirKey(t *testing.T) {
	var signedIn atomic.Bool
	e := newEnv(t, withLimits(func(l *limits.Limits) { l.Depth = 5 }), withFault(func(w http.ResponseWriter, _ *http.Request, _, _ string) bool {
		if !signedIn.Load() {
			w.WriteHeader(http.StatusUnauthorized)
		}
		return !signedIn.Load()
	}))
	for name, r := range map[string]func(*env) *http.Request{
		"syntax":      post(`{"query":"mutation {"}`, withKey),
		"field":       post(strings.Replace(createTag("A"), "id name", "nothing", 1), withKey),
		"variable":    post(strings.Replace(createTag("A"), `"name":"A"`, `"name":1`, 1), withKey),
		"depth":       post(strings.Replace(createTag("A"), "id name", "workspace { team { workspaces { nodes { team { name } } } } }", 1), withKey),
		"credential":  post(createTag("B"), withKey),
		"credential.": post(createTag("B"), withKey, "Accept: text/event-stream"),
		"write":       post(`{"query":"mutation { updateTeam(input: { id: \"11\", name: \"A\" }) { team { name } userErrors { message } } }"}`, withKey),
		"no write":    post(`{"query":"mutation { redactContact(input: { id: \"1\", confirm: false }) { redactedContactId userErrors { message } } }"}`, withKey),
	} {
		if _, answer, header := e.do(r(e)); !strings.Contains(answer, `"errors"`) && name != "no write" || header.Get(replayed) != "" {
			t.Errorf("%s: %s", name, answer)
		}
	}
	signedIn.Store(true)
	if _, answer, header := e.do(post(createTag("A"), withKey)(e)); !strings.Contains(answer, `"name":"A"`) || header.Get(replayed) != "" {
		t.Error(answer, header)
	}
}

// TestChangedPermissions restricts a client after its mutation, or gives it another token. It does
// not get the answer any more, and the mutation is not executed again. Other changes of the access
// file do not matter.
func TestChangedPermissions(t *testing.T) {
	key, hash := access.NewKey()
	_, unused := access.NewKey()
	gate := new(switchedGate)
	use := func(more, token string) {
		t.Helper()
		t.Setenv("IDEMPOTENCY_TOKEN", token)
		file := filepath.Join(t.TempDir(), "access.yaml")
		text := fmt.Sprintf(`tokens: { main: { env: IDEMPOTENCY_TOKEN } }
clients:
  - { name: app, keys: [%q], %s }
`, hash, more)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		clients, err := access.NewClients(t.Context(), file, "", limits.Policy{})
		if err != nil {
			t.Fatal(err)
		}
		gate.Store(clients)
	}
	e := newEnv(t, func(e *env, _ *config.Config) { e.gate = gate })
	send := func() string {
		_, answer, _ := e.do(post(createTag("A"), withKey, "Authorization: Bearer "+key)(e))
		return answer
	}
	use("access: read-write, teams: all", demo.Token)
	first := send()
	if !strings.Contains(first, `"name":"A"`) {
		t.Fatal(first)
	}
	for _, test := range []struct{ more, token, want string }{
		{"access: read-write, workspaces: [101]", demo.Token, `"outcome":"UNKNOWN"`},
		{"access: read-write, workspaces: [102]", demo.Token, `"outcome":"UNKNOWN"`},
		{"access: read-write, teams: all", demo.Token + "-new", `"outcome":"UNKNOWN"`},
		{"access: read, teams: all", demo.Token, `"FORBIDDEN"`},
		{"access: read-write, teams: all, limits: { calls: 3 }", demo.Token, first},
		{"access: read-write, teams: all }\n  - { name: other, keys: [" + unused + "], teams: all", demo.Token, first},
	} {
		use(test.more, test.token)
		if answer := send(); !strings.Contains(answer, test.want) || test.want != first && strings.Contains(answer, `"name"`) {
			t.Errorf("%s: %s", test.more, answer)
		}
	}
	if n := e.writes(demo.Token) + e.writes(demo.Token+"-new"); n != 1 {
		t.Errorf("%d writes", n)
	}
}

// switchedGate is a gate that can be replaced.
type switchedGate struct{ atomic.Pointer[access.Clients] }

// Caller implements [access.Gate].
func (g *switchedGate) Caller(r *http.Request) (*access.Caller, *access.Refusal) {
	return g.Load().Caller(r)
}

// Rights implements [access.Gate].
func (g *switchedGate) Rights() (readOnly bool, policy limits.Policy, ok bool) {
	return g.Load().Rights()
}

// TestReplaysAreReported reads the log and the metrics after a repeated mutation.
func TestReplaysAreReported(t *testing.T) {
	w := new(recorder)
	e := newEnv(t, withTelemetry(w))
	for range 3 {
		e.do(post(createTag("A"), withKey)(e))
	}
	n := 0
	for _, line := range w.lines(t) {
		if line["type"] != "mutation" || line["name"] != "Create" || line["outcome"] != "ok" || line["hash"] == nil {
			t.Errorf("unexpected line %v", line)
		}
		if line["replayed"] == true && line["calls"] == nil {
			n++
		}
	}
	_, metrics := e.admin(w)(http.MethodGet, "/metrics", "")
	if n != 2 || !strings.Contains(metrics, "funnelgraph_operations_replayed_total 2\n") || strings.Contains(fmt.Sprint(w.lines(t)), "8e03978e") {
		t.Errorf("%d lines of repeated mutations: %v", n, w.lines(t))
	}
}
