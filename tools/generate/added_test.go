//go:build added

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestAddedResource adds the description of a new resource to a copy of the project. It generates
// and builds the copy, and queries the resource in its demo.
func TestAddedResource(t *testing.T) {
	root := copyOfProject(t)
	text, err := os.ReadFile("testdata/gadget.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "schema/gadget.graphqls"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"generate", "."}, {"build", "-o", "funnelgraph", "."}} {
		run := exec.CommandContext(t.Context(), "go", args...)
		run.Dir = root
		if output, err := run.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", args, err, output)
		}
	}
	ask := demoOf(t, filepath.Join(root, "funnelgraph"))

	listed := ask(`{ workspace(id: "101") { gadgets(first: 1) { nodes { id rawId name wheels price { amount currency } keeper { id } workspace { name } } } } }`)
	const want = `{"data":{"workspace":{"gadgets":{"nodes":[{"id":"ID","rawId":"200001","name":"Name 1","wheels":0,"price":{"amount":"0.50","currency":"PRICE UNIT 1"},"keeper":{"id":"KEEPER"},"workspace":{"name":"Acme Academy"}}]}}}`
	id := regexp.MustCompile(`"id":"([^"]+)"`).FindStringSubmatch(listed)
	keeper := regexp.MustCompile(`"keeper":{"id":"([^"]+)"`).FindStringSubmatch(listed)
	if id == nil || keeper == nil || !strings.HasPrefix(strings.NewReplacer(id[1], "ID", keeper[1], "KEEPER").Replace(listed), want) {
		t.Fatalf("got  %s\nwant %s", listed, want)
	}
	for query, want := range map[string]string{
		`{ node(id: "ID") { ... on Gadget { name } } }`:                                                                                                                     `{"data":{"node":{"name":"Name 1"}}`,
		`{ workspace(id: "101") { gadgets(filter: { ids: ["ID"], keeperIds: ["7"] }) { nodes { name } } } }`:                                                                `{"data":{"workspace":{"gadgets":{"nodes":[]}}}`,
		`{ workspace(id: "101") { contacts(first: 1) { nodes { gadgets { nodes { name } } } } } }`:                                                                          `{"data":{"workspace":{"contacts":{"nodes":[{"gadgets":{"nodes":[{"name":"Name 1"}]}}]}}}`,
		`mutation { createGadget(input: { workspaceId: "101", name: "Cart", wheels: 4, price: 12.5 }) { gadget { name wheels price { amount } } userErrors { message } } }`: `{"data":{"createGadget":{"gadget":{"name":"Cart","wheels":4,"price":{"amount":"12.50"}},"userErrors":[]}}`,
	} {
		if got := ask(strings.ReplaceAll(query, "ID", id[1])); !strings.HasPrefix(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", query, got, want)
		}
	}
}

// copyOfProject copies the folders that the server is built from.
func copyOfProject(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, folder := range []string{"schema", "graph", "upstream", "internal", "tools/generate", "docs"} {
		if err := os.CopyFS(filepath.Join(root, folder), os.DirFS(filepath.Join("../..", folder))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"server.go", "go.mod", "go.sum", "gqlgen.yml"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// demoOf starts a server with simulated data and returns a function that sends it queries.
func demoOf(t *testing.T, program string) func(query string) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	server := exec.CommandContext(ctx, program, "--demo", "--listen", "127.0.0.1:0")
	log, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = server.Wait() })
	lines := bufio.NewScanner(log)
	address := regexp.MustCompile(`http://\S+/graphql`)
	var url string
	for url == "" && lines.Scan() {
		url = address.FindString(lines.Text())
	}
	if url == "" {
		t.Fatal("the server did not say where it listens")
	}
	go func() {
		for lines.Scan() { // keep the server's log from blocking
		}
	}()
	client := &http.Client{Timeout: time.Minute}
	return func(query string) string {
		body, err := json.Marshal(map[string]string{"query": query})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer demo-token")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		var answer bytes.Buffer
		if _, err := answer.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		return answer.String()
	}
}
