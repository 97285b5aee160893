// Package traces exports traces from the server to the OTLP receiver of the OpenTelemetry
// Collector. It is a module of its own, so that the server does not depend on the collector.
package traces

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

// receive starts a receiver. It returns its addresses for gRPC and HTTP, and the sink for its
// spans.
func receive(t *testing.T) (grpc, http string, sink *consumertest.TracesSink) {
	t.Helper()
	factory := otlpreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	grpc, http = free(t), free(t)
	cfg.Protocols.GRPC.GetOrInsertDefault().NetAddr = confignet.AddrConfig{Endpoint: grpc, Transport: confignet.TransportTypeTCP}
	cfg.Protocols.HTTP.GetOrInsertDefault().ServerConfig.NetAddr.Endpoint = http
	sink = new(consumertest.TracesSink)
	receiver, err := factory.CreateTraces(t.Context(), receivertest.NewNopSettings(factory.Type()), cfg, sink)
	if err != nil {
		t.Fatal(err)
	}
	if err := receiver.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = receiver.Shutdown(context.Background()) })
	return grpc, http, sink
}

// free returns an address on which nothing listens.
func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// build builds the server and returns the path of the binary.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "funnelgraph")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("want the server to build: %v: %s", err, out)
	}
	return binary
}

// serve runs the demo with variables of the environment. It returns the URL, and a function
// that ends the server, waits for it and returns its log.
func serve(t *testing.T, binary string, env ...string) (url string, end func() string) {
	t.Helper()
	cmd := exec.Command(binary, "--demo", "--listen=127.0.0.1:0", "--drain-delay=0s")
	cmd.Env = append(os.Environ(), env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var before []byte // the log before the server is ready
	end = sync.OnceValue(func() string {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		log, _ := io.ReadAll(stderr)
		if err := cmd.Wait(); err != nil {
			t.Errorf("want the server to end without an error, got %v: %s", err, log)
		}
		return string(before) + string(log)
	})
	t.Cleanup(func() { end() })
	for b := make([]byte, 1); ; before = append(before, b...) {
		if match := regexp.MustCompile(`GraphQL on (http://\S+/graphql)\S* .*\n`).FindSubmatch(before); match != nil {
			return string(match[1]), end
		}
		if _, err := stderr.Read(b); err != nil {
			t.Fatalf("want the server's URL, got %q: %v", before, err)
		}
	}
}

// ask sends a query, and fails the test if there are errors.
func ask(t *testing.T, url, query string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(fmt.Sprintf(`{"query":%q}`, query)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || strings.Contains(string(body), `"errors"`) {
		t.Fatalf("want no errors, got %d %s", resp.StatusCode, body)
	}
}

// TestSpansArriveByEachProtocol receives spans over each protocol, including those of the last
// operation before the server ends. They have the resource attributes of the environment.
func TestSpansArriveByEachProtocol(t *testing.T) {
	binary := build(t)
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		t.Run(protocol, func(t *testing.T) {
			grpc, http, sink := receive(t)
			at := map[string]string{"grpc": grpc, "http/protobuf": http}[protocol]
			url, end := serve(t, binary, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+at, "OTEL_EXPORTER_OTLP_PROTOCOL="+protocol,
				"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test")
			ask(t, url, `query Nested { teams(first: 1) { nodes { name workspaces(first: 1) { nodes { name contacts(first: 1) { nodes { emailAddress } } } } } } }`)
			if log := end(); strings.Contains(log, notSent) {
				t.Errorf("want all spans sent, got the log %s", log)
			}
			want := []string{
				"GET /teams < Query.teams", "GET /teams/{id}/workspaces < Team.workspaces", "GET /workspaces/{id}/contacts < Workspace.contacts",
				"Query.teams < query", "Team.workspaces < query", "Workspace.contacts < query", "query <",
			}
			if got := received(t, sink); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
	t.Run("off", func(t *testing.T) {
		_, http, sink := receive(t)
		for _, env := range [][]string{
			{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + http, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_TRACES_EXPORTER=none"},
			{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + http, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_SDK_DISABLED=true"},
			{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + http, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_TRACES_SAMPLER=always_off"},
		} {
			url, end := serve(t, binary, env...)
			ask(t, url, `{ teams { nodes { name } } }`)
			end()
		}
		if n := sink.SpanCount(); n != 0 {
			t.Errorf("%d spans, want none", n)
		}
	})
}

// received returns the names of the spans with those of their parents, sorted. It checks the
// attributes of the server.
func received(t *testing.T, sink *consumertest.TracesSink) []string {
	t.Helper()
	names, parents := make(map[string]string), make(map[string]string)
	for _, traces := range sink.AllTraces() {
		for _, resource := range traces.ResourceSpans().All() {
			about := resource.Resource().Attributes().AsRaw()
			if about["service.name"] != "funnelgraph" || about["service.version"] == nil || about["deployment.environment.name"] != "test" {
				t.Errorf("want the server's name and version and the environment's attribute, got %v", about)
			}
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					names[span.SpanID().String()] = span.Name()
					parents[span.SpanID().String()] = span.ParentSpanID().String()
					if span.EndTimestamp() < span.StartTimestamp() || span.Status().Code() == ptrace.StatusCodeError {
						t.Errorf("want %s to end after its start without an error, got %v to %v, %v", span.Name(), span.StartTimestamp(), span.EndTimestamp(), span.Status().Message())
					}
				}
			}
		}
	}
	all := make([]string, 0, len(names))
	for id, name := range names {
		all = append(all, strings.TrimSpace(name+" < "+names[parents[id]]))
	}
	slices.Sort(all)
	return all
}

// TestMissingCollectorIsReportedOnce answers queries without a collector. The log reports the
// problem once.
func TestMissingCollectorIsReportedOnce(t *testing.T) {
	url, end := serve(t, build(t), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+free(t), "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_TIMEOUT=200")
	for range 3 {
		ask(t, url, `{ teams { nodes { name } } }`)
	}
	begun := time.Now()
	if log := end(); time.Since(begun) > 10*time.Second || strings.Count(log, notSent) != 1 {
		t.Errorf("want one report within 10s, got after %s: %s", time.Since(begun), log)
	}
}

// notSent is the log message for spans that cannot be sent.
const notSent = "traces are not sent"

// TestLogOmitsSecretsOfVariables sets malformed headers and endpoints, or a collector that is
// down. The log names the problem without the values.
func TestLogOmitsSecretsOfVariables(t *testing.T) {
	binary := build(t)
	for env, told := range map[string]bool{
		"OTEL_EXPORTER_OTLP_HEADERS=sekret":                                           true,
		"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%zzsekret":                    true,
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://user:sekret@127.0.0.1:x":           true,
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://user:sekret@127.0.0.1:1/v1/traces": false,
		"OTEL_EXPORTER_OTLP_CERTIFICATE=/sekret":                                      true,
	} {
		for _, protocol := range []string{"grpc", "http/protobuf"} {
			url, end := serve(t, binary, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+free(t), "OTEL_EXPORTER_OTLP_PROTOCOL="+protocol, "OTEL_EXPORTER_OTLP_TIMEOUT=200", env)
			ask(t, url, `{ teams { nodes { name } } }`)
			if log := end(); strings.Contains(log, "sekret") || told && !strings.Contains(log, "an OpenTelemetry variable cannot be used") {
				t.Errorf("%s by %s: want the problem without the value, got %s", env, protocol, log)
			}
		}
	}
}
