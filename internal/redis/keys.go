package redis

import (
	"context"
	"encoding/hex"
	"errors"
	"maps"

	redigo "github.com/gomodule/redigo/redis"

	"github.com/funnelgraph/funnelgraph/internal/idempotency"
)

// IdempotencyKeys returns the store of idempotency keys that replicas share.
func (r *Client) IdempotencyKeys() idempotency.Store { return keyStore{r} }

type keyStore struct{ redis *Client }

// claimScript stores a record, or returns the one that the key has. releaseScript removes a record.
// They are sent as text, because a hash that Redis does not know yet takes a second request, which
// an outage can prevent.
const (
	claimScript = `
local known = redis.call('GET', KEYS[1])
if not known then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return known`
	releaseScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0`
)

// maxUnsentReleases bounds the memory for releases that could not be sent to Redis.
const maxUnsentReleases = 10_000

func keyOf(name string) string { return "idempotency:" + hex.EncodeToString([]byte(name)) }

// Claim implements [idempotency.Store].
func (s keyStore) Claim(ctx context.Context, name string, record []byte) (other []byte, err error) {
	err = s.redis.do(ctx, func(conn redigo.Conn) (err error) {
		other, err = redigo.Bytes(conn.Do("EVAL", claimScript, 1, prefix+keyOf(name), record, idempotency.Retention.Milliseconds()))
		return err
	})
	if errors.Is(err, redigo.ErrNil) {
		return nil, nil
	}
	return other, err
}

// Replace implements [idempotency.Store]. Redis has room for every record.
func (s keyStore) Replace(ctx context.Context, name string, record, _ []byte) error {
	return s.redis.set(ctx, keyOf(name), record, idempotency.Retention)
}

// Release implements [idempotency.Store]. A release that fails is sent again later: Redis may have
// carried out a claim although it did not respond in time.
func (s keyStore) Release(ctx context.Context, name string, record []byte) error {
	r := s.redis
	err := r.do(ctx, func(conn redigo.Conn) error {
		_, err := conn.Do("EVAL", releaseScript, 1, prefix+keyOf(name), record)
		return err
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		delete(r.unsentReleases, string(record))
	case len(r.unsentReleases) < maxUnsentReleases:
		r.unsentReleases[string(record)] = name
	}
	return err
}

// resendReleases resends releases that could not be sent to Redis.
func (r *Client) resendReleases(ctx context.Context) {
	r.mu.Lock()
	unsent := maps.Clone(r.unsentReleases)
	r.mu.Unlock()
	for record, name := range unsent {
		_ = keyStore{r}.Release(ctx, name, []byte(record))
	}
}
