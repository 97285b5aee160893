package upstream

import (
	"cmp"
	"time"
)

// Kind names a resource.
type Kind string

// The kinds of records that come within their team and have no path of their own.
const (
	KindMembership   Kind = "membership"
	KindSubscription Kind = "billing_subscription"
)

// Ref says which record is meant and where it is found. It is comparable.
type Ref struct {
	Kind Kind
	// Parent is the raw id of what the record's address needs: its workspace
	// for all that lives on a workspace's subdomain, its team for what only a
	// team's own record carries; empty for the records of the accounts host.
	Parent string
	// ID is the record's raw or public id; paths take either (API.md §1).
	ID string
}

// Record is what every resource has (API.md §5).
type Record struct {
	// RawID is ClickFunnels' numeric id, as text: it can pass 2³¹.
	RawID string `json:"id"`
	// PublicID is the short obfuscated id; nil when ClickFunnels sent none.
	PublicID  *string    `json:"public_id"`
	CreatedAt *time.Time `json:"created_at"`
	UpdatedAt *time.Time `json:"updated_at"`

	chain int // see Chain
}

// Key returns an id by which paths find the record: the raw one, or else the
// public one.
func (r *Record) Key() string {
	if r.RawID == "" && r.PublicID != nil {
		return *r.PublicID
	}
	return r.RawID
}

// Cursor returns what a list continues after: always the row's raw id,
// whatever the list is sorted by (API.md §3.1).
func (r *Record) Cursor() string { return r.RawID }

// IDs returns every id that finds the record.
func (r *Record) IDs() []string {
	if r.PublicID == nil || *r.PublicID == "" {
		return []string{r.RawID}
	}
	return []string{r.RawID, *r.PublicID}
}

// IsRawID reports whether the id is a numeric one, as ClickFunnels writes it.
// Public ids always hold a letter.
func IsRawID(id string) bool {
	if id[:min(1, len(id))] == "0" {
		return false
	}
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return false
		}
	}
	return id != ""
}

// NamedRecord is what a record tells of another one.
type NamedRecord struct {
	RawID       string  `json:"id"`
	PublicID    *string `json:"public_id"`
	Name        *string `json:"name"`
	WorkspaceID string  `json:"workspace_id" scope:"optional"`
}

// text returns the name, empty if there is none.
func (n *NamedRecord) text() string {
	if n == nil || n.Name == nil {
		return ""
	}
	return *n.Name
}

// record returns what is known of the record with the raw id; an empty id is that which
// was sent.
func (n *NamedRecord) record(id string) Record {
	if n == nil {
		return Record{RawID: id}
	}
	return Record{RawID: cmp.Or(id, n.RawID), PublicID: n.PublicID}
}
