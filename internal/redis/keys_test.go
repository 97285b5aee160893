//go:build redis

package redis_test

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/idempotency"
	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// newKeys returns the idempotency keys of a replica.
func newKeys(t *testing.T, r *redisServer) *idempotency.Keys {
	t.Helper()
	client, err := redis.Connect(t.Context(), r.url())
	if err != nil {
		t.Fatal(err)
	}
	return idempotency.New(client.IdempotencyKeys())
}

func keyed(key string) idempotency.Request {
	return idempotency.Request{Caller: idempotency.Caller{ID: "secret-token", Rights: "secret-token", Timeout: time.Minute}, Key: key}
}

// cli runs a command of Redis and returns its output.
func (r *redisServer) cli(args ...string) string {
	r.tb.Helper()
	text, err := exec.Command("redis-cli", append([]string{"-p", r.port}, args...)...).Output()
	if err != nil {
		r.tb.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// TestIdempotencyKeysAreShared sends a request to several replicas at once, and again. It is
// executed once. Redis has neither the token, nor the key, nor the answer in clear text, and
// forgets them after a day.
func TestIdempotencyKeysAreShared(t *testing.T) {
	r := newRedisServer(t)
	var executed atomic.Int64
	execute := func(context.Context) ([]byte, bool) {
		executed.Add(1)
		time.Sleep(500 * time.Millisecond)
		return []byte("ada@example.com"), true
	}
	replicas := []*idempotency.Keys{newKeys(t, r), newKeys(t, r), newKeys(t, r)}
	for range 2 {
		var wait sync.WaitGroup
		for i := range 30 {
			wait.Go(func() {
				first, err := replicas[i%3].Do(t.Context(), keyed("the-key"), execute)
				if err != nil || first != nil && string(first) != "ada@example.com" {
					t.Errorf("%q, %v", first, err)
				}
			})
		}
		wait.Wait()
	}
	if n := executed.Load(); n != 1 {
		t.Errorf("%d executions", n)
	}
	other := keyed("the-key")
	other.Fingerprint[0] = 1
	if _, err := replicas[1].Do(t.Context(), other, execute); !errors.Is(err, upstream.BadUserInput) {
		t.Error(err)
	}
	names := strings.Fields(r.cli("--raw", "KEYS", "funnelgraph:*"))
	if len(names) != 1 {
		t.Fatalf("want one key, got %q", names)
	}
	stored := names[0] + r.cli("--raw", "GET", names[0])
	for _, secret := range []string{"secret", "the-key", "ada"} {
		if strings.Contains(stored, secret) {
			t.Errorf("Redis has %q in clear text", secret)
		}
	}
	if seconds, err := strconv.Atoi(r.cli("TTL", names[0])); err != nil || seconds < 86300 || seconds > 86400 {
		t.Errorf("%d seconds, %v", seconds, err)
	}
}

// TestIdempotencyKeysCanBeReleased executes a request that changes nothing, and then another one
// with its key on another replica.
func TestIdempotencyKeysCanBeReleased(t *testing.T) {
	r := newRedisServer(t)
	for _, replica := range []*idempotency.Keys{newKeys(t, r), newKeys(t, r)} {
		executed := false
		_, err := replica.Do(t.Context(), keyed("k"), func(context.Context) ([]byte, bool) { executed = true; return nil, false })
		if err != nil || !executed {
			t.Errorf("executed: %t, %v", executed, err)
		}
	}
	if text := r.cli("KEYS", "*"); text != "" {
		t.Error(text)
	}
}

// TestIdempotencyKeysDuringOutage stops Redis. Nothing is executed during the outage, but the same
// keys can be used after it. An answer from shortly before it is stored after it.
func TestIdempotencyKeysDuringOutage(t *testing.T) {
	r := newRedisServer(t)
	k, other := newKeys(t, r), newKeys(t, r)
	var executed int
	_, err := k.Do(t.Context(), keyed("interrupted"), func(context.Context) ([]byte, bool) {
		executed++
		r.signal(syscall.SIGSTOP)
		time.AfterFunc(500*time.Millisecond, func() { r.signal(syscall.SIGCONT) })
		return []byte("answer"), true
	})
	if err != nil {
		t.Error(err)
	}
	if first, err := other.Do(t.Context(), keyed("interrupted"), nil); string(first) != "answer" {
		t.Errorf("%q, %v", first, err)
	}
	r.signal(syscall.SIGSTOP)
	for range 5 { // the circuit breaker opens
		_, err := k.Do(t.Context(), keyed("k"), func(context.Context) ([]byte, bool) { executed++; return nil, true })
		if !errors.Is(err, upstream.Unavailable) {
			t.Errorf("want an error, got %v", err)
		}
	}
	r.signal(syscall.SIGCONT)
	if executed != 1 {
		t.Errorf("%d executions", executed)
	}
	// Redis now carries out the claims that it received during the outage. They are released.
	first, err := other.Do(t.Context(), keyed("k"), func(context.Context) ([]byte, bool) { executed++; return nil, true })
	if executed != 2 || first != nil || err != nil {
		t.Errorf("%d executions, %q, %v", executed, first, err)
	}
}
