// Package cachemodel checks the cache of REST clients against a model of the API, for tests. Replicas read
// and write at random, and events change the records behind their backs. No answer may be older than a
// change that was acknowledged before the read began.
package cachemodel

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// Config configures a run.
type Config struct {
	// Replicas are the shared states of the replicas: one for each, nil for one without shared state.
	Replicas []transport.Replicas
	// Steps is the number of reads, writes and events. Seed makes their choice repeatable.
	Steps int
	Seed  uint64
	// Latency is the longest time of a call. HasOutages takes the API down for short times.
	Latency    time.Duration
	HasOutages bool
	// IsShared, if not nil, reports whether the replicas must know the changes of each other at the moment.
	IsShared func() bool
}

const (
	workers    = 8
	workspaces = 2
	tags       = 9
	firstIDs   = 10 // contacts of each workspace at first
)

// Run runs the model, and reports each answer that is too old.
func Run(tb testing.TB, cfg Config) {
	tb.Helper()
	m := &model{Config: cfg, tb: tb, api: newAPI(cfg.Latency), acknowledged: make([]map[string]int, len(cfg.Replicas))}
	for i, shared := range cfg.Replicas {
		m.acknowledged[i] = make(map[string]int)
		client, err := upstream.New(upstream.Config{URLTemplate: "https://{subdomain}.example/api", Transport: transport.Config{
			RoundTripper: m.api, Replicas: shared, CacheTTL: time.Second, CacheStale: time.Hour, CacheSize: 1 << 20, Attempts: 1,
		}, Observer: upstream.Observer{Called: m.count}})
		if err != nil {
			tb.Fatal(err)
		}
		m.clients = append(m.clients, client)
	}
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(cfg.Seed, uint64(w))) //nolint:gosec // a test's choices
			for range cfg.Steps / workers {
				time.Sleep(rand.N(cfg.Latency)) //nolint:gosec // steps without a call take time, too
				m.step(random)
			}
		})
	}
	wait.Wait()
	tb.Logf("%d reads, %d from the cache, %d of them stale; %d writes and events; %d calls", m.reads.Load(), m.hits.Load(), m.stale.Load(), m.changes.Load(), m.api.calls.Load())
	if m.reads.Load() > 1000 && m.hits.Load() < m.reads.Load()/20 {
		tb.Error("the cache has answered too few reads")
	}
}

// model compares the answers of the clients with the changes that they know of.
type model struct {
	Config

	tb      testing.TB
	api     *api
	clients []*upstream.Client

	mu sync.Mutex
	// acknowledged is the version of each fact that was acknowledged on each replica.
	acknowledged []map[string]int

	reads, hits, stale, changes atomic.Int64
}

func (m *model) count(_ context.Context, call upstream.Call) {
	if call.Method != http.MethodGet {
		return
	}
	m.reads.Add(1)
	if call.Origin == transport.FromCache {
		m.hits.Add(1)
	}
	if call.IsStale {
		m.stale.Add(1)
	}
}

// acknowledge records that a change was acknowledged on a replica.
func (m *model) acknowledge(replica int, facts map[string]int) {
	m.changes.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	for fact, version := range facts {
		m.acknowledged[replica][fact] = max(m.acknowledged[replica][fact], version)
	}
}

// known returns what a read on a replica must show.
func (m *model) known(replica int) map[string]int {
	isShared := m.IsShared == nil || m.IsShared()
	m.mu.Lock()
	defer m.mu.Unlock()
	known := maps.Clone(m.acknowledged[replica])
	for _, of := range m.acknowledged {
		for fact, version := range of {
			if isShared {
				known[fact] = max(known[fact], version)
			}
		}
	}
	return known
}

