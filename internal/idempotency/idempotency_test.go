package idempotency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// TestKey reads keys from headers.
func TestKey(t *testing.T) {
	for _, test := range []struct {
		lines   []string
		want    string
		invalid bool
	}{
		{nil, "", false},
		{[]string{"8e03978e-40d5-43e8-bc93-6894a57f9324"}, "8e03978e-40d5-43e8-bc93-6894a57f9324", false},
		{[]string{`"8e03978e-40d5-43e8-bc93-6894a57f9324"`}, "8e03978e-40d5-43e8-bc93-6894a57f9324", false},
		{[]string{"a b~!"}, "a b~!", false},
		{[]string{strings.Repeat("k", 255)}, strings.Repeat("k", 255), false},
		{[]string{`"` + strings.Repeat("k", 255) + `"`}, strings.Repeat("k", 255), false},
		{[]string{strings.Repeat("k", 256)}, "", true},
		{[]string{""}, "", true},
		{[]string{`""`}, "", true},
		{[]string{`"`}, "", true},
		{[]string{`"open`}, "", true},
		{[]string{`"a";b=c`}, "", true},
		{[]string{"a\tb"}, "", true},
		{[]string{"ключ"}, "", true},
		{[]string{"a\xff"}, "", true},
		{[]string{"a", "a"}, "", true},
		{[]string{"", "a"}, "", true},
	} {
		got, err := Key(http.Header{Header: test.lines})
		if got != test.want || (err != nil) != test.invalid || err != nil && !errors.Is(err, upstream.BadUserInput) {
			t.Errorf("%q: %q, %v", test.lines, got, err)
		}
	}
}

// request is a request of a caller whose content is its fingerprint.
func request(key, content string) Request {
	r := Request{Caller: Caller{ID: "me", Rights: "token", Timeout: time.Minute}, Key: key}
	copy(r.Fingerprint[:], content)
	return r
}

// executor counts executions. Each takes a while and has an answer of its own.
type executor struct {
	takes time.Duration
	n     atomic.Int64
}

func (e *executor) execute(context.Context) ([]byte, bool) {
	n := e.n.Add(1)
	time.Sleep(e.takes)
	return fmt.Appendf(nil, "answer %d", n), true
}

// do calls [Keys.Do], and returns "executed", the first answer or the error.
func (e *executor) do(ctx context.Context, k *Keys, r Request) string {
	first, err := k.Do(ctx, r, e.execute)
	switch {
	case err != nil:
		return err.Error()
	case first == nil:
		return "executed"
	}
	return string(first)
}

// TestAnswersAreRepeated repeats requests. Only the same request of the same caller gets the
// answer, for 24 hours.
func TestAnswersAreRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, e := New(NewMemory()), new(executor)
		expect := func(r Request, want string) {
			t.Helper()
			if got := e.do(t.Context(), k, r); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		expect(request("k", "a"), "executed")
		expect(request("k", "a"), "answer 1")
		expect(request("k", "b"), errOtherRequest.Error())
		expect(request("other", "b"), "executed")
		you := request("k", "a")
		you.ID = "you"
		expect(you, "executed")
		less := request("k", "a")
		less.Rights = "token, one workspace"
		expect(less, errOtherRights.Error())
		expect(request("k", "a"), "answer 1")
		time.Sleep(Retention - time.Second)
		expect(request("k", "a"), "answer 1")
		time.Sleep(time.Second)
		expect(request("k", "a"), "executed")
	})
}

// TestConcurrentRequestsAreExecutedOnce sends a request several times at once. One is executed,
// although its client disconnects, and the others wait for its answer.
func TestConcurrentRequestsAreExecutedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, e := New(NewMemory()), &executor{takes: 10 * time.Second}
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() {
			if got := e.do(ctx, k, request("k", "a")); got != "executed" {
				t.Error(got)
			}
		})
		synctest.Wait()
		cancel()
		for range 20 {
			wait.Go(func() {
				if got := e.do(t.Context(), k, request("k", "a")); got != "answer 1" {
					t.Error(got)
				}
			})
		}
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if got := e.do(ctx, k, request("k", "a")); got != errRunning.Error() {
				t.Error(got)
			}
		})
		wait.Wait()
		if n := e.n.Load(); n != 1 {
			t.Errorf("%d executions", n)
		}
	})
}

// TestReplicasExecuteOnce sends a request to two processes with one store. The second waits for the
// first.
func TestReplicasExecuteOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, e := NewMemory(), &executor{takes: 10 * time.Second}
		var wait sync.WaitGroup
		wait.Go(func() { e.do(t.Context(), New(store), request("k", "a")) })
		synctest.Wait()
		if got := e.do(t.Context(), New(store), request("k", "a")); got != "answer 1" {
			t.Error(got)
		}
		wait.Wait()
	})
}

// TestInterruptedExecution lets a process die between a claim and its answer. A repeated request
// waits until the execution must have ended. It is never executed.
func TestInterruptedExecution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, e, r := NewMemory(), new(executor), request("k", "a")
		s := newSealer(r)
		if other, err := store.Claim(t.Context(), s.name, s.sealClaim(time.Now().Add(time.Minute))); other != nil || err != nil {
			t.Fatal(other, err)
		}
		k := New(store)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := e.do(ctx, k, r); got != errRunning.Error() {
			t.Error(got)
		}
		began := time.Now()
		if got := e.do(t.Context(), k, r); got != errUnknown.Error() || time.Since(began) > time.Minute {
			t.Error(got, time.Since(began))
		}
		if got := e.do(t.Context(), k, request("k", "b")); got != errOtherRequest.Error() {
			t.Error(got)
		}
		if n := e.n.Load(); n != 0 {
			t.Errorf("%d executions", n)
		}
	})
}

