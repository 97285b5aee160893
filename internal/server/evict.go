package server

import (
	"encoding/json"
	"net/http"
	"regexp"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// eviction is the body of a request to [evictPath].
type eviction struct {
	// Subdomain is the one of a workspace, or `accounts`.
	Subdomain string `json:"subdomain"`
	// Tags are raw ids of records, or plurals of types such as `contacts`, for their lists. Without any,
	// all responses of the subdomain are evicted.
	Tags []string `json:"tags"`
}

const (
	evictPath = "/cache/evict"
	// maxEviction limits the body of a request to [evictPath], in bytes, and maxEvictionTags its tags.
	maxEviction     = 64 << 10
	maxEvictionTags = 1000
)

// rawID matches the raw id of a record.
var rawID = regexp.MustCompile(`^[0-9]{1,20}$`)

// evict returns the handler that evicts cached responses, on all replicas.
func evict(client func() *upstream.Client) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var e eviction
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxEviction))
		decoder.DisallowUnknownFields()
		if decoder.Decode(&e) != nil || len(e.Tags) > maxEvictionTags {
			http.Error(w, `The body must be like {"subdomain": "acme", "tags": ["7", "contacts"]}, with at most 1000 tags.`, http.StatusBadRequest)
			return
		}
		for i, tag := range e.Tags {
			kind, isPlural := upstream.KindOfPlural(tag)
			if isPlural {
				e.Tags[i] = string(kind)
			}
			if !isPlural && !rawID.MatchString(tag) {
				http.Error(w, "A tag must be the raw id of a record, or the plural of a type, such as contacts.", http.StatusBadRequest)
				return
			}
		}
		if len(e.Tags) == 0 {
			e.Tags = nil
		}
		if err := client().Evict(r.Context(), e.Subdomain, e.Tags); err != nil {
			http.Error(w, "subdomain must be the one of a workspace, or accounts.", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}