// step makes one read, write or event.
func (m *model) step(random *rand.Rand) {
	replica := random.IntN(len(m.clients))
	client := m.clients[replica].WithToken(upstream.Token(fmt.Sprint("token-", random.IntN(2))))
	workspace := random.IntN(workspaces) + 1
	place := upstream.Place{WorkspaceID: strconv.Itoa(workspace), Subdomain: fmt.Sprint("w", workspace)}
	id := strconv.Itoa(m.api.contactOf(workspace, random))
	ctx := transport.WithAllowance(context.Background(), &transport.Allowance{})
	switch n := random.IntN(100); {
	case n < 55:
		known := m.known(replica)
		contact, err := client.Contact(ctx, place, id)
		if err == nil {
			m.checkContact(known, contact)
		}
	case n < 80:
		known := m.known(replica)
		page, err := client.Contacts(ctx, place, upstream.Query{})
		if err == nil {
			m.checkList(known, place.WorkspaceID, page.Rows)
		}
	case n < 88:
		known := m.known(replica)
		list, err := client.ContactTags(ctx, place, upstream.Query{})
		if err == nil {
			for _, tag := range list.Rows {
				m.check(known, "tag "+tag.RawID(), new(tag.Name()))
			}
		}
	case n < 94:
		m.change(ctx, random, replica, client, place, id)
	case n < 99:
		m.event(ctx, random, replica, client, place, id)
	default:
		m.api.down.Store(m.HasOutages && random.IntN(3) == 0)
	}
}

// change makes a write.
func (m *model) change(ctx context.Context, random *rand.Rand, replica int, client *upstream.Client, place upstream.Place, id string) {
	tag := strconv.Itoa(tagID(place.WorkspaceID, random.IntN(tags)))
	switch random.IntN(8) {
	case 0:
		if row, err := client.CreateContact(ctx, place, map[string]any{}); err == nil {
			m.acknowledge(replica, map[string]int{"contact " + row.RawID(): version(row.FirstName())})
		}
	case 1:
		if m.api.canDelete(place.WorkspaceID) && client.DeleteContact(ctx, place, id) == nil {
			m.acknowledge(replica, map[string]int{"gone " + id: 1})
		}
	case 2:
		if _, err := client.ApplyContactTag(ctx, place, id, tag); err == nil {
			m.acknowledge(replica, map[string]int{"applied " + id + " " + tag: 1})
		}
	case 3:
		if row, err := client.UpdateContactTag(ctx, place, tag, map[string]any{}); err == nil {
			m.acknowledge(replica, map[string]int{"tag " + tag: version(new(row.Name()))})
		}
	default:
		if row, err := client.UpdateContact(ctx, place, id, map[string]any{}); err == nil {
			m.acknowledge(replica, map[string]int{"contact " + id: version(row.FirstName())})
		}
	}
}

// event changes a record elsewhere, and sends its event.
func (m *model) event(ctx context.Context, random *rand.Rand, replica int, client *upstream.Client, place upstream.Place, id string) {
	change := upstream.Change{Kind: upstream.KindContact, ID: id, IsUpdate: true}
	facts := make(map[string]int)
	switch random.IntN(4) {
	case 0:
		created := m.api.create(place.WorkspaceID)
		change.ID, change.IsUpdate = strconv.Itoa(created), false
		facts["contact "+change.ID] = 1
	case 1:
		tag := strconv.Itoa(tagID(place.WorkspaceID, random.IntN(tags)))
		if !m.api.apply(id, tag) {
			return
		}
		change = upstream.Change{Kind: upstream.KindAppliedContactTag, ID: "77", Data: fmt.Appendf(nil, `{"id": 77, "contact_id": %s, "tag_id": %s}`, id, tag)}
		facts["applied "+id+" "+tag] = 1
	default:
		at, ok := m.api.update(id)
		if !ok {
			return
		}
		facts["contact "+id] = at
	}
	if err := client.Changed(ctx, place.WorkspaceID, change); err == nil {
		m.acknowledge(replica, facts)
	}
}

