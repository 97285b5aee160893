package transport

import (
	"slices"
	"sync"
)

// CacheTags collects the tags of the responses to a client request, for shared caches such as a CDN. A
// tag is a host, `acme`, or a host and what changes on it: `acme/` with the raw id of a record or the type of
// a list, or `acme/any` for a response that every change of the host can change. The zero CacheTags is
// empty. It is safe for concurrent use.
type CacheTags struct {
	mu    sync.Mutex
	hosts map[string]map[string]bool
	count int
}

const (
	// AnyChange is the tag of a response that every change of its host can change.
	AnyChange = "any"
	// maxCacheTags limits the tags of one response: CloudFront keeps 50.
	maxCacheTags = 50
)

// Add adds a host, and tags of records and lists on it.
func (t *CacheTags) Add(host string, tags ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.hosts[host]
	if known == nil {
		if t.hosts == nil {
			t.hosts = make(map[string]map[string]bool)
		}
		known = make(map[string]bool)
		t.hosts[host] = known
		t.count++
	}
	for _, tag := range tags {
		if !known[tag] && t.count <= maxCacheTags { // one more shows that there are too many
			known[tag] = true
			t.count++
		}
	}
}

// All returns the tags in order. If they are too many, the tag `any` of each host replaces its other tags. All
// returns nil if even these are too many.
func (t *CacheTags) All() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	tooMany := t.count > maxCacheTags
	if tooMany && 2*len(t.hosts) > maxCacheTags {
		return nil
	}
	var all []string
	for host, tags := range t.hosts {
		all = append(all, host)
		if tooMany {
			tags = map[string]bool{AnyChange: true}
		}
		for tag := range tags {
			all = append(all, host+"/"+tag)
		}
	}
	slices.Sort(all)
	return all
}
