package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/server"
	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// withRandomLatency makes every REST call take up to d.
func withRandomLatency(d time.Duration) envOption {
	return withFault(func(_ http.ResponseWriter, _ *http.Request, _, _ string) bool {
		time.Sleep(rand.N(d))
		return false
	})
}

// TestExplainedChain asks each query many times while calls take a random time. The chain is the
// same every time.
func TestExplainedChain(t *testing.T) {
	const known = `{ workspace(id: "101") { name } c: workspace(id: "103") { name } }`
	for _, row := range []struct {
		name  string
		warm  string // is asked first
		query string
		want  int
	}{
		{"teams, workspaces, contacts", "", nested, 3},
		{"50 contacts in a known workspace", known, `{ workspace(id: "103", subdomain: "acme-podcast") { contacts(first: 50) { nodes { id } } } }`, 3},
		{"50 contacts in an unknown workspace", "", `{ workspace(id: "103") { contacts(first: 50) { nodes { id } } } }`, 4},
		{"25 contacts from the end", known, `{ workspace(id: "103", subdomain: "acme-podcast") { contacts(last: 25) { nodes { id } } } }`, 2},
		{"contact, workspace, team", "", `{ contact(id: "3000000001", workspaceId: "101") { emailAddress workspace { name team { name } } } }`, 3},
		{"contact, workspace, team, in a known workspace", known, `{ contact(id: "3000000001", workspaceId: "101") { emailAddress workspace { name team { name } } } }`, 3},
		{"contact and its workspace side by side", "", `{ w: workspace(id: "101") { name } c: contact(id: "3000000001", workspaceId: "101") { emailAddress } }`, 2},
		{"independent lists", "", `{ a: workspace(id: "101", subdomain: "acme-academy") { funnels { nodes { name } } pages { nodes { name } } contacts { nodes { rawId } } } teams { nodes { name } } }`, 1},
		{"40 contacts by id", known, `{ ` + contactAliases(40, `contact(id: "%s", workspaceId: "101") { emailAddress }`) + ` }`, 1},
		{"children of rows by edges", known, `{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 40) { edges { node { orders { edges { node { lineItems { product { name } } } } } } } } } }`, 4},
		{"a list of each row", known, `{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 20) { nodes { appliedTags { nodes { tag { createdAt } } } } } } }`, 2},
		{"the parents are known", "", `{ team(id: "11") { name workspaces { nodes { contacts { nodes { workspace { name team { name } } } } } } } }`, 3},
		{"a branch of many pages beside a deep one", known, `{ a: workspace(id: "103", subdomain: "acme-podcast") { contacts(first: 100) { nodes { id } } } ` + nested[1:], 5},
		{"a deferred fragment", known, `{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 40) { nodes { id } } ... @defer { orders { nodes { lineItems { product { name } } } } } } }`, 2},
		{"nothing", "", `{ __typename }`, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			times := 200
			if testing.Short() {
				times = 20
			}
			e := newEnv(t, withRandomLatency(2*time.Millisecond))
			got, mu := make(map[int]int), sync.Mutex{}
			limit := make(chan struct{}, 16)
			var wait sync.WaitGroup
			for i := range times {
				wait.Go(func() {
					limit <- struct{}{}
					defer func() { <-limit }()
					// Each has a token of its own, so that none knows what another has found out.
					token := fmt.Sprint(demo.Token, ".", i)
					if row.warm != "" {
						e.explained(token, "1", row.warm, nil)
					}
					what, ok, raw := e.explained(token, "1", row.query, nil)
					if !ok {
						t.Errorf("nothing is explained: %s", raw)
					}
					mu.Lock()
					defer mu.Unlock()
					got[what.Chain]++
				})
			}
			wait.Wait()
			if got[row.want] != times {
				t.Errorf("the chain was %v (by how often), want always %d", got, row.want)
			}
		})
	}
}

