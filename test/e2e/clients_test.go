//go:build clients

package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// counts matches the last lines that node:test prints.
var counts = regexp.MustCompile(`(?m)^# (pass|fail|cancelled|skipped|todo) (\d+)$`)

// hints matches diagnostics of passed tests.
var hints = regexp.MustCompile(`(?m)^# (schema\.graphql .+)$`)

// seed makes the random operations repeatable that oracle.test.mjs compares with graphql-js.
var seed = flag.Uint("seed", 17, "seed of random operations")

// TestClientLibrariesWork runs the test file of each client library against a running server.
func TestClientLibrariesWork(t *testing.T) {
	if _, err := os.Stat("clients/node_modules"); err != nil {
		t.Fatal("the client libraries are not installed: npm ci in test/e2e/clients")
	}
	files, err := filepath.Glob("clients/*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("want test files in test/e2e/clients: %v", err)
	}
	url := funnelgraph(t, "--demo")
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".test.mjs"), func(t *testing.T) {
			// The flag --test is left out, because with it a file without tests counts as a
			// passed test. The condition makes libraries print their warnings.
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			node := exec.CommandContext(ctx, "node", "--conditions=development", "--test-reporter=tap", name)
			node.Dir = filepath.Dir(file)
			node.Env = append(os.Environ(), "FUNNELGRAPH_URL="+url+"/graphql", fmt.Sprintf("FUNNELGRAPH_SEED=%d", *seed))
			out, err := node.CombinedOutput()
			if err != nil {
				t.Fatalf("want the tests to pass: %v\n%s", err, out)
			}
			counted := make(map[string]string)
			for _, m := range counts.FindAllStringSubmatch(string(out), -1) {
				counted[m[1]] = m[2]
			}
			if counted["pass"] == "" || counted["pass"] == "0" || counted["fail"] != "0" || counted["cancelled"] != "0" || counted["skipped"] != "0" || counted["todo"] != "0" {
				t.Fatalf("want all tests run and passed, got %v\n%s", counted, out)
			}
			t.Logf("%s passed", counted["pass"])
			for _, m := range hints.FindAllStringSubmatch(string(out), -1) {
				t.Log(m[1])
			}
		})
	}
}
