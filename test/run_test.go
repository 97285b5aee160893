package test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/server"
)

// TestRunAnswersRunningRequestsBeforeItEnds starts the server as main does with the simulated
// API, sends requests without a token, and ends it during a request.
func TestRunAnswersRunningRequestsBeforeItEnds(t *testing.T) {
	t.Setenv("CLICKFUNNELS_API_TOKEN", "not-the-demo's")
	cfg, err := config.Parse([]string{"--demo", "--listen", "127.0.0.1:0"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, cfg, new(slog.LevelVar), in) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`GraphiQL on (http://127\.0\.0\.1:\d+)/, GraphQL on http://127\.0\.0\.1:\d+/graphql \(demo data\)`).FindStringSubmatch(line)
	if match == nil {
		t.Fatalf("want both URLs, got %q", line)
	}
	ask := func(extra string) string {
		resp, err := http.Post(match[1]+"/graphql", "application/json", strings.NewReader(`{"query":"{ teams { nodes { name } } }"`+extra+`}`))
		if err != nil {
			return err.Error()
		}
		defer func() { _ = resp.Body.Close() }()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	const want = `{"data":{"teams":{"nodes":[{"name":"Acme Coaching"},{"name":"Northwind Studio"},{"name":"Loja do Sol"}]}},"extensions":{"funnelgraph":{"calls":[{"method":"GET",` // the demo explains its calls by default
	if got := ask(""); !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want it to begin with %s", got, want)
	}

	// A request whose body is incomplete is answered before the end.
	conn, err := net.Dial("tcp", strings.TrimPrefix(match[1], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const body = `{"query":"{ __typename }"}`
	_, _ = fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:10])
	if got := ask(""); !strings.HasPrefix(got, want) { // by now the other connection has been accepted
		t.Errorf("got %s, want it to begin with %s", got, want)
	}
	stop()
	time.AfterFunc(100*time.Millisecond, func() { _, _ = io.WriteString(conn, body[10:]) })
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(answer, "HTTP/1.1 200") {
		t.Errorf("the running request: want 200, got %q %v", answer, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestRunSaysWhyItCannotStart expects one line with the reason.
func TestRunSaysWhyItCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for flags, want := range map[string]string{
		"--listen=" + taken.Addr().String():         "--listen sets another address",
		"--admin-listen=" + taken.Addr().String():   "--admin-listen sets another address",
		"--upstream-url=http://api.example.com":     "unencrypted",
		"--user-agent=\x01":                         "user agent",
		"--upstream-url=https://{subdomain}/api/v2": "whole host",
		"--access-file=/no/such/file":               "the access file cannot be read",
		"--trusted-documents=/no/such/file":         "the trusted documents cannot be read",
	} {
		cfg, err := config.Parse([]string{flags}, io.Discard)
		if err == nil {
			err = server.Run(t.Context(), cfg, new(slog.LevelVar), io.Discard)
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line with %q", flags, err, want)
		}
	}
}
