// Package memory sets how the garbage collector trades memory for time.
package memory

import (
	"log/slog"
	"os"
	"runtime/debug"

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
// with less memory the target is nine tenths of that.
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
