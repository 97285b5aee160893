package upstream

import (
	"slices"
	"strings"
)

// Kind identifies a resource.
type Kind string

// Kinds of records that are embedded in their team and have no path of their own.
const (
	KindMembership   Kind = "membership"
	KindSubscription Kind = "billing_subscription"
)

// Ref is the address of a record. It is comparable.
type Ref struct {
	Kind Kind
	// Parent is the raw id of the record's workspace, or of its team if only the team's record
	// contains it. It is empty for records of the accounts host.
	Parent string
	// ID is the record's raw or public id; paths accept both (clickfunnels-api.md §1). For a nested kind, it
	// also holds the owner's id; see [Kind.Nested].
	ID string
}

// Nested reports whether the path of a record contains the id of its owner, as the path of a
// funnel's split test step does. The ID of its ref is the owner's id, a hyphen and the record's own
// id: the record can be fetched by its ref alone, as all others can.
func (k Kind) Nested() bool { return nestedKinds[k] }

// KindOfPlural returns the kind with a plural, such as `contacts` or `salesOpportunities`.
func KindOfPlural(plural string) (kind Kind, ok bool) {
	kind, ok = kindsByPlural[plural]
	return kind, ok
}

// Plural returns the plural of a kind, as in [KindOfPlural].
func (k Kind) Plural() string {
	for plural, kind := range kindsByPlural {
		if kind == k {
			return plural
		}
	}
	return string(k)
}

// HasOwner reports whether the ref of a nested record holds the owner's id.
func (r Ref) HasOwner() bool {
	owner, own, _ := strings.Cut(r.ID, nestedBy)
	return owner != "" && own != ""
}

// IsRaw reports whether the ref names its record by a raw id.
func (r Ref) IsRaw() bool {
	if owner, own, ok := strings.Cut(r.ID, nestedBy); ok && r.Kind.Nested() {
		return IsRawID(owner) && IsRawID(own)
	}
	return IsRawID(r.ID)
}

// nestedBy separates the ids in the ref of a nested record. Neither raw nor public ids contain it.
const nestedBy = "-"

// nestedPath returns the path of a nested record, whose owner's id replaces the star. id is the ID of
// its ref.
func nestedPath(id string, segments ...string) []string {
	owner, own, _ := strings.Cut(id, nestedBy)
	path := slices.Clone(segments)
	path[slices.Index(path, "*")] = owner
	return append(path, own)
}

// IsRawID reports whether the id is a numeric id as ClickFunnels writes it. Public ids always
// contain a letter.
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
