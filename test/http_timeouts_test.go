package test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestSlowBodyTimesOut sends a body byte by byte. The time for the whole body is limited.
func TestSlowBodyTimesOut(t *testing.T) {
	e := newEnv(t)
	listener := newLocalListener(t)
	server := serving.New(e.front.Config.Handler)
	if server.ReadTimeout <= 0 || server.ReadTimeout > time.Minute {
		t.Errorf("a request may take %s to arrive, want a positive limit of at most a minute", server.ReadTimeout)
	}
	server.ReadTimeout = 500 * time.Millisecond
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	for name, transport := range map[string]*http.Transport{"HTTP/1.1": {}, "HTTP/2": {Protocols: h2c}} {
		body, w := io.Pipe()
		go func() {
			for {
				if _, err := io.WriteString(w, " "); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+listener.Addr().String()+"/graphql", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		begun := time.Now()
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Errorf("%s: want a response: %v", name, err)
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		_ = body.Close()
		transport.CloseIdleConnections()
		if took := time.Since(begun); resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(text), "did not arrive in time") || took > 5*time.Second {
			t.Errorf("%s: want 408 within 5s, got %d %s after %s", name, resp.StatusCode, text, took)
		}
	}
}

// contactsHang is a fault that never answers for the contacts of workspace acme-retreats.
func contactsHang(_ http.ResponseWriter, r *http.Request, subdomain, path string) bool {
	if subdomain == "acme-retreats" && isContacts(path) {
		<-r.Context().Done()
	}
	return false
}

// TestRequestTimeoutHeaderAnswersInPart answers in part before the client's deadline, and
// refuses malformed deadlines.
func TestRequestTimeoutHeaderAnswersInPart(t *testing.T) {
	e := newEnv(t, withFault(contactsHang))
	const timeout = 5 * time.Second
	body, _ := json.Marshal(map[string]any{"query": nested})
	var wait sync.WaitGroup
	for _, header := range []string{"5s", "5000ms", "5"} {
		wait.Go(func() {
			begun := time.Now()
			status, text, _ := e.request("POST", "/graphql", string(body), isJSON, asDemo, "X-Request-Timeout: "+header)
			took := time.Since(begun)
			r := result{raw: text}
			if err := json.Unmarshal([]byte(text), &r); err != nil {
				t.Error(err)
			}
			if status != 200 || took > timeout || took < timeout/2 || len(r.Errors) != 1 || r.code("teams.nodes.0.workspaces.nodes.1.contacts") != "UPSTREAM_TIMEOUT" || r.get("teams.nodes.0.workspaces.nodes.0.contacts.nodes.0.emailAddress") == nil {
				t.Errorf("%s: want a partial response just before the deadline, got %d after %s: %.500s", header, status, took, text)
			}
		})
	}
	wait.Wait()
	for _, header := range []string{"soon", "-1s", "0", "0s", "8 s", "8s8", "1e3", "99999999999999999999", "8s, 9s", "8 seconds"} {
		for _, method := range []string{"POST", "GET"} {
			status, text, _ := e.request(method, "/graphql?query={__typename}", `{"query":"{ __typename }"}`, isJSON, asDemo, "X-Request-Timeout: "+header)
			var r result
			if err := json.Unmarshal([]byte(text), &r); err != nil || status != 400 || len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != bad || !strings.Contains(r.Errors[0].Message, "X-Request-Timeout") {
				t.Errorf("%s %q: want 400 that names the header, got %d %s", method, header, status, text)
			}
		}
	}
}

// TestRequestTimeoutHeaderCannotExceedTheServers asks for an hour where the server allows 500
// ms.
func TestRequestTimeoutHeaderCannotExceedTheServers(t *testing.T) {
	e := newEnv(t, withFault(contactsHang), withLimits(func(l *limits.Limits) { l.Timeout = 500 * time.Millisecond }))
	begun := time.Now()
	body, _ := json.Marshal(map[string]any{"query": nested})
	_, text, _ := e.request("POST", "/graphql", string(body), isJSON, asDemo, "X-Request-Timeout: 1h")
	if took := time.Since(begun); took > 5*time.Second || !strings.Contains(text, "UPSTREAM_TIMEOUT") {
		t.Errorf("want UPSTREAM_TIMEOUT within 5s, got after %s: %.500s", took, text)
	}
}

// TestRequestTimeoutHeaderAffectsOnlyItsClient sends the same query from several clients at
// once. A deadline cuts only the response of the client that set it, and that client waits no
// longer. All share their REST calls.
func TestRequestTimeoutHeaderAffectsOnlyItsClient(t *testing.T) {
	for _, hurriedFirst := range []bool{true, false} {
		goOn := make(chan struct{})
		e := newEnv(t, withFault(held(goOn, isContacts)))
		const query = `{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 1) { nodes { emailAddress } } } }`
		body, _ := json.Marshal(map[string]any{"query": query})
		ask := func(headers ...string) <-chan result {
			answered := make(chan result, 1)
			go func() {
				_, text, _ := e.request("POST", "/graphql", string(body), append(headers, isJSON, asDemo)...)
				r := result{raw: text}
				_ = json.Unmarshal([]byte(text), &r)
				answered <- r
			}()
			return answered
		}
		var hurried, patient <-chan result
		if hurriedFirst {
			hurried = ask("X-Request-Timeout: 1s")
			waitForCalls(t, e, 1)
			patient = ask()
		} else {
			patient = ask()
			waitForCalls(t, e, 1)
			hurried = ask("X-Request-Timeout: 1s")
		}
		unhurried := ask("X-Request-Timeout: 20s")
		select {
		case r := <-hurried:
			if r.code("workspace.contacts") != "UPSTREAM_TIMEOUT" {
				t.Errorf("the client with a short deadline: want UPSTREAM_TIMEOUT, got %s", r.raw)
			}
		case <-time.After(5 * time.Second):
			t.Error("the client with a short deadline waits for the others")
		}
		close(goOn)
		for name, answered := range map[string]<-chan result{"patient": patient, "unhurried": unhurried} {
			if r := <-answered; len(r.Errors) > 0 || r.get("workspace.contacts.nodes.0.emailAddress") == nil {
				t.Errorf("the %s client: want the contacts, got %s", name, r.raw)
			}
		}
		if calls := e.callsOf(demo.Token); len(calls) != 1 {
			t.Errorf("%d calls, want 1: %q", len(calls), calls)
		}
	}
}

// waitForCalls waits until n REST calls have been made.
func waitForCalls(t *testing.T, e *env, n int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); len(e.callsOf(demo.Token)) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("want %d calls, got %q", n, e.callsOf(demo.Token))
		}
	}
}

