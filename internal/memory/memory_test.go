package memory

import (
	"math"
	"runtime/debug"
	"testing"
)

// TestTuneLeavesGivenSettingsAlone sets the variables of Go's runtime.
func TestTuneLeavesGivenSettingsAlone(t *testing.T) {
	keepSettings(t)
	t.Setenv("GOGC", "150")
	t.Setenv("GOMEMLIMIT", "123456789")
	debug.SetGCPercent(150)
	debug.SetMemoryLimit(123_456_789)
	Tune()
	if percent := debug.SetGCPercent(150); percent != 150 {
		t.Errorf("the GC percentage is %d, want the 150 of GOGC", percent)
	}
	if bytes := debug.SetMemoryLimit(-1); bytes != 123_456_789 {
		t.Errorf("the memory limit is %d bytes, want the one of GOMEMLIMIT", bytes)
	}
}

// TestTuneLimitsMemory pins the percentage, and a limit that is at most nine tenths of the target
// and of the container's memory.
func TestTuneLimitsMemory(t *testing.T) {
	keepSettings(t)
	debug.SetMemoryLimit(math.MaxInt64)
	Tune()
	if percent := debug.SetGCPercent(gcPercent); percent != gcPercent {
		t.Errorf("the GC percentage is %d, want %d", percent, gcPercent)
	}
	container, err := limit()
	if bytes := debug.SetMemoryLimit(-1); err != nil || bytes <= 0 || bytes > int64(container) || container > target {
		t.Errorf("the memory limit is %d bytes of %d, want at most %d: %v", bytes, container, target, err)
	}
}

// keepSettings restores the settings of Go's runtime after the test.
func keepSettings(t *testing.T) {
	t.Helper()
	bytes, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	t.Cleanup(func() {
		debug.SetMemoryLimit(bytes)
		debug.SetGCPercent(percent)
	})
}
