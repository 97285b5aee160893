package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// script is a [http.RoundTripper] that plays scripted steps for each host, one for each call. The
// last step repeats.
type script struct {
	mu    sync.Mutex
	steps map[string][]step
	calls map[string][]time.Time
	sent  []string
}

// step is the scripted result of a call.
type step struct {
	status     int
	retryAfter string
	body       string
	takes      time.Duration
	err        error
	// unconnected reports that the error occurs before there is a connection.
	unconnected bool
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	steps := s.steps[r.URL.Host]
	now := steps[0]
	if len(steps) > 1 {
		s.steps[r.URL.Host] = steps[1:]
	}
	s.calls[r.URL.Host] = append(s.calls[r.URL.Host], time.Now())
	if r.Body != nil {
		content, _ := io.ReadAll(r.Body)
		s.sent = append(s.sent, string(content))
	}
	s.mu.Unlock()
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && !now.unconnected {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	select {
	case <-time.After(now.takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if now.err != nil {
		return nil, now.err
	}
	resp := &http.Response{StatusCode: now.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(now.body))}
	if now.retryAfter != "" {
		resp.Header.Set("Retry-After", now.retryAfter)
	}
	return resp, nil
}

const (
	teamJSON    = `{"id":1,"name":"Acme"}`
	contactJSON = `{"id":7,"workspace_id":101,"email_address":"a@example.com"}`
	badGateway  = `<html><body>502 Bad Gateway</body></html>`
)

var (
	good             = step{status: 200, body: teamJSON}
	brokenConnection = step{err: io.ErrUnexpectedEOF}
	dialError        = step{err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}, unconnected: true}
)

// scriptedClient returns a client with the given steps for the accounts host.
func scriptedClient(t *testing.T, cfg Config, steps ...step) (*Client, *script) {
	t.Helper()
	s := &script{steps: map[string][]step{"accounts.myclickfunnels.com": steps}, calls: make(map[string][]time.Time)}
	cfg.Transport = s
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c.WithToken("secret"), s
}

func repeat[T any](n int, v T) []T {
	all := make([]T, n)
	for i := range all {
		all[i] = v
	}
	return all
}

// TestReadsAreRetried fails reads in many ways. Only failures that may pass are retried.
func TestReadsAreRetried(t *testing.T) {
	for _, test := range []struct {
		name  string
		steps []step
		calls int
		code  Code // of the error; empty for none
		least time.Duration
		most  time.Duration
	}{
		{"429", []step{{status: 429}, good}, 2, "", 0, 50 * time.Millisecond},
		{"429 with seconds", []step{{status: 429, retryAfter: "3"}, good}, 2, "", 3 * time.Second, 3 * time.Second},
		{"429 with a date", []step{{status: 429, retryAfter: "Sat, 01 Jan 2000 00:00:09 GMT"}, good}, 2, "", 9 * time.Second, 9 * time.Second},
		{"429 with seconds in the body", []step{{status: 429, body: `{"error":"Too many","retry_after":2}`}, good}, 2, "", 2 * time.Second, 2 * time.Second},
		{"429 beyond the deadline", []step{{status: 429, retryAfter: "61"}, good}, 1, RateLimited, 0, 0},
		{"502 with an HTML page", []step{{status: 502, body: badGateway}, good}, 2, "", 0, 50 * time.Millisecond},
		{"503", []step{{status: 503}, good}, 2, "", 0, 50 * time.Millisecond},
		{"504", []step{{status: 504}, good}, 2, "", 0, 50 * time.Millisecond},
		{"connection breaks", []step{brokenConnection, good}, 2, "", 0, 50 * time.Millisecond},
		{"no connection", []step{dialError, good}, 2, "", 0, 50 * time.Millisecond},
		{"hangs once", []step{{takes: time.Hour}, good}, 2, "", 4 * time.Second, 4*time.Second + 50*time.Millisecond},
		{"hangs", []step{{takes: time.Hour}}, 3, Timeout, 12 * time.Second, 13 * time.Second},
		{"always 429", []step{{status: 429}}, 8, RateLimited, 0, 5 * time.Second},
		{"always 502", []step{{status: 502}}, 8, Unavailable, 0, 5 * time.Second},
		{"seven failures, then success", append(repeat(7, step{status: 502}), good), 8, "", 0, 5 * time.Second},
		{"500", []step{{status: 500}, good}, 2, "", 0, 50 * time.Millisecond},
		{"always 500", []step{{status: 500}}, 3, Unavailable, 0, 150 * time.Millisecond},
		{"408", []step{{status: 408}, good}, 2, "", 0, 50 * time.Millisecond},
		{"425", []step{{status: 425}, good}, 2, "", 0, 50 * time.Millisecond},
		{"always 425", []step{{status: 425}}, 8, Unavailable, 0, 5 * time.Second},
		{"520", []step{{status: 520, body: badGateway}, good}, 2, "", 0, 50 * time.Millisecond},
		{"524", []step{{status: 524}, good}, 2, "", 0, 50 * time.Millisecond},
		{"527", []step{{status: 527}, good}, 2, "", 0, 50 * time.Millisecond},
		{"530", []step{{status: 530}, good}, 2, "", 0, 50 * time.Millisecond},
		{"528", []step{{status: 528}, good}, 1, Unavailable, 0, 0},
		{"501", []step{{status: 501}, good}, 1, Unavailable, 0, 0},
		{"422", []step{{status: 422, body: `{"error":"This filter took longer than 10s"}`}, good}, 1, BadUserInput, 0, 0},
		{"401", []step{{status: 401}, good}, 1, Unauthenticated, 0, 0},
		{"404", []step{{status: 404}, good}, 1, NotFound, 0, 0},
		{"200 with broken JSON", []step{{status: 200, body: `{"id":`}, good}, 2, "", 0, 0},
		{"200 with an HTML page", []step{{status: 200, body: badGateway}, good}, 2, "", 0, 0},
		{"200 with another shape", []step{{status: 200, body: `[]`}, good}, 2, "", 0, 0},
		{"200 without a record", []step{{status: 200, body: `{"error":"maintenance"}`}, good}, 2, "", 0, 0},
		{"200 without a body", []step{{status: 200}, good}, 2, "", 0, 0},
		{"always 200 with an HTML page", []step{{status: 200, body: badGateway}}, 2, Unavailable, 0, 0},
		{"200 with an HTML page, then 502", []step{{status: 200, body: badGateway}, {status: 502}, good}, 3, "", 0, 50 * time.Millisecond},
		{"untrusted certificate", []step{{err: &tls.CertificateVerificationError{Err: errors.New("x")}}, good}, 1, Unavailable, 0, 0},
		{"slow 503", []step{{status: 503, takes: 3900 * time.Millisecond}}, 3, Unavailable, 11 * time.Second, 13 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := scriptedClient(t, Config{CallTimeout: 4 * time.Second}, test.steps...)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				_, err := c.Team(ctx, "1")
				took := time.Since(began)
				if calls := len(s.calls["accounts.myclickfunnels.com"]); calls != test.calls {
					t.Errorf("%d calls, want %d", calls, test.calls)
				}
				if (err == nil) != (test.code == "") || test.code != "" && !errors.Is(err, test.code) {
					t.Errorf("error %v, want %q", err, test.code)
				}
				if took < test.least || took > test.most {
					t.Errorf("duration %s, want %s to %s", took, test.least, test.most)
				}
			})
		})
	}
}