// TestRequestTimeoutHeaderBoundsDeferredParts ends deferred parts at the client's deadline.
func TestRequestTimeoutHeaderBoundsDeferredParts(t *testing.T) {
	e := newEnv(t, withFault(func(_ http.ResponseWriter, r *http.Request, _, path string) bool {
		if isContacts(path) {
			<-r.Context().Done()
		}
		return false
	}))
	begun := time.Now()
	p := e.begin(t.Context(), contactsLater, nil, "X-Request-Timeout: 4s").all()
	if took := time.Since(begun); took > 4*time.Second || len(p.parts) != 2 || p.code("workspace.contacts") != "UPSTREAM_TIMEOUT" || p.get("workspace.name") != "Acme Academy" {
		t.Errorf("want the first part and UPSTREAM_TIMEOUT for the rest within 4s, got after %s: %s", took, p.raw)
	}
}

// TestRequestTimeoutAnswersInPart answers with the available data at the timeout, and with an
// error for the rest.
func TestRequestTimeoutAnswersInPart(t *testing.T) {
	e := newEnv(t, withLimits(func(l *limits.Limits) { l.Timeout = 500 * time.Millisecond }), withFault(func(_ http.ResponseWriter, r *http.Request, subdomain, _ string) bool {
		if subdomain == "acme-retreats" {
			<-r.Context().Done()
		}
		return false
	}))
	begun := time.Now()
	r := e.query(nested)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %s, want at most 5s", took)
	}
	if len(r.Errors) != 1 || r.code("teams.nodes.0.workspaces.nodes.1.contacts") != "UPSTREAM_TIMEOUT" || r.get("teams.nodes.0.workspaces.nodes.0.contacts.nodes.0.emailAddress") == nil {
		t.Errorf("want one UPSTREAM_TIMEOUT beside the other contacts, got %.2000s", r.raw)
	}
}
