package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/explorer"
	"github.com/funnelgraph/funnelgraph/internal/server"
	"github.com/funnelgraph/funnelgraph/internal/serving"
)

// startDemo starts the server as `funnelgraph --demo` does, and returns its URL.
func startDemo(t *testing.T, flags ...string) string {
	t.Helper()
	cfg, err := config.Parse(append([]string{"--demo", "--listen=127.0.0.1:0", "--log-level=error"}, flags...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, cfg, new(slog.LevelVar), in)
		_ = in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("want the server to start: %v", <-ended)
	}
	t.Cleanup(func() {
		stop(serving.ErrInterrupted)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(line)
}

// ask sends a query, and returns the body of the response.
func ask(t *testing.T, url, query string) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url+server.Endpoint, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestDemoResetRestoresTheFixtures changes records, caches responses, and resets the demo. The
// next query sees the fixtures.
func TestDemoResetRestoresTheFixtures(t *testing.T) {
	url := startDemo(t, "--cache-ttl=1h", "--cors-origin=https://app.example.com")
	const read = `{ contact(id: "3000000001", workspaceId: "101") { firstName } workspace(id: "101") { name subdomain } }`
	fixture := ask(t, url, read)
	if !strings.Contains(fixture, `"firstName":"Ada"`) {
		t.Fatalf("want the fixture's first name, got %s", fixture)
	}
	for range 2 {
		for _, change := range []string{
			`mutation { updateContact(input: {id: "3000000001", workspaceId: "101", firstName: "Changed"}) { contact { firstName } } }`,
			`mutation { updateWorkspace(input: {id: "101", name: "Renamed"}) { workspace { name } } }`,
			`mutation { deleteContact(input: {id: "3000000002", workspaceId: "101"}) { deletedContactId } }`,
		} {
			if raw := ask(t, url, change); strings.Contains(raw, `"errors"`) {
				t.Fatalf("want no errors, got %s", raw)
			}
		}
		if raw := ask(t, url, read); !strings.Contains(raw, `"firstName":"Changed"`) || !strings.Contains(raw, "Renamed") {
			t.Fatalf("want the changed records, got %s", raw)
		}
		req, err := http.NewRequest(http.MethodPost, url+"/demo/reset", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "http://localhost:5173") // tests of front ends run in a browser too
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent || resp.Header.Get("Access-Control-Allow-Origin") != "http://localhost:5173" {
			t.Fatalf("the reset: want 204 and the caller's origin, got %s, %v", resp.Status, resp.Header)
		}
		for query, want := range map[string]string{
			read:                                `"firstName":"Ada"`,
			`{ workspace(id: "101") { name } }`: `"name":"Acme Academy"`,
			`{ workspace(id: "101") { contacts(first: 2) { nodes { rawId } } } }`: `{"rawId":"3000000001"},{"rawId":"3000000002"}`,
		} {
			if raw := ask(t, url, query); !strings.Contains(raw, want) {
				t.Errorf("after the reset, %s: want the fixtures, got %s", query, raw)
			}
		}
	}
	if resp, err := http.Get(url + "/demo/reset"); err != nil || resp.StatusCode == http.StatusNoContent || resp.Body.Close() != nil {
		t.Errorf("GET /demo/reset: want an error, got %v %v", resp, err)
	}
	// Without --demo the endpoint does not exist.
	e := newEnv(t)
	req, err := http.NewRequest(http.MethodPost, e.url+"/demo/reset", nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, raw, _ := e.do(req); status/100 == 2 {
		t.Errorf("without --demo: want an error, got %d %s", status, raw)
	}
}

// TestDemoLatencyDelaysEachCall measures three calls in a chain.
func TestDemoLatencyDelaysEachCall(t *testing.T) {
	url := startDemo(t, "--demo-latency=100ms")
	began := time.Now()
	if raw := ask(t, url, nested); strings.Contains(raw, `"errors"`) || time.Since(began) < 300*time.Millisecond {
		t.Errorf("three calls in a chain took %s, want at least 300ms without errors: %s", time.Since(began), raw)
	}
}

// TestDemoFaultsRepeatAfterAReset fails shares of the calls. A reset starts the same sequence
// again.
func TestDemoFaultsRepeatAfterAReset(t *testing.T) {
	url := startDemo(t, "--demo-faults=429=0.25,502=0.25", "--max-attempts=1")
	round := func() (codes []string) {
		for i := range 20 {
			raw := ask(t, url, fmt.Sprintf(`query Q%d { teams { nodes { name } } }`, i))
			codes = append(codes, regexp.MustCompile(`"code":"\w+"`).FindString(raw))
		}
		return codes
	}
	first := round()
	all := strings.Join(first, " ")
	if !strings.Contains(all, "RATE_LIMITED") || !strings.Contains(all, "UPSTREAM_UNAVAILABLE") || !slices.Contains(first, "") {
		t.Errorf("want failures by 429 and by 502 and successes among 20 calls, got %q", first)
	}
	resp, err := http.Post(url+"/demo/reset", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if again := round(); !slices.Equal(first, again) {
		t.Errorf("codes after the reset %q, want %q as before", again, first)
	}
	// The share "timeout" means no response.
	hanging := startDemo(t, "--demo-faults=timeout=1", "--max-attempts=1", "--upstream-timeout=100ms")
	if raw := ask(t, hanging, `{ teams { nodes { name } } }`); !strings.Contains(raw, "UPSTREAM_TIMEOUT") {
		t.Errorf("want UPSTREAM_TIMEOUT, got %s", raw)
	}
}

// TestDemoFlagsAreValidated refuses invalid flags with one line that says why.
func TestDemoFlagsAreValidated(t *testing.T) {
	for flags, want := range map[string]string{
		"--demo-latency=1s":                    "--demo-latency needs --demo",
		"--demo-faults=429=0.1":                "--demo-faults needs --demo",
		"--demo --demo-latency=-1s":            "must not be negative",
		"--demo --demo-faults=429":             "--demo-faults",
		"--demo --demo-faults=429=2":           "a share from 0 to 1",
		"--demo --demo-faults=429=NaN":         "a share from 0 to 1",
		"--demo --demo-faults=429=0.6,502=0.5": "more than 1",
		"--demo --demo-faults=200=0.1":         "a status from 400 to 599",
		"--demo --demo-faults=hang=0.1":        "a status from 400 to 599",
		"--demo --demo-faults=429=0.1,":        "a share from 0 to 1",
	} {
		if _, err := config.Parse(strings.Fields(flags), io.Discard); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", flags, err, want)
		}
	}
	t.Setenv("FUNNELGRAPH_DEMO", "true")
	t.Setenv("FUNNELGRAPH_DEMO_LATENCY", "300ms")
	t.Setenv("FUNNELGRAPH_DEMO_FAULTS", "429=0.1,502=0.1,timeout=0.05")
	if cfg, err := config.Parse(nil, io.Discard); err != nil || cfg.DemoLatency != 300*time.Millisecond || cfg.DemoFaults == "" {
		t.Errorf("by the environment: want the latency and faults, got %+v, %v", cfg, err)
	}
}

// TestExamplesRunOnTheDemo runs every example of GraphiQL.
func TestExamplesRunOnTheDemo(t *testing.T) {
	e := &env{t: t, url: startDemo(t)}
	examples := explorer.Examples()
	if len(examples) < 7 || examples[0].Name != "1-nested" {
		t.Fatalf("want 1-nested first among at least 7 examples, got %d examples", len(examples))
	}
	for _, example := range examples {
		var variables map[string]any
		if example.Variables != "" {
			if err := json.Unmarshal([]byte(example.Variables), &variables); err != nil {
				t.Errorf("%s: its variables are not JSON: %v", example.Name, err)
			}
		}
		if strings.Contains(example.Query, "\nsubscription ") {
			s := e.subscribe(t, strings.Replace(strings.Replace(example.Query, "$workspace: ID!", "$workspace: ID = 101", 1), "# ", "#", 1))
			waitForSubscriptions()
			e.must(`mutation { createContact(input: { workspaceId: "101", emailAddress: "` + example.Name + `@example.com" }) { contact { id } } }`)
			s.wants(`"type":"contact.created"`, example.Name+"@example.com")
			continue
		}
		if r := e.must(example.Query, variables); strings.Contains(r.raw, ":null,") && strings.Contains(r.raw, `"data":null`) {
			t.Errorf("%s: want data, got %s", example.Name, r.raw)
		}
	}
}
