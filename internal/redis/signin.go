package redis

import (
	"context"
	"errors"
	"maps"
	"time"

	redigo "github.com/gomodule/redigo/redis"

	"github.com/funnelgraph/funnelgraph/internal/signin"
)

// SignInStore returns the store of sign-ins that replicas share.
func (r *Client) SignInStore() signin.Store { return signInStore{r} }

type signInStore struct{ redis *Client }

// maxUnsentEnds bounds the memory for ended sessions that could not be sent to Redis.
const maxUnsentEnds = 10_000

// Use implements [signin.Store].
func (s signInStore) Use(ctx context.Context, code string, ttl time.Duration) (first bool, err error) {
	err = s.redis.do(ctx, func(conn redigo.Conn) error {
		_, err := redigo.String(conn.Do("SET", prefix+"code:"+code, 1, "NX", "PX", ttl.Milliseconds()))
		return err
	})
	if errors.Is(err, redigo.ErrNil) {
		return false, nil
	}
	return err == nil, err
}

// End implements [signin.Store].
func (s signInStore) End(ctx context.Context, session string, ttl time.Duration) error {
	r := s.redis
	err := r.set(ctx, "ended:"+session, 1, ttl)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		delete(r.unsentEnds, session)
	case len(r.unsentEnds) < maxUnsentEnds:
		r.unsentEnds[session] = time.Now().Add(ttl)
	}
	return err
}

// Ended implements [signin.Store].
func (s signInStore) Ended(ctx context.Context, session string) (ended bool, err error) {
	err = s.redis.do(ctx, func(conn redigo.Conn) error {
		var err error
		ended, err = redigo.Bool(conn.Do("EXISTS", prefix+"ended:"+session))
		return err
	})
	return ended, err
}

// resendEnds resends ended sessions that could not be sent to Redis.
func (r *Client) resendEnds(ctx context.Context) {
	r.mu.Lock()
	maps.DeleteFunc(r.unsentEnds, func(_ string, until time.Time) bool { return time.Now().After(until) })
	unsent := maps.Clone(r.unsentEnds)
	r.mu.Unlock()
	for session, until := range unsent {
		_ = signInStore{r}.End(ctx, session, time.Until(until))
	}
}