// TestVerySlowFailureIsRetriedOnce fails a read after 20 s.
func TestVerySlowFailureIsRetriedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scriptedClient(t, Config{}, step{status: 503, takes: 20 * time.Second})
		if _, err := c.Team(t.Context(), "1"); !errors.Is(err, Unavailable) {
			t.Error(err)
		}
		if calls := len(s.calls["accounts.myclickfunnels.com"]); calls != 2 {
			t.Errorf("%d calls, want 2", calls)
		}
	})
}

// TestWritesAreRetriedOnlyWhenSafe fails creates and upserts in many ways. A create is retried only
// if it has certainly not been carried out. If the outcome is unknown, the error says so.
func TestWritesAreRetriedOnlyWhenSafe(t *testing.T) {
	created := step{status: 201, body: contactJSON}
	for _, test := range []struct {
		name             string
		steps            []step
		creates, upserts int // number of calls
		code             Code
		unknown          bool
		upserted         bool // succeeds although the create fails
	}{
		{"success", []step{created}, 1, 1, "", false, true},
		{"429", []step{{status: 429}, created}, 2, 2, "", false, true},
		{"no connection", []step{dialError, created}, 2, 2, "", false, true},
		{"502", []step{{status: 502}, created}, 1, 2, Unavailable, true, true},
		{"503", []step{{status: 503}, created}, 1, 2, Unavailable, true, true},
		{"504", []step{{status: 504}, created}, 1, 2, Timeout, true, true},
		{"connection breaks", []step{brokenConnection, created}, 1, 2, Unavailable, true, true},
		{"hangs", []step{{takes: time.Hour}, created}, 1, 2, Timeout, true, true},
		{"500", []step{{status: 500}, created}, 1, 2, Unavailable, true, true},
		{"408", []step{{status: 408}, created}, 1, 2, Timeout, true, true},
		{"425", []step{{status: 425}, created}, 1, 2, Unavailable, true, true},
		{"520", []step{{status: 520}, created}, 1, 2, Unavailable, true, true},
		{"501", []step{{status: 501}, created}, 1, 1, Unavailable, true, false},
		{"422", []step{{status: 422, body: `{"error":"Request unprocessable: no"}`}, created}, 1, 1, BadUserInput, false, false},
		{"429, then 502", []step{{status: 429}, {status: 502}, created}, 2, 3, Unavailable, true, true},
		{"unreadable response", []step{{status: 201, body: `{`}, created}, 1, 1, Unavailable, true, false},
		{"always no connection", []step{dialError}, 8, 8, Unavailable, false, false},
		{"always 429", []step{{status: 429}}, 8, 8, RateLimited, false, false},
	} {
		for _, upsert := range []bool{false, true} {
			t.Run(fmt.Sprint(test.name, ", upsert ", upsert), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c, s := scriptedClient(t, Config{CallTimeout: 4 * time.Second})
					s.steps["acme.myclickfunnels.com"] = test.steps
					place := Place{WorkspaceID: "101", Subdomain: "acme"}
					var row *Contact
					var err error
					want := test.creates
					if upsert {
						want = test.upserts
						row, _, err = c.UpsertContact(t.Context(), place, map[string]string{"email_address": "a@example.com"})
					} else {
						row, err = c.CreateContact(t.Context(), place, map[string]string{"email_address": "a@example.com"})
					}
					if calls := len(s.calls["acme.myclickfunnels.com"]); calls != want {
						t.Errorf("%d calls, want %d", calls, want)
					}
					for _, sent := range s.sent {
						if sent != `{"contact":{"email_address":"a@example.com"}}` {
							t.Errorf("sent %q", sent)
						}
					}
					if test.code == "" || upsert && test.upserted {
						if err != nil || row.RawID() != "7" {
							t.Errorf("error %v, row %v", err, row)
						}
						return
					}
					failed, _ := errors.AsType[*Error](err)
					if !errors.Is(err, test.code) || failed == nil || failed.Unknown != test.unknown {
						t.Errorf("error %#v, want %s, unknown %v", err, test.code, test.unknown)
					}
				})
			})
		}
	}
}

