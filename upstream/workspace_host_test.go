package upstream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/internal/script"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// TestWorkspaceHostsAreBoundedAndExpire checks that the most recent places are kept, for a limited
// time.
func TestWorkspaceHostsAreBoundedAndExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		base.workspaceHosts = newWorkspaceHosts(100)
		knows := func(c *Client, id string) bool {
			p, ok := c.Locate(Place{WorkspaceID: id})
			return ok && p == Place{WorkspaceID: "7", Subdomain: "acme"}
		}
		workspace, err := ParseRecord[Workspace]("", `{"id":7,"public_id":"seven","subdomain":"Acme"}`)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			c := base.WithToken(Token(fmt.Sprint("token-", i)))
			c.remember(workspace)
			if !knows(c, "7") || !knows(c, "seven") {
				t.Fatalf("%d: forgotten at once", i)
			}
			if knows(base.WithToken("another"), "7") {
				t.Fatal("known to another token")
			}
		}
		if known := base.workspaceHosts.known.Len(); known != 100 {
			t.Errorf("%d places are kept, want 100", known)
		}
		last := base.WithToken("token-999")
		time.Sleep(workspaceHostTTL)
		if !knows(last, "7") {
			t.Error("forgotten too early")
		}
		time.Sleep(time.Second)
		if knows(last, "7") {
			t.Error("remembered too long")
		}
		last.remember(workspace)
		if !knows(last, "7") {
			t.Error("not remembered again")
		}
	})
}

// TestRenamedWorkspaceIsLookedUp moves a workspace away from its remembered subdomain.
func TestRenamedWorkspaceIsLookedUp(t *testing.T) {
	const (
		old, renamed = "old.myclickfunnels.com", "new.myclickfunnels.com"
		contact      = `{"id":7,"workspace_id":101}`
	)
	workspace := func(subdomain string) step {
		return step{Status: 200, Body: `{"id":101,"team_id":11,"name":"x","subdomain":"` + subdomain + `"}`}
	}
	read := func(ctx context.Context, c *Client, p Place) error { _, err := c.Contact(ctx, p, "7"); return err }
	list := func(ctx context.Context, c *Client, p Place) error { _, err := c.Contacts(ctx, p, Query{}); return err }
	create := func(ctx context.Context, c *Client, p Place) error {
		_, err := c.CreateContact(ctx, p, map[string]string{})
		return err
	}
	update := func(ctx context.Context, c *Client, p Place) error {
		_, err := c.UpdateContact(ctx, p, "7", map[string]string{})
		return err
	}
	remove := func(ctx context.Context, c *Client, p Place) error { return c.DeleteContact(ctx, p, "7") }
	for _, test := range []struct {
		name       string
		call       func(context.Context, *Client, Place) error
		old        step
		renamed    string // subdomain that the look-up returns
		answer     step   // at the new subdomain
		want       Code
		calls      int // look-ups after the first
		fromCaller bool
	}{
		{name: "read, 404", call: read, old: step{Status: 404}, renamed: "new", answer: step{Status: 200, Body: contact}, calls: 1},
		{name: "read, 410", call: read, old: step{Status: 410}, renamed: "new", answer: step{Status: 200, Body: contact}, calls: 1},
		{name: "read, 301", call: read, old: step{Status: 301}, renamed: "new", answer: step{Status: 200, Body: contact}, calls: 1},
		{name: "list", call: list, old: step{Status: 404}, renamed: "new", answer: step{Status: 200, Body: "[" + contact + "]"}, calls: 1},
		{name: "create", call: create, old: step{Status: 404}, renamed: "new", answer: step{Status: 201, Body: contact}, calls: 1},
		{name: "update", call: update, old: step{Status: 301}, renamed: "new", answer: step{Status: 200, Body: contact}, calls: 1},
		{name: "delete", call: remove, old: step{Status: 404}, renamed: "new", answer: step{Status: 200, Body: contact}, calls: 1},
		{name: "subdomain now belongs to another workspace", call: read, old: step{Status: 200, Body: `{"id":7,"workspace_id":999}`}, renamed: "new", answer: step{Status: 200, Body: contact}, calls: 1},
		{name: "also missing at the new subdomain", call: read, old: step{Status: 404}, renamed: "new", answer: step{Status: 404}, want: NotFound, calls: 1},
		{name: "not renamed", call: read, old: step{Status: 404}, renamed: "old", want: NotFound, calls: 1},
		{name: "403", call: read, old: step{Status: 403}, renamed: "new", want: Forbidden},
		{name: "422", call: create, old: step{Status: 422}, renamed: "new", want: BadUserInput},
		{name: "subdomain from the caller", call: read, old: step{Status: 404}, renamed: "new", want: NotFound, fromCaller: true},
	} {
		for _, scoped := range []bool{false, true} {
			if scoped && test.name == "subdomain from the caller" {
				continue
			}
			t.Run(fmt.Sprint(test.name, ", scoped ", scoped), func(t *testing.T) {
				c, s := scriptedClient(t, Config{}, workspace("old"), workspace(test.renamed))
				if scoped {
					scope, err := NewScope(nil, []string{"101"})
					if err != nil {
						t.Fatal(err)
					}
					c = c.Within(scope)
				}
				s.Play(old, test.old)
				s.Play(renamed, test.answer)
				p := Place{WorkspaceID: "101", Subdomain: "old"}
				if test.fromCaller {
					s.Play(accountsHost, workspace(test.renamed))
				} else if _, err := c.Workspace(t.Context(), "101"); err != nil {
					t.Fatal(err)
				}
				before := len(s.Calls(accountsHost))
				err := test.call(transport.WithAllowance(t.Context(), new(transport.Allowance)), c, p)
				if scoped && test.want == Forbidden { // scoped clients get another message
					return
				}
				if (err == nil) != (test.want == "") || test.want != "" && !errors.Is(err, test.want) {
					t.Errorf("%v, want %q", err, test.want)
				}
				if calls := len(s.Calls(accountsHost)) - before; calls != test.calls {
					t.Errorf("%d look-ups, want %d", calls, test.calls)
				}
			})
		}
	}
}

