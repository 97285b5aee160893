package loader

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/funnelgraph/funnelgraph/internal/apitest"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// TestWorkspaceHostIsFoundOnce loads two kinds of records of one workspace. The rows differ in
// what is known of its subdomain.
func TestWorkspaceHostIsFoundOnce(t *testing.T) {
	records := []string{"acme-academy /contacts/3000000001", "acme-academy /pages/30001"}
	for _, test := range []struct {
		name   string
		client func(*testing.T, *apitest.API)
		given  []string
		lookup bool
	}{
		{"unknown", nil, nil, true},
		{"remembered", func(t *testing.T, a *apitest.API) { t.Helper(); a.Locating(t, "101") }, nil, false},
		{"named by the caller", nil, []string{"acme-academy"}, false},
		{"named twice", nil, []string{"acme-academy", "acme-academy"}, false},
		{"named differently", nil, []string{"acme-academy", "acme-retreats"}, true},
		{"named wrongly but remembered", func(t *testing.T, a *apitest.API) { t.Helper(); a.Locating(t, "101") }, []string{"acme-retreats"}, false},
		{"named by the caller of a held token", func(_ *testing.T, a *apitest.API) { a.Client = a.Client.Held() }, []string{"acme-academy"}, true},
		{"named by a scoped caller", func(t *testing.T, a *apitest.API) { t.Helper(); a.Within(t, "101") }, []string{"acme-academy"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := apitest.New(t)
			if test.client != nil {
				test.client(t, a)
			}
			l := begin(t, a)
			for _, subdomain := range test.given {
				l.GiveSubdomain("101", subdomain)
			}
			if located := l.Located("101"); located == test.lookup {
				t.Errorf("the host is known: %t, want %t", located, !test.lookup)
			}
			if err := loadNodes(l, in("101", upstream.KindContact, 3_000_000_001), in("101", upstream.KindPage, 30_001)); err != nil {
				t.Error(err)
			}
			want := records
			if test.lookup {
				want = append([]string{"accounts /workspaces/101"}, records...)
			}
			a.Want(t, want...)
		})
	}
}

// TestWorkspaceIDIsRawIfItCanBeKnown translates ids of workspaces.
func TestWorkspaceIDIsRawIfItCanBeKnown(t *testing.T) {
	a := apitest.New(t)
	w, err := a.Client.Workspace(t.Context(), "101")
	if err != nil {
		t.Fatal(err)
	}
	public := *w.PublicID()
	a = apitest.New(t) // which has not seen it
	for _, test := range []struct {
		name, id, subdomain, want string
		calls                     []string
	}{
		{"raw", "101", "", "101", nil},
		{"public, on a named subdomain", public, "acme-academy", public, nil}, // no record of it was seen yet
		{"public", public, "", "101", []string{"accounts /workspaces/" + public}},
		{"public, known by now", public, "", "101", nil},
	} {
		l := begin(t, a)
		if test.subdomain != "" {
			l.GiveSubdomain(test.id, test.subdomain)
		}
		if id, err := l.WorkspaceID(test.id); id != test.want || err != nil {
			t.Errorf("%s: got %q and the error %v, want %q", test.name, id, err, test.want)
		}
		a.Want(t, test.calls...)
	}
	if _, err := begin(t, a).WorkspaceID("Nowhere"); !errors.Is(err, upstream.NotFound) {
		t.Errorf("a missing workspace: got the error %v, want NOT_FOUND", err)
	}
}

// TestSubdomainOfAPublicIDHoldsForTheRawID names a subdomain for a public id. A record from there
// names the raw id, whose host is then known, too.
func TestSubdomainOfAPublicIDHoldsForTheRawID(t *testing.T) {
	a := apitest.New(t)
	w, err := a.Client.Workspace(t.Context(), "101")
	if err != nil {
		t.Fatal(err)
	}
	public := *w.PublicID()
	a = apitest.New(t)
	l := begin(t, a)
	l.GiveSubdomain(public, "acme-academy")
	contact, err := Contacts.Of(l).Load(in(public, upstream.KindContact, 3_000_000_001))
	if err != nil {
		t.Fatal(err)
	}
	if err := loadNodes(l, in(contact.Ref().Parent, upstream.KindPage, 30_001)); err != nil {
		t.Error(err)
	}
	a.Want(t, "acme-academy /contacts/3000000001", "acme-academy /pages/30001")
	// A record that names no workspace needs the raw id for its own one.
	if err := loadNodes(l, in(public, upstream.KindCourse, 80_001)); err != nil {
		t.Error(err)
	}
	a.Want(t, "accounts /workspaces/"+public, "acme-academy /courses/80001")
}