// TestOutageIsNotAmplified fails all calls for a while. Retries stay within their budget, and then
// the open breaker allows only occasional probes. Other hosts are unaffected, and recovery is
// noticed.
func TestOutageIsNotAmplified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scriptedClient(t, Config{}, good)
		s.steps["dead.myclickfunnels.com"] = []step{{status: 502}}
		s.steps["fine.myclickfunnels.com"] = []step{{status: 200, body: `[]`}}
		dead, fine := Place{WorkspaceID: "1", Subdomain: "dead"}, Place{WorkspaceID: "2", Subdomain: "fine"}
		ask := func(p Place, n int) (failed, fast int) {
			var wait sync.WaitGroup
			var mu sync.Mutex
			for i := range n {
				wait.Go(func() {
					began := time.Now()
					_, err := c.Contacts(t.Context(), p, Query{After: fmt.Sprint(i + 1)})
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						failed++
						if time.Since(began) == 0 {
							fast++
						}
					}
				})
			}
			wait.Wait()
			return failed, fast
		}
		count := func(host string) int {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.calls[host+".myclickfunnels.com"])
		}
		if failed, _ := ask(dead, 40); failed != 40 {
			t.Errorf("%d calls failed", failed)
		}
		if calls := count("dead"); calls > 40+40/2+retryReserve {
			t.Errorf("%d attempts at 40 calls", calls)
		}
		before := count("dead")
		if failed, fast := ask(dead, 1000); failed != 1000 || fast != 1000 || count("dead") != before {
			t.Errorf("%d calls failed, %d of them at once, %d attempts", failed, fast, count("dead")-before)
		}
		if failed, _ := ask(fine, 1000); failed != 0 || count("fine") != 1000 {
			t.Errorf("other host: %d calls failed, %d attempts", failed, count("fine"))
		}
		for range 60 { // a minute with ten calls a second
			ask(dead, 10)
			time.Sleep(time.Second)
		}
		if probes := count("dead") - before; probes < 5 || probes > 40 {
			t.Errorf("%d probes in a minute", probes)
		}
		s.mu.Lock()
		s.steps["dead.myclickfunnels.com"] = []step{{status: 200, body: `[]`}}
		s.mu.Unlock()
		time.Sleep(breakerDelay * 2)
		if failed, _ := ask(dead, 1); failed != 0 {
			t.Error("the recovered host is not called")
		}
		if failed, _ := ask(dead, 100); failed != 0 {
			t.Errorf("%d calls to the recovered host failed", failed)
		}
	})
}

