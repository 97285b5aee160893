package test

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/internal/memory"
	"github.com/funnelgraph/funnelgraph/internal/server"
)

// These variables tell a copy of this test binary which process to be.
const (
	beAPI    = "FUNNELGRAPH_TEST_API"
	beServer = "FUNNELGRAPH_TEST_SERVER"
)

// TestMain runs the tests, or becomes the process that [process] has asked for.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(beAPI) != "":
		serveChaos()
	case os.Getenv(beServer) != "":
		if err := server.Main(strings.Fields(os.Getenv(beServer))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		// Tests name the project's files relative to its root.
		if err := os.Chdir(".."); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		// Most tests run many requests on servers of their own in this process, so they use the
		// server's trade-off between memory and CPU time, and keep their connections.
		memory.Tune()
		http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 100
		os.Exit(m.Run())
	}
}

// process runs this binary with a variable of the environment until the test ends. It returns
// the process and its first line of output.
func process(t *testing.T, env string) (*exec.Cmd, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), env)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("%s: want a line of output: %v", env, err)
	}
	go func() { _, _ = io.Copy(os.Stderr, lines) }()
	return cmd, strings.TrimSpace(line)
}

// full runs the load tests at the size of the figures in the README, which takes minutes.
var full = flag.Bool("full", false, "run the load tests at their full size")

// size returns the first number, or the second one with -full.
func size(usual, large int) int {
	if *full {
		return large
	}
	return usual
}

// heap returns the number of bytes that are reachable.
func heap() uint64 {
	var m runtime.MemStats
	for range 3 { // pools release their objects after two collections
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
