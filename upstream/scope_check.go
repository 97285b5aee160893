package upstream

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
)

// checkScopeAndSetWorkspace sets the workspace of a row of a response, and of its child rows. at is
// where the row was requested, and chain is the number of calls that led to it. It returns false if
// the row is outside the client's scope. Every record of every response passes through here before
// any other code sees it.
func (c *Client) checkScopeAndSetWorkspace(r *Row, at Place, chain int) bool {
	naming := r.layout.typ.naming
	if c.scope != nil && !c.scope.allows(r, ownership{workspace: at.WorkspaceID, team: at.TeamID}, naming) {
		return false
	}
	r.setWorkspace(cmp.Or(at.TeamID, at.WorkspaceID), naming)
	r.chain = chain
	return true
}

// setWorkspace sets the workspace or team in which the row was found, runs the hook of its type,
// and does the same for its child rows. It drops an embedded record of a relation whose id is not
// the relation's id.
func (r *Row) setWorkspace(parent string, n naming) {
	t := r.layout.typ
	if t.parent != "" {
		if r.parent = parent; n == namedAlways {
			r.parent = cmp.Or(r.text(t.parent), parent)
		}
		parent = r.parent
	}
	if t.kind == KindTeam {
		parent = r.RawID()
	}
	if t.hook != nil {
		t.hook(r)
	}
	for position, k := range r.layout.keys {
		if !k.isRow() {
			continue
		}
		for _, child := range r.childrenAt(position) {
			child.setWorkspace(parent, k.childNaming())
			if k.id == "" {
				continue
			}
			if id := r.text(k.id); id != "" && child.RawID() != id || child.layout.typ.parent != "" && child.parent != parent {
				r.values[position] = span{}
			}
		}
	}
}

// ownership is where the records of a response must belong: to a workspace, or, within a team's own
// record, to that team.
type ownership struct{ workspace, team string }

// allows reports whether a row is within the scope, and removes the child rows that are not. A row
// is outside if it names another workspace than the one it was requested in. It is also outside if
// it names none although its kind always does.
func (s *Scope) allows(r *Row, in ownership, n naming) bool {
	t := r.layout.typ
	switch t.kind { //nolint:exhaustive // the others belong to one of these
	case KindTeam:
		if !s.team(r.RawID()) {
			return false
		}
		in.team = r.RawID()
	case KindWorkspace:
		if !s.workspace(r.RawID(), r.text(teamKey)) || in.workspace != "" && r.RawID() != in.workspace {
			return false
		}
	}
	if t.parent != "" && n != namedIgnored {
		want := in.workspace
		if t.parent == teamKey {
			want = in.team
		}
		if named := r.text(t.parent); named != want && (named != "" || n == namedAlways) {
			return false
		}
	}
	for position, k := range r.layout.keys {
		if at := r.values[position]; k.isRow() && at.end > at.begin {
			r.values[position] = s.allowedChildren(r, at, k, in)
		}
	}
	return true
}

// allowedChildren removes the rows that a key holds and the scope does not allow. It returns the
// span of the others.
func (s *Scope) allowedChildren(r *Row, at span, k *key, in ownership) span {
	kept := slices.DeleteFunc(r.children[at.begin-1:at.end-1], func(child *Record) bool { return !s.allows(&child.Row, in, k.childNaming()) })
	if k.shape == asRow && len(kept) == 0 {
		return span{}
	}
	at.end = at.begin + uint32(len(kept)) //nolint:gosec // fewer than before
	return at
}

// teamKey is the key of a row's team.
const teamKey = "team_id"

// ConcealRefusal replaces an error of a look-up by id with [RecordNotFound] for a scoped client,
// because ClickFunnels' reason would tell whether the record exists. Errors that are about the call
// and not about the record stay as they are: 401, 408, 425 and 429, and all statuses outside
// 400–499.
func (c *Client) ConcealRefusal(err error) error {
	failed, ok := errors.AsType[*Error](err)
	if !ok || !c.Scoped() {
		return err
	}
	switch failed.Status {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return err // about the call, not the record
	}
	if failed.Status >= 400 && failed.Status < 500 {
		return RecordNotFound()
	}
	return err
}
