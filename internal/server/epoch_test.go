package server

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// TestEpoch checks when queries share no execution any more: after a change, and with replicas after a second.
func TestEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, err := upstream.New(upstream.Config{})
		if err != nil {
			t.Fatal(err)
		}
		alone, replica := Parts{Client: client}, Parts{Client: client, Redis: new(redis.Client)}
		before, replicaBefore := currentEpoch(alone), currentEpoch(replica)
		if currentEpoch(alone) != before || currentEpoch(replica) != replicaBefore {
			t.Error("the epoch changes by itself")
		}
		time.Sleep(time.Second)
		if currentEpoch(alone) != before || currentEpoch(replica) == replicaBefore {
			t.Error("only the epoch of a replica must end after a second")
		}
		if err := client.Evict(t.Context(), "acme", nil); err != nil || currentEpoch(alone) == before {
			t.Errorf("an eviction does not end the epoch: %v", err)
		}
	})
}
