package loader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// store is a source of contacts that records its calls.
type store struct {
	mu     sync.Mutex
	asked  []string
	hidden string // left out of lists
	broken string // panics
}

func (s *store) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, text)
}

func (s *store) resource() *Resource[upstream.Contact] {
	return newResource(
		func(_ *Loaders, ref upstream.Ref) (*upstream.Contact, error) {
			s.note("one " + ref.Parent + "/" + ref.ID)
			if ref.ID == s.broken {
				panic("broken")
			}
			if ref.ID == "404" {
				return nil, upstream.NewError(upstream.NotFound, "missing")
			}
			return contact(ref.Parent, ref.ID), nil
		},
		func(_ *Loaders, parent string, ids []string) ([]*upstream.Contact, error) {
			s.note(fmt.Sprintf("many %s/%d", parent, len(ids)))
			if slices.Contains(ids, s.broken) {
				panic("broken")
			}
			var rows []*upstream.Contact
			for _, id := range slices.Backward(ids) {
				if id != s.hidden {
					rows = append(rows, contact(parent, id))
				}
			}
			return rows, nil
		},
	)
}

func contact(parent, id string) *upstream.Contact {
	public := "p" + id
	if !upstream.IsRawID(id) {
		public, id = id, strings.TrimPrefix(id, "p")
	}
	return record[upstream.Contact](parent, fmt.Sprintf(`{"id":%q,"public_id":%q}`, id, public))
}

func order(id, contact string) *upstream.Order {
	return record[upstream.Order]("1", fmt.Sprintf(`{"id":%q,"contact_id":%q}`, id, contact))
}

func record[T any](workspace, object string) *T {
	row, err := upstream.ParseRecord[T](workspace, object)
	if err != nil {
		panic(err)
	}
	return row
}

func refs(parent string, from, to int) []upstream.Ref {
	var all []upstream.Ref
	for i := from; i <= to; i++ {
		all = append(all, upstream.Ref{Kind: upstream.KindContact, Parent: parent, ID: fmt.Sprint(i)})
	}
	return all
}

func (s *store) check(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.asked)
	if !slices.Equal(s.asked, want) {
		t.Errorf("asked %q, want %q", s.asked, want)
	}
	s.asked = nil
}

func TestRecordsBatchAndDeduplicate(t *testing.T) {
	s := &store{hidden: "7", broken: "-"}
	r := s.resource().Of(New(t.Context(), nil))
	all := append(refs("1", 1, 45), refs("2", 1, 2)...)
	rows, errs := r.LoadAll(append(all, all...)) // each twice
	for i, row := range rows {
		if want := append(all, all...)[i]; errs[i] != nil || row.Ref() != want {
			t.Fatalf("%d: %+v, want %+v: %v", i, row, want, errs[i])
		}
	}
	s.check(t, "many 1/20", "many 1/20", "many 1/5", "many 2/2", "one 1/7")

	// All are cached by each of their ids, the hidden one too.
	for _, id := range []string{"1", "p1", "7", "p7", "45"} {
		if row, err := r.Load(upstream.Ref{Kind: upstream.KindContact, Parent: "1", ID: id}); err != nil || row.RawID() != strings.TrimPrefix(id, "p") {
			t.Errorf("%s: %v", id, err)
		}
	}
	s.check(t)

	// A single record uses its member path, and so does a public id.
	r.Prime([]*upstream.Contact{contact("3", "5")})
	r.Request(refs("3", 5, 6)...)
	if row, err := r.Load(upstream.Ref{Kind: upstream.KindContact, Parent: "3", ID: "p8"}); err != nil || row.RawID() != "8" {
		t.Error(err)
	}
	if _, err := r.Load(refs("3", 404, 404)[0]); !errors.Is(err, upstream.NotFound) {
		t.Error(err)
	}
	if _, err := r.Load(refs("3", 6, 6)[0]); err != nil {
		t.Error(err)
	}
	s.check(t, "one 3/404", "one 3/6", "one 3/p8")
}

// TestBatchWaitsForExpectedLoads lets resolvers load one record each, a minute apart. The batch
// must be sent when the last expected load has joined.
func TestBatchWaitsForExpectedLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		l := New(t.Context(), nil)
		records := s.resource()
		key := BatchKey{Workspace: "1", Kind: upstream.KindContact, Level: 2}
		var wait sync.WaitGroup
		for range refs("1", 1, 40) {
			l.Expect(key)
		}
		for i, ref := range refs("1", 1, 40) {
			wait.Go(func() {
				time.Sleep(time.Duration(i) * time.Minute)
				call := l.ForResolver(2, []string{"1"}, []BatchKey{key}, false)
				defer call.SettleCall()
				if _, err := records.Of(call).Load(ref); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		s.check(t, "many 1/20", "many 1/20")
	})
}

