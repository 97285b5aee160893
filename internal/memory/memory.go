// Package memory sets how the garbage collector trades memory for time.
package memory

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// gcPercent lets the heap grow to five times what is alive before it is
	// collected. A server at rest holds a few megabytes, so that by Go's own
	// 100 every tenth request or so would begin a collection; with 400 a nested
	// query takes a tenth less CPU.
	gcPercent = 400
	// target is where the collector begins to work harder instead of letting
	// the heap grow, in bytes, on a machine without a smaller limit. What is
	// alive at a thousand nested queries at the same time fits well into it.
	target = 1 << 30
)

// Tune sets both, unless the environment does (GOGC, GOMEMLIMIT). In a container
// with less memory the target is nine tenths of that. Until the context ends, what
// a busy time has left behind is given back to the system a while after it.
func Tune(ctx context.Context) {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	if _, err := memlimit.Set(memlimit.WithProvider(limit)); err != nil {
		slog.Warn("the container's memory limit could not be read", "error", err)
	}
	go func() {
		tick := time.NewTicker(restInterval)
		defer tick.Stop()
		for r := newRest(); ; {
			select {
			case <-tick.C:
				r.look()
			case <-ctx.Done():
				return
			}
		}
	}()
}

func limit() (uint64, error) {
	bytes, err := memlimit.FromCgroup()
	if err != nil || bytes > target {
		return target, nil //nolint:nilerr // without control groups there is no limit
	}
	return bytes, nil
}

const (
	// restInterval without any collection is rest. Go by itself collects every two
	// minutes then, and keeps most of what that frees.
	restInterval = 30 * time.Second
	// worthwhile is how much more memory has to be held than after the last time,
	// in bytes.
	worthwhile = 32 << 20
)

// rest gives memory back when the process has come to rest.
type rest struct {
	samples []metrics.Sample
	cycles  uint64 // of collection, so far
	held    uint64 // of the system's memory, after the last time
}

func newRest() *rest {
	return &rest{samples: []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}}
}

func (r *rest) read() (cycles, held uint64) {
	metrics.Read(r.samples)
	return r.samples[0].Value.Uint64(), r.samples[1].Value.Uint64() - r.samples[2].Value.Uint64()
}

// look is called from time to time. It gives memory back, and reports true, if
// there was no collection since the last time and much is held.
func (r *rest) look() bool {
	cycles, held := r.read()
	resting := cycles == r.cycles
	r.cycles = cycles
	if !resting || held < r.held+worthwhile {
		return false
	}
	debug.FreeOSMemory()
	r.cycles, r.held = r.read()
	return true
}