// TestExplainedChainOfKeptAnswers counts answers from the cache and of other requests: where they
// came from does not change what depends on what.
func TestExplainedChainOfKeptAnswers(t *testing.T) {
	e := newEnv(t, withRandomLatency(10*time.Millisecond), withCache(time.Minute))
	const query = `query Q%d { teams { nodes { workspaces { nodes { contacts(first: 5) { nodes { workspace { team { name } } } } } } } } }`
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() { // at the same time, and not identical
			if what, _, raw := e.explained(demo.Token, "1", fmt.Sprintf(query, i), nil); what.Chain != 3 {
				t.Errorf("the chain is %d, want 3: %s", what.Chain, raw)
			}
		})
	}
	wait.Wait()
	if what, _, _ := e.explained(demo.Token, "1", fmt.Sprintf(query, 20), nil); what.Chain != 3 || what.Network != 0 {
		t.Errorf("the chain is %d with %d calls, want 3 with none", what.Chain, what.Network)
	}
}

// TestExplainedChainOfMutations runs mutations, which wait for each other.
func TestExplainedChainOfMutations(t *testing.T) {
	e := newEnv(t, withRandomLatency(2*time.Millisecond))
	e.must(`{ workspace(id: "101") { name } }`)
	what, _, raw := e.explained(demo.Token, "1", `mutation {
		a: updateContact(input: {id: "3000000001", workspaceId: "101", firstName: "A"}) { contact { firstName } }
		b: updateContact(input: {id: "3000000002", workspaceId: "101", firstName: "B"}) { contact { firstName orders { nodes { id } } } }
	}`, nil)
	if what.Chain != 3 {
		t.Errorf("the chain is %d, want 3: %s", what.Chain, raw)
	}
}

// TestUnknownTrustedDocument asks for ids that the manifest does not have, in every way in which
// clients name a document. The code is not that of bad input, nor that of automatic persisted
// queries, after which clients send the text.
func TestUnknownTrustedDocument(t *testing.T) {
	const query = `{ teams { nodes { name } } }`
	for _, only := range []bool{false, true} {
		e := newEnv(t, withTrusted(fmt.Sprintf(`{"teams": %q}`, query), only))
		send := func(params, accept string) (int, string) {
			req := post(params)(e)
			req.Header.Set("Accept", accept)
			status, raw, _ := e.do(req)
			return status, raw
		}
		apollo := fmt.Sprintf(`{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": %q}}}`, hashOf("{ __typename }"))
		code := map[string]string{
			`{"documentId": "teams-2"}`: "DOCUMENT_NOT_FOUND", `{"id": "teams-2"}`: "DOCUMENT_NOT_FOUND", `{"doc_id": "teams-2"}`: "DOCUMENT_NOT_FOUND",
			apollo: map[bool]string{true: "DOCUMENT_NOT_FOUND", false: "PERSISTED_QUERY_NOT_FOUND"}[only],
			`{"documentId": "teams", "query": "{ __typename }"}`: "BAD_USER_INPUT",
		}
		if only {
			code[`{"query": "{ __typename }"}`] = "BAD_USER_INPUT"
		}
		for params, want := range code {
			if status, raw := send(params, "application/graphql-response+json"); status != http.StatusBadRequest || !strings.Contains(raw, fmt.Sprintf(`"code":%q`, want)) || strings.Contains(raw, `"data"`) {
				t.Errorf("only %t, %s: %d %s, want %s", only, params, status, raw, want)
			}
			if status, raw := send(params, "application/json"); status != http.StatusOK || !strings.Contains(raw, want) {
				t.Errorf("only %t, %s: %d %s, want 200 and %s", only, params, status, raw, want)
			}
		}
	}
}

// whatToCheck is what the message of a 403 ends with.
const whatToCheck = "Check that the account's plan includes API access, that the token's scope covers this, and that the User-Agent (--user-agent) is a distinct name."

