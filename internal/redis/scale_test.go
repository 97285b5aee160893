//go:build redis

package redis_test

import (
	"flag"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

var full = flag.Bool("full", false, "run the tests at their full size")

// info returns a number from Redis's INFO command.
func (r *redisServer) info(section, name string) float64 {
	r.tb.Helper()
	out, err := exec.Command("redis-cli", "-p", r.port, "info", section).Output()
	if err != nil {
		r.tb.Fatal(err)
	}
	found := regexp.MustCompile(name + `[:=]([0-9.]+)`).FindSubmatch(out)
	if found == nil {
		return 0
	}
	f, _ := strconv.ParseFloat(string(found[1]), 64)
	return f
}

// TestScale calls one busy workspace with the same token from an increasing number of replicas.
// The rate of calls follows the model in docs/scaling.md: the shared limit divided by the duration
// of a call, however many replicas there are.
func TestScale(t *testing.T) {
	all, lasts := []int{1, 4}, time.Second
	if *full {
		all, lasts = []int{1, 4, 16, 64, 128, 256}, 5*time.Second
	}
	const takes, bears = 100 * time.Millisecond, 60
	for _, n := range all {
		r, a := newRedisServer(t), &api{takes: takes, capacity: bears}
		var servers []replica
		for range n {
			servers = append(servers, newReplica(t, r, a, 0))
		}
		run := func(d time.Duration) (waits time.Duration) {
			var wait sync.WaitGroup
			var mu sync.Mutex
			end := time.Now().Add(d)
			for i := range max(n, 128) { // enough callers to exceed the limit
				wait.Go(func() {
					for time.Now().Before(end) {
						began := time.Now()
						ctx := transport.WithAllowance(t.Context(), &transport.Allowance{})
						if _, err := servers[i%n].Contacts(ctx, place, upstream.Query{After: fmt.Sprint(pages.Add(1))}); err != nil {
							t.Error(err)
						}
						mu.Lock()
						waits = max(waits, time.Since(began))
						mu.Unlock()
					}
				})
			}
			wait.Wait()
			return waits
		}
		run(lasts) // finds the limit
		a.reset()
		commands, cpu, began := r.info("commandstats", "evalsha:calls"), r.info("cpu", "used_cpu_user")+r.info("cpu", "used_cpu_sys"), time.Now()
		longest := run(lasts)
		took := time.Since(began).Seconds()
		peak, refused, made := a.reset()
		commands, cpu = r.info("commandstats", "evalsha:calls")-commands, r.info("cpu", "used_cpu_user")+r.info("cpu", "used_cpu_sys")-cpu
		rate := float64(made-refused) / took
		t.Logf("%2d replicas: %.0f calls a second (%.0f is what the API bears), %d at a time, %.1f %% refused, the longest took %s; Redis: %.0f leases a second, %.1f %% of a processor",
			n, rate, bears/takes.Seconds(), peak, 100*float64(refused)/float64(made), longest.Round(time.Millisecond), commands/took, 100*cpu/took)
		if rate < 0.5*bears/takes.Seconds() || float64(refused) > 0.15*float64(made) {
			t.Errorf("%d replicas make %.0f calls a second, %d of %d refused", n, rate, refused, made)
		}
	}
}

// BenchmarkLease measures the cost of a lease in Redis, by the number of replicas that share a
// queue.
func BenchmarkLease(b *testing.B) {
	for _, n := range []int{1, 16, 64, 256} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			r := newRedisServer(b)
			shared, err := redis.Connect(b.Context(), r.url())
			if err != nil {
				b.Fatal(err)
			}
			lease := func(id int) {
				if _, err := shared.Lease("lane", strconv.Itoa(id), transport.Ask{Need: 2, Want: 2, Running: 1, Limit: 100, Most: 512, Ease: 1}); err != nil {
					b.Error(err)
				}
			}
			for id := range n {
				lease(id)
			}
			for i := 0; b.Loop(); i++ {
				lease(i % n)
			}
			b.ReportMetric(r.info("commandstats", "evalsha:calls=[0-9]*,usec=[0-9]*,usec_per_call"), "us-in-redis/op")
		})
	}
}
