package flight

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestCallersShareAnExecution lets callers join one after another. The first gives up, and the
// others get the result.
func TestCallersShareAnExecution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string, int]
		run := func(context.Context, func() time.Time) int { time.Sleep(time.Minute); return 7 }
		first, cancel := context.WithCancel(t.Context())
		join := func(ctx context.Context, key string) (*Flight[string, int], bool) {
			f, began := g.Join(ctx, key)
			if began {
				go f.Run(run)
			}
			return f, began
		}
		f, began := join(first, "a")
		other, again := join(t.Context(), "a")
		if !began || again || f != other || g.Waiting() != 2 || f.Leader != first {
			t.Errorf("began %t, again %t, %d wait", began, again, g.Waiting())
		}
		if _, anew := join(t.Context(), "b"); !anew {
			t.Error("another key has joined")
		}
		cancel()
		if _, err := f.Wait(first); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if got, err := other.Wait(t.Context()); got != 7 || err != nil {
			t.Errorf("%d, %v", got, err)
		}
		if _, anew := join(t.Context(), "a"); !anew {
			t.Error("an execution that has ended was joined")
		}
		g.Forget(func(key string) bool { return key == "a" })
		if _, anew := join(t.Context(), "a"); !anew {
			t.Error("a forgotten execution was joined")
		}
		time.Sleep(time.Hour)
	})
}

// TestExecutionEndsWithItsCallers checks that callers extend the deadline of an execution, and that
// it is cancelled when the last of them has given up.
func TestExecutionEndsWithItsCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string, error]
		run := func(ctx context.Context, until func() time.Time) error {
			time.Sleep(time.Second)
			if left := time.Until(until()); left != 59*time.Second {
				t.Errorf("callers wait for %s", left)
			}
			<-ctx.Done()
			return ctx.Err()
		}
		short, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		long, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, ctx := range []context.Context{long, short} {
			f, began := g.Join(ctx, "")
			if began {
				go f.Run(run)
			}
			go func() {
				if _, err := f.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			}()
		}
		f, _ := g.Join(long, "")
		began := time.Now()
		if _, err := f.Wait(long); err == nil {
			t.Error("a call that never ends has ended")
		}
		<-f.done
		if took := time.Since(began); took != time.Minute {
			t.Errorf("given up after %s", took)
		}
	})
}

// TestPanic lets an execution panic. The caller that began it gets the panic, and the others get a
// zero result.
func TestPanic(t *testing.T) {
	var g Group[string, int]
	began, first := g.Join(t.Context(), "a")
	joined, second := g.Join(t.Context(), "a")
	if !first || second {
		t.Fatal(first, second)
	}
	func() {
		defer func() {
			if recover() != "inside" {
				t.Error("the panic is lost")
			}
		}()
		began.Run(func(context.Context, func() time.Time) int { panic("inside") })
	}()
	if result, err := joined.Wait(t.Context()); result != 0 || err != nil {
		t.Error(result, err)
	}
	if _, first := g.Join(t.Context(), "a"); !first {
		t.Error("the flight can still be joined")
	}
}
