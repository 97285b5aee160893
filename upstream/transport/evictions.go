package transport

import (
	"slices"
	"sync"
)

// Eviction says which cached responses of a host may be out of date.
type Eviction struct {
	// Position is the place of the eviction in the order of all evictions of the host. Previous is the
	// place of the one before; zero for the first.
	Position, Previous Position
	// IsOwn reports that this server made it.
	IsOwn bool
	// Tags are the tags of the responses; nil means all responses.
	Tags []string
}

// Position is a place in an order. The zero Position is before all others.
type Position struct{ Time, Number uint64 }

// after reports whether p is after another position.
func (p Position) after(other Position) bool {
	return p.Time > other.Time || p.Time == other.Time && p.Number > other.Number
}

// evictions remembers what was evicted. Cached responses are compared with it when they are used, so that
// an eviction costs the same however many there are. Its memory is bounded. It is safe for concurrent use.
type evictions struct {
	mu sync.Mutex
	// now counts the evictions. Responses that began before first are invalid, because evictions were
	// forgotten then.
	now, first uint64
	hosts      map[string]*hostEvictions
	tags       int // of all hosts
}

// hostEvictions are the last evictions of a host.
type hostEvictions struct {
	// last is the last one, and all the last one of all responses.
	last, all mark
	tags      map[string]mark

	// The evictions of replicas between since and synced are applied, if isSynced.
	isSynced      bool
	since, synced Position
	// missed reports that those of other replicas are missing, and unsent that they miss own ones.
	missed, unsent bool
}

// mark says when something was evicted: in the order of this server, and in the one of all replicas.
type mark struct {
	here   uint64
	shared Position
}

const (
	// maxEvictedHosts and maxEvictedTags bound the memory for evictions.
	maxEvictedHosts = 10_000
	maxEvictedTags  = 200_000
)

func newEvictions() *evictions { return &evictions{hosts: make(map[string]*hostEvictions)} }

// begin returns the number of evictions so far, for a call that begins now.
func (e *evictions) begin() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

// host returns the evictions of a host. The mutex is held.
func (e *evictions) host(name string) *hostEvictions {
	h := e.hosts[name]
	if h == nil || e.tags > maxEvictedTags {
		if len(e.hosts) >= maxEvictedHosts || e.tags > maxEvictedTags {
			clear(e.hosts)
			e.tags = 0
			e.now++
			e.first = e.now
		}
		h = &hostEvictions{tags: make(map[string]mark)}
		e.hosts[name] = h
	}
	return h
}

// add adds an eviction of this server. isShared reports whether the other replicas know of it.
func (e *evictions) add(host string, tags []string, at Position, isShared bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.host(host)
	e.now++
	e.mark(h, tags, mark{e.now, at})
	h.unsent = h.unsent || !isShared
}

// mark marks responses as evicted. A later mark wins in each order. The mutex is held.
func (e *evictions) mark(h *hostEvictions, tags []string, m mark) {
	later := func(old mark) mark {
		if old.shared.after(m.shared) {
			return mark{max(old.here, m.here), old.shared}
		}
		return mark{max(old.here, m.here), m.shared}
	}
	h.last = later(h.last)
	if tags == nil {
		h.all = later(h.all)
		return
	}
	for _, tag := range tags {
		old, known := h.tags[tag]
		if !known {
			e.tags++
		}
		h.tags[tag] = later(old)
	}
}

// position returns the position of the last eviction of a host that is applied.
func (e *evictions) position(host string) Position {
	e.mu.Lock()
	defer e.mu.Unlock()
	if h := e.hosts[host]; h != nil {
		return h.synced
	}
	return Position{}
}

// miss records that the evictions of other replicas cannot be read.
func (e *evictions) miss(host string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.host(host).missed = true
}

// sync applies the evictions of all replicas after a position, in their order. They are all that are kept
// if isWhole is false. It calls changed if there are any, before another call of sync can return. It returns
// the position of the last one, and whether the shared state can be used.
func (e *evictions) sync(host string, after Position, next []Eviction, isWhole bool, changed func()) (Position, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hosts[host] == nil && after == (Position{}) && len(next) == 0 {
		return Position{}, true // nothing has ever been evicted
	}
	h := e.host(host)
	if !h.isSynced && after != (Position{}) {
		return Position{}, false // the evictions up to the position were forgotten meanwhile
	}
	before := e.now
	defer func() {
		if e.now != before {
			changed()
		}
	}()
	if h.missed { // evictions in between may be lost
		e.now++
		e.mark(h, nil, mark{e.now, h.synced})
		h.missed = false
	}
	if !isWhole && h.synced == after {
		e.restart(h)
	}
	wasSynced := h.isSynced
	for _, each := range next {
		if h.isSynced && !each.Position.after(h.synced) {
			continue // another call has applied it
		}
		m := mark{shared: each.Position}
		switch {
		case !h.isSynced:
			h.since = each.Previous
		case each.Previous != h.synced: // evictions in between are not kept any more
			h.since = each.Previous
			e.now++
			e.mark(h, nil, mark{e.now, each.Previous})
		}
		if each.IsOwn && wasSynced {
			h.unsent = false // this one was applied when it was made
		} else {
			e.now++
			m.here = e.now
		}
		e.mark(h, each.Tags, m)
		h.isSynced, h.synced = true, each.Position
	}
	h.isSynced = true
	return h.synced, true
}

// restart evicts everything of a host, because evictions of other replicas may be lost. Positions begin
// again. The mutex is held.
func (e *evictions) restart(h *hostEvictions) {
	e.now++
	e.mark(h, nil, mark{here: e.now})
	h.isSynced, h.since, h.synced = false, Position{}, Position{}
	h.last.shared, h.all.shared = Position{}, Position{}
	for tag, m := range h.tags {
		h.tags[tag] = mark{here: m.here}
	}
}

// isValid reports whether a response that began when there were so many evictions is not evicted. A
// response without tags is evicted by every eviction of its host.
func (e *evictions) isValid(host string, began uint64, tags []string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if began < e.first {
		return false
	}
	h := e.hosts[host]
	return h == nil || !h.evicts(tags, func(m mark) bool { return m.here > began })
}

// isValidShared is [evictions.isValid] for a response of any replica that began at a position. now is the
// number of evictions after the last call of sync.
func (e *evictions) isValidShared(host string, now uint64, at Position, tags []string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.hosts[host]
	return now >= e.first && (h == nil || h.isSynced && !h.missed && !h.unsent && !h.since.after(at) &&
		!h.evicts(tags, func(m mark) bool { return m.shared.after(at) }))
}

// evicts reports whether one of the evictions of responses with the tags is new.
func (h *hostEvictions) evicts(tags []string, isNew func(mark) bool) bool {
	if tags == nil {
		return isNew(h.last)
	}
	return isNew(h.all) || slices.ContainsFunc(tags, func(tag string) bool { return isNew(h.tags[tag]) })
}
