package access

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// send sends a request through a handler. It returns the response and sets the caller.
func send(ctx context.Context, h http.Handler, caller **Caller, change func(*http.Request)) *httptest.ResponseRecorder {
	*caller = nil
	w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/graphql", nil)
	r.Host = "localhost:8080"
	change(r)
	h.ServeHTTP(w, r)
	return w
}

func handler(gate Gate, caller **Caller) http.Handler {
	return Handler(gate, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*caller = From(r.Context())
		_, _ = io.WriteString(w, "ok")
	}))
}

func TestGates(t *testing.T) {
	for _, test := range []struct {
		name   string
		gate   Gate
		host   string
		bearer string
		status int
		want   upstream.Token
	}{
		{"pass-through", PassThrough{}, "api.example.com", "Bearer mine", 200, "mine"},
		{"pass-through, any case", PassThrough{}, "api.example.com", "bearer  mine ", 200, "mine"},
		{"another scheme", PassThrough{}, "api.example.com", "Basic mine", 200, ""},
		{"pass-through without", PassThrough{}, "api.example.com", "", 200, ""},
		{"a default", PassThrough{Default: "demo"}, "localhost:8080", "", 200, "demo"},
		{"own before default", PassThrough{Default: "demo"}, "localhost:8080", "Bearer mine", 200, "mine"},
		{"held", Held{Token: "held"}, "127.0.0.1:8080", "Bearer mine", 200, "held"},
		{"held, IPv6", Held{Token: "held"}, "[::1]:8080", "", 200, "held"},
		{"held, no port", Held{Token: "held"}, "[::1]", "", 200, "held"},
		{"held, a rebound name", Held{Token: "held"}, "evil.example:8080", "", 403, ""},
	} {
		var caller *Caller
		w := send(t.Context(), handler(test.gate, &caller), &caller, func(r *http.Request) {
			r.Host = test.host
			r.Header.Set("Authorization", test.bearer)
		})
		if w.Code != test.status || test.status == 200 && string(caller.Token) != string(test.want) || test.status != 200 && caller != nil {
			t.Errorf("%s: %d %s", test.name, w.Code, w.Body)
		}
	}
}

// TestCrossSite refuses requests that a browser sends for a page of another site without a CORS
// preflight.
func TestCrossSite(t *testing.T) {
	for _, test := range []struct {
		name    string
		method  string
		headers []string
		status  int
	}{
		{"no browser", "GET", nil, 200},
		{"this site", "GET", []string{"Sec-Fetch-Site: same-origin"}, 200},
		{"typed in", "GET", []string{"Sec-Fetch-Site: none"}, 200},
		{"another site", "GET", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"a sister site", "GET", []string{"Sec-Fetch-Site: same-site"}, 403},
		{"asked first, own header", "GET", []string{"Sec-Fetch-Site: cross-site", "GraphQL-Require-Preflight: 1"}, 200},
		{"asked first, Apollo", "GET", []string{"Sec-Fetch-Site: cross-site", "Apollo-Require-Preflight: true"}, 200},
		{"asked first, a token", "GET", []string{"Sec-Fetch-Site: cross-site", "Authorization: Bearer x"}, 200},
		{"asked first, JSON", "GET", []string{"Sec-Fetch-Site: cross-site", "Content-Type: application/json"}, 200},
		{"not asked, a form", "GET", []string{"Sec-Fetch-Site: cross-site", "Content-Type: text/plain"}, 403},
		{"POST is for its Content-Type to stop", "POST", []string{"Sec-Fetch-Site: cross-site"}, 200},
	} {
		var caller *Caller
		w := send(t.Context(), handler(PassThrough{}, &caller), &caller, func(r *http.Request) {
			r.Method = test.method
			for _, header := range test.headers {
				name, value, _ := strings.Cut(header, ": ")
				r.Header.Set(name, value)
			}
		})
		if w.Code != test.status {
			t.Errorf("%s: %d %s", test.name, w.Code, w.Body)
		}
	}
	// The CORS handler has allowed it.
	w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/graphql", nil)
	r.Header.Set("Sec-Fetch-Site", "same-site")
	w.Header().Set("Access-Control-Allow-Origin", "http://localhost:3000")
	var caller *Caller
	if handler(PassThrough{}, &caller).ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("let by CORS: %d", w.Code)
	}
}

// TestRateLimit enforces the rate limit, and sends the time of the next attempt.
func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var caller *Caller
		h := handler(PassThrough{Policy: limits.Policy{Limits: limits.Limits{Rate: 60}}}, &caller)
		ask := func(token string) *httptest.ResponseRecorder {
			return send(t.Context(), h, &caller, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) })
		}
		for i := range 6 { // a tenth of 60
			if w := ask("mine"); w.Code != 200 {
				t.Errorf("request %d: %d", i, w.Code)
			}
		}
		w := ask("mine")
		if w.Code != 429 || w.Header().Get("Retry-After") != "1" || w.Body.String() != `{"errors":[{"extensions":{"code":"RATE_LIMITED","retryAfter":1},"message":"This client may send 60 requests a minute."}]}` {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
		if w := ask("another's"); w.Code != 200 {
			t.Errorf("another: %d", w.Code)
		}
		time.Sleep(time.Second)
		if w := ask("mine"); w.Code != 200 {
			t.Errorf("later: %d", w.Code)
		}
		if w := ask("mine"); w.Code != 429 {
			t.Errorf("at once: %d", w.Code)
		}
		measured := handler(PassThrough{Policy: limits.Policy{Limits: limits.Limits{Rate: 1}, Measure: true}}, &caller)
		for range 5 {
			if w := send(t.Context(), measured, &caller, func(*http.Request) {}); w.Code != 200 {
				t.Errorf("measured: %d", w.Code)
			}
		}
	})
}

// TestContextWithoutCaller checks the caller of a context without one: it has no token and is
// read-only.
func TestContextWithoutCaller(t *testing.T) {
	if c := From(t.Context()); c.Token != "" || !c.ReadOnly {
		t.Errorf("%+v", c)
	}
	if text := fmt.Sprintf("%v %+v %s", &Caller{Token: "hush"}, &Caller{Token: "hush"}, upstream.Token("hush")); strings.Contains(text, "hush") {
		t.Error(text)
	}
}
