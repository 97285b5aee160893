package test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// tree prints the spans below a parent as an indented tree. Equal subtrees appear once.
func tree(spans tracetest.SpanStubs, parent string, indent string) string {
	var lines []string
	for _, s := range spans {
		if s.Parent.SpanID().String() == parent {
			lines = append(lines, indent+s.Name+"\n"+tree(spans, s.SpanContext.SpanID().String(), indent+"  "))
		}
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "")
}

// attributeOf returns an attribute of a span as text, or "".
func attributeOf(s tracetest.SpanStub, key attribute.Key) string {
	for _, kv := range s.Attributes {
		if kv.Key == key {
			return kv.Value.String()
		}
	}
	return ""
}

// TestTracesFollowFieldsAndCalls expects a span for the operation, below it spans for the
// fields that wait for calls, and below those spans for the calls.
func TestTracesFollowFieldsAndCalls(t *testing.T) {
	w := new(recorder)
	e := newEnv(t, withTelemetry(w))
	e.ask(`{ teams(first: 1) { nodes { name workspaces(first: 2) { nodes { name contacts(first: 2) { nodes { emailAddress } } formSubmissions(first: 30) { edges { node { contact { emailAddress } } } } } } } } }`,
		"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	const want = `query
  FormSubmission.contact
    GET /workspaces/{id}/contacts
  Query.teams
    GET /teams
  Team.workspaces
    GET /teams/{id}/workspaces
  Workspace.contacts
    GET /workspaces/{id}/contacts
  Workspace.formSubmissions
    GET /workspaces/{id}/form_submissions
`
	spans := w.spans.GetSpans()
	if got := tree(spans, "b7ad6b7169203331", ""); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	fields := make(map[string]time.Time) // end times of the fields
	for _, s := range spans {
		if !strings.HasPrefix(s.Name, "GET ") {
			if _, twice := fields[s.Name]; twice {
				t.Errorf("want one span for all objects of %s", s.Name)
			}
			fields[s.Name] = s.EndTime
		}
	}
	for _, s := range spans {
		if call := strings.TrimPrefix(s.Name, "GET "); call == "/workspaces/{id}/form_submissions" && s.EndTime.After(fields["Workspace.formSubmissions"]) {
			t.Error("a field's span ends before one of its calls")
		}
		if s.SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("%s has another trace id, want the client's", s.Name)
		}
		if strings.HasPrefix(s.Name, "GET ") && (attributeOf(s, "http.response.status_code") != "200" || attributeOf(s, "funnelgraph.origin") != "" || attributeOf(s, "server.address") == "") {
			t.Errorf("%s: want status 200 from the network with an address, got %v", s.Name, s.Attributes)
		}
		if text := fmt.Sprint(s.Attributes, s.Events); strings.Contains(text, demo.Token) || strings.Contains(text, "@") {
			t.Errorf("want no data and no token in a span, got %s", text)
		}
	}
}

// TestTracesEndFieldsAfterTheirCalls selects rows that need a further call. The span of that
// field ends after its call. A field whose call has ended before does not wait for the others.
func TestTracesEndFieldsAfterTheirCalls(t *testing.T) {
	w := new(recorder)
	e := newEnv(t, withTelemetry(w))
	e.ask(`{ workspace(id: "101") { contacts(first: 20) { edges { node { emailAddress tags { name createdAt } } } } } }`, "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	const want = `query
  Contact.tags
    GET /workspaces/{id}/contacts/tags
  Query.workspace
    GET /workspaces/{id}
  Workspace.contacts
    GET /workspaces/{id}/contacts
`
	spans := w.spans.GetSpans()
	if got := tree(spans, "b7ad6b7169203331", ""); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	ends := make(map[string]time.Time)
	for _, s := range spans {
		ends[s.Name] = s.EndTime
	}
	if ends["Contact.tags"].Before(ends["GET /workspaces/{id}/contacts/tags"]) {
		t.Error("a field's span ends before its call")
	}
	if !ends["Query.workspace"].Before(ends["GET /workspaces/{id}/contacts"]) {
		t.Error("a field's span ends with the operation, want it to end with its call")
	}
}

// TestTracesEndWithDeferredParts holds a deferred field until another part has been sent, for
// clients that stay and clients that leave. Every span ends, and none before its children.
func TestTracesEndWithDeferredParts(t *testing.T) {
	w := new(recorder)
	goOn := make(chan struct{})
	release := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(release)
	come := make(chan struct{}, 8)
	e := newEnv(t, withTelemetry(w), withFault(held(goOn, func(path string) bool {
		if isContacts(path) {
			come <- struct{}{}
		}
		return isContacts(path)
	})))
	const query = `{ workspace(id: "101") { name ... @defer { contacts(first: 2) { nodes { emailAddress } } } } ... @defer { teams(first: 1) { nodes { name } } } }`
	for _, stays := range []bool{false, true} {
		for _, accept := range []string{"multipart/mixed", "text/event-stream"} {
			w.spans.Reset()
			ctx, hangUp := context.WithCancel(t.Context())
			p := e.begin(ctx, query, nil, "Accept: "+accept, "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			<-come
			for range 2 {
				if !p.read() {
					t.Fatal("want a part")
				}
			}
			if stays {
				release()
				for p.read() {
				}
			} else {
				hangUp()
			}
			e.waitForTelemetry()
			hangUp()
			const want = `query
  Query.teams
    GET /teams
  Query.workspace
    GET /workspaces/{id}
  Workspace.contacts
    GET /workspaces/{id}/contacts
`
			var spans tracetest.SpanStubs
			for deadline := time.Now().Add(10 * time.Second); len(spans) < 7 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				spans = w.spans.GetSpans()
			}
			if got := tree(spans, "b7ad6b7169203331", ""); got != want {
				t.Errorf("%s, stays: %t: got\n%swant\n%s", accept, stays, got, want)
			}
			ends := make(map[string]time.Time)
			for _, s := range spans {
				ends[s.Name] = s.EndTime
				if s.EndTime.Before(s.StartTime) {
					t.Errorf("the span %s ends before it begins", s.Name)
				}
			}
			if stays && ends["Workspace.contacts"].Before(ends["GET /workspaces/{id}/contacts"]) {
				t.Errorf("%s: a field's span ends before its call", accept)
			}
		}
	}
}

// TestTracesLinkSharedWork shares a call between two operations, and an operation between two
// requests. Their spans have links.
func TestTracesLinkSharedWork(t *testing.T) {
	w := new(recorder)
	held, come := make(chan struct{}), make(chan struct{}, 8)
	e := newEnv(t, withTelemetry(w), withFault(func(http.ResponseWriter, *http.Request, string, string) bool {
		come <- struct{}{}
		<-held
		return false
	}))
	var asked sync.WaitGroup
	for i, query := range []string{`{ teams(first: 1) { nodes { name } } }`, `query Other { teams(first: 1) { nodes { name } } }`, `query Other { teams(first: 1) { nodes { name } } }`} {
		asked.Go(func() { e.ask(query) })
		if i == 0 {
			<-come
		}
	}
	// The others make no call that the test could wait for.
	for deadline := time.Now().Add(10 * time.Second); e.telemetry.InFlight() < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("want three requests in flight")
		}
	}
	time.Sleep(100 * time.Millisecond)
	close(held)
	asked.Wait()
	var operations, calls, linkedOperations, linkedCalls int
	for _, s := range w.spans.GetSpans() {
		switch s.Name {
		case "query":
			operations++
			linkedOperations += len(s.Links)
		case "GET /teams":
			calls++
			linkedCalls += len(s.Links)
			if origin := attributeOf(s, "funnelgraph.origin"); (origin == "coalesced") != (len(s.Links) == 1) {
				t.Errorf("a %s call has %d links, want one only if it is coalesced", origin, len(s.Links))
			}
		}
	}
	if operations != 3 || linkedOperations != 1 || calls != 2 || linkedCalls != 1 {
		t.Errorf("%d operations, %d linked; %d calls, %d linked; want 3, 1, 2, 1", operations, linkedOperations, calls, linkedCalls)
	}
	var shared, coalesced int
	for _, l := range w.lines(t) {
		if l["shared"] == true {
			shared++
			if l["name"] != "Other" || l["type"] != "query" || l["outcome"] != "ok" {
				t.Errorf("unexpected line of a shared operation: %v", l)
			}
		}
		if l["coalesced"] == 1.0 {
			coalesced++
		}
	}
	if shared != 1 || coalesced != 1 {
		t.Errorf("%d lines of shared operations and %d of coalesced calls, want 1 and 1", shared, coalesced)
	}
}
