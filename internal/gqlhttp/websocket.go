package gqlhttp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// WebSocket serves the protocol graphql-transport-ws
// (github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md). It executes each operation as a request by
// POST, so that the authentication and the limits of such requests apply. Operations with deferred
// fragments get several results.
type WebSocket struct {
	// Operations handles requests by POST, and all requests that are no WebSocket handshakes.
	Operations http.Handler
	// Connections handles a request for each connection, which lasts as long. It must end with a
	// [Handler].
	Connections http.Handler
	// Hosts are hosts of this server, beside the one of the request, whose pages may connect. So may
	// pages of origins that CORS allows.
	Hosts []string
	// MaxMessage limits a message, in bytes.
	MaxMessage int64
	// Draining, if not nil, is closed when the server begins to end.
	Draining <-chan struct{}
}

const (
	subprotocol = "graphql-transport-ws"
	// initTimeout limits the time until a client has sent its credential.
	initTimeout = 10 * time.Second
	// maxOperations is the number of operations of a connection that run at once.
	maxOperations = 200
	// maxInit limits messages of clients that have not sent their credential, in bytes.
	maxInit = 16 << 10
	// minRate is the rate at which a client must be able to read large messages, in bytes a second.
	minRate = 64 << 10
	// minCompressed is the size of messages that are worth a compression, in bytes.
	minCompressed = 1024
)

// The close codes of the protocol.
const (
	closeBadRequest   websocket.StatusCode = 4400
	closeUnauthorized websocket.StatusCode = 4401
	closeForbidden    websocket.StatusCode = 4403
	closeSubprotocol  websocket.StatusCode = 4406
	closeInitTimeout  websocket.StatusCode = 4408
	closeDuplicate    websocket.StatusCode = 4409
	closeTooManyInits websocket.StatusCode = 4429
)

// The types of messages.
const (
	connectionInit = "connection_init"
	connectionAck  = "connection_ack"
	ping           = "ping"
	pong           = "pong"
	subscribe      = "subscribe"
	next           = "next"
	failed         = "error"
	complete       = "complete"
)

// message is a message of the protocol.
type message struct {
	ID      string         `json:"id,omitempty"`
	Type    string         `json:"type"`
	Payload jsontext.Value `json:"payload,omitempty"`
}

// ServeHTTP implements [http.Handler].
func (s *WebSocket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		s.Operations.ServeHTTP(w, r)
		return
	}
	options := &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol}, OriginPatterns: s.Hosts,
		CompressionMode: websocket.CompressionNoContextTakeover, CompressionThreshold: minCompressed,
	}
	if w.Header().Get("Access-Control-Allow-Origin") != "" { // from the CORS handler
		options.OriginPatterns = []string{"*"}
	}
	header := w.Header().Clone()
	conn, err := websocket.Accept(w, r, options)
	if err != nil {
		return // it has responded
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(maxInit)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	c := &connection{WebSocket: s, conn: conn, ctx: ctx, cancel: cancel, handshake: r, header: header, running: make(map[string]*operation)}
	c.serve() //nolint:contextcheck // the connection's
	cancel()
	c.operations.Wait()
	c.lasting.Wait()
}

// connection is a connection of a client.
type connection struct {
	*WebSocket

	conn      *websocket.Conn
	ctx       context.Context //nolint:containedctx // the connection's
	cancel    context.CancelFunc
	handshake *http.Request
	header    http.Header // of responses, from the handlers before
	// authorization is the header Authorization of operations.
	authorization string

	// lasting is the request for the connection, and operations are those of its operations.
	lasting, operations sync.WaitGroup

	sending  sync.Mutex // held while a message is sent
	mu       sync.Mutex
	running  map[string]*operation // by their ids
	draining bool
}

// close closes the connection with a reason for the client.
func (c *connection) close(code websocket.StatusCode, reason string) { _ = c.conn.Close(code, reason) }

