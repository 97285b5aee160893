package upstream

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// Place is where a workspace's records are found.
type Place struct {
	// WorkspaceID is the workspace's raw or public id.
	WorkspaceID string
	// Subdomain is the workspace's subdomain; empty if unknown.
	Subdomain string
	// TeamID is the raw id of the team whose list is requested from the accounts host.
	TeamID string
}

// Subdomains hardly ever change (clickfunnels-api.md §5, Workspace). After a change, the old one is tried first
// for at most an hour (see [onWorkspaceHost]).
const (
	workspaceHostTTL  = time.Hour
	maxWorkspaceHosts = 100_000
	// renameCheckInterval is the minimum time between look-ups of the same workspace for calls that
	// belong to no request.
	renameCheckInterval = time.Second
)

type workspaceHostKey struct {
	credential transport.Credential
	id         string
}

// workspaceHost is a place and when it was learnt.
type workspaceHost struct {
	Place
	learntAt time.Time
}

// workspaceHosts remembers the hosts of workspaces for each credential, so that no token learns
// what another one can see. It is bounded and safe for concurrent use. It evicts the least recently
// used entries. Eviction by frequency would drop new entries, which are about to be used.
type workspaceHosts struct {
	known *lru.Cache[workspaceHostKey, workspaceHost]
	// names are the subdomains that any credential has found, by the raw ids of workspaces. After a
	// change, some credentials know the old one.
	names *lru.Cache[string, []string]
}

// maxNames is how many subdomains of a workspace are remembered.
const maxNames = 3

func newWorkspaceHosts(size int) workspaceHosts {
	known, err := lru.New[workspaceHostKey, workspaceHost](size)
	if err != nil {
		panic(err) // fails only for a size below 1
	}
	names, err := lru.New[string, []string](size)
	if err != nil {
		panic(err)
	}
	return workspaceHosts{known, names}
}

// subdomains returns the subdomains of a workspace that any credential has found, and the given ones.
func (p workspaceHosts) subdomains(workspace string, given ...string) []string {
	names, _ := p.names.Get(workspace)
	for _, name := range names {
		if !slices.Contains(given, name) {
			given = append(given, name)
		}
	}
	return given
}

func (p workspaceHosts) get(key workspaceHostKey) (Place, bool) {
	known, ok := p.known.Get(key)
	if !ok || time.Since(known.learntAt) > workspaceHostTTL {
		return Place{}, false
	}
	return known.Place, true
}

// remember stores the place of a workspace. It ignores a subdomain that is not one DNS label, even
// if ClickFunnels sent it.
func (c *Client) remember(w *Workspace) {
	subdomain, err := ParseSubdomain(w.Subdomain())
	if err != nil && c.template.perWorkspace || !IsRawID(w.RawID()) || !c.scope.workspace(w.RawID(), w.TeamID()) {
		return
	}
	// The strings are cloned, because those of records refer to larger blocks.
	c.rememberPlace(Place{WorkspaceID: strings.Clone(w.RawID()), Subdomain: strings.Clone(subdomain)}, w.IDs()...)
}

// Learn remembers the subdomain of a workspace, by its raw id, learnt from a source other than the API. It
// ignores a subdomain that is not one DNS label.
func (c *Client) Learn(p Place) {
	subdomain, err := ParseSubdomain(p.Subdomain)
	if err != nil || !IsRawID(p.WorkspaceID) || c.scope.excludes(p.WorkspaceID) {
		return
	}
	if _, known := c.workspaceHosts.get(workspaceHostKey{c.credential, p.WorkspaceID}); !known { // a record is newer
		c.rememberPlace(Place{WorkspaceID: p.WorkspaceID, Subdomain: subdomain}, p.WorkspaceID)
	}
}

// Changed drops the cached responses of a workspace, given by its raw id, that a change can have changed,
// for all tokens and on all replicas. It may look the workspace up first.
func (c *Client) Changed(ctx context.Context, workspace string, change Change) error {
	p, err := c.locate(ctx, Place{WorkspaceID: workspace})
	if err != nil {
		return err
	}
	for _, subdomain := range c.workspaceHosts.subdomains(workspace, p.Subdomain) {
		c.transport.Evict(ctx, c.template.host(subdomain), change.tags())
	}
	return nil
}

