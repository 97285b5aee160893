package test

import (
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// BenchmarkNested measures the nested query over loopback: 16 REST calls in three levels. With
// 20 ms for each REST call the floor is 60 ms; the rest is reported as overhead-ms/op. The
// simulated API runs in the same process, and is part of the time and the allocations.
func BenchmarkNested(b *testing.B) {
	for _, bench := range []struct {
		name    string
		latency time.Duration
	}{{"0ms", 0}, {"20ms", 20 * time.Millisecond}} {
		b.Run(bench.name, func(b *testing.B) {
			var options []envOption
			if bench.latency > 0 {
				options = append(options, withLatency(bench.latency))
			}
			e := newEnv(b, options...)
			e.must(nested)
			e.forget()
			b.ReportAllocs()
			runs := 0
			for b.Loop() {
				e.must(nested)
				runs++
			}
			b.ReportMetric(float64(len(e.callsOf(demo.Token)))/float64(runs), "calls/op")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(runs)-3*float64(bench.latency.Milliseconds()), "overhead-ms/op")
		})
	}
}
