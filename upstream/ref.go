package upstream

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
	// ID is the record's raw or public id; paths accept both (clickfunnels-api.md §1).
	ID string
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
