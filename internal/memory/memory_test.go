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
	busy := make([][]byte, 100)
	for i := range busy {
		busy[i] = make([]byte, 1<<20)
		for at := range busy[i] {
			busy[i][at] = 1
		}
	}
	_, most := r.read()
	runtime.KeepAlive(busy)
	busy = nil
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