// TestOpenBreakerReportsRetryAfter checks that a refused call's error tells when to retry.
func TestOpenBreakerReportsRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scriptedClient(t, Config{Attempts: 1}, step{status: 502})
		for range breakerMinCalls {
			_, _ = c.Team(t.Context(), "1")
		}
		before := len(s.calls["accounts.myclickfunnels.com"])
		_, err := c.Team(t.Context(), "1")
		failed, _ := errors.AsType[*Error](err)
		if failed == nil || failed.Code != Unavailable || failed.RetryAfter < time.Second || failed.RetryAfter > 2*breakerDelay || len(s.calls["accounts.myclickfunnels.com"]) != before {
			t.Errorf("error %#v after %d calls", err, len(s.calls["accounts.myclickfunnels.com"]))
		}
	})
}

// TestCancellationStopsRetries cancels a read while it waits for its next attempt.
func TestCancellationStopsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scriptedClient(t, Config{}, step{status: 429, retryAfter: "30"}, good)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		if _, err := c.Team(ctx, "1"); !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		time.Sleep(time.Minute)
		if calls := len(s.calls["accounts.myclickfunnels.com"]); calls != 1 {
			t.Errorf("%d calls", calls)
		}
	})
}

// TestResponseReadBeforeCancellationCounts cancels the request at the last byte of a create's
// response, after an earlier refusal. The create was carried out and is reported as such.
func TestResponseReadBeforeCancellationCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		c, err := New(Config{Transport: roundTripFunc(func(*http.Request) (*http.Response, error) {
			calls++
			if calls == 1 {
				return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{}, Body: http.NoBody}, nil
			}
			return &http.Response{StatusCode: http.StatusCreated, Header: http.Header{}, Body: &notifyingBody{strings.NewReader(contactJSON), cancel}}, nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		row, err := c.WithToken("secret").CreateContact(ctx, acme, map[string]string{})
		if err != nil || row.RawID() != "7" {
			t.Errorf("%v, %v", row, err)
		}
	})
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// notifyingBody is a body that calls then at its end.
type notifyingBody struct {
	io.Reader
	then func()
}

func (b *notifyingBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil {
		b.then()
	}
	return n, err
}

func (b *notifyingBody) Close() error { return nil }

// TestHangingHostOpensBreaker cancels calls to a hanging host before they time out.
func TestHangingHostOpensBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scriptedClient(t, Config{}, step{takes: time.Hour})
		var wait sync.WaitGroup
		for i := range 10 * breakerMinCalls {
			wait.Go(func() {
				time.Sleep(time.Duration(i) * time.Second / 2)
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				defer cancel()
				if _, err := c.Team(ctx, fmt.Sprint(i+1)); err == nil {
					t.Error("a call succeeded")
				}
			})
		}
		wait.Wait()
		if calls := len(s.calls["accounts.myclickfunnels.com"]); calls > 5*breakerMinCalls {
			t.Errorf("%d calls", calls)
		}
	})
}

// TestPanicDoesNotBlockLaterCalls panics in calls, including the breaker's probe. Each panic fails
// only its own call.
func TestPanicDoesNotBlockLaterCalls(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	defer slog.SetDefault(before)
	synctest.Test(t, func(t *testing.T) {
		panics := true
		c, err := New(Config{Transport: roundTripFunc(func(*http.Request) (*http.Response, error) {
			if panics {
				panic("the inside")
			}
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(teamJSON))}, nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		c = c.WithToken("secret")
		for range 4 * breakerMinCalls {
			if _, err := c.Team(t.Context(), "1"); !errors.Is(err, Unavailable) {
				t.Error(err)
			}
			time.Sleep(time.Second)
		}
		panics = false
		time.Sleep(2 * breakerDelay)
		if _, err := c.Team(t.Context(), "1"); err != nil {
			t.Error(err)
		}
	})
}
