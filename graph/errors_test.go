package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/internal/gqlhttp"
	"github.com/funnelgraph/funnelgraph/upstream"
)

func TestErrorsHaveCodesAndPublicMessages(t *testing.T) {
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(new(bytes.Buffer), nil)))
	refused := upstream.NewError(upstream.Conflict, "It is archived already.")
	for _, test := range []struct {
		err           error
		code, message string
	}{
		{refused, "CONFLICT", "It is archived already."},
		{fmt.Errorf("while archiving: %w", refused), "CONFLICT", "It is archived already."},
		{gqlerror.Wrap(refused), "CONFLICT", "It is archived already."},
		{context.Canceled, "UPSTREAM_TIMEOUT", "The request was given up before it was answered."},
		{gqlerror.Errorf("Cannot query field"), "BAD_USER_INPUT", "Cannot query field"},
		{gqlerror.Wrap(errors.New("dial 10.0.0.1: refused")), "INTERNAL_SERVER_ERROR", internalMessage},
		{errors.New("nil pointer at secret.go:12"), "INTERNAL_SERVER_ERROR", internalMessage},
	} {
		if e := present(t.Context(), test.err); e.Extensions["code"] != test.code || e.Message != test.message {
			t.Errorf("%v: %+v", test.err, e)
		}
	}
}

// TestErrorExtensionsRetryAfterAndOutcome pins two extensions: when to retry, and whether a write
// may have been carried out.
func TestErrorExtensionsRetryAfterAndOutcome(t *testing.T) {
	e := present(t.Context(), &upstream.Error{Code: upstream.RateLimited, Message: "Wait.", RetryAfter: 1500 * time.Millisecond})
	if e.Extensions["retryAfter"] != 2 || e.Extensions["outcome"] != nil {
		t.Errorf("%+v", e.Extensions)
	}
	e = present(t.Context(), &upstream.Error{Code: upstream.Timeout, Message: "Late.", Unknown: true})
	if e.Extensions["outcome"] != "UNKNOWN" || e.Extensions["retryAfter"] != nil {
		t.Errorf("%+v", e.Extensions)
	}
}

// TestPanicIsLoggedAndHidden pins that a panic's value reaches the log but not the client.
func TestPanicIsLoggedAndHidden(t *testing.T) {
	defer slog.SetDefault(slog.Default())
	var logged bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	h := gqlhttp.Handler(gqlhttp.Config{Executor: NewExecutor(func(context.Context) Session { panic("the inside") }, true), Scope: noScope, MaxBody: 1000})
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(`{"query":"{ teams { nodes { id } } }"}`))
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(w, r)
	if body := w.Body.String(); !strings.Contains(body, `"INTERNAL_SERVER_ERROR"`) || strings.Contains(body, "the inside") || w.Code != http.StatusInternalServerError {
		t.Errorf("%d %s", w.Code, body)
	}
	if !strings.Contains(logged.String(), "the inside") {
		t.Error("the log does not say what happened")
	}
}

// TestPanicLogIsBounded pins that a huge panic value and a deep stack are cut in the log.
func TestPanicLogIsBounded(t *testing.T) {
	defer slog.SetDefault(slog.Default())
	var log bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	var deep func(n int)
	deep = func(n int) {
		if n == 0 {
			panic(strings.Repeat("a secret ", 1<<20))
		}
		deep(n - 1)
	}
	func() {
		defer func() { _ = recovered(t.Context(), recover()) }()
		deep(200)
	}()
	if text := log.String(); len(text) > 2*maxStackBytes || !strings.Contains(text, "TestPanicLogIsBounded.func") {
		t.Errorf("%d bytes: %.500s", len(text), text)
	}
}
