//go:build clients

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/docstest"
)

var (
	logs   = regexp.MustCompile(`console\.log\(`)
	logged = regexp.MustCompile(`console\.log\(.*\).*// → (.*)`)
	// signIn matches the command that starts the demo with places that may receive a person.
	signIn = regexp.MustCompile(`(?m)^go run \. (--demo .*--return-to .*)$`)
)

// TestDocsJavaScriptRuns runs the js blocks of each page in order, as one module, against a
// demo of its own. A comment after each console.log holds the expected output:
//
//	console.log(data.teams.nodes.length) // → 3
//
// The flags of a page's "go run . --demo … --return-to …" are those of the demo. The object browser of
// test/e2e/clients/browser.mjs then stands for a person's browser.
//
// test/docs_test.go runs the other blocks.
func TestDocsJavaScriptRuns(t *testing.T) {
	pages, err := docstest.Read("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("clients/node_modules"); err != nil {
		t.Fatalf("the client libraries are not installed: npm ci --prefix test/e2e/clients: %v", err)
	}
	binary, run := build(t), 0
	for _, page := range pages {
		var module strings.Builder
		flags := []string{"--demo"}
		for _, block := range page.Blocks {
			if block.Language == "js" {
				module.WriteString(block.Text)
			}
			if command := signIn.FindStringSubmatch(block.Text); command != nil {
				flags = strings.Fields(command[1])
				module.WriteString("import { browser } from \"../browser.mjs\";\n")
			}
		}
		if module.Len() == 0 {
			continue
		}
		run++
		t.Run(page.Name, func(t *testing.T) {
			var want strings.Builder
			for _, line := range logged.FindAllStringSubmatch(module.String(), -1) {
				want.WriteString(strings.TrimSpace(line[1]) + "\n")
			}
			if n := len(logs.FindAllString(module.String(), -1)); n == 0 || n != strings.Count(want.String(), "\n") {
				t.Fatalf("%d calls of console.log, %d comments with an expected output; want a comment for each call, and at least one call", n, strings.Count(want.String(), "\n"))
			}
			url := serve(t, binary, flags...)
			local := strings.Replace(url, "127.0.0.1", "localhost", 1)
			socket := strings.Replace(url, "http", "ws", 1)
			if got := node(t, strings.NewReplacer("http://127.0.0.1:8080", url, "http://localhost:8080", local, "ws://127.0.0.1:8080", socket).Replace(module.String())); got != want.String() {
				t.Errorf("printed:\n%s\nwant:\n%s", got, want.String())
			}
		})
	}
	if run == 0 {
		t.Error("want js blocks on some page")
	}
}

// node runs a module that can import the packages of test/e2e/clients, and returns its output.
func node(t *testing.T, module string) string {
	t.Helper()
	dir, err := os.MkdirTemp("clients", "docs-") //nolint:usetesting // node looks for packages in the folders above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "page.mjs")
	if err := os.WriteFile(file, []byte(module), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var errs strings.Builder
	cmd := exec.CommandContext(ctx, "node", file)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("want the module to run: %v\n%s%s", err, out, errs.String())
	}
	return string(out)
}
