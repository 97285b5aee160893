package cachemodel

import (
	"context"
	"errors"
	"flag"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

var (
	full = flag.Bool("full", false, "run the model at its full size")
	seed = flag.Uint64("seed", 1, "the seed of random steps")
)

// state is shared state in memory.
type state struct {
	down atomic.Bool

	mu        sync.Mutex
	evictions map[string][]stored
	answers   map[string][]byte
	last      uint64
}

type stored struct {
	transport.Eviction

	by int
}

// replica is the view that a replica has of the state.
type replica struct {
	*state

	id int
}

var errDown = errors.New("down")

func (r replica) Lease(_, _ string, ask transport.Ask) (transport.Grant, error) {
	return transport.Grant{Calls: ask.Want, Limit: ask.Limit, Replicas: 1}, nil
}

func (r replica) Evict(_ context.Context, host string, tags []string) (transport.Position, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down.Load() {
		return transport.Position{}, errDown
	}
	r.last++
	e := transport.Eviction{Position: transport.Position{Time: r.last}, Tags: slices.Clone(tags)}
	if all := r.evictions[host]; len(all) > 0 {
		e.Previous = all[len(all)-1].Position
	}
	r.evictions[host] = append(r.evictions[host], stored{e, r.id})
	return e.Position, nil
}

func (r replica) Evictions(_ context.Context, host string, after transport.Position) (next []transport.Eviction, isWhole bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down.Load() {
		return nil, false, errDown
	}
	all := r.evictions[host]
	for _, e := range all[max(0, len(all)-1000):] {
		if e.Position.Time > after.Time {
			e.IsOwn = e.by == r.id
			next = append(next, e.Eviction)
		}
	}
	return next, true, nil
}

func (r replica) Answer(_ context.Context, key string) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	answer, ok := r.answers[key]
	return answer, ok && !r.down.Load()
}

func (r replica) Keep(key string, answer []byte, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.down.Load() {
		r.answers[key] = answer
	}
}

func TestCacheOfOneServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		Run(t, Config{Replicas: []transport.Replicas{nil}, Steps: steps(), Seed: *seed, Latency: latency, HasOutages: true})
	})
}

// TestCacheOfReplicas checks that a change on one replica is known on all others at once.
func TestCacheOfReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &state{evictions: make(map[string][]stored), answers: make(map[string][]byte)}
		var replicas []transport.Replicas
		for id := range 3 {
			replicas = append(replicas, replica{s, id})
		}
		Run(t, Config{Replicas: replicas, Steps: steps(), Seed: *seed, Latency: latency, HasOutages: true})
	})
}

const latency = 20 * time.Millisecond

func steps() int {
	if *full {
		return 100_000
	}
	return 8_000
}
