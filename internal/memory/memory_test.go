package memory

import (
	"runtime"
	"testing"
)

// TestRest gives back what a busy time has left behind, once, and not before it is
// over.
func TestRest(t *testing.T) {
	r := newRest()
	r.look()
	r.look() // what the tests have left behind
	most := busy(r)
	runtime.GC()
	if r.look() {
		t.Error("at rest right after a collection")
	}
	if !r.look() {
		t.Error("not at rest without any collection")
	}
	if _, held := r.read(); held+80<<20 > most {
		t.Errorf("%d MB were held, and %d still are", most>>20, held>>20)
	}
	if r.look() {
		t.Error("gave back what it had not")
	}
}

// busy uses much memory, and returns how much was held meanwhile.
func busy(r *rest) (held uint64) {
	all := make([][]byte, 100)
	for i := range all {
		all[i] = make([]byte, 1<<20)
		for at := range all[i] {
			all[i][at] = 1
		}
	}
	_, held = r.read()
	runtime.KeepAlive(all)
	return held
}
