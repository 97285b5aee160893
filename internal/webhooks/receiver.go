// Package webhooks receives the webhooks of ClickFunnels.
package webhooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Secret is a secret with which ClickFunnels signs deliveries. It prints and logs as "***".
type Secret string

// Format implements [fmt.Formatter] for every verb without revealing the secret.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "***") }

// MarshalText implements [encoding.TextMarshaler] without revealing the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// LogValue implements [slog.LogValuer] without revealing the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("***") }

// Webhook is an endpoint that ClickFunnels sends the events of a workspace to.
type Webhook struct {
	Name string
	// Workspace is the workspace's raw id.
	Workspace string
	// Token is a token that reaches the workspace.
	Token upstream.Token
	// Secrets sign the deliveries. There are several during a rotation.
	Secrets []Secret
}

// Path is the path of the endpoint, with the name of the webhook as its wildcard.
const Path = "/webhooks/{name}"

// Receiver receives deliveries. It is an [http.Handler] and safe for concurrent use.
type Receiver struct {
	// Find returns a webhook by its name.
	Find func(name string) (Webhook, bool)
	// Handle processes an event. It may get the same event several times. If it fails, ClickFunnels
	// delivers the event again. It must be safe for concurrent use.
	Handle func(ctx context.Context, hook Webhook, e Event) error
	// Received, if not nil, is called with the status of each response.
	Received func(status int)
	// MaxBody limits the body of a delivery, in bytes.
	MaxBody int64

	mu sync.Mutex
	// warned is when a refused signature of each webhook was last logged.
	warned map[string]time.Time
}

// warnInterval is the minimum time between two warnings about the signatures of a webhook.
const warnInterval = time.Minute

// warnOfSignature logs a refused signature. Anybody can send one, so that most are not logged.
func (r *Receiver) warnOfSignature(ctx context.Context, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.warned[name]) < warnInterval {
		return
	}
	if r.warned == nil {
		r.warned = make(map[string]time.Time)
	}
	r.warned[name] = time.Now()
	slog.WarnContext(ctx, "a webhook was refused: check its secret in the access file, and the clock", "webhook", name)
}

// ServeHTTP implements [http.Handler] for POST requests to [Path]. It answers 204 once the event
// is processed, so that ClickFunnels delivers it again if this process ends before that.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	status, text := r.receive(w, request)
	if r.Received != nil {
		r.Received(status)
	}
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	http.Error(w, text, status)
}

// receive processes a request. It returns the status and the text of the response.
func (r *Receiver) receive(w http.ResponseWriter, request *http.Request) (status int, text string) {
	hook, ok := r.Find(request.PathValue("name"))
	if !ok {
		return http.StatusNotFound, "There is no such webhook."
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, r.MaxBody))
	if err != nil {
		status := http.StatusBadRequest
		if _, isLarge := errors.AsType[*http.MaxBytesError](err); isLarge {
			status = http.StatusRequestEntityTooLarge
		}
		return status, "The body cannot be read, or is too large."
	}
	if !isSigned(request.Header, hook.Secrets, body, time.Now()) {
		r.warnOfSignature(request.Context(), hook.Name)
		return http.StatusUnauthorized, "The signature or its timestamp is not valid."
	}
	event, err := Parse(body, hook.Workspace)
	switch {
	case errors.Is(err, errOtherWorkspace):
		slog.WarnContext(request.Context(), "a webhook was sent an event of another workspace", "webhook", hook.Name)
		return http.StatusForbidden, "The event belongs to another workspace."
	case err != nil:
		slog.WarnContext(request.Context(), "a webhook sent a body that is not an event", "webhook", hook.Name)
		return http.StatusBadRequest, "The body is not an event of ClickFunnels."
	}
	if err := r.Handle(request.Context(), hook, event); err != nil {
		slog.ErrorContext(request.Context(), "an event could not be processed", "webhook", hook.Name, "type", event.Type, "error", err)
		return http.StatusServiceUnavailable, "The event could not be processed. Deliver it again."
	}
	return http.StatusNoContent, ""
}