// serve reads messages until the connection ends.
func (c *connection) serve() {
	if c.conn.Subprotocol() != subprotocol {
		c.close(closeSubprotocol, "Subprotocol not acceptable: use "+subprotocol)
		return
	}
	go c.drain()
	tooLate := time.AfterFunc(initTimeout, func() { c.close(closeInitTimeout, "Connection initialisation timeout") })
	initialized := c.initialize()
	if !tooLate.Stop() || !initialized {
		return
	}
	c.conn.SetReadLimit(c.MaxMessage)
	go c.keepAlive()
	for c.handle(c.read()) {
	}
}

// read returns the next message, without a type if the connection ends.
func (c *connection) read() (m message) {
	kind, text, err := c.conn.Read(c.ctx)
	if err != nil {
		return message{}
	}
	if kind != websocket.MessageText || json.Unmarshal(text, &m) != nil || m.Type == "" {
		c.close(closeBadRequest, "Invalid message received")
		return message{}
	}
	return m
}

// write sends a message. If that fails, the connection ends: the client does not read.
func (c *connection) write(m message) error {
	// Values of ClickFunnels are sent as they are, except that a message is valid UTF-8.
	text, err := json.Marshal(m, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if err == nil {
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
		c.sending.Lock()
		defer c.sending.Unlock()
		ctx, cancel := context.WithTimeout(c.ctx, streamWriteTimeout+time.Duration(len(text)/minRate)*time.Second)
		defer cancel()
		err = c.conn.Write(ctx, websocket.MessageText, text)
	}
	if err != nil {
		c.cancel()
	}
	return err
}

// initialize authenticates the client by its first message. It reports whether the client may send
// operations.
func (c *connection) initialize() bool {
	for {
		switch m := c.read(); m.Type {
		case "":
			return false
		case ping:
			_ = c.write(message{Type: pong})
		case pong:
		case connectionInit:
			var err error
			if c.authorization, err = authorizationOf(m.Payload); err != nil {
				c.close(closeBadRequest, err.Error())
				return false
			}
			return c.connect()
		case subscribe, complete:
			c.close(closeUnauthorized, "Unauthorized: send "+connectionInit+" first")
			return false
		default:
			c.close(closeBadRequest, "Invalid message received")
			return false
		}
	}
}

var errInit = errors.New("the payload of connection_init must be an object, with Authorization as a string")

// authorizationOf returns the header Authorization in the payload of connection_init, "" without one.
// Its name may be in lower case.
func authorizationOf(payload jsontext.Value) (string, error) {
	if len(payload) == 0 || payload.Kind() == 'n' {
		return "", nil
	}
	var fields struct {
		Authorization string `json:"Authorization,case:ignore"`
	}
	if json.Unmarshal(payload, &fields) != nil || strings.ContainsFunc(fields.Authorization, func(r rune) bool { return r < ' ' }) {
		return "", errInit
	}
	return fields.Authorization, nil
}

// connect begins the request for the connection. It reports whether the client is admitted.
func (c *connection) connect() bool {
	w := &exchange{header: c.header.Clone(), began: make(chan struct{})}
	ended := make(chan struct{})
	c.lasting.Go(func() {
		defer close(ended)
		defer c.recover()
		c.Connections.ServeHTTP(w, c.request(c.ctx, http.MethodGet, nil))
	})
	select {
	case <-w.began:
		return c.write(message{Type: connectionAck}) == nil
	case <-ended:
	}
	code := closeForbidden
	if w.status == http.StatusTooManyRequests || w.status >= http.StatusInternalServerError {
		code = websocket.StatusTryAgainLater
	}
	c.close(code, reasonOf(w.body))
	return false
}

// maxReason is the maximum length of the reason for a close, in bytes (RFC 6455).
const maxReason = 123

// reasonOf returns the message of a refusal.
func reasonOf(body []byte) string {
	var refused struct {
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	reason := "Forbidden"
	if json.Unmarshal(body, &refused) == nil && len(refused.Errors) > 0 {
		reason = refused.Errors[0].Message
	}
	return shortened(reason, maxReason)
}

// shortened returns the beginning of a text, of at most so many bytes.
func shortened(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// carried are the headers of the handshake that the requests of the connection have as well. The URL's
// parameters are left out, because URLs are logged.
var carried = []string{"Authorization", "Cookie", "Origin", "Sec-Fetch-Site", "User-Agent"}

// request returns a request of the client.
func (c *connection) request(ctx context.Context, method string, body []byte) *http.Request {
	r := c.handshake.Clone(context.WithValue(ctx, connectionKey{}, true))
	r.Method, r.Body, r.ContentLength = method, io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.URL.RawQuery, r.RequestURI = "", r.URL.Path
	r.Header = http.Header{"Content-Type": {legacyJSON}, "Accept": {eventStream}}
	for _, name := range carried {
		if values := c.handshake.Header[name]; len(values) > 0 {
			r.Header[name] = values
		}
	}
	if c.authorization != "" {
		r.Header.Set("Authorization", c.authorization)
	}
	return r
}

type connectionKey struct{}

// isConnection reports whether a request is the one for a connection.
func isConnection(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Context().Value(connectionKey{}) != nil
}

// hold admits a connection, and lasts as long as it does.
func (a *answer) hold(ctx context.Context) {
	release, ok := a.Streams.connections.acquire(ctx, a.Scope(ctx), a.MayStream)
	if !ok {
		a.write(encode(http.StatusTooManyRequests, tooManyStreams()))
		return
	}
	defer release()
	a.written = true
	a.w.WriteHeader(http.StatusOK)
	<-ctx.Done()
}

// handle handles a message of an initialized connection. It returns false at the end.
func (c *connection) handle(m message) bool {
	switch m.Type {
	case "":
		return false
	case ping:
		return c.write(message{Type: pong, Payload: m.Payload}) == nil
	case pong:
	case subscribe:
		return c.start(m)
	case complete:
		if o := c.remove(m.ID, nil); o != nil {
			o.cancel()
		}
	case connectionInit:
		c.close(closeTooManyInits, "Too many initialisation requests")
		return false
	default:
		c.close(closeBadRequest, "Invalid message received")
		return false
	}
	return true
}

// keepAlive pings the client, and ends the connection if there is no pong. A message that is being sent
// shows as well whether the client is there.
func (c *connection) keepAlive() {
	ticker := time.NewTicker(keepAliveInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-c.ctx.Done():
			return
		}
		if !c.sending.TryLock() {
			continue
		}
		c.sending.Unlock()
		ctx, cancel := context.WithTimeout(c.ctx, streamWriteTimeout)
		err := c.conn.Ping(ctx)
		cancel()
		if err != nil {
			c.cancel()
			return
		}
	}
}

// drain closes the connection when the server ends. Queries and mutations that run are completed before
// that; subscriptions end by themselves.
func (c *connection) drain() {
	select {
	case <-c.Draining:
	case <-c.ctx.Done():
		return
	}
	c.mu.Lock()
	c.draining = true
	c.mu.Unlock()
	c.operations.Wait()
	c.close(websocket.StatusServiceRestart, "The server ends: connect again")
}

// operation is a running operation of a connection.
type operation struct {
	id     string
	cancel context.CancelFunc
}

// remove forgets an operation, and returns it. If only is not nil, it removes no other operation with
// the same id.
func (c *connection) remove(id string, only *operation) *operation {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.running[id]
	if o == nil || only != nil && o != only {
		return nil
	}
	delete(c.running, id)
	return o
}

// start begins an operation. It returns false if the client breaks the protocol.
func (c *connection) start(m message) bool {
	ctx, cancel := context.WithCancel(c.ctx)
	o := &operation{id: m.ID, cancel: cancel}
	c.mu.Lock()
	_, exists := c.running[m.ID]
	switch {
	case c.draining:
		c.mu.Unlock()
		cancel()
		return true // the connection is about to be closed
	case m.ID == "" || exists || len(c.running) >= maxOperations:
		c.mu.Unlock()
		cancel()
		return c.refuseStart(m.ID, exists)
	}
	c.running[m.ID] = o
	defer c.mu.Unlock() // none begins once the connection drains
	c.operations.Go(func() {
		defer cancel()
		c.run(ctx, o, m.Payload)
	})
	return true
}

// refuseStart refuses an operation. It returns false if that ends the connection.
func (c *connection) refuseStart(id string, exists bool) bool {
	switch {
	case id == "":
		c.close(closeBadRequest, "Invalid message received: "+subscribe+" needs an id")
		return false
	case exists:
		c.close(closeDuplicate, "Subscriber for "+shortened(id, maxReason/2)+" already exists")
		return false
	}
	refused := refusal("There are too many operations at once on this connection: end one of them, or open another connection.")
	payload, err := json.Marshal(refused.Errors)
	return err == nil && c.write(message{ID: id, Type: failed, Payload: payload}) == nil
}

// run executes an operation.
func (c *connection) run(ctx context.Context, o *operation, payload []byte) {
	w := &exchange{header: c.header.Clone(), send: func(m message) error { //nolint:contextcheck // the connection's
		if m.Type != next && c.remove(o.id, o) == nil || m.Type == next && !c.isRunning(o) {
			return nil // it has ended
		}
		m.ID = o.id
		return c.write(m)
	}}
	func() {
		defer c.recover()
		c.Operations.ServeHTTP(w, c.request(ctx, http.MethodPost, payload))
	}()
	if w.status != 0 && !w.isStream() { // the request was refused
		_ = w.finish(w.body)
	}
	c.remove(o.id, o) // the server drains, or the client is gone
}

func (c *connection) isRunning(o *operation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running[o.id] == o
}

// recover recovers from the panic of a handler. It closes the connection, unless the handler only ended
// its response early.
func (c *connection) recover() {
	v := recover()
	if v == nil || v == http.ErrAbortHandler { //nolint:errorlint,err113 // as net/http does
		return
	}
	slog.ErrorContext(c.ctx, "panic", "error", v, "stack", string(debug.Stack()))
	c.close(websocket.StatusInternalError, "Internal server error")
}

// exchange is the response to a request of a connection. It turns the events of a stream into messages.
type exchange struct {
	header http.Header
	status int
	began  chan struct{} // closed at the status 200, if not nil
	send   func(message) error
	body   []byte // of a response that is no stream, or the event that is not complete yet
}

// Header implements [http.ResponseWriter].
func (w *exchange) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *exchange) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	if w.began != nil && status == http.StatusOK {
		close(w.began)
	}
}

