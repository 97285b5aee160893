package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/internal/script"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// TestWritesAreRetriedOnlyWhenSafe fails creates and upserts in many ways. A create is retried only
// if it has certainly not been carried out. If the outcome is unknown, the error says so.
func TestWritesAreRetriedOnlyWhenSafe(t *testing.T) {
	created := step{Status: 201, Body: contactJSON}
	for _, test := range []struct {
		name             string
		steps            []step
		creates, upserts int // number of calls
		code             Code
		unknown          bool
		upserted         bool // succeeds although the create fails
	}{
		{"success", []step{created}, 1, 1, "", false, true},
		{"429", []step{{Status: 429}, created}, 2, 2, "", false, true},
		{"no connection", []step{script.DialError, created}, 2, 2, "", false, true},
		{"502", []step{{Status: 502}, created}, 1, 2, Unavailable, true, true},
		{"503", []step{{Status: 503}, created}, 1, 2, Unavailable, true, true},
		{"504", []step{{Status: 504}, created}, 1, 2, Timeout, true, true},
		{"connection breaks", []step{script.BrokenConnection, created}, 1, 2, Unavailable, true, true},
		{"hangs", []step{{Takes: time.Hour}, created}, 1, 2, Timeout, true, true},
		{"500", []step{{Status: 500}, created}, 1, 2, Unavailable, true, true},
		{"408", []step{{Status: 408}, created}, 1, 2, Timeout, true, true},
		{"425", []step{{Status: 425}, created}, 1, 2, Unavailable, true, true},
		{"520", []step{{Status: 520}, created}, 1, 2, Unavailable, true, true},
		{"501", []step{{Status: 501}, created}, 1, 1, Unavailable, true, false},
		{"422", []step{{Status: 422, Body: `{"error":"Request unprocessable: no"}`}, created}, 1, 1, BadUserInput, false, false},
		{"429, then 502", []step{{Status: 429}, {Status: 502}, created}, 2, 3, Unavailable, true, true},
		{"unreadable response", []step{{Status: 201, Body: `{`}, created}, 1, 1, Unavailable, true, false},
		{"always no connection", []step{script.DialError}, 8, 8, Unavailable, false, false},
		{"always 429", []step{{Status: 429}}, 8, 8, RateLimited, false, false},
	} {
		for _, upsert := range []bool{false, true} {
			t.Run(fmt.Sprint(test.name, ", upsert ", upsert), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c, s := scriptedClient(t, Config{Transport: transport.Config{CallTimeout: 4 * time.Second}})
					s.Play(acmeHost, test.steps...)
					var row *Contact
					var err error
					want := test.creates
					if upsert {
						want = test.upserts
						row, _, err = c.UpsertContact(t.Context(), acme, map[string]string{"email_address": "a@example.com"})
					} else {
						row, err = c.CreateContact(t.Context(), acme, map[string]string{"email_address": "a@example.com"})
					}
					if calls := len(s.Calls(acmeHost)); calls != want {
						t.Errorf("%d calls, want %d", calls, want)
					}
					for _, sent := range s.Sent() {
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

// TestResponseReadBeforeCancellationCounts cancels the request at the last byte of a create's
// response, after an earlier refusal. The create was carried out and is reported as such.
func TestResponseReadBeforeCancellationCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		c, err := New(Config{Transport: transport.Config{RoundTripper: script.Func(func(*http.Request) (*http.Response, error) {
			calls++
			if calls == 1 {
				return script.Answer(http.StatusTooManyRequests, ""), nil
			}
			return &http.Response{StatusCode: http.StatusCreated, Header: http.Header{}, Body: &notifyingBody{strings.NewReader(contactJSON), cancel}}, nil
		})}})
		if err != nil {
			t.Fatal(err)
		}
		row, err := c.WithToken("secret").CreateContact(ctx, acme, map[string]string{})
		if err != nil || row.RawID() != "7" {
			t.Errorf("%v, %v", row, err)
		}
	})
}

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
