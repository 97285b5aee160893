// Package traces has the server send its traces to the OpenTelemetry Collector's own OTLP
// receiver. It is a module of its own, so that the collector is no dependency of the server.
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

// receive starts a receiver, and returns its addresses for gRPC and for HTTP, and what it
// puts the spans into.
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

// free returns an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// build builds the server, and returns the binary's path.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "funnelgraph")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return binary
}

// serve runs the demo with variables of the environment, and returns its URL and what ends
// it, which waits until it has and returns its log.
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
	var before []byte // until it is ready
	end = sync.OnceValue(func() string {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		log, _ := io.ReadAll(stderr)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, log)
		}
		return string(before) + string(log)
	})
	t.Cleanup(func() { end() })
	for b := make([]byte, 1); ; before = append(before, b...) {
		if match := regexp.MustCompile(`GraphQL on (http://\S+/graphql)\S* .*\n`).FindSubmatch(before); match != nil {
			return string(match[1]), end
		}
		if _, err := stderr.Read(b); err != nil {
			t.Fatalf("it says %q: %v", before, err)
		}
	}
}

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
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
}

// TestReceiver has spans arrive by each protocol, those of the last operation before the
// server ends as well, with the attributes that the environment names.
func TestReceiver(t *testing.T) {
	binary := build(t)
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		t.Run(protocol, func(t *testing.T) {
			grpc, http, sink := receive(t)
			at := map[string]string{"grpc": grpc, "http/protobuf": http}[protocol]
			url, end := serve(t, binary, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+at, "OTEL_EXPORTER_OTLP_PROTOCOL="+protocol,
				"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test")
			ask(t, url, `query Nested { teams(first: 1) { nodes { name workspaces(first: 1) { nodes { name contacts(first: 1) { nodes { emailAddress } } } } } } }`)
			if log := end(); strings.Contains(log, notSent) {
				t.Error(log)
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
			t.Errorf("%d spans", n)
		}
	})
}

// received returns the names of the spans with those of their parents, sorted, and checks
// what they say of the server.
func received(t *testing.T, sink *consumertest.TracesSink) []string {
	t.Helper()
	names, parents := make(map[string]string), make(map[string]string)
	for _, traces := range sink.AllTraces() {
		for _, resource := range traces.ResourceSpans().All() {
			about := resource.Resource().Attributes().AsRaw()
			if about["service.name"] != "funnelgraph" || about["service.version"] == nil || about["deployment.environment.name"] != "test" {
				t.Errorf("the server is %v", about)
			}
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					names[span.SpanID().String()] = span.Name()
					parents[span.SpanID().String()] = span.ParentSpanID().String()
					if span.EndTimestamp() < span.StartTimestamp() || span.Status().Code() == ptrace.StatusCodeError {
						t.Errorf("%s: from %v to %v, %v", span.Name(), span.StartTimestamp(), span.EndTimestamp(), span.Status().Message())
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

// TestCollectorIsAway answers as ever when nobody takes the spans, and says so once.
func TestCollectorIsAway(t *testing.T) {
	url, end := serve(t, build(t), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+free(t), "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_TIMEOUT=200")
	for range 3 {
		ask(t, url, `{ teams { nodes { name } } }`)
	}
	begun := time.Now()
	if log := end(); time.Since(begun) > 10*time.Second || strings.Count(log, notSent) != 1 {
		t.Errorf("it ended after %s: %s", time.Since(begun), log)
	}
}

// notSent is what the log has when spans cannot be sent.
const notSent = "traces are not sent"

// TestSecretsOfVariables has headers and endpoints that cannot be read, and a collector that
// is away: the log says so, and not what stands in them.
func TestSecretsOfVariables(t *testing.T) {
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
				t.Errorf("%s by %s: %s", env, protocol, log)
			}
		}
	}
}
