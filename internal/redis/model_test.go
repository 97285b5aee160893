//go:build redis

package redis_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/cachemodel"
	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// TestCacheModel runs the model of the cache with three replicas, while Redis is killed and started again.
// It loses its data. The replicas know the changes of each other some seconds after that.
func TestCacheModel(t *testing.T) {
	r := newRedisServer(t)
	var replicas []transport.Replicas
	for range 3 {
		client, err := redis.Connect(t.Context(), r.url())
		if err != nil {
			t.Fatal(err)
		}
		replicas = append(replicas, client)
	}
	steps := 14_000
	if *full {
		steps = 100_000
	}
	const settles = 6 * time.Second // until all replicas have found out, and have sent what they could not
	var sharedFrom atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-time.After(settles):
			case <-ctx.Done():
				return
			}
			sharedFrom.Store(time.Now().Add(time.Hour).UnixNano())
			time.Sleep(50 * time.Millisecond) // reads that have begun
			r.kill()
			time.Sleep(time.Second)
			r.start()
			sharedFrom.Store(time.Now().Add(settles).UnixNano())
		}
	}()
	cachemodel.Run(t, cachemodel.Config{
		Replicas: replicas, Steps: steps, Seed: 3, Latency: 4 * time.Millisecond,
		IsShared: func() bool { return time.Now().UnixNano() > sharedFrom.Load() },
	})
	stop()
	<-ended
}