// TestChangesAfterARename changes a record of a renamed workspace. The token of the webhook knows the old
// subdomain, and another one has cached the record under the new one.
func TestChangesAfterARename(t *testing.T) {
	workspace := func(subdomain string) step {
		return step{Status: 200, Body: `{"id":101,"team_id":11,"name":"x","subdomain":"` + subdomain + `"}`}
	}
	hook, s := scriptedClient(t, Config{Transport: transport.Config{CacheTTL: time.Hour}}, workspace("old"), workspace("new"))
	client := hook.WithToken("another")
	for _, c := range []*Client{hook, client} {
		if _, err := c.Workspace(t.Context(), "101"); err != nil {
			t.Fatal(err)
		}
	}
	const renamed = "new.myclickfunnels.com"
	s.Play(renamed, step{Status: 200, Body: `{"id":7,"workspace_id":101}`})
	for n, change := range []func(){func() {}, func() {}, func() {
		if err := hook.Changed(t.Context(), "101", Change{Kind: KindContact, ID: "7", IsUpdate: true}); err != nil {
			t.Error(err)
		}
	}} {
		change()
		if _, err := client.Contact(t.Context(), Place{WorkspaceID: "101"}, "7"); err != nil {
			t.Fatal(err)
		}
		if calls, want := len(s.Calls(renamed)), []int{1, 1, 2}[n]; calls != want {
			t.Errorf("%d calls after read %d, want %d", calls, n+1, want)
		}
	}
}

// TestUpdatesOfAWorkspaceClearItsHost updates a workspace, which cached records embed. A refused update clears
// nothing; one whose outcome is unknown does.
func TestUpdatesOfAWorkspaceClearItsHost(t *testing.T) {
	const host, workspace = "acme.myclickfunnels.com", `{"id":101,"team_id":11,"name":"x","subdomain":"acme"}`
	for _, test := range []struct {
		update step
		calls  int // for the record afterwards
	}{{step{Status: 200, Body: workspace}, 2}, {step{Status: 422}, 1}, {step{Status: 403}, 1}, {step{Status: 200, Body: "["}, 2}} {
		c, s := scriptedClient(t, Config{Transport: transport.Config{CacheTTL: time.Hour}}, step{Status: 200, Body: workspace}, test.update)
		s.Play(host, step{Status: 200, Body: `{"id":7,"workspace_id":101}`})
		if _, err := c.Workspace(t.Context(), "101"); err != nil {
			t.Fatal(err)
		}
		read := func() {
			if _, err := c.Contact(t.Context(), Place{WorkspaceID: "101"}, "7"); err != nil {
				t.Fatal(err)
			}
		}
		read()
		_, _ = c.UpdateWorkspace(t.Context(), "101", map[string]string{"name": "y"})
		read()
		if calls := len(s.Calls(host)); calls != test.calls {
			t.Errorf("%d %s: %d calls, want %d", test.update.Status, test.update.Body, calls, test.calls)
		}
	}
}

// TestRenameLookUpRunsOncePerRequest requests many missing records. One look-up shows that the
// workspace has not been renamed.
func TestRenameLookUpRunsOncePerRequest(t *testing.T) {
	c, s := scriptedClient(t, Config{}, step{Status: 200, Body: `{"id":101,"team_id":11,"name":"x","subdomain":"old"}`})
	s.Play("old.myclickfunnels.com", step{Status: 404})
	if _, err := c.Workspace(t.Context(), "101"); err != nil {
		t.Fatal(err)
	}
	ctx := transport.WithAllowance(t.Context(), new(transport.Allowance))
	for range 5 {
		if _, err := c.Contact(ctx, Place{WorkspaceID: "101"}, "7"); !errors.Is(err, NotFound) {
			t.Error(err)
		}
	}
	if calls := len(s.Calls(accountsHost)); calls != 2 {
		t.Errorf("%d look-ups, want 2", calls)
	}
}

// TestRetriedUpsertMayNotKnowWhetherItCreated checks that an upsert reports creation only if no
// earlier attempt may have created the contact.
func TestRetriedUpsertMayNotKnowWhetherItCreated(t *testing.T) {
	answer := func(status int) step { return step{Status: status, Body: `{"id":7,"workspace_id":101}`} }
	for _, test := range []struct {
		name  string
		steps []step
		want  any
	}{
		{"created", []step{answer(201)}, true},
		{"updated", []step{answer(200)}, false},
		{"429, then updated", []step{{Status: 429}, answer(200)}, false},
		{"502, then updated", []step{{Status: 502}, answer(200)}, nil},
		{"broken connection, then updated", []step{script.BrokenConnection, answer(200)}, nil},
		{"502, then created", []step{{Status: 502}, answer(201)}, true},
		{"no connection, then updated", []step{script.DialError, answer(200)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := scriptedClient(t, Config{})
				s.Play(acmeHost, test.steps...)
				_, created, err := c.UpsertContact(t.Context(), Place{WorkspaceID: "101", Subdomain: "acme"}, map[string]string{})
				if err != nil {
					t.Fatal(err)
				}
				if test.want == nil && created != nil || test.want != nil && (created == nil || *created != test.want) {
					t.Errorf("created is %v, want %v", created, test.want)
				}
			})
		})
	}
}
