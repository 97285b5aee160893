package upstream

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Place says where a workspace's records are found.
type Place struct {
	// WorkspaceID is the workspace's raw or public id.
	WorkspaceID string
	// Subdomain is the workspace's own; empty when the caller does not know it.
	Subdomain string
}

// A subdomain hardly ever changes (API.md §5, Workspace). When one does, the old one is
// still tried first for at most an hour (see [in]).
const (
	workspaceHostTTL  = time.Hour
	maxWorkspaceHosts = 100_000
	// lookUpAgain is how long a workspace is not looked up again for calls that belong to
	// no request.
	renameCheckInterval = time.Second
)

type workspaceHostKey struct {
	credential credential
	id         string
}

// knownPlace is a place and when it was learnt.
type workspaceHost struct {
	Place
	learntAt time.Time
}

// places remembers, for each credential, where its workspaces are: what one
// token can see is never an answer to another. It is bounded and safe for
// concurrent use. What was used last is kept: a cache that goes by how often
// would turn away what has just been learnt, which is what is about to be used.
type workspaceHosts struct {
	known *lru.Cache[workspaceHostKey, workspaceHost]
}

func newWorkspaceHosts(size int) workspaceHosts {
	known, err := lru.New[workspaceHostKey, workspaceHost](size)
	if err != nil {
		panic(err) // only a size below 1 is an error
	}
	return workspaceHosts{known}
}

func (p workspaceHosts) get(key workspaceHostKey) (Place, bool) {
	known, ok := p.known.Get(key)
	if !ok || time.Since(known.learntAt) > workspaceHostTTL {
		return Place{}, false
	}
	return known.Place, true
}

// remember keeps what a workspace's record says of its place. A subdomain that
// is not one DNS label is not believed, also when ClickFunnels sends it.
func (c *Client) remember(w *Workspace) {
	subdomain, err := ParseSubdomain(w.Subdomain())
	if err != nil && c.template.perWorkspace || !IsRawID(w.RawID()) || !c.scope.workspace(w.RawID(), w.TeamID()) {
		return
	}
	// What is kept are copies: texts of records are parts of larger pieces.
	place := Place{WorkspaceID: strings.Clone(w.RawID()), Subdomain: strings.Clone(subdomain)}
	for _, id := range w.IDs() {
		if known, ok := c.workspaceHosts.get(workspaceHostKey{c.credential, id}); ok && known == place {
			continue // until its time is over
		}
		c.workspaceHosts.known.Add(workspaceHostKey{c.credential, strings.Clone(id)}, workspaceHost{place, time.Now()})
	}
}

// Locate completes a place from what the caller gave and the client remembers,
// with no call. It reports false when the workspace has to be fetched first:
// its subdomain, or behind a URL template without one its raw id, is unknown, or
// it is not known yet to be within the client's scope.
func (c *Client) Locate(p Place) (Place, bool) {
	if p.Subdomain != "" && !c.Scoped() {
		return p, true
	}
	if known, ok := c.workspaceHosts.get(workspaceHostKey{c.credential, p.WorkspaceID}); ok {
		return known, true
	}
	return p, !c.template.perWorkspace && IsRawID(p.WorkspaceID) && !c.Scoped()
}

// PlaceOf returns where a workspace's records are found. It fails when the
// workspace, as ClickFunnels sent it, has no usable subdomain.
func (c *Client) PlaceOf(w *Workspace) (Place, error) {
	if !c.template.perWorkspace {
		return Place{WorkspaceID: w.Key()}, nil
	}
	subdomain, err := ParseSubdomain(w.Subdomain())
	if err != nil {
		return Place{}, NewError(Unavailable, "ClickFunnels names no usable subdomain for this workspace.")
	}
	return Place{WorkspaceID: w.Key(), Subdomain: subdomain}, nil
}

// locate is [Client.Locate], fetching the workspace where that is needed. Behind
// a URL template with a placeholder, the place's subdomain has been checked.
func (c *Client) locate(ctx context.Context, p Place) (Place, error) {
	found, ok := c.Locate(p)
	if !ok {
		w, err := c.Workspace(ctx, p.WorkspaceID)
		if err != nil {
			return Place{}, err
		}
		return c.PlaceOf(w)
	}
	if !c.template.perWorkspace {
		return found, nil
	}
	var err error
	found.Subdomain, err = ParseSubdomain(found.Subdomain)
	return found, err
}

// in makes a call where a workspace's records are found. If they are not found on the
// subdomain that is remembered, the workspace may have been renamed: it is looked up, and
// the call is made again if its subdomain is another one now.
func onWorkspaceHost[R any](ctx context.Context, c *Client, p Place, call func(Place) (R, error)) (found R, err error) {
	if p, err = c.locate(ctx, p); err != nil {
		return found, err
	}
	found, err = call(p)
	if to, renamed := c.checkRenamed(ctx, p, err); renamed {
		return call(to)
	}
	return found, err
}

// renamed returns the place of a workspace for which a call has failed, and whether it is
// another one than the call was made for. What has been looked up for this request is not
// looked up again.
func (c *Client) checkRenamed(ctx context.Context, p Place, err error) (Place, bool) {
	failed, ok := errors.AsType[*Error](err)
	if !ok || !c.template.perWorkspace || failed.Unknown ||
		failed.Code != NotFound && failed.Status != http.StatusMovedPermanently && failed.Status != http.StatusPermanentRedirect {
		return p, false
	}
	key := workspaceHostKey{c.credential, p.WorkspaceID}
	known, ok := c.workspaceHosts.known.Get(key)
	if !ok { // the subdomain is the caller's own
		return p, false
	}
	if known.Subdomain != p.Subdomain { // another call has found out
		return known.Place, true
	}
	began := time.Now().Add(-renameCheckInterval)
	if a := allowanceOf(ctx); a != nil {
		began = a.began
	}
	if known.learntAt.After(began) {
		return p, false
	}
	// The call that failed is the one that the request pays for. This one is made once,
	// without retries: its failure must not hold up an answer that is there.
	w, err := c.Workspace(withoutRetries(Aside(Fresh(ctx))), p.WorkspaceID)
	if err != nil {
		return p, false
	}
	to, err := c.PlaceOf(w)
	if err != nil || to.Subdomain == p.Subdomain {
		c.workspaceHosts.known.Add(key, workspaceHost{known.Place, time.Now()})
		return p, false
	}
	return to, true
}