// TestPanickingExecution lets an execution panic. A repeated request is not executed.
func TestPanickingExecution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, e := New(NewMemory()), new(executor)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is lost")
				}
			}()
			_, _ = k.Do(t.Context(), request("k", "a"), func(context.Context) ([]byte, bool) { panic("inside") })
		}()
		if got := e.do(t.Context(), k, request("k", "a")); got != errUnknown.Error() {
			t.Error(got)
		}
	})
}

// TestUnchangedKeysCanBeUsedAgain executes a request that changes nothing, and then another with
// the same key.
func TestUnchangedKeysCanBeUsedAgain(t *testing.T) {
	k, e := New(NewMemory()), new(executor)
	if _, err := k.Do(t.Context(), request("k", "a"), func(context.Context) ([]byte, bool) { return []byte("refused"), false }); err != nil {
		t.Fatal(err)
	}
	if got := e.do(t.Context(), k, request("k", "b")); got != "executed" {
		t.Error(got)
	}
}

// failing is a store that fails as often as its counters say.
type failing struct {
	Store
	claims, replacements int
}

var errFailing = errors.New("no connection to redis://:secret@host")

// Claim stores the record and then loses the response.
func (f *failing) Claim(ctx context.Context, name string, record []byte) ([]byte, error) {
	other, err := f.Store.Claim(ctx, name, record)
	if f.claims > 0 {
		f.claims--
		return nil, errFailing
	}
	return other, err
}

func (f *failing) Replace(ctx context.Context, name string, record, short []byte) error {
	if f.replacements > 0 {
		f.replacements--
		return errFailing
	}
	return f.Store.Replace(ctx, name, record, short)
}

// TestFailingStore uses a store that fails. Nothing is executed without a stored claim, and never
// twice.
func TestFailingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, e := &failing{Store: NewMemory()}, new(executor)
		k := New(store)
		expect := func(key, want string) {
			t.Helper()
			if got := e.do(t.Context(), k, request(key, "a")); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		store.claims = 2
		expect("k", errUnavailable.Error())
		expect("k", errUnavailable.Error())
		expect("k", "executed")
		expect("k", "answer 1")
		store.replacements = saveAttempts - 1
		expect("slow", "executed")
		expect("slow", "answer 2")
		store.replacements = saveAttempts
		expect("lost", "executed")
		expect("lost", errUnknown.Error())
		store.claims = 1
		expect("slow", errUnavailable.Error())
		expect("slow", "answer 2")
	})
}

// TestLargeAnswersAreNotKept executes requests with answers of the largest size and above.
func TestLargeAnswersAreNotKept(t *testing.T) {
	k := New(NewMemory())
	for extra, want := range map[int]error{0: nil, 1: errNotKept} {
		large := bytes.Repeat([]byte{'x'}, MaxAnswer+extra)
		r := request(fmt.Sprint(extra), "a")
		if _, err := k.Do(t.Context(), r, func(context.Context) ([]byte, bool) { return large, true }); err != nil {
			t.Fatal(err)
		}
		first, err := k.Do(t.Context(), r, func(context.Context) ([]byte, bool) { t.Error("executed twice"); return nil, true })
		if !errors.Is(err, want) || want == nil && !bytes.Equal(first, large) {
			t.Errorf("%d bytes: %d bytes, %v", len(large), len(first), err)
		}
	}
}

// TestMemoryIsBounded fills a small store. Old answers are dropped, but not their keys, and new keys
// are refused.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, e := newMemory(10, 1000), new(executor)
		k := New(store)
		for i := range 10 {
			if got := e.do(t.Context(), k, request(fmt.Sprint(i), "a")); got != "executed" {
				t.Error(got)
			}
		}
		if _, size := store.answers.Size(); size > 1000 || size < 500 {
			t.Errorf("%d bytes of answers", size)
		}
		for key, want := range map[string]string{"0": errNotKept.Error(), "9": "answer 10", "10": errFull.Error()} {
			if got := e.do(t.Context(), k, request(key, "a")); got != want {
				t.Errorf("%s: %q, want %q", key, got, want)
			}
		}
		time.Sleep(Retention)
		if got := e.do(t.Context(), k, request("10", "a")); got != "executed" {
			t.Error(got)
		}
		if keys, entries := store.keys.Len(), store.answers; keys != 1 {
			n, _ := entries.Size()
			t.Errorf("%d keys and %d answers", keys, n)
		}
	})
}

// TestRecordsRevealNothing looks for the parts of a request in its record and its name.
func TestRecordsRevealNothing(t *testing.T) {
	r := request("the-key", "a")
	r.ID, r.Rights = "secret-token", "secret-token scope"
	s := newSealer(r)
	stored := s.name + string(s.seal(answered, []byte("ada@example.com")))
	for _, secret := range []string{"the-key", "secret", "scope", "ada"} {
		if strings.Contains(stored, secret) {
			t.Errorf("%q is in the record", secret)
		}
	}
	r.Key = "another"
	if answer, err := newSealer(r).open(s.seal(answered, []byte("a"))); err == nil {
		t.Errorf("another key opens the record: %s", answer)
	}
}
