package upstream

// hooks fix rows that the API sends in an unusual form, by the name of their type. A hook runs once
// for each row, before its child rows are processed.
var hooks = map[string]func(*Row){
	"AppliedContactTag":        identifyTag,
	"ContactEnrollAction":      deriveStatus,
	"ContactExportAction":      deriveStatus,
	"ContactRunWorkflowAction": deriveStatus,
	"ContactTagAction":         deriveStatus,
	"ContactUnsubscribeAction": deriveStatus,
	"FunnelStats":              shareCurrency("summary", "steps"),
	"Membership":               dropTeamForUser,
	"Order":                    dropPartialWorkspace,
	"OrderInvoice":             shareCurrency("line_items"),
	"PageStats":                shareCurrency("step"),
	"SalesOpportunity":         identifyNotes,
	"SplitTestStep":            identifyFunnel,
}

// identifyTag sets the id of the embedded tag, which only the applied tag's own key has (clickfunnels-api.md §8,
// trap 19).
func identifyTag(r *Row) {
	if tag := r.child("tag"); tag != nil {
		tag.set("id", r.text("tag_id"))
	}
}

// deriveStatus sets the status of an action on many contacts, for which the API sends only the times
// when it began and when it was complete.
func deriveStatus(r *Row) {
	status := "pending"
	switch {
	case r.text("completed_at") != "":
		status = "completed"
	case r.text("started_at") != "":
		status = "running"
	}
	r.set("status", status)
}

// dropTeamForUser drops the user of a membership if it is a team: the key can hold either
// (clickfunnels-api.md §5, User).
func dropTeamForUser(r *Row) {
	if user := r.child("user"); user != nil && user.text("email") == "" {
		r.drop("user")
	}
}

// identifyNotes sets the opportunity's id in the embedded notes, which lack it.
func identifyNotes(r *Row) {
	if position, ok := r.position("notes"); ok {
		for _, note := range r.childrenAt(position) {
			note.set("opportunity_id", r.RawID())
		}
	}
}

// identifyFunnel sets the id of the funnel, which only the embedded funnel has.
func identifyFunnel(r *Row) {
	if funnel := r.child("funnel"); funnel != nil {
		r.set("funnel_id", funnel.RawID())
	}
}

// shareCurrency returns a hook that sets the currency of child rows, whose amounts are in the
// currency of the row: an invoice's line items, and the parts of statistics.
func shareCurrency(keys ...string) func(*Row) {
	return func(r *Row) {
		for _, key := range keys {
			if position, ok := r.position(key); ok {
				for _, child := range r.childrenAt(position) {
					child.share("currency", r)
				}
			}
		}
	}
}

// dropPartialWorkspace drops the workspace of an order if it is a different one or incomplete.
func dropPartialWorkspace(r *Row) {
	if w := r.child("workspace"); w != nil && (w.RawID() != r.parent || w.text(teamKey) == "" || w.text("subdomain") == "") {
		r.drop("workspace")
	}
}
