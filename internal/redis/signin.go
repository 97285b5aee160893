package redis

import (
	"context"
	"errors"
	"time"

	redigo "github.com/gomodule/redigo/redis"

	"github.com/funnelgraph/funnelgraph/internal/signin"
)

// SignInStore returns the store of sign-ins that replicas share.
func (r *Client) SignInStore() signin.Store { return signInStore{r} }

type signInStore struct{ redis *Client }

// Mark implements [signin.Store].
func (s signInStore) Mark(ctx context.Context, name string, ttl time.Duration) (first bool, err error) {
	err = s.redis.do(ctx, func(conn redigo.Conn) error {
		_, err := redigo.String(conn.Do("SET", prefix+"signin:"+name, 1, "NX", "PX", ttl.Milliseconds()))
		return err
	})
	if errors.Is(err, redigo.ErrNil) {
		return false, nil
	}
	return err == nil, err
}

// Marked implements [signin.Store].
func (s signInStore) Marked(ctx context.Context, name string) (known bool, err error) {
	err = s.redis.do(ctx, func(conn redigo.Conn) error {
		var err error
		known, err = redigo.Bool(conn.Do("EXISTS", prefix+"signin:"+name))
		return err
	})
	return known, err
}