// ChangedElsewhere makes later reads of a workspace, given by its raw id, join no earlier ones: another replica
// has processed a change. The cache finds its evictions by itself.
func (c *Client) ChangedElsewhere(workspace string) {
	for _, subdomain := range c.workspaceHosts.subdomains(workspace, "") {
		c.transport.EndSharing(c.template.host(subdomain))
	}
}

// Evict drops the cached responses of a host, for all tokens and on all replicas. The tags are raw ids of
// records and kinds of lists; nil drops all.
func (c *Client) Evict(ctx context.Context, subdomain string, tags []string) error {
	host, err := ParseSubdomain(subdomain)
	if err != nil {
		return err
	}
	c.transport.Evict(ctx, c.template.host(host), tags)
	return nil
}

// Changes returns a number that grows with each write and each eviction that this server knows of, of any
// client. Data that was read before it grew can be out of date.
func (c *Client) Changes() uint64 { return c.transport.Changes() }

// rememberPlace remembers a place by the ids of its workspace.
func (c *Client) rememberPlace(place Place, ids ...string) {
	if names, _ := c.workspaceHosts.names.Get(place.WorkspaceID); !slices.Contains(names, place.Subdomain) {
		names = append(slices.Clone(names), place.Subdomain)
		c.workspaceHosts.names.Add(place.WorkspaceID, names[max(0, len(names)-maxNames):])
	}
	for _, id := range ids {
		if known, ok := c.workspaceHosts.get(workspaceHostKey{c.credential, id}); ok && known == place {
			continue // keep the expiry of the known entry
		}
		c.workspaceHosts.known.Add(workspaceHostKey{c.credential, strings.Clone(id)}, workspaceHost{place, time.Now()})
	}
}

// Locate completes a place from the caller's values and the remembered ones, without a call. It
// returns false if the workspace must be fetched first. That is the case if its subdomain is
// unknown or, for a URL template without a placeholder, its raw id. It also is if the workspace is
// not yet known to be within the client's scope.
func (c *Client) Locate(p Place) (Place, bool) {
	if p.Subdomain != "" && !c.Scoped() {
		return p, true
	}
	if known, ok := c.workspaceHosts.get(workspaceHostKey{c.credential, p.WorkspaceID}); ok {
		return known, true
	}
	return p, !c.template.perWorkspace && IsRawID(p.WorkspaceID) && !c.Scoped()
}

// PlaceOf returns the place of a workspace. It fails with the code Unavailable if ClickFunnels sent
// no usable subdomain.
func (c *Client) PlaceOf(w *Workspace) (Place, error) {
	if !c.template.perWorkspace {
		return Place{WorkspaceID: w.Key()}, nil
	}
	subdomain, err := ParseSubdomain(w.Subdomain())
	if err != nil {
		return Place{}, NewError(Unavailable, "ClickFunnels sent no usable subdomain for this workspace.")
	}
	return Place{WorkspaceID: w.Key(), Subdomain: subdomain}, nil
}

// locate is [Client.Locate], but fetches the workspace if necessary. For a URL template with a
// placeholder, it also validates the subdomain.
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

// onWorkspaceHost makes a call on a workspace's host. If a remembered subdomain yields 404 or a
// redirect, the workspace may have been renamed. It then looks the workspace up, and repeats the
// call if the subdomain has changed.
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

// checkRenamed returns the current place of a workspace after a failed call, and whether it has
// changed. It looks a workspace up at most once for each request.
func (c *Client) checkRenamed(ctx context.Context, p Place, err error) (Place, bool) {
	failed, ok := errors.AsType[*Error](err)
	if !ok || !c.template.perWorkspace || failed.Unknown ||
		failed.Code != NotFound && failed.Status != http.StatusMovedPermanently && failed.Status != http.StatusPermanentRedirect {
		return p, false
	}
	key := workspaceHostKey{c.credential, p.WorkspaceID}
	known, ok := c.workspaceHosts.known.Get(key)
	if !ok { // the caller named the subdomain
		return p, false
	}
	if known.Subdomain != p.Subdomain { // another call has looked it up
		return known.Place, true
	}
	began := time.Now().Add(-renameCheckInterval)
	if a := transport.AllowanceOf(ctx); a != nil {
		began = a.Began()
	}
	if known.learntAt.After(began) {
		return p, false
	}
	// The request pays only for the failed call. The look-up is not retried, because its failure
	// must not delay a response that is already there.
	w, err := c.Workspace(withoutRetries(transport.WithSeparateAllowance(Fresh(ctx))), p.WorkspaceID)
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
