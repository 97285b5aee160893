package upstream

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