// check reports a version that is older than the known one.
func (m *model) check(known map[string]int, fact string, got *string) {
	if version(got) < known[fact] {
		m.tb.Errorf("%s has the version %d, and %d was acknowledged before", fact, version(got), known[fact])
	}
}

func (m *model) checkContact(known map[string]int, contact *upstream.Contact) {
	id := contact.RawID()
	m.check(known, "contact "+id, contact.FirstName())
	if known["gone "+id] > 0 {
		m.tb.Errorf("contact %s was deleted before", id)
	}
	var applied []string
	for _, tag := range contact.Tags() {
		applied = append(applied, tag.RawID())
		m.check(known, "tag "+tag.RawID(), new(tag.Name()))
	}
	for fact := range known {
		if tag, ok := strings.CutPrefix(fact, "applied "+id+" "); ok && !slices.Contains(applied, tag) {
			m.tb.Errorf("contact %s has the tags %v, and %s was applied before", id, applied, tag)
		}
	}
}

func (m *model) checkList(known map[string]int, workspace string, contacts []*upstream.Contact) {
	var ids []string
	for _, contact := range contacts {
		ids = append(ids, contact.RawID())
		m.checkContact(known, contact)
	}
	for fact := range known {
		if id, ok := strings.CutPrefix(fact, "contact "); ok && known["gone "+id] == 0 && m.api.isIn(id, workspace) && !slices.Contains(ids, id) {
			m.tb.Errorf("contact %s of workspace %s was created before, and is not in its list %v", id, workspace, ids)
		}
	}
}

// version returns the version in a text of the API.
func version(text *string) int {
	if text == nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(*text, "v"))
	return n
}

// api is the model of the API. It is an [http.RoundTripper].
type api struct {
	latency time.Duration
	down    atomic.Bool
	calls   atomic.Int64

	mu       sync.Mutex
	clock    int
	next     int
	contacts map[int]*contact
	tags     map[int]int // the version of each tag
}

type contact struct {
	workspace, version int
	gone               bool
	tags               []int
}

func newAPI(latency time.Duration) *api {
	a := &api{latency: latency, contacts: make(map[int]*contact), tags: make(map[int]int), next: 1000}
	for w := range workspaces {
		for range firstIDs {
			a.create(strconv.Itoa(w + 1))
		}
		for n := range tags {
			a.tags[tagID(strconv.Itoa(w+1), n)] = 1
		}
	}
	return a
}

// tagID returns the id of the nth tag of a workspace.
func tagID(workspace string, n int) int {
	w, _ := strconv.Atoi(workspace)
	return 10*w + n
}

func (a *api) contactOf(workspace int, random *rand.Rand) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	var ids []int
	for id, c := range a.contacts {
		if c.workspace == workspace && !c.gone {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids[random.IntN(len(ids))]
}

// canDelete keeps some contacts in each workspace.
func (a *api) canDelete(workspace string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, c := range a.contacts {
		if strconv.Itoa(c.workspace) == workspace && !c.gone {
			n++
		}
	}
	return n > firstIDs/2
}

func (a *api) isIn(id, workspace string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, _ := strconv.Atoi(id)
	c := a.contacts[n]
	return c != nil && !c.gone && strconv.Itoa(c.workspace) == workspace
}

// create adds a contact, unless there are as many as a page holds.
func (a *api) create(workspace string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	w, _ := strconv.Atoi(workspace)
	a.clock++
	a.next++
	a.contacts[a.next] = &contact{workspace: w, version: a.clock}
	n := 0
	for _, c := range a.contacts {
		if c.workspace == w && !c.gone {
			n++
		}
	}
	if n > upstream.PageSize { // the list would have another page
		a.contacts[a.next].gone = true
	}
	return a.next
}

func (a *api) update(id string) (version int, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, _ := strconv.Atoi(id)
	c := a.contacts[n]
	if c == nil || c.gone {
		return 0, false
	}
	a.clock++
	c.version = a.clock
	return c.version, true
}

func (a *api) apply(id, tag string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, _ := strconv.Atoi(id)
	c := a.contacts[n]
	if c == nil || c.gone {
		return false
	}
	if t, _ := strconv.Atoi(tag); !slices.Contains(c.tags, t) {
		c.tags = append(c.tags, t)
	}
	return true
}

// RoundTrip implements [http.RoundTripper].
func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	a.calls.Add(1)
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	time.Sleep(rand.N(a.latency) / 2) //nolint:gosec // as above
	status, answer := http.StatusServiceUnavailable, any(nil)
	if !a.down.Load() {
		status, answer = a.answer(r.Method, strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/api"), "/"), "/"), string(body))
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	time.Sleep(rand.N(a.latency) / 2) //nolint:gosec // as above
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(text))), Request: r}, nil
}