// TestForbiddenSaysWhatToCheck has ClickFunnels answer 403 in each shape, to reads and to writes.
// Its own text stays.
func TestForbiddenSaysWhatToCheck(t *testing.T) {
	for _, test := range []struct{ contentType, body, text string }{
		{"application/json", `{"error":"Workspace stats are in Closed Beta"}`, "Workspace stats are in Closed Beta. "},
		{"application/json", `{"error":"Your plan has no API access."}`, "Your plan has no API access. "},
		{"application/json", ``, "ClickFunnels answered 403 Forbidden. "},
		{"text/html", `<html><body><h1>Access denied</h1></body></html>`, "ClickFunnels answered 403 Forbidden. "},
	} {
		e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, _ string) bool {
			answer(403, test.contentType, test.body)(w, r)
			return true
		}))
		for field, query := range map[string]string{
			"teams":         `{ teams { nodes { name } } }`,
			"updateContact": `mutation { updateContact(input: {id: "3000000001", workspaceId: "101", firstName: "A"}) { contact { id } userErrors { message } } }`,
		} {
			r := e.query(query)
			if len(r.Errors) != 1 || r.code(field) != "FORBIDDEN" || r.Errors[0].Message != test.text+whatToCheck {
				t.Errorf("%s, %q: %s", field, test.body, r.raw)
			}
		}
	}
}

