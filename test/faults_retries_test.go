package test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// contactsQuery lists contacts with one call.
const contactsQuery = `{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 2) { nodes { rawId } } } }`

// failContacts answers the first n calls for contacts with fault, or all of them if n is
// negative.
func failContacts(n int, fault http.HandlerFunc) envOption {
	var mu sync.Mutex
	return withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		mu.Lock()
		defer mu.Unlock()
		if !strings.HasSuffix(path, "/contacts") || n == 0 {
			return false
		}
		n--
		fault(w, r)
		return true
	})
}

// TestTransientFailuresAreRetried fails the first attempt in ways that may be temporary.
func TestTransientFailuresAreRetried(t *testing.T) {
	for name, fault := range map[string]http.HandlerFunc{
		"408": answer(408, "text/plain", ""), "425": answer(425, "text/plain", ""),
		"500":                  answer(500, "application/json", `{"error":"oops"}`),
		"520":                  answer(520, "text/html", badGateway),
		"527":                  answer(527, "text/html", badGateway),
		"530":                  answer(530, "text/html", badGateway),
		"an HTML page":         answer(200, "text/html", badGateway),
		"broken JSON":          answer(200, "application/json", `[{"id": 1, "email_address": "a@`),
		"an object for a list": answer(200, "application/json", `{"error": "maintenance"}`),
		"an empty body":        answer(200, "application/json", ``),
		"null":                 answer(200, "application/json", `null`),
		"a truncated body":     answer(200, "application/json", `[`),
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, failContacts(1, fault))
			e.must(contactsQuery)
			if calls := e.callsOf(demo.Token); len(calls) != 2 {
				t.Errorf("calls %q, want two", calls)
			}
		})
	}
}

// TestUnreadableResponseIsNeverCached sends a page in place of JSON until the retries of one
// client are used up. The next client gets a new response, which is cached.
func TestUnreadableResponseIsNeverCached(t *testing.T) {
	e := newEnv(t, withCache(time.Minute), failContacts(2, answer(200, "text/html", badGateway)))
	if r := e.query(contactsQuery); r.code("workspace.contacts") != "UPSTREAM_UNAVAILABLE" || len(e.take(demo.Token)) != 2 {
		t.Errorf("want UPSTREAM_UNAVAILABLE after two calls, got %s", r.raw)
	}
	e.must(contactsQuery)
	if calls := e.take(demo.Token); len(calls) != 1 {
		t.Errorf("calls %q, want one", calls)
	}
	e.must(contactsQuery)
	if calls := e.take(demo.Token); len(calls) != 0 {
		t.Errorf("calls %q, want none", calls)
	}
}

// TestFailingTokenDoesNotAffectOthers fails every call of one token. Queries with another token
// to the same hosts are answered.
func TestFailingTokenDoesNotAffectOthers(t *testing.T) {
	const bad, good = demo.Token + "-bad", demo.Token + "-good"
	for _, status := range []int{429, 502} {
		e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, _ string) bool {
			if r.Header.Get("Authorization") != "Bearer "+bad {
				return false
			}
			answer(status, "application/json", `{}`)(w, r)
			return true
		}))
		var wait sync.WaitGroup
		for i := range 120 { // each query is different, so that none is shared
			wait.Go(func() {
				if r := e.queryAs(bad, fmt.Sprintf(`{ team(id: "%d") { name } }`, i+1)); len(r.Errors) != 1 {
					t.Errorf("want one error, got %s", r.raw)
				}
			})
		}
		wait.Wait()
		if r := e.queryAs(good, nested); len(r.Errors) > 0 {
			t.Errorf("want no errors for the other token after %d, got %+v", status, r.Errors)
		}
	}
}

// TestRetryAfterIsBounded has ClickFunnels ask for a day. Clients are told to retry after
// minutes.
func TestRetryAfterIsBounded(t *testing.T) {
	tomorrow := time.Now().Add(24 * time.Hour)
	for _, header := range []string{"86400", tomorrow.UTC().Format(http.TimeFormat), fmt.Sprint(tomorrow.Unix())} {
		e := newEnv(t, failContacts(-1, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", header)
			answer(429, "application/json", `{"error":"Too many"}`)(w, r)
		}))
		r := e.query(contactsQuery)
		if r.code("workspace.contacts") != "RATE_LIMITED" || r.Errors[0].Extensions["retryAfter"] != 120.0 {
			t.Errorf("Retry-After: %s: want RATE_LIMITED with retryAfter 120, got %s", header, r.raw)
		}
	}
}

// TestOneProbeFollowsRetryAfter makes many queries wait for one second, as Retry-After asks.
// One call goes first, and the others follow its response.
func TestOneProbeFollowsRetryAfter(t *testing.T) {
	const takes = 200 * time.Millisecond
	var mu sync.Mutex
	var began []time.Time
	var until time.Time
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, _ string) bool {
		mu.Lock()
		began = append(began, time.Now())
		first := len(began) == 1
		mu.Unlock()
		if first {
			w.Header().Set("Retry-After", "1")
			answer(429, "application/json", `{}`)(w, r)
			return true
		}
		time.Sleep(takes)
		return false
	}))
	var wait sync.WaitGroup
	ask := func(i int) {
		wait.Go(func() { e.query(fmt.Sprintf(`{ team(id: "%d") { name } }`, i+1)) })
	}
	ask(0)
	for ; until.IsZero(); time.Sleep(time.Millisecond) {
		mu.Lock()
		if len(began) > 0 {
			until = began[0].Add(time.Second)
		}
		mu.Unlock()
	}
	for e.client.Stats().InFlight > 0 { // until the 429 has arrived
		time.Sleep(time.Millisecond)
	}
	for i := range 20 {
		ask(i + 1)
	}
	wait.Wait()
	if len(began) != 22 {
		t.Fatalf("%d calls, want 22", len(began))
	}
	slices.SortFunc(began, time.Time.Compare)
	if began[1].Before(until) || began[2].Sub(began[1]) < takes {
		t.Errorf("want one call after %s and the next one after its response, got calls at %s and %s", until, began[1], began[2])
	}
}