// answer answers a call.
func (a *api) answer(method string, path []string, body string) (status int, answer any) {
	switch route := method + " " + path[0]; {
	case method == http.MethodPost && path[0] == "workspaces":
		return http.StatusCreated, a.row(strconv.Itoa(a.create(path[1])))
	case method == http.MethodPost: // contacts/{id}/applied_tags
		_, digits, _ := strings.Cut(body, "tag_id")
		digits = strings.Trim(digits, `":}`)
		if !a.apply(path[1], digits) {
			return http.StatusNotFound, nil
		}
		return http.StatusCreated, map[string]any{"id": 77, "contact_id": path[1], "tag_id": digits}
	case route == "PUT contacts" && path[1] != "tags":
		if _, ok := a.update(path[1]); !ok {
			return http.StatusNotFound, nil
		}
		return http.StatusOK, a.row(path[1])
	case method == http.MethodPut: // contacts/tags/{id}
		return http.StatusOK, a.updateTag(path[2])
	case method == http.MethodDelete:
		a.mu.Lock()
		defer a.mu.Unlock()
		id, _ := strconv.Atoi(path[1])
		a.contacts[id].gone = true
		return http.StatusNoContent, nil
	case route == "GET contacts":
		if row := a.row(path[1]); row != nil {
			return http.StatusOK, row
		}
		return http.StatusNotFound, nil
	case path[len(path)-1] == "tags":
		return http.StatusOK, a.tagRows(path[1])
	}
	return http.StatusOK, a.rows(path[1])
}

func (a *api) updateTag(id string) any {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, _ := strconv.Atoi(id)
	a.clock++
	a.tags[n] = a.clock
	return a.tagRow(n)
}

// tagRow returns a tag. The mutex is held.
func (a *api) tagRow(id int) any {
	return map[string]any{"id": id, "public_id": fmt.Sprint("tag", id), "workspace_id": id / 10, "name": fmt.Sprint("v", a.tags[id])}
}

func (a *api) tagRows(workspace string) []any {
	a.mu.Lock()
	defer a.mu.Unlock()
	var rows []any
	for n := range tags {
		rows = append(rows, a.tagRow(tagID(workspace, n)))
	}
	return rows
}

func (a *api) row(id string) any {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, _ := strconv.Atoi(id)
	return a.contactRow(n)
}

// contactRow returns a contact, nil if there is none. The mutex is held.
func (a *api) contactRow(id int) any {
	c := a.contacts[id]
	if c == nil || c.gone {
		return nil
	}
	all := []any{}
	for _, tag := range c.tags {
		all = append(all, a.tagRow(tag))
	}
	return map[string]any{"id": id, "public_id": fmt.Sprint("c", id), "workspace_id": c.workspace, "first_name": fmt.Sprint("v", c.version), "tags": all}
}

func (a *api) rows(workspace string) []any {
	a.mu.Lock()
	defer a.mu.Unlock()
	rows := []any{}
	for _, id := range slices.Sorted(maps.Keys(a.contacts)) {
		if c := a.contacts[id]; strconv.Itoa(c.workspace) == workspace && !c.gone {
			rows = append(rows, a.contactRow(id))
		}
	}
	return rows
}
