// Package memory tunes the garbage collector's trade-off between memory and CPU time.
package memory

import (
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// gcPercent lets the heap grow to five times the live memory before a collection. An idle
	// server holds a few megabytes, so with Go's default of 100 about every tenth request
	// would start a collection. With 400 a nested query takes a tenth less CPU.
	gcPercent = 400
	// target is the heap size in bytes from which the collector works harder instead of letting
	// the heap grow, on a machine without a smaller limit. The live memory of a thousand
	// concurrent nested queries fits well into it.
	target = 1 << 30
)

// Tune sets the GC percentage and the memory limit, unless GOGC and GOMEMLIMIT do. In a container
// with less memory, the limit is nine tenths of the container's.
func Tune() {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	if _, err := memlimit.Set(memlimit.WithProvider(limit)); err != nil {
		slog.Warn("the container's memory limit could not be read", "error", err)
	}
}

func limit() (uint64, error) {
	bytes, err := memlimit.FromCgroup()
	if err != nil || bytes > target {
		return target, nil //nolint:nilerr // without control groups there is no limit
	}
	return bytes, nil
}
