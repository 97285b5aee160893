package redis

import (
	"context"
	"errors"
	"time"

	redigo "github.com/gomodule/redigo/redis"

	"github.com/funnelgraph/funnelgraph/internal/webhooks"
)

// Events returns the events of webhooks that replicas share.
func (r *Client) Events() webhooks.Shared { return eventStore{r} }

type eventStore struct{ redis *Client }

// The keys of events: the stream, the ids of the last two days by their times, and the size of the stream
// in bytes. A cluster keeps them together.
const (
	eventStream = prefix + "{events}:stream"
	eventIDs    = prefix + "{events}:ids"
	eventBytes  = prefix + "{events}:bytes"
)

// The limits of the stream, and of the remembered ids.
const (
	maxEvents      = 10_000
	maxEventBytes  = 64 << 20
	maxEventIDs    = 500_000
	eventRetention = 48 * time.Hour
)

// publishScript claims the id of an event and appends the event, in one step. Redis may have evicted any of
// the keys.
const publishScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[4])
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -ARGV[7] - 1)
local before = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not before then
  redis.call('SET', KEYS[3], 0)
elseif redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('SET', KEYS[3], redis.call('MEMORY', 'USAGE', KEYS[1]))
end
local last = redis.call('XADD', KEYS[1], '*', 'previous', before and before[1] or '', 'workspace', ARGV[2], 'id', ARGV[1], 'event', ARGV[3])
local bytes = redis.call('INCRBY', KEYS[3], #ARGV[3])
while redis.call('XLEN', KEYS[1]) > tonumber(ARGV[5]) or bytes > tonumber(ARGV[6]) do
  local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  if not oldest or oldest[1] == last then break end
  redis.call('XDEL', KEYS[1], oldest[1])
  bytes = redis.call('INCRBY', KEYS[3], -#oldest[2][8])
end
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[4]) end
return 1`

// Publish implements [webhooks.Shared].
func (s eventStore) Publish(ctx context.Context, e webhooks.Entry) error {
	return s.redis.do(ctx, func(conn redigo.Conn) error {
		_, err := conn.Do("EVAL", publishScript, 3, eventStream, eventIDs, eventBytes,
			e.ID, e.Workspace, e.Event, eventRetention.Milliseconds(), maxEvents, maxEventBytes, maxEventIDs)
		return err
	})
}

// End implements [webhooks.Shared].
func (s eventStore) End(ctx context.Context) (position string, err error) {
	position = "0"
	err = s.redis.do(ctx, func(conn redigo.Conn) error {
		rows, err := redigo.Values(conn.Do("XREVRANGE", eventStream, "+", "-", "COUNT", 1))
		if err == nil && len(rows) > 0 {
			position, _, err = streamEntry(rows[0])
		}
		return err
	})
	return position, err
}

// Read implements [webhooks.Shared].
func (s eventStore) Read(ctx context.Context, after string) (entries []webhooks.Entry, err error) {
	const most, wait, transfer = 16, time.Second, 2 * time.Second
	if !s.redis.breaker.IsClosed() {
		return nil, errUnavailable // the ping finds out when it responds again
	}
	err = s.redis.do(ctx, func(conn redigo.Conn) error {
		streams, err := redigo.Values(redigo.DoWithTimeout(conn, wait+transfer, "XREAD", "COUNT", most, "BLOCK", wait.Milliseconds(), "STREAMS", eventStream, after))
		if err != nil {
			return err
		}
		entries, err = entriesOf(streams)
		return err
	})
	if errors.Is(err, redigo.ErrNil) {
		return nil, nil
	}
	return entries, err
}

// entriesOf returns the entries in the response to XREAD for one stream.
func entriesOf(streams []any) ([]webhooks.Entry, error) {
	var name string
	var rows []any
	if _, err := redigo.Scan(streams, &streams); err != nil {
		return nil, err
	}
	if _, err := redigo.Scan(streams, &name, &rows); err != nil {
		return nil, err
	}
	entries := make([]webhooks.Entry, 0, len(rows))
	for _, row := range rows {
		position, fields, err := streamEntry(row)
		if err != nil {
			return nil, err
		}
		entries = append(entries, webhooks.Entry{Position: position, Previous: fields["previous"], Workspace: fields["workspace"], ID: fields["id"], Event: []byte(fields["event"])})
	}
	return entries, nil
}

// streamEntry parses an entry of a stream.
func streamEntry(row any) (id string, fields map[string]string, err error) {
	pair, err := redigo.Values(row, nil)
	if err != nil {
		return "", nil, err
	}
	var pairs []any
	if _, err := redigo.Scan(pair, &id, &pairs); err != nil {
		return "", nil, err
	}
	fields, err = redigo.StringMap(pairs, nil)
	return id, fields, err
}

// cursorTTL is how long the cursor of a workspace outlives its last walk, and walkLock how long a replica
// that does not respond holds a lock.
const (
	cursorTTL = 30 * 24 * time.Hour
	walkLock  = time.Minute
)

// Lock implements [webhooks.Shared].
func (s eventStore) Lock(ctx context.Context, workspace string) (cursor string, ok bool, err error) {
	err = s.redis.do(ctx, func(conn redigo.Conn) error {
		if _, err := redigo.String(conn.Do("SET", prefix+"walk:"+workspace, s.redis.id, "NX", "PX", walkLock.Milliseconds())); err != nil {
			return err
		}
		ok = true
		cursor, err = redigo.String(conn.Do("GET", prefix+"cursor:"+workspace))
		if errors.Is(err, redigo.ErrNil) {
			err = nil
		}
		return err
	})
	if errors.Is(err, redigo.ErrNil) {
		err = nil
	}
	return cursor, ok && err == nil, err
}

// Unlock implements [webhooks.Shared].
func (s eventStore) Unlock(ctx context.Context, workspace, cursor string) error {
	if err := s.redis.set(ctx, "cursor:"+workspace, cursor, cursorTTL); err != nil {
		return err
	}
	return s.redis.do(ctx, func(conn redigo.Conn) error {
		_, err := conn.Do("EVAL", releaseScript, 1, prefix+"walk:"+workspace, s.redis.id)
		return err
	})
}