// TestBatchWaitsForItsOwnKeyOnly announces loads of other workspaces, kinds and levels, which a
// batch must not wait for. Nor must it wait for a resolver that returned without a load.
func TestBatchWaitsForItsOwnKeyOnly(t *testing.T) {
	for name, expected := range map[string]BatchKey{
		"another workspace": {Workspace: "2", Kind: upstream.KindContact, Level: 2},
		"another kind":      {Workspace: "1", Kind: upstream.KindOrder, Level: 2},
		"another level":     {Workspace: "1", Kind: upstream.KindContact, Level: 3},
		"deferred":          {Workspace: "1", Kind: upstream.KindContact, Level: 2, Deferred: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := New(t.Context(), nil)
			l.Expect(expected)
			if _, err := (&store{}).resource().Of(l.ForResolver(2, nil, nil, false)).Load(refs("1", 1, 1)[0]); err != nil {
				t.Error(err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		l := New(t.Context(), nil)
		key := BatchKey{Workspace: "p1", Kind: upstream.KindContact, Level: 2}
		l.Expect(key)
		sent := false
		go func() {
			_, _ = (&store{}).resource().Of(l.ForResolver(2, []string{"p1"}, nil, false)).Load(refs("1", 1, 1)[0])
			sent = true
		}()
		synctest.Wait()
		if sent {
			t.Error("a batch was sent though another load was expected by the public id of its workspace")
		}
		l.ForResolver(2, nil, []BatchKey{key}, false).SettleCall()
		synctest.Wait()
		if !sent {
			t.Error("a batch waits for a resolver that has returned")
		}
	})
}

// TestPanicFailsOnlyTheKeysOfItsCall pins that other calls of a batch succeed.
func TestPanicFailsOnlyTheKeysOfItsCall(t *testing.T) {
	s := &store{broken: "3"}
	r := s.resource().Of(New(t.Context(), nil))
	rows, errs := r.LoadAll(append(refs("1", 1, 3), refs("2", 1, 2)...))
	for i := range rows {
		if broke := errs[i] != nil; broke != (i < 3) || broke && !strings.Contains(errs[i].Error(), "panic") {
			t.Errorf("%d: %v", i, errs[i])
		}
	}
	if _, err := r.Load(refs("4", 3, 3)[0]); err == nil {
		t.Error("no error for a panic in the member call")
	}
}

// TestKindsWithoutBatchingCallOncePerRecord pins that duplicate loads share a call all the same.
func TestKindsWithoutBatchingCallOncePerRecord(t *testing.T) {
	s := &store{}
	records := s.resource()
	records.fetchMany = nil
	r := records.Of(New(t.Context(), nil))
	if _, errs := r.LoadAll(append(refs("1", 1, 3), refs("1", 1, 3)...)); slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		t.Error(errs)
	}
	s.check(t, "one 1/1", "one 1/2", "one 1/3")
}

// TestCallsRunOnTheOperationsContext pins that a call does not run on the first field's context.
func TestCallsRunOnTheOperationsContext(t *testing.T) {
	operation := context.WithValue(t.Context(), contextKey{}, "operation")
	r := newResource(func(l *Loaders, ref upstream.Ref) (*upstream.Contact, error) {
		if l.ctx.Value(contextKey{}) != "operation" {
			t.Error("another context")
		}
		return contact(ref.Parent, ref.ID), nil
	}, nil).Of(New(operation, nil))
	if _, err := r.Load(refs("1", 1, 1)[0]); err != nil {
		t.Error(err)
	}
}

// TestShallowLoadSendsABatchOfADeeperLevel lets a shallow resolver load a record that a deeper
// one has already added to a batch. The batch waits for expected loads of the deeper level, which
// depend on the shallow resolver. Its load must send the batch.
func TestShallowLoadSendsABatchOfADeeperLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(t.Context(), nil)
		records := (&store{}).resource()
		key := BatchKey{Workspace: "1", Kind: upstream.KindContact, Level: 3}
		l.Expect(key)
		deep := make(chan error)
		go func() {
			_, err := records.Of(l.ForResolver(3, []string{"1"}, nil, false)).Load(refs("1", 1, 1)[0])
			deep <- err
		}()
		synctest.Wait()
		if _, err := records.Of(l.ForResolver(1, []string{"1"}, nil, false)).Load(refs("1", 1, 1)[0]); err != nil {
			t.Error(err)
		}
		l.Settle(key)
		if err := <-deep; err != nil {
			t.Error(err)
		}
	})
}

// TestEndedOperationSendsWaitingBatches cancels an operation whose batch waits for a load that is
// never made.
func TestEndedOperationSendsWaitingBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l := New(ctx, nil)
		l.Expect(BatchKey{Workspace: "1", Kind: upstream.KindContact})
		loaded := false
		go func() {
			_, _ = (&store{}).resource().Of(l.ForResolver(0, nil, nil, false)).Load(refs("1", 1, 1)[0])
			loaded = true
		}()
		synctest.Wait()
		if loaded {
			t.Error("a batch was sent though a load was expected")
		}
		cancel()
		synctest.Wait()
		if !loaded {
			t.Error("a load waits though its operation has ended")
		}
	})
}
