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

// counts are the last lines of what node:test prints.
var counts = regexp.MustCompile(`(?m)^# (pass|fail|cancelled|skipped|todo) (\d+)$`)

// hints are what tests say that passed.
var hints = regexp.MustCompile(`(?m)^# (schema\.graphql .+)$`)

// seed makes the random operations repeatable that oracle.test.mjs compares with graphql-js.
var seed = flag.Uint("seed", 17, "seed of random operations")

// TestClientLibrariesWork has each library that front-end developers use ask a running server,
// one file of tests for each.
func TestClientLibrariesWork(t *testing.T) {
	if _, err := os.Stat("clients/node_modules"); err != nil {
		t.Fatal("the client libraries are not installed: npm ci in e2e/clients")
	}
	files, err := filepath.Glob("clients/*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no tests: %v", err)
	}
	url := funnelgraph(t, "--demo")
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".test.mjs"), func(t *testing.T) {
			// Without --test, which counts a file that holds no test as one that passed. The
			// condition has libraries say what they warn of.
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			node := exec.CommandContext(ctx, "node", "--conditions=development", "--test-reporter=tap", name)
			node.Dir = filepath.Dir(file)
			node.Env = append(os.Environ(), "FUNNELGRAPH_URL="+url+"/graphql", fmt.Sprintf("FUNNELGRAPH_SEED=%d", *seed))
			out, err := node.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			counted := make(map[string]string)
			for _, m := range counts.FindAllStringSubmatch(string(out), -1) {
				counted[m[1]] = m[2]
			}
			if counted["pass"] == "" || counted["pass"] == "0" || counted["fail"] != "0" || counted["cancelled"] != "0" || counted["skipped"] != "0" || counted["todo"] != "0" {
				t.Fatalf("not everything was run, or nothing: %v\n%s", counted, out)
			}
			t.Logf("%s passed", counted["pass"])
			for _, m := range hints.FindAllStringSubmatch(string(out), -1) {
				t.Log(m[1])
			}
		})
	}
}
