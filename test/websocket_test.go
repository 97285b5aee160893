package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// socket is a WebSocket connection of a client.
type socket struct {
	t    *testing.T
	conn *websocket.Conn
}

// dial opens a connection. Headers are "Name: value".
func (e *env) dial(t *testing.T, headers ...string) *socket {
	t.Helper()
	s, response, err := e.tryDial(t, "", []string{"graphql-transport-ws"}, headers...)
	if err != nil {
		t.Fatal(response, err)
	}
	return s
}

func (e *env) tryDial(t *testing.T, query string, subprotocols []string, headers ...string) (*socket, *http.Response, error) {
	t.Helper()
	options := &websocket.DialOptions{Subprotocols: subprotocols, HTTPHeader: make(http.Header)}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		options.HTTPHeader.Set(name, value)
	}
	conn, response, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(e.url, "http")+"/graphql"+query, options)
	if err != nil {
		return nil, response, err
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(1 << 20)
	return &socket{t, conn}, response, nil
}

// send sends a message.
func (s *socket) send(text string) {
	s.t.Helper()
	if err := s.conn.Write(s.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// subscribe sends an operation.
func (s *socket) subscribe(id, query string) {
	s.t.Helper()
	text, err := json.Marshal(map[string]any{"id": id, "type": "subscribe", "payload": map[string]string{"query": query}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.send(string(text))
}

// receive returns the next message, or the status with which the server closes the connection.
func (s *socket) receive() string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	_, text, err := s.conn.Read(ctx)
	if ctx.Err() != nil {
		s.t.Fatal("there is no message")
	}
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// wants reads the next message, which must contain the texts.
func (s *socket) wants(texts ...string) {
	s.t.Helper()
	got := s.receive()
	for _, text := range texts {
		if !strings.Contains(got, text) {
			s.t.Errorf("want %s in %s", text, got)
		}
	}
}

// open initializes a connection with a key.
func (l *live) open(t *testing.T, key string) *socket {
	t.Helper()
	s := l.dial(t)
	s.send(`{"type":"connection_init","payload":{"authorization":"Bearer ` + key + `"}}`)
	s.wants(`{"type":"connection_ack"}`)
	return s
}

func TestWebSocket(t *testing.T) {
	l := newLiveWith(t, "teams: all, access: read-write")
	s := l.open(t, l.key)
	s.send(`{"type":"ping","payload":{"n":1}}`)
	s.wants(`{"type":"pong","payload":{"n":1}}`)
	s.send(`{"type":"pong"}`)

	s.subscribe("q", `{ workspace(id: "101") { name } }`)
	s.wants(`{"id":"q","type":"next","payload":{"data":{"workspace":{"name":"Acme Academy"}}}}`)
	s.wants(`{"id":"q","type":"complete"}`)
	s.send(`{"id":"v","type":"subscribe","payload":{"query":"query A { teams { nodes { id } } } query B($id: ID!) { workspace(id: $id) { rawId } }","operationName":"B","variables":{"id":"101"}}}`)
	s.wants(`"id":"v","type":"next","payload":{"data":{"workspace":{"rawId":"101"}}}`)
	s.wants(`"id":"v","type":"complete"`)
	s.subscribe("m", `mutation { updateContact(input: { workspaceId: "101", id: "`+ada+`", firstName: "Socket" }) { contact { firstName } } }`)
	s.wants(`"id":"m"`, `"firstName":"Socket"`)
	s.wants(`"id":"m","type":"complete"`)
	s.subscribe("d", `{ workspace(id: "101") { name ... @defer { contacts(first: 1) { nodes { rawId } } } } }`)
	s.wants(`"id":"d","type":"next","payload":{"data":{"workspace":{"name":"Acme Academy"}},"hasNext":true}`)
	s.wants(`"id":"d","type":"next","payload":{"incremental":`, `"hasNext":false`)
	s.wants(`"id":"d","type":"complete"`)
	s.subscribe("f", `{ workspace(id: "999") { name } }`)
	s.wants(`"id":"f","type":"next"`, `"data":{"workspace":null}`, `"NOT_FOUND"`)
	s.wants(`"id":"f","type":"complete"`)

	// An error ends the operation without a complete message.
	s.subscribe("e", `{ nothing }`)
	s.wants(`{"id":"e","type":"error","payload":[{"message":"Cannot query field \"nothing\"`)
	s.send(`{"id":"e","type":"subscribe","payload":[]}`)
	s.wants(`{"id":"e","type":"error","payload":[{"message":"Batches of operations are not supported`)
	s.send(`{"id":"e","type":"subscribe"}`)
	s.wants(`{"id":"e","type":"error","payload":[{"message":"The body must be one JSON object.`)
	s.subscribe("e", `subscription { events(workspaceId: "102") { id } }`)
	s.wants(`{"id":"e","type":"error"`, `list a webhook for it in the access file`)
	s.subscribe("e", `subscription { events(workspaceId: "101") { id } changed(id: "x") { id } }`)
	s.wants(`{"id":"e","type":"error","payload":[{"message":`)

	s.subscribe("s", `subscription { events(workspaceId: "101") { id subject { ... on Contact { firstName } } } }`)
	waitForSubscriptions()
	l.happens(t, 1, "contact.updated", ada)
	s.wants(`{"id":"s","type":"next","payload":{"data":{"events":{"id":"00000000000000000000000000000001","subject":{"firstName":"Socket"}}}}}`)
	s.subscribe("t", `subscription { events(workspaceId: "101", after: "00000000000000000000000000000001") { id } }`)
	s.send(`{"id":"s","type":"complete"}`)
	s.send(`{"id":"unknown","type":"complete"}`)
	waitForSubscriptions()
	l.happens(t, 2, "contact.updated", ada)
	s.wants(`{"id":"t","type":"next","payload":{"data":{"events":{"id":"00000000000000000000000000000002"}}}}`)
	s.subscribe("s", `subscription { events(workspaceId: "101") { id } }`) // the id is free again
	waitForSubscriptions()
	s.send(`{"id":"t","type":"complete"}`)
	waitForSubscriptions()
	l.happens(t, 3, "contact.updated", ada)
	s.wants(`"id":"s","type":"next"`, `3"}}}}`)
}

// TestWebSocketCloses lists messages that break the protocol, with the status of the close.
func TestWebSocketCloses(t *testing.T) {
	l := newLive(t)
	key, init := l.key, `{"type":"connection_init","payload":{"Authorization":"Bearer `+l.key+`"}}`
	for name, test := range map[string]struct {
		messages []string
		want     string
	}{
		"no init":                      {[]string{`{"id":"1","type":"subscribe","payload":{"query":"{ __typename }"}}`}, "4401"},
		"complete, no init":            {[]string{`{"id":"1","type":"complete"}`}, "4401"},
		"two inits":                    {[]string{init, init}, "4429"},
		"an id twice":                  {[]string{init, `{"id":"1","type":"subscribe","payload":{"query":"subscription { events(workspaceId: \"101\") { id } }"}}`, `{"id":"1","type":"subscribe","payload":{"query":"{ __typename }"}}`}, "4409"},
		"no id":                        {[]string{init, `{"type":"subscribe","payload":{"query":"{ __typename }"}}`}, "4400"},
		"an unknown type":              {[]string{init, `{"type":"start"}`}, "4400"},
		"no type":                      {[]string{init, `{}`}, "4400"},
		"no JSON":                      {[]string{init, `hello`}, "4400"},
		"a list":                       {[]string{`[]`}, "4400"},
		"an id that is a number":       {[]string{init, `{"id":1,"type":"subscribe","payload":{"query":"{ __typename }"}}`}, "4400"},
		"an unknown key":               {[]string{`{"type":"connection_init","payload":{"Authorization":"Bearer unknown"}}`}, "4403"},
		"no credential":                {[]string{`{"type":"connection_init"}`}, "4403"},
		"a null payload":               {[]string{`{"type":"connection_init","payload":null}`}, "4403"},
		"a payload that is a list":     {[]string{`{"type":"connection_init","payload":[]}`}, "4400"},
		"a credential that is no text": {[]string{`{"type":"connection_init","payload":{"authorization":{"a":1}}}`}, "4400"},
		"two credentials":              {[]string{`{"type":"connection_init","payload":{"authorization":"a","Authorization":"b"}}`}, "4400"},
		"a header in a credential":     {[]string{`{"type":"connection_init","payload":{"authorization":"Bearer ` + key + `\r\nCookie: a=b"}}`}, "4400"},
		"a large message":              {[]string{init, `{"id":"1","type":"subscribe","payload":{"query":"` + strings.Repeat(" ", 1<<20) + `"}}`}, "StatusMessageTooBig"},
	} {
		t.Run(name, func(t *testing.T) {
			s := l.dial(t)
			for _, message := range test.messages {
				s.send(message)
			}
			got := s.receive()
			for strings.HasPrefix(got, `{"type":"connection_ack"`) {
				got = s.receive()
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if strings.Contains(got, key) {
				t.Errorf("the reason has the key: %s", got)
			}
		})
	}
	for _, subprotocols := range [][]string{nil, {"graphql-ws"}, {"unknown"}} {
		s, _, err := l.tryDial(t, "", subprotocols)
		if err != nil {
			t.Fatal(err)
		}
		s.wants("4406")
	}
	s := l.dial(t)
	if err := s.conn.Write(t.Context(), websocket.MessageBinary, []byte(`{"type":"ping"}`)); err != nil {
		t.Fatal(err)
	}
	s.wants("4400")
}

// TestWebSocketNeedsInit connects without a message.
func TestWebSocketNeedsInit(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.dial(t)
	began := time.Now()
	s.wants("4408")
	if took := time.Since(began); took < 5*time.Second {
		t.Errorf("closed after %s", took)
	}
}

// TestWebSocketCredentials lists the places of a credential.
func TestWebSocketCredentials(t *testing.T) {
	l := newLive(t)
	s := l.dial(t, "Authorization: Bearer "+l.key)
	s.send(`{"type":"connection_init","payload":{}}`)
	s.wants("connection_ack")
	s.subscribe("1", `{ workspace(id: "101") { name } }`)
	s.wants("Acme Academy")
	s = l.dial(t, "Authorization: Bearer "+l.other) // the one of the message wins
	s.send(`{"type":"connection_init","payload":{"AUTHORIZATION":"Bearer ` + l.key + `"}}`)
	s.wants("connection_ack")
	s.subscribe("1", `{ workspace(id: "101") { name } }`)
	s.wants("Acme Academy")
	s = l.open(t, l.other)
	s.subscribe("1", `subscription { events(workspaceId: "101") { id } }`)
	s.wants("NOT_FOUND")
	for _, query := range []string{"?access_token=" + l.key, "?token=" + l.key, "?Authorization=Bearer%20" + l.key, "?extensions=" + `%7B%22authorization%22:%22` + l.key + `%22%7D`} {
		s, _, err := l.tryDial(t, query, []string{"graphql-transport-ws"})
		if err != nil {
			t.Fatal(err)
		}
		s.send(`{"type":"connection_init"}`)
		s.wants("4403")
	}

	// A caller's own token is sent to ClickFunnels.
	e := newEnv(t)
	s = e.dial(t)
	s.send(`{"type":"connection_init","payload":{"Authorization":"Bearer ` + demo.Token + `-own"}}`)
	s.wants("connection_ack")
	s.subscribe("1", `{ workspace(id: "101") { name } }`)
	s.wants("Acme Academy")
	if calls := e.calls[demo.Token+"-own"]; len(calls) == 0 {
		t.Error("no calls with the token")
	}
}

// TestWebSocketsFollowTheAccessFile removes the key of an open connection.
func TestWebSocketsFollowTheAccessFile(t *testing.T) {
	t.Parallel()
	l := newLive(t)
	s := l.open(t, l.key)
	key := l.hashes[0]
	_, l.hashes[0] = access.NewKey()
	l.write(t, "teams: all")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		s.subscribe("1", `{ workspace(id: "101") { name } }`)
		if got := s.receive(); strings.Contains(got, `"type":"error"`) && strings.Contains(got, "UNAUTHENTICATED") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the connection still works without", key)
		}
		s.wants("complete")
	}
}

// TestWebSocketOrigins connects from pages of other sites.
func TestWebSocketOrigins(t *testing.T) {
	e := newEnv(t, func(_ *env, cfg *config.Config) {
		cfg.CORSOrigins = []string{"https://app.example"}
		cfg.PublicURL = "https://api.example"
	})
	host := strings.TrimPrefix(e.url, "http://")
	for origin, want := range map[string]int{
		"https://app.example": 101, "http://" + host: 101, "https://api.example": 101,
		"https://evil.example": 403, "null": 403, "https://app.example.evil.example": 403, "http://app.example": 403, "https://" + host + ".evil.example": 403,
		"http://localhost:3000": 403, "file://": 403,
	} {
		_, response, _ := e.tryDial(t, "", []string{"graphql-transport-ws"}, "Origin: "+origin)
		if response == nil || response.StatusCode != want {
			t.Errorf("%s: %+v, want %d", origin, response, want)
		}
	}
}

// TestWebSocketSessions connects with the session cookie of a browser.
func TestWebSocketSessions(t *testing.T) {
	_, option := withSignIn(t)
	e := newEnv(t, option)
	p := newPerson(e)
	p.signIn(nil)
	own, err := url.Parse(p.public("/graphql"))
	if err != nil {
		t.Fatal(err)
	}
	var cookies []string
	for _, cookie := range p.Jar.Cookies(own) {
		cookies = append(cookies, cookie.Name+"="+cookie.Value)
	}
	origin := "Origin: " + strings.TrimSuffix(own.String(), "/graphql")
	for _, test := range []struct {
		headers []string
		want    string
	}{
		{[]string{origin, "Sec-Fetch-Site: same-origin"}, "connection_ack"},
		{[]string{origin}, "connection_ack"},
		{nil, "connection_ack"}, // no browser sends a cookie without an origin
		{[]string{"Sec-Fetch-Site: cross-site"}, "4403"},
	} {
		s := e.dial(t, append(test.headers, "Cookie: "+strings.Join(cookies, "; "), "Host: "+own.Host)...)
		s.send(`{"type":"connection_init"}`)
		s.wants(test.want)
		if test.want != "connection_ack" {
			continue
		}
		s.subscribe("1", `{ viewer { workspaces { name } } }`)
		s.wants(`[{"name":"Acme Academy"}]`)
	}
}

// TestWebSocketLimits exceeds the limits of clients and connections.
func TestWebSocketLimits(t *testing.T) {
	l := newLiveWith(t, "teams: all, limits: { subscriptions: 2, rate: 100 }")
	first := l.open(t, l.key)
	second := l.open(t, l.key)
	third := l.dial(t)
	third.send(`{"type":"connection_init","payload":{"authorization":"Bearer ` + l.key + `"}}`)
	third.wants("StatusTryAgainLater", "too many subscriptions")
	_ = second.conn.Close(websocket.StatusNormalClosure, "")
	time.Sleep(300 * time.Millisecond)
	_ = l.open(t, l.key)
	for _, id := range []string{"1", "2"} {
		first.subscribe(id, `subscription { events(workspaceId: "101") { id } }`)
	}
	waitForSubscriptions()
	first.subscribe("3", `subscription { events(workspaceId: "101") { id } }`)
	first.wants(`"id":"3","type":"error"`, "too many subscriptions")
	for n := range 10 { // each operation counts for the rate
		first.subscribe(fmt.Sprint("r", n), `{ __typename }`)
	}
	limited := false
	for range 20 {
		got := first.receive()
		if strings.Contains(got, "RATE_LIMITED") {
			limited = true
			break
		}
	}
	if !limited {
		t.Error("the rate is not limited")
	}
}

// TestDrainingServerClosesWebSockets completes the queries that run, and closes with a status on which
// clients connect again.
func TestDrainingServerClosesWebSockets(t *testing.T) {
	e, stop, ended := runDemo(t)
	s, idle := e.dial(t), e.dial(t)
	for _, s := range []*socket{s, idle} {
		s.send(`{"type":"connection_init"}`)
		s.wants("connection_ack")
	}
	s.subscribe("s", `subscription { events(workspaceId: "101") { id } }`)
	waitForSubscriptions()
	began := time.Now()
	for n := range 20 {
		s.subscribe(fmt.Sprint("q", n), fmt.Sprintf(`{ workspace(id: "101") { contacts(first: 100) { nodes { id orders(first: %d) { nodes { id } } } } } }`, n+1))
	}
	s.wants("next") // one of them
	stop(serving.ErrInterrupted)
	idle.wants("StatusServiceRestart", "connect again")
	begun, completed := 1, 0
	for {
		got := s.receive()
		switch {
		case strings.Contains(got, `"type":"next"`):
			begun++
			continue
		case strings.Contains(got, `"type":"complete"`):
			completed++
			continue
		case !strings.Contains(got, "StatusServiceRestart"):
			t.Error(got)
		}
		break
	}
	if begun != completed {
		t.Errorf("%d results, %d complete", begun, completed)
	}
	if err := <-ended; err != nil || time.Since(began) > 15*time.Second {
		t.Errorf("the server ends after %s with %v", time.Since(began), err)
	}
}

// TestAnyTextReachesSubscribers sends an event with text that is not UTF-8.
func TestAnyTextReachesSubscribers(t *testing.T) {
	l := newLive(t)
	socket := l.open(t, l.key)
	const query = `subscription { events(workspaceId: "101") { id data } }`
	socket.subscribe("1", query)
	s := l.subscribe(t, query, "Authorization: Bearer "+l.key)
	waitForSubscriptions()
	l.sends(t, 1, "contact.updated", "Contact", ada, "2026-11-29T10:00:00Z", `{"id": `+ada+`, "note": "`+"\xff"+`"}`)
	l.happens(t, 2, "contact.updated", ada)
	for _, n := range []string{"1", "2"} {
		s.wants("0000" + n + `"`)
		socket.wants("0000" + n + `"`)
	}
}
