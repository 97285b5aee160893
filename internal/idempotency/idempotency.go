// Package idempotency executes a request with an idempotency key once. A repeated request gets the
// first answer, also if the first client has lost its connection.
//
// It follows draft-ietf-httpapi-idempotency-key-header. A key that cannot be trusted is never
// executed again: the request then fails, and its error says what to check.
package idempotency

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/flight"
	"github.com/funnelgraph/funnelgraph/upstream"
)

const (
	// Header is the request header with the key.
	Header = "Idempotency-Key"
	// ReplayedHeader is the response header of a repeated answer. Its value is true.
	ReplayedHeader = "Idempotency-Replayed"
	// Retention is how long a key and its answer are kept.
	Retention = 24 * time.Hour
	// MaxAnswer is the size of the largest answer that is kept, in bytes.
	MaxAnswer = 256 << 10
	// maxKey is the maximum length of a key, in bytes.
	maxKey = 255
)

// Key returns the key of a request; empty if it has none. The key may be in quotes, as the draft
// writes it, or without.
func Key(header http.Header) (string, error) {
	lines := header.Values(Header)
	if len(lines) == 0 {
		return "", nil
	}
	key := lines[0]
	if quoted, ok := strings.CutPrefix(key, `"`); ok {
		if key, ok = strings.CutSuffix(quoted, `"`); !ok {
			key = ""
		}
	}
	unprintable := func(c rune) bool { return c < ' ' || c > '~' }
	if len(lines) > 1 || key == "" || len(key) > maxKey || strings.ContainsFunc(key, unprintable) {
		return "", upstream.NewError(upstream.BadUserInput, Header+" must be one key of 1 to 255 printable ASCII characters, such as a random UUID.")
	}
	return key, nil
}

// Caller is the sender of a request.
type Caller struct {
	// ID identifies the caller. A caller never gets an answer to another.
	ID string
	// Rights identify what the caller may see. An answer is kept encrypted with them, so that a
	// caller whose rights have changed cannot get it.
	Rights string
	// Timeout is how long the execution of a request can take; 0 means no limit.
	Timeout time.Duration
}

// Request is a request with a key.
type Request struct {
	Caller

	Key string
	// Fingerprint identifies the request's content and the form of its answer.
	Fingerprint [sha256.Size]byte
}

// Store keeps a record for each name for [Retention]. Implementations must be safe for concurrent
// use.
type Store interface {
	// Claim stores a record, unless the name has one. It then returns that record as other.
	Claim(ctx context.Context, name string, record []byte) (other []byte, err error)
	// Replace replaces the record of a name. A store that has no room for the record keeps short
	// in its place.
	Replace(ctx context.Context, name string, record, short []byte) error
	// Release removes a record, unless the name has another one.
	Release(ctx context.Context, name string, record []byte) error
}

// Keys executes requests with keys. It is safe for concurrent use.
type Keys struct {
	store Store
	// running has the requests of this process, at most one at a time for each name.
	running flight.Group[string, struct{}]
}

// New returns the [Keys] of a store.
func New(store Store) *Keys { return &Keys{store: store} }

const (
	// pollInterval is the time between two looks at a request that another process executes.
	pollInterval = 200 * time.Millisecond
	// slack is the time from the last REST call of an execution to its stored answer.
	slack = 10 * time.Second
	// longestExecution replaces a missing time limit.
	longestExecution = 5 * time.Minute
	// An answer that cannot be stored is stored again after saveInterval.
	saveAttempts = 4
	saveInterval = time.Second
)

// Errors of requests that are not executed.
var (
	errOtherRequest = upstream.NewError(upstream.BadUserInput, "This "+Header+" belongs to another request: use a new key for each request.")
	errRunning      = &upstream.Error{Code: upstream.Conflict, RetryAfter: time.Second, Message: "The first request with this " + Header + " is still running: repeat the request later, with the same key."}
	errUnknown      = &upstream.Error{Code: upstream.Conflict, Unknown: true, Message: "The first request with this " + Header + " was interrupted, so its result is unknown. Check whether the change was made. To try again, use a new key."}
	errNotKept      = upstream.NewError(upstream.Conflict, "The request with this "+Header+" was executed, but its answer was not kept. Read the changed records instead.")
	errOtherRights  = &upstream.Error{Code: upstream.Conflict, Unknown: true, Message: "This client's permissions have changed since the first request with this " + Header + ". Check whether the change was made. To try again, use a new key."}
	errUnavailable  = &upstream.Error{Code: upstream.Unavailable, RetryAfter: 2 * time.Second, Message: "The server cannot look up the " + Header + " now. Nothing was executed: repeat the request later, with the same key."}
	errFull         = &upstream.Error{Code: upstream.RateLimited, RetryAfter: time.Minute, Message: "The server cannot keep another " + Header + " now. Nothing was executed: repeat the request later."}
)

// Do calls execute, unless the key has been used. It then returns the first answer, or an
// [upstream.Error] that says why there is none. If the first request is still running, Do waits
// for it until ctx ends.
//
// execute sends the answer to the client and returns it. Its context has the values of ctx, and
// lasts although the client may disconnect. If keep is false, execute has changed nothing, and the
// key can be used again.
func (k *Keys) Do(ctx context.Context, r Request, execute func(context.Context) (answer []byte, keep bool)) (first []byte, err error) {
	s := newSealer(r)
	for {
		f, began := k.running.Join(ctx, s.name)
		if !began {
			if _, err := f.Wait(ctx); err != nil {
				return nil, errRunning
			}
			continue
		}
		f.Run(func(lasting context.Context, _ func() time.Time) struct{} {
			first, err = k.do(ctx, lasting, s, r.Timeout, execute)
			return struct{}{}
		})
		return first, err
	}
}

func (k *Keys) do(ctx, lasting context.Context, s sealer, timeout time.Duration, execute func(context.Context) ([]byte, bool)) (first []byte, err error) {
	if timeout == 0 {
		timeout = longestExecution
	}
	for {
		claim := s.sealClaim(time.Now().Add(timeout + slack))
		other, err := k.store.Claim(ctx, s.name, claim)
		switch {
		case err != nil:
			// Redis may have stored the claim although its response was lost.
			_ = k.store.Release(lasting, s.name, claim)
			if failed, ok := errors.AsType[*upstream.Error](err); ok {
				return nil, failed
			}
			return nil, errUnavailable
		case other == nil:
			answer, keep := execute(lasting)
			k.save(lasting, s, claim, answer, keep)
			return nil, nil
		}
		if first, err = s.open(other); !errors.Is(err, errRunning) {
			return first, err
		}
		select { // another process executes it
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return nil, errRunning
		}
	}
}

// save stores the answer of an execution. The answer is with the client already, so that there is
// time for another attempt.
func (k *Keys) save(ctx context.Context, s sealer, claim, answer []byte, keep bool) {
	store := func() error { return k.store.Release(ctx, s.name, claim) }
	if keep {
		short := s.seal(notKept, nil)
		record := short
		if len(answer) <= MaxAnswer {
			record = s.seal(answered, answer)
		}
		store = func() error { return k.store.Replace(ctx, s.name, record, short) }
	}
	var err error
	for attempt := range saveAttempts {
		if attempt > 0 {
			time.Sleep(saveInterval)
		}
		if err = store(); err == nil {
			return
		}
	}
	slog.ErrorContext(ctx, "the answer to a request with an idempotency key could not be stored: a repeated request gets an error", "error", err)
}
