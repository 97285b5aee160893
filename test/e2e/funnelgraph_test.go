//go:build prism || browser || clients

// Package e2e holds tests that need more than Go. Each runs the binary as a user would, together
// with a program of another project. .ci/run installs these programs.
package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// start runs a program until the test ends. It waits until a line of output matches ready, and
// returns the first group of the match. All output is copied to output.
func start(t *testing.T, ready *regexp.Regexp, output io.Writer, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a group that includes its children
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
	})
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			_, _ = io.WriteString(output, lines.Text()+"\n")
			if m := ready.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case found <- m[1]:
				default:
				}
			}
		}
	}()
	select {
	case match := <-found:
		return match
	case <-time.After(time.Minute):
		t.Fatalf("%s is not ready after a minute", name)
		return ""
	}
}

// funnelgraph builds and runs the server with the flags, and returns its URL.
func funnelgraph(t *testing.T, flags ...string) string {
	t.Helper()
	return serve(t, build(t), flags...)
}

// build builds the server and returns the path of the binary.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "funnelgraph")
	build := exec.Command("go", "build", "-o", binary, "../..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("want the server to build: %v: %s", err, out)
	}
	return binary
}

// freePort returns a TCP port on which nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// listening matches the line of the server that has its URL.
var listening = regexp.MustCompile(`GraphQL on (http://\S+)/graphql`)

// serve runs the binary of the server with the flags, and returns its URL.
func serve(t *testing.T, binary string, flags ...string) string {
	t.Helper()
	return start(t, listening, io.Discard, binary, append(flags, "--listen=127.0.0.1:0")...)
}

// ask sends an operation and returns its data. It fails the test if there are errors.
func ask(t *testing.T, url, query string) map[string]any {
	t.Helper()
	data, errs := attempt(t, url, query)
	if len(errs) > 0 {
		t.Fatalf("%s: want no errors, got %v", query, errs)
	}
	return data
}

// attempt sends an operation and returns its data and errors.
func attempt(t *testing.T, url, query string) (map[string]any, []any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, url+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer any")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var whole struct {
		Data   map[string]any
		Errors []any
	}
	if err := json.NewDecoder(resp.Body).Decode(&whole); err != nil {
		t.Fatal(err)
	}
	return whole.Data, whole.Errors
}

// at returns the value at a path such as "teams.nodes.0.name". It takes the first item of a
// list, whatever the index.
func at(v any, path string) any {
	for _, step := range strings.Split(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[step]
		case []any:
			if len(node) == 0 {
				return nil
			}
			v = node[0]
		default:
			return nil
		}
	}
	return v
}