// startDemo starts the server as `funnelgraph --demo` does, and returns its address.
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
		t.Fatalf("it does not start: %v", <-ended)
	}
	t.Cleanup(func() {
		stop(serving.ErrInterrupted)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(line)
}

// ask posts a query, and returns the answer's text.
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

// TestDemoReset changes a contact, has the answer cached, and resets the demo: the next query
// sees the fixtures.
func TestDemoReset(t *testing.T) {
	url := startDemo(t, "--cache-ttl=1h", "--cors-origin=https://app.example.com")
	const read = `{ contact(id: "3000000001", workspaceId: "101") { firstName } workspace(id: "101") { name subdomain } }`
	fixture := ask(t, url, read)
	if !strings.Contains(fixture, `"firstName":"Ada"`) {
		t.Fatal(fixture)
	}
	for range 2 {
		for _, change := range []string{
			`mutation { updateContact(input: {id: "3000000001", workspaceId: "101", firstName: "Changed"}) { contact { firstName } } }`,
			`mutation { updateWorkspace(input: {id: "101", name: "Renamed"}) { workspace { name } } }`,
			`mutation { deleteContact(input: {id: "3000000002", workspaceId: "101"}) { deletedContactId } }`,
		} {
			if raw := ask(t, url, change); strings.Contains(raw, `"errors"`) {
				t.Fatal(raw)
			}
		}
		if raw := ask(t, url, read); !strings.Contains(raw, `"firstName":"Changed"`) || !strings.Contains(raw, "Renamed") {
			t.Fatal(raw)
		}
		req, err := http.NewRequest(http.MethodPost, url+"/demo/reset", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "http://localhost:5173") // a front end's tests run in a browser, too
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent || resp.Header.Get("Access-Control-Allow-Origin") != "http://localhost:5173" {
			t.Fatalf("the reset: %s, %v", resp.Status, resp.Header)
		}
		for query, want := range map[string]string{
			read:                                `"firstName":"Ada"`,
			`{ workspace(id: "101") { name } }`: `"name":"Acme Academy"`,
			`{ workspace(id: "101") { contacts(first: 2) { nodes { rawId } } } }`: `{"rawId":"3000000001"},{"rawId":"3000000002"}`,
		} {
			if raw := ask(t, url, query); !strings.Contains(raw, want) {
				t.Errorf("after the reset, %s: %s", query, raw)
			}
		}
	}
	if resp, err := http.Get(url + "/demo/reset"); err != nil || resp.StatusCode == http.StatusNoContent || resp.Body.Close() != nil {
		t.Errorf("a GET resets: %v %v", resp, err)
	}
	// Without a demo there is nothing to reset.
	e := newEnv(t)
	req, err := http.NewRequest(http.MethodPost, e.url+"/demo/reset", nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, raw, _ := e.do(req); status/100 == 2 {
		t.Errorf("without --demo: %d %s", status, raw)
	}
}

// TestDemoLatency has each call take a time.
func TestDemoLatency(t *testing.T) {
	url := startDemo(t, "--demo-latency=100ms")
	began := time.Now()
	if raw := ask(t, url, nested); strings.Contains(raw, `"errors"`) || time.Since(began) < 300*time.Millisecond {
		t.Errorf("three calls one after another took %s: %s", time.Since(began), raw)
	}
}

// TestDemoFaults has shares of calls fail. A reset begins the same sequence again.
func TestDemoFaults(t *testing.T) {
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
		t.Errorf("of 20 calls: %q", first)
	}
	resp, err := http.Post(url+"/demo/reset", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if again := round(); !slices.Equal(first, again) {
		t.Errorf("after a reset %q, before %q", again, first)
	}
	// No answer at all.
	hanging := startDemo(t, "--demo-faults=timeout=1", "--max-attempts=1", "--upstream-timeout=100ms")
	if raw := ask(t, hanging, `{ teams { nodes { name } } }`); !strings.Contains(raw, "UPSTREAM_TIMEOUT") {
		t.Error(raw)
	}
}

// TestDemoFlags refuses what makes no sense with one line that says why.
func TestDemoFlags(t *testing.T) {
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
		t.Errorf("by the environment: %+v, %v", cfg, err)
	}
}

// TestNullAndAbsentFields sends each field of the inputs of contacts and tags as null, and not at
// all: the body that ClickFunnels gets, and what becomes of the record, is what the schema says.
func TestNullAndAbsentFields(t *testing.T) {
	var mu sync.Mutex
	var sent string
	e := newEnv(t, withFault(func(_ http.ResponseWriter, r *http.Request, _, _ string) bool {
		if r.Method != http.MethodGet {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			mu.Lock()
			defer mu.Unlock()
			sent = string(body)
		}
		return false
	}))
	const contact = `contact { firstName phoneNumber tags { rawId } customAttributes { key value } } userErrors { message }`
	const start = `mutation { updateContact(input: {id: "3000000001", workspaceId: "101", firstName: "Ada", phoneNumber: "1", tagIds: ["5001", "5002"], customAttributes: [{key: "plan", value: "pro"}]}) { contact { id } userErrors { message } } }`
	clean := fmt.Sprint(e.must(start).get("updateContact.contact.id"))
	email := fmt.Sprint(e.must(`{ contact(id: "3000000001", workspaceId: "101") { emailAddress } }`).get("contact.emailAddress"))
	for _, row := range []struct{ call, body, firstName, phone, tags string }{
		{`updateContact(input: {id: "3000000001", workspaceId: "101", firstName: "B", tagIds: null})`, `{"contact":{"first_name":"B","tag_ids":[]}}`, "B", "1", "[]"},
		{`updateContact(input: {id: "3000000001", workspaceId: "101", firstName: "B", tagIds: []})`, `{"contact":{"first_name":"B","tag_ids":[]}}`, "B", "1", "[]"},
		{`updateContact(input: {id: "3000000001", workspaceId: "101", firstName: "B"})`, `{"contact":{"first_name":"B"}}`, "B", "1", "[map[rawId:5001] map[rawId:5002]]"},
		{`updateContact(input: {id: "3000000001", workspaceId: "101", phoneNumber: null})`, `{"contact":{"phone_number":null}}`, "Ada", "<nil>", "[map[rawId:5001] map[rawId:5002]]"},
		{`updateContact(input: {id: "` + clean + `", workspaceId: null, firstName: "B"})`, `{"contact":{"first_name":"B"}}`, "B", "1", "[map[rawId:5001] map[rawId:5002]]"},
		{`updateContact(input: {id: "3000000001", workspaceId: "101", customAttributes: null})`, `{"contact":{"custom_attributes":null}}`, "Ada", "1", "[map[rawId:5001] map[rawId:5002]]"},
		{`updateContact(input: {id: "3000000001", workspaceId: "101", customAttributes: []})`, `{"contact":{"custom_attributes":{}}}`, "Ada", "1", "[map[rawId:5001] map[rawId:5002]]"},
		{`upsertContact(input: {workspaceId: "101", emailAddress: "` + email + `", phoneNumber: null, tagIds: null})`, `{"contact":{"email_address":"` + email + `","phone_number":null,"tag_ids":[]}}`, "Ada", "1", "[map[rawId:5001] map[rawId:5002]]"},
		{`upsertContact(input: {workspaceId: "101", emailAddress: "` + email + `", tagIds: []})`, `{"contact":{"email_address":"` + email + `","tag_ids":[]}}`, "Ada", "1", "[map[rawId:5001] map[rawId:5002]]"},
		{`createContact(input: {workspaceId: "101", firstName: "New", tagIds: null, customAttributes: null})`, `{"contact":{"custom_attributes":null,"first_name":"New","tag_ids":[]}}`, "New", "<nil>", "[]"},
	} {
		e.must(start)
		r := e.must(`mutation { m: ` + row.call + ` { ` + contact + ` } }`)
		mu.Lock()
		if sent != row.body {
			t.Errorf("%s: ClickFunnels got %s, want %s", row.call, sent, row.body)
		}
		mu.Unlock()
		if first, phone, tags := fmt.Sprint(r.get("m.contact.firstName")), fmt.Sprint(r.get("m.contact.phoneNumber")), fmt.Sprint(r.get("m.contact.tags")); first != row.firstName || phone != row.phone || tags != row.tags {
			t.Errorf("%s: %s", row.call, r.raw)
		}
		if !strings.HasPrefix(row.call, "create") && r.get("m.contact.customAttributes.0") == nil {
			t.Errorf("%s: the custom attributes are gone: %s", row.call, r.raw)
		}
	}
	r := e.must(`mutation { updateContactTag(input: {id: "5001", workspaceId: "101", name: null}) { contactTag { name } userErrors { message field } } }`)
	if r.get("updateContactTag.userErrors.0.field") != "name" {
		t.Errorf("a tag without a name: %s", r.raw)
	}
}

// TestNullFilterIsNoFilter gives every filter of every list null, field by field: the REST call is
// that of no filter.
func TestNullFilterIsNoFilter(t *testing.T) {
	e := newEnv(t)
	schema := e.must(`{ __type(name: "Workspace") { fields { name args { name type { name inputFields { name } } } } } }`)
	checked := 0
	for _, field := range schema.get("__type.fields").([]any) {
		name := field.(map[string]any)["name"].(string)
		for _, arg := range field.(map[string]any)["args"].([]any) {
			if arg.(map[string]any)["name"] != "filter" {
				continue
			}
			calls := func(filter string) []string {
				e.must(`{ workspace(id: "101", subdomain: "acme-academy") { ` + name + filter + ` { nodes { id } } } }`)
				return e.take(demo.Token)
			}
			want := calls("")
			for _, input := range arg.(map[string]any)["type"].(map[string]any)["inputFields"].([]any) {
				filter := fmt.Sprintf("(filter: {%s: null})", input.(map[string]any)["name"])
				if got := calls(filter); !slices.Equal(got, want) {
					t.Errorf("%s%s: %q, want %q", name, filter, got, want)
				}
				checked++
			}
		}
	}
	if checked < 10 {
		t.Errorf("%d fields of filters", checked)
	}
}

// TestExampleKeyIsWarnedOf loads an access file with the key of docs/auth.md, which is no secret.
func TestExampleKeyIsWarnedOf(t *testing.T) {
	const key = "fgk_example-key-of-the-docs-not-for-production"
	page, err := os.ReadFile(filepath.Join("docs", "auth.md"))
	if err != nil || !strings.Contains(string(page), "KEY="+key+"\n") || !strings.Contains(string(page), "sha256:"+hashOf(key)) {
		t.Fatalf("docs/auth.md has another key: %v", err)
	}
	file := filepath.Join(t.TempDir(), "access.yaml")
	if err := os.WriteFile(file, []byte(`clients: [{name: app, keys: ["sha256:`+hashOf(key)+`"], teams: all}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	if _, err := access.NewClients(t.Context(), file, demo.Token, limits.Policy{}); err != nil || !strings.Contains(log.String(), "docs/auth.md") || strings.Contains(log.String(), key) {
		t.Errorf("%v, log: %s", err, log.String())
	}
}
