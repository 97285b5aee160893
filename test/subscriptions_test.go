package test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/server"
	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// sse is an event of a stream.
type sse struct{ id, event, data string }

// subscription is a stream of events that a client reads.
type subscription struct {
	t      *testing.T
	status int
	events chan sse // closed at the end
	stop   func()
}

// subscribe sends a subscription. Headers are "Name: value".
func (e *env) subscribe(t *testing.T, query string, headers ...string) *subscription {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	s := &subscription{t, response.StatusCode, make(chan sse, 100), stop}
	go func() {
		defer close(s.events)
		defer func() { _ = response.Body.Close() }()
		var next sse
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ":")
			value = strings.TrimPrefix(value, " ")
			switch name {
			case "id":
				next.id = value
			case "event":
				next.event = value
			case "data":
				next.data = value
			case "":
				if next.event != "" {
					s.events <- next
				}
				next = sse{}
			}
		}
	}()
	return s
}

// next returns the next event, without an event at the end of the stream.
func (s *subscription) next() sse {
	s.t.Helper()
	select {
	case event := <-s.events:
		return event
	case <-time.After(20 * time.Second):
		s.t.Fatal("there is no event")
		return sse{}
	}
}

// wants reads the next event, which must contain the texts.
func (s *subscription) wants(texts ...string) sse {
	s.t.Helper()
	got := s.next()
	for _, text := range texts {
		if !strings.Contains(got.data, text) {
			s.t.Errorf("want %s in %+v", text, got)
		}
	}
	return got
}

// quiet reports an event within a short time.
func (s *subscription) quiet() {
	s.t.Helper()
	select {
	case event, ok := <-s.events:
		s.t.Errorf("unexpected event %+v (%t)", event, ok)
	case <-time.After(200 * time.Millisecond):
	}
}

// live is an env whose access file has clients and a webhook for workspace 101.
type live struct {
	*env

	file, key, other string
	hashes           [2]string
}

func newLive(t *testing.T, options ...envOption) *live {
	t.Helper()
	return newLiveWith(t, "teams: all", options...)
}

