// Command run measures the screens of bench/screens on a simulated mobile connection, and prints
// the table of docs/screens.md. It needs only Go and loopback addresses.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/funnelgraph/funnelgraph/bench/screens"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

func main() {
	roundTrip := flag.Duration("rtt", 300*time.Millisecond, "round trip of the phone's line")
	bits := flag.Int("bits", 1_000_000, "bits a second that the line carries each way")
	takes := flag.Duration("api", 80*time.Millisecond, "how long the REST API takes for a call")
	rounds := flag.Int("rounds", 5, "how often each screen is shown")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := measure(ctx, *roundTrip, *bits, *takes, *rounds); err != nil {
		log.Fatal(err) //nolint:gocritic // it ends here
	}
}

func measure(ctx context.Context, roundTrip time.Duration, bits int, takes time.Duration, rounds int) error {
	api := screens.NewAPI(takes)
	server := httptest.NewServer(api)
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	graph, stop, err := funnelgraph(ctx, demo.Template(address))
	if err != nil {
		return err
	}
	defer stop()
	table, err := screens.Servers{API: api, APIAddress: address, GraphAddress: graph}.Measure(ctx, roundTrip, bits, rounds)
	if err != nil {
		return err
	}
	_, err = io.WriteString(os.Stdout, screens.Markdown(table))
	return err
}

var ready = regexp.MustCompile(`GraphQL on http://(\S+)/graphql`)

// funnelgraph builds and starts the server. It returns the server's address, and a function that
// stops the server.
func funnelgraph(ctx context.Context, upstream string) (address string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "screens")
	if err != nil {
		return "", nil, err
	}
	binary := filepath.Join(dir, "funnelgraph")
	remove := func() { _ = os.RemoveAll(dir) }
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/funnelgraph/funnelgraph") //nolint:gosec // the project's own
	if out, err := build.CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("%w: %s", err, out)
	}
	cmd := exec.CommandContext(ctx, binary, "--listen", "127.0.0.1:0", "--upstream-url", upstream) //nolint:gosec // just built
	output, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		remove()
	}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if match := ready.FindStringSubmatch(lines.Text()); match != nil {
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return match[1], stop, nil
		}
	}
	stop()
	return "", nil, fmt.Errorf("funnelgraph does not start: %w", ctx.Err())
}