// TestWriteDropsWhatWasLoadedBefore changes a contact between loads of it and of its list.
func TestWriteDropsWhatWasLoadedBefore(t *testing.T) {
	a := apitest.New(t).Locating(t, "101")
	l := begin(t, a)
	ref := in("101", upstream.KindContact, 3_000_000_001)
	name := func() string {
		contact, err := Contacts.Of(l).Load(ref)
		if err != nil {
			t.Fatal(err)
		}
		return *contact.FirstName()
	}
	list := func() string {
		s, err := ContactList.Of(l).Load(workspaceRef("101"), upstream.Query{}, upstream.Window{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		return *s.Rows[0].FirstName()
	}
	if name() != "Ada" || list() != "Ada" {
		t.Error("the contact has another name than in the example data")
	}
	a.Take()
	rename := func(to string) error {
		_, err := Write(l, Contacts, "101", func(ctx context.Context, c *upstream.Client, p upstream.Place) (*upstream.Contact, error) {
			return c.UpdateContact(ctx, p, ref.ID, map[string]any{"first_name": to})
		})
		return err
	}
	if err := rename("Eve"); err != nil {
		t.Error(err)
	}
	if name() != "Eve" {
		t.Error("the contact has its old name after the write")
	}
	a.Want(t, "PUT acme-academy /contacts/3000000001") // its response is the contact
	if list() != "Eve" {
		t.Error("the list has the old name after the write")
	}
	a.Want(t, "acme-academy /workspaces/101/contacts")

	// A failed write may have been carried out, so nothing that was loaded before is used.
	a.Answer = func(w http.ResponseWriter, _ *http.Request, path string) bool {
		if path == "/contacts/"+ref.ID {
			w.WriteHeader(http.StatusBadGateway)
		}
		return path == "/contacts/"+ref.ID
	}
	if err := rename("Zoe"); err == nil {
		t.Error("no error of a write that failed")
	}
	a.Answer = nil
	a.Take()
	if name() != "Eve" {
		t.Error("a failed write changed the name")
	}
	a.Want(t, "acme-academy /contacts/3000000001")
}

// TestWriteNeedsAnExistingWorkspace pins that nothing is written if the host is unknown.
func TestWriteNeedsAnExistingWorkspace(t *testing.T) {
	a := apitest.New(t)
	_, err := Write(begin(t, a), Contacts, "999", func(context.Context, *upstream.Client, upstream.Place) (*upstream.Contact, error) {
		t.Error("the change was made")
		return nil, errPanic
	})
	if !errors.Is(err, upstream.NotFound) {
		t.Errorf("got the error %v, want NOT_FOUND", err)
	}
}

// TestChainCountsCallsThatDependOnEachOther pins the number of sequential calls, as explanations
// show it.
func TestChainCountsCallsThatDependOnEachOther(t *testing.T) {
	a := apitest.New(t)
	ctx := upstream.WithTrace(t.Context(), upstream.NewTrace())
	l := New(ctx, a.Client)
	if !l.Chained() || begin(t, a).Chained() {
		t.Error("sequential calls are counted without a trace, or not counted with one")
	}
	chain := func(l *Loaders) int { n, _ := upstream.ChainOf(l.ctx); return n }

	// The workspace, then its contact.
	contact, err := Contacts.Of(l.After(0)).Load(in("101", upstream.KindContact, 3_000_000_001))
	if err != nil || contact.Chain() != 2 {
		t.Fatalf("the contact is call %d of its chain and the error is %v, want call 2", contact.Chain(), err)
	}
	// Another field depends on the workspace's call, although it did not make it.
	other := l.After(0)
	page, err := Pages.Of(other).Load(in("101", upstream.KindPage, 30_001))
	if err != nil || page.Chain() != 2 || chain(other) != 2 {
		t.Errorf("the page is call %d and the next call follows %d, want 2 and 2: %v", page.Chain(), chain(other), err)
	}
	// The same contact in a field that follows four calls adds none, and follows the longer chain.
	late := l.After(4)
	if _, err := Contacts.Of(late).Load(contact.Ref()); err != nil || chain(late) != 4 {
		t.Errorf("the next call follows %d, want 4: %v", chain(late), err)
	}
	// Later calls depend on the last write.
	if _, err := Write(l.After(2), Contacts, "101", func(ctx context.Context, c *upstream.Client, p upstream.Place) (*upstream.Contact, error) {
		return c.UpdateContact(ctx, p, contact.RawID(), map[string]any{"first_name": "Eve"})
	}); err != nil {
		t.Error(err)
	}
	if n := chain(l.After(0)); n != 3 {
		t.Errorf("calls after the write follow %d, want 3", n)
	}
}

// TestExpectMoreOnlyJoinsBatchesThatAreNeeded announces loads of deferred fragments.
func TestExpectMoreOnlyJoinsBatchesThatAreNeeded(t *testing.T) {
	key := BatchKey{Workspace: "1", Kind: upstream.KindContact, Level: 2}
	synctest.Test(t, func(t *testing.T) {
		l := New(t.Context(), nil)
		if l.ExpectMore(key) {
			t.Error("joined a batch that nothing else needs")
		}
		l.Expect(key)
		if !l.ExpectMore(BatchKey{Workspace: "2"}, key) {
			t.Error("did not join a batch that another load is expected for")
		}
		l.Settle(key)

		// A pending batch counts, unless only deferred fragments wait for it.
		for _, deferred := range []bool{false, true} {
			l := New(t.Context(), nil)
			blocker := BatchKey{Workspace: "p1", Kind: upstream.KindContact, Level: 2}
			l.Expect(blocker)
			done := make(chan error, 1)
			go func() {
				_, err := (&store{}).resource().Of(l.ForResolver(2, []string{"p1"}, nil, deferred)).Load(refs("1", 1, 1)[0])
				done <- err
			}()
			synctest.Wait()
			if joined := l.ExpectMore(key); joined == deferred {
				t.Errorf("joined a batch that waits for a deferred fragment (%t): %t", deferred, joined)
			} else if joined {
				l.Settle(key)
			}
			l.Settle(blocker)
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// TestFieldSpanKeepsTheResolverCall pins that loaders of a field's span still join its batches.
func TestFieldSpanKeepsTheResolverCall(t *testing.T) {
	l := New(t.Context(), nil).ForResolver(2, []string{"1"}, nil, false)
	if with := l.WithFieldSpan(upstream.NewFieldSpan(t.Context(), "a")); with.call != l.call || with.operation != l.operation || with.ctx == l.ctx {
		t.Errorf("%+v, want the same call and operation with another context", with)
	}
}