// newLiveWith is [newLive] with the rights of the first client.
func newLiveWith(t *testing.T, rights string, options ...envOption) *live {
	t.Helper()
	l := &live{file: filepath.Join(t.TempDir(), "access.yaml")}
	l.key, l.hashes[0] = access.NewKey()
	l.other, l.hashes[1] = access.NewKey()
	if err := os.WriteFile(l.file+".secret", []byte("hook-secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.write(t, rights)
	l.env = newEnv(t, append([]envOption{func(e *env, _ *config.Config) {
		gate, err := access.NewClients(t.Context(), l.file, demo.Token, limits.Policy{Limits: limits.Limits{Subscriptions: 100}})
		if err != nil {
			t.Fatal(err)
		}
		e.gate = gate
	}}, options...)...)
	return l
}

// write writes the access file. rights are those of the first client; the second one sees workspace 102.
func (l *live) write(t *testing.T, rights string) {
	t.Helper()
	text := fmt.Sprintf("clients:\n  - { name: app, keys: [%q], %s }\n  - { name: other, keys: [%q], workspaces: [102] }\nwebhooks: [{ name: academy, workspace: 101, secrets: [{ file: %q }] }]\n", l.hashes[0], rights, l.hashes[1], l.file+".secret")
	if err := os.WriteFile(l.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// happens delivers an event about a contact.
func (l *live) happens(t *testing.T, n int, eventType, contact string) {
	t.Helper()
	l.sends(t, n, eventType, "Contact", contact, "2026-11-29T10:00:00Z", fmt.Sprintf(`{"id": %s, "secret_note": "n%d"}`, contact, n))
}

// sends delivers an event.
func (l *live) sends(t *testing.T, n int, eventType, subjectType, subject, at, data string) {
	t.Helper()
	body := fmt.Sprintf(`{"event_id": "%032x", "event_type": %q, "subject_id": %s, "subject_type": %q, "created_at": %q, "data": %s}`, n, eventType, subject, subjectType, at, data)
	if status := l.deliver("academy", "hook-secret", body); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
}

// A contact of workspace 101.
const ada = "3000000001"

func TestSubscription(t *testing.T) {
	l := newLive(t)
	s := l.subscribe(t, `subscription { changes: events(workspaceId: "101") { id type eventType occurredAt subject { __typename ... on Contact { emailAddress } } data } }`, "Authorization: Bearer "+l.key)
	only := l.subscribe(t, `subscription { events(workspaceId: "101", types: [CONTACT_DELETED, UNKNOWN]) { type eventType } }`, "Authorization: Bearer "+l.key)
	one := l.subscribe(t, `subscription { changed(id: "`+contactID("101", ada)+`") { type } }`, "Authorization: Bearer "+l.key)
	waitForSubscriptions()
	l.happens(t, 1, "contact.updated", ada)
	first := s.wants(`{"data":{"changes":{"id":"00000000000000000000000000000001","type":"contact.updated","eventType":"CONTACT_UPDATED","occurredAt":"2026-11-29T10:00:00.000Z","subject":{"__typename":"Contact","emailAddress":"ada`, `"secret_note":"n1"`)
	if first.id != "00000000000000000000000000000001" || first.event != "next" {
		t.Errorf("%+v", first)
	}
	one.wants(`"contact.updated"`)
	only.quiet()
	l.happens(t, 1, "contact.updated", ada) // delivered again
	l.happens(t, 2, "contact.deleted", "3999999999")
	s.wants(`"contact.deleted"`, `"subject":null`, `"data":null`)
	only.wants(`"CONTACT_DELETED"`)
	one.quiet()
	l.happens(t, 3, "contact.waved", ada)
	only.wants(`"type":"contact.waved"`, `"eventType":"UNKNOWN"`)
	s.wants(`"contact.waved"`)
	s.quiet()
	resumed := l.subscribe(t, `subscription { events(workspaceId: "101", after: "00000000-0000-0000-0000-000000000001") { type } }`, "Authorization: Bearer "+l.key)
	resumed.wants("contact.deleted")
	resumed.wants("contact.waved")
	resumed.quiet()
	again := l.subscribe(t, `subscription { events(workspaceId: "101", after: "00000000-0000-0000-0000-000000000001") { type } }`, "Authorization: Bearer "+l.key, "Last-Event-ID: 00000000000000000000000000000002")
	again.wants("contact.waved")
}

// TestDeadlinesDoNotEndSubscriptions sends an event after the client's deadline.
func TestDeadlinesDoNotEndSubscriptions(t *testing.T) {
	l := newLive(t)
	s := l.subscribe(t, `subscription { events(workspaceId: "101") { subject { ... on Contact { emailAddress } } } }`, "Authorization: Bearer "+l.key, "X-Request-Timeout: 500ms")
	time.Sleep(800 * time.Millisecond)
	l.happens(t, 1, "contact.updated", ada)
	s.wants(`"emailAddress":"ada`)
}

// waitForSubscriptions waits until the streams have begun. Their first bytes come before that.
func waitForSubscriptions() { time.Sleep(300 * time.Millisecond) }

// TestRefusedSubscriptions lists subscriptions that do not begin.
func TestRefusedSubscriptions(t *testing.T) {
	l := newLive(t)
	for name, test := range map[string]struct{ key, query, want string }{
		"another workspace":              {l.other, `{ events(workspaceId: "101") { id } }`, `"NOT_FOUND"`},
		"a contact of another workspace": {l.other, `{ changed(id: "` + contactID("101", ada) + `") { id } }`, `"NOT_FOUND"`},
		"a workspace without a webhook":  {l.key, `{ events(workspaceId: "102") { id } }`, "list a webhook for it in the access file"},
		"an unknown workspace":           {l.key, `{ events(workspaceId: "999") { id } }`, `"NOT_FOUND"`},
		"an old event":                   {l.key, `{ events(workspaceId: "101", after: "x") { id } }`, "The event is not kept any more"},
		"a team":                         {l.key, `{ changed(id: "MTp0ZWFtOjox") { id } }`, `"errors"`},
		"two fields":                     {l.key, `{ a: events(workspaceId: "101") { id } b: events(workspaceId: "101") { id } }`, `"errors"`},
		"a type name":                    {l.key, `{ __typename }`, `"errors"`},
		"a field of a query":             {l.key, `{ teams { nodes { id } } }`, `"errors"`},
		"an invalid value":               {l.key, `{ events(workspaceId: "101", types: [CONTACT_WAVED]) { id } }`, `"errors"`},
	} {
		s := l.subscribe(t, "subscription "+test.query, "Authorization: Bearer "+test.key)
		if got := s.next(); s.status != http.StatusOK || got.event != "next" || !strings.Contains(got.data, test.want) {
			t.Errorf("%s: status %d, %+v", name, s.status, got)
		}
		if end := s.next(); end.event != "complete" {
			t.Errorf("%s: ends with %+v", name, end)
		}
	}
	if s := l.subscribe(t, `subscription { events(workspaceId: "101") { id } }`, "Authorization: Bearer unknown"); s.status != http.StatusUnauthorized {
		t.Errorf("an unknown key: status %d", s.status)
	}
	for _, accept := range []string{"application/json", "application/graphql-response+json", "multipart/mixed"} {
		status, body, _ := l.do(post(`{"query":"subscription { events(workspaceId: \"101\") { id } }"}`, "Authorization: Bearer "+l.key, "Accept: "+accept)(l.env))
		if !strings.Contains(body, "accept text/event-stream") || accept == "application/graphql-response+json" && status != http.StatusNotAcceptable {
			t.Errorf("%s: %d %s", accept, status, body)
		}
	}
}

// TestSubscriptionsFollowTheAccessFile takes rights from clients that have subscribed.
func TestSubscriptionsFollowTheAccessFile(t *testing.T) {
	t.Parallel()
	for rights, want := range map[string]string{"workspaces: [102]": `"data":{"events":{"subject":null,"data":null}}`, "": `"UNAUTHENTICATED"`} {
		l := newLive(t)
		s := l.subscribe(t, `subscription { events(workspaceId: "101") { subject { id } data } }`, "Authorization: Bearer "+l.key)
		waitForSubscriptions()
		l.happens(t, 1, "contact.updated", ada)
		s.wants(`"secret_note":"n1"`)
		if rights == "" { // the key is gone
			_, l.hashes[0] = access.NewKey()
			rights = "teams: all"
		}
		l.write(t, rights)
		for n, deadline := 2, time.Now().Add(30*time.Second); ; n++ {
			l.happens(t, n, "contact.updated", ada)
			got := s.next()
			if strings.Contains(got.data, want) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: still %+v", rights, got)
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
}

// TestSubscriptionsOfSessions ends the stream of a person who signs out.
func TestSubscriptionsOfSessions(t *testing.T) {
	t.Parallel()
	_, option := withSignIn(t)
	l := newLive(t, option)
	text, err := os.ReadFile(l.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.file, append(text, "sessions: {}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPerson(l.env)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) { // until the file is read again
		if login, _ := p.send(http.MethodGet, "/auth/login", ""); login.StatusCode == http.StatusFound || time.Now().After(deadline) {
			break
		}
	}
	bearer := "Authorization: Bearer " + p.appBearer()
	s := l.subscribe(t, `subscription { events(workspaceId: "101") { type } }`, bearer)
	waitForSubscriptions()
	l.happens(t, 1, "contact.updated", ada)
	s.wants("contact.updated")
	if out, text := p.send(http.MethodPost, "/auth/logout", "", bearer); out.StatusCode != http.StatusNoContent {
		t.Fatal(out.Status, text)
	}
	time.Sleep(time.Second)
	l.happens(t, 2, "contact.updated", ada)
	s.wants("UNAUTHENTICATED")
	if end := s.next(); end.event != "complete" {
		t.Errorf("%+v", end)
	}
}

// TestDemoSendsEvents writes in the demo, and subscribes to the change.
func TestDemoSendsEvents(t *testing.T) {
	d := &env{t: t, url: startDemo(t)}
	s := d.subscribe(t, `subscription { events(workspaceId: "101") { type subject { ... on Contact { firstName } ... on AppliedContactTag { tag { name } } } } }`)
	waitForSubscriptions()
	d.must(`mutation { createContact(input: { workspaceId: "101", firstName: "Live", emailAddress: "live@example.com" }) { contact { id } } }`)
	s.wants(`"contact.created"`, `"firstName":"Live"`)
	d.must(`mutation { updateContact(input: { workspaceId: "101", id: "` + ada + `", firstName: "New" }) { contact { id } } }`)
	s.wants(`"contact.updated"`, `"firstName":"New"`)
	d.must(`mutation { deleteContact(input: { workspaceId: "101", id: "` + ada + `" }) { deletedContactId } }`)
	s.wants(`"contact.deleted"`)
}

// TestManySubscriptions delivers events to many streams. Each sees each event once, in order.
func TestManySubscriptions(t *testing.T) {
	l := newLive(t)
	const events = 200
	streams := make([]*subscription, 50)
	for i := range streams {
		streams[i] = l.subscribe(t, `subscription { events(workspaceId: "101") { id } }`, "Authorization: Bearer "+l.key)
	}
	waitForSubscriptions()
	for n := range events {
		l.happens(t, n+1, "contact.updated", ada)
		if n%3 == 0 {
			l.happens(t, n+1, "contact.updated", ada)
		}
	}
	for i, s := range streams {
		var got []string
		for range events {
			got = append(got, s.next().id)
		}
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != events {
			t.Errorf("stream %d: %d events, sorted: %t", i, len(slices.Compact(got)), slices.IsSorted(got))
		}
	}
	l.forget()
	streams[0].quiet()
}

// runDemo runs a demo that stop ends.
func runDemo(t *testing.T) (e *env, stop context.CancelCauseFunc, ended chan error) {
	t.Helper()
	cfg, err := config.Parse([]string{"--demo", "--listen=127.0.0.1:0", "--log-level=error"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	out, in := io.Pipe()
	ended = make(chan error, 1)
	go func() { ended <- server.Run(ctx, cfg, new(slog.LevelVar), in) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return &env{t: t, url: regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(line)}, stop, ended
}

// TestDrainingServerEndsSubscriptions breaks the connection, so that clients connect to another server.
func TestDrainingServerEndsSubscriptions(t *testing.T) {
	e, stop, ended := runDemo(t)
	s := e.subscribe(t, `subscription { events(workspaceId: "101") { id } }`)
	waitForSubscriptions()
	began := time.Now()
	stop(serving.ErrInterrupted)
	if event, ok := <-s.events; ok {
		t.Errorf("the stream ends with %+v, want a broken connection", event)
	}
	if err := <-ended; err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("the server ends after %s with %v", time.Since(began), err)
	}
}

// TestSubscriptionsOfAClientAreLimited opens as many streams as a client may have, and one more.
func TestSubscriptionsOfAClientAreLimited(t *testing.T) {
	l := newLive(t)
	const most = 100
	streams := make([]*subscription, most)
	for i := range streams {
		streams[i] = l.subscribe(t, `subscription { events(workspaceId: "101") { id } }`, "Authorization: Bearer "+l.key)
	}
	waitForSubscriptions()
	more := l.subscribe(t, `subscription { events(workspaceId: "101") { id } }`, "Authorization: Bearer "+l.key)
	more.wants("There are too many subscriptions at once: end one of them", `"RATE_LIMITED"`)
	streams[0].stop()
	time.Sleep(300 * time.Millisecond)
	again := l.subscribe(t, `subscription { events(workspaceId: "101") { type } }`, "Authorization: Bearer "+l.key)
	waitForSubscriptions()
	l.happens(t, 1, "contact.updated", ada)
	again.wants("contact.updated")
}

// TestSlowSubscribers does not read a stream until the server has forgotten its events.
func TestSlowSubscribers(t *testing.T) {
	l := newLive(t)
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url+"/graphql", strings.NewReader(`{"query":"subscription { events(workspaceId: \"101\") { id data } }"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Authorization", "Bearer "+l.key)
	r.Header.Set("Accept-Encoding", "identity")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	waitForSubscriptions()
	padding := strings.Repeat("x", 100_000)
	for n := range 400 { // more than a connection and the server hold
		body := fmt.Sprintf(`{"event_id": "%032x", "event_type": "contact.updated", "subject_id": %s, "subject_type": "Contact", "created_at": "2026-11-29T10:00:00Z", "data": {"id": %s, "padding": "%s"}}`, n+1, ada, ada, padding)
		if status := l.deliver("academy", "hook-secret", body); status != http.StatusNoContent {
			t.Fatal(status)
		}
	}
	text, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(text), "Events were missed") || !strings.Contains(string(text), "event: complete") {
		t.Errorf("%d bytes, %v, want the reason of the end", len(text), err)
	}
}

// contactData is a contact in the format of a webhook.
func contactData(id, name string) string {
	return fmt.Sprintf(`{"id": %s, "public_id": "pubAda", "workspace_id": 101, "email_address": "ada@example.com", "first_name": %q, "tags": []}`, id, name)
}

// simulatedRecord returns a record of workspace 101 in the format of the REST API.
func simulatedRecord(t *testing.T, path string) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, demo.BasePath+path, nil)
	r.Host = "acme-academy"
	r.Header.Set("User-Agent", "test")
	r.Header.Set("Authorization", "Bearer "+demo.Token)
	w := httptest.NewRecorder()
	demo.New().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatal(path, w.Code, w.Body)
	}
	return w.Body.String()
}

// TestSubjectsComeFromEvents counts the calls for subjects.
func TestSubjectsComeFromEvents(t *testing.T) {
	const query = `subscription { events(workspaceId: "101") { type subject { __typename id ... on Contact { firstName } ... on Order { rawId } } data } }`
	gone := "3999999999"
	at := func(ago time.Duration) string { return time.Now().Add(-ago).Format(time.RFC3339Nano) }
	for name, test := range map[string]struct {
		event func(l *live)
		calls []string
		want  []string
	}{
		"complete": {func(l *live) {
			l.sends(t, 10, "contact.updated", "Contact", ada, at(0), contactData(ada, "New"))
		}, nil, []string{`"firstName":"New"`, `"first_name":"New"`}},
		"a key is missing": {func(l *live) { l.happens(t, 10, "contact.updated", ada) }, []string{"acme-academy /contacts/" + ada}, []string{`"firstName":"Ada"`, `"secret_note":"n10"`}},
		"older": {func(l *live) {
			l.sends(t, 10, "contact.updated", "Contact", ada, at(20*time.Second), contactData(ada, "Old"))
		}, []string{"acme-academy /contacts/" + ada}, []string{`"firstName":"Ada"`, `"first_name":"Old"`}},
		"deleted": {func(l *live) {
			l.sends(t, 10, "contact.deleted", "Contact", gone, at(0), contactData(gone, "Gone"))
		}, nil, []string{`"firstName":"Gone"`}},
		"another kind": {func(l *live) {
			order := strings.Replace(simulatedRecord(t, "/orders/50001"), "50001", gone, 1)
			l.sends(t, 10, "order.deleted", "Order", gone, at(0), order)
		}, []string{"acme-academy /orders/" + gone, "acme-academy /workspaces/101/orders"}, []string{`"__typename":"Order"`, `"rawId":"` + gone + `"`}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLive(t)
			s := l.subscribe(t, query, "Authorization: Bearer "+l.key)
			waitForSubscriptions()
			l.sends(t, 1, "contact.updated", "Contact", ada, at(10*time.Second), contactData(ada, "First"))
			s.wants(`"firstName":"Ada"`, `"first_name":"First"`) // the first one shows that the client can read contacts
			l.forget()
			test.event(l)
			s.wants(test.want...)
			if calls := l.calls[demo.Token]; !slices.Equal(calls, test.calls) {
				t.Errorf("calls %q, want %q", calls, test.calls)
			}
		})
	}
}

// TestSubjectsNeedRights sends complete events to clients that cannot read contacts.
func TestSubjectsNeedRights(t *testing.T) {
	l := newLive(t, withFault(func(w http.ResponseWriter, _ *http.Request, _, path string) bool {
		if strings.Contains(path, "contacts") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}))
	s := l.subscribe(t, `subscription { events(workspaceId: "101") { type subject { ... on Contact { firstName } } data } }`, "Authorization: Bearer "+l.key)
	waitForSubscriptions()
	for n, event := range []string{"contact.updated", "contact.deleted", "contact.updated"} {
		l.sends(t, n+1, event, "Contact", ada, "2026-11-29T10:00:00Z", contactData(ada, "Hidden"))
		if got := s.wants(`"subject":null`, `"data":null`, `"FORBIDDEN"`); strings.Contains(got.data, "Hidden") {
			t.Error(got.data)
		}
	}
}

// TestDisconnectedApplicationsEndSubscriptions ends all subscriptions of a workspace.
func TestDisconnectedApplicationsEndSubscriptions(t *testing.T) {
	l := newLive(t)
	all := l.subscribe(t, `subscription { events(workspaceId: "101") { type } }`, "Authorization: Bearer "+l.key)
	some := l.subscribe(t, `subscription { events(workspaceId: "101", types: [CONTACT_UPDATED]) { type } }`, "Authorization: Bearer "+l.key)
	waitForSubscriptions()
	l.sends(t, 1, "platform_application.disconnected", "Platform::Application", "7", "2026-11-29T10:00:00Z", `{"id": 7}`)
	all.wants("platform_application.disconnected")
	for _, s := range []*subscription{all, some} {
		s.wants(`"UNAUTHENTICATED"`, "connect it again")
		if end := s.next(); end.event != "complete" {
			t.Errorf("%+v", end)
		}
	}
}

// TestSubscriptionsOfInventedTokens subscribes with tokens that ClickFunnels does not know, and with one
// that it revokes.
func TestSubscriptionsOfInventedTokens(t *testing.T) {
	t.Parallel()
	d := &env{t: t, url: startDemo(t)}
	const query = `subscription { events(workspaceId: "101") { type data subject { ... on Contact { firstName } } } }`
	for _, headers := range [][]string{{"Authorization: Bearer invented"}, {"Authorization: Bearer invented", "Last-Event-ID: 00000000000000000000000000000001"}} {
		s := d.subscribe(t, query, headers...)
		if got := s.wants(`"UNAUTHENTICATED"`); strings.Contains(got.data, `"data":`) {
			t.Error(got.data)
		}
		if end := s.next(); end.event != "complete" {
			t.Errorf("%+v", end)
		}
	}
	socket := d.dial(t)
	socket.send(`{"type":"connection_init","payload":{"authorization":"Bearer invented"}}`)
	socket.wants("connection_ack") // only ClickFunnels knows which tokens are valid
	socket.subscribe("1", query)
	socket.wants(`"id":"1","type":"error"`, `"UNAUTHENTICATED"`)

	var revoked atomic.Bool
	l := newLive(t, withFault(func(w http.ResponseWriter, _ *http.Request, _, _ string) bool {
		if revoked.Load() {
			w.WriteHeader(http.StatusUnauthorized)
		}
		return revoked.Load()
	}))
	s := l.subscribe(t, query, "Authorization: Bearer "+l.key)
	waitForSubscriptions()
	l.happens(t, 1, "contact.updated", ada)
	s.wants(`"secret_note":"n1"`)
	revoked.Store(true)
	l.happens(t, 2, "contact.updated", ada)
	s.wants(`"subject":null`, `"data":null`, `"UNAUTHENTICATED"`)
	again := l.subscribe(t, query, "Authorization: Bearer "+l.key)
	again.wants(`"UNAUTHENTICATED"`)
}