// isStream reports whether the response is a stream of events.
func (w *exchange) isStream() bool {
	return strings.HasPrefix(w.header.Get("Content-Type"), eventStream)
}

// Write implements [http.ResponseWriter]. It fails if the client does not read.
func (w *exchange) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, b...)
	if !w.isStream() {
		return len(b), nil
	}
	for {
		event, rest, ok := bytes.Cut(w.body, []byte("\n\n"))
		if !ok {
			return len(b), nil
		}
		w.body = rest
		if err := w.event(event); err != nil {
			return 0, err
		}
	}
}

// FlushError implements the flushing of [http.ResponseController].
func (w *exchange) FlushError() error { return nil }

// event sends an event of a stream as a message. A result without data is an error.
func (w *exchange) event(text []byte) error {
	var name string
	var data []byte
	for line := range bytes.Lines(text) {
		field, value, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), ":")
		switch value = strings.TrimPrefix(value, " "); field {
		case "event":
			name = value
		case "data":
			data = []byte(value)
		}
	}
	switch {
	case name == complete:
		return w.send(message{Type: complete})
	case name == "": // a comment
		return nil
	case bytes.HasPrefix(data, []byte(`{"errors":`)):
		return w.finish(data)
	}
	return w.send(message{Type: next, Payload: data})
}

// finish sends a response without data. It ends the operation, unless more results follow.
func (w *exchange) finish(response []byte) error {
	var result struct {
		Errors  jsontext.Value `json:"errors"`
		HasNext bool           `json:"hasNext"`
	}
	if err := json.Unmarshal(response, &result, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)); err != nil {
		return err
	}
	if result.HasNext {
		return w.send(message{Type: next, Payload: response})
	}
	return w.send(message{Type: failed, Payload: result.Errors})
}
