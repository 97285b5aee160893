package upstream

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
)

// enter completes a row of an answer that was asked for at a place, and returns whether it
// exists for the client. Every record of every answer goes through here before anything
// else looks at it.
func (c *Client) checkScopeAndSetWorkspace(r *Row, at Place, chain int) bool {
	naming := r.layout.typ.naming
	if c.scope != nil && !c.scope.allows(r, ownership{workspace: at.WorkspaceID}, naming) {
		return false
	}
	r.setWorkspace(at.WorkspaceID, naming)
	r.chain = chain
	return true
}

// enter says which workspace or team the row was found in, and completes the rows below.
// One below a relation is dropped if it is not the record that the relation's id names.
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

// home is where the records of an answer have to belong: to a workspace, or within a
// team's own record to that team.
type ownership struct{ workspace, team string }

// admits reports whether a row exists for the client, and takes out of it the rows below
// that do not. For a scoped client a row does not exist if it names another workspace than
// the one that it was asked for in, or none where its kind names one.
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
		at := r.values[position]
		if !k.isRow() || at.end == at.begin {
			continue
		}
		children := r.children[at.begin-1 : at.end-1]
		kept := slices.DeleteFunc(children, func(child *Record) bool { return !s.allows(&child.Row, in, k.childNaming()) })
		if at.end = at.begin + uint32(len(kept)); k.shape == asRow && len(kept) == 0 { //nolint:gosec // fewer than before
			at = span{}
		}
		r.values[position] = at
	}
	return true
}

// teamKey is the key by which rows name their team.
const teamKey = "team_id"

// Missing returns [NotThere] in place of an error by which ClickFunnels has refused a look-up
// by id, for a scoped client: the reason would tell whether there is such a record.
func (c *Client) Missing(err error) error {
	failed, ok := errors.AsType[*Error](err)
	if !ok || !c.Scoped() {
		return err
	}
	switch failed.Status {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return err // about the call, and not about the record
	}
	if failed.Status >= 400 && failed.Status < 500 {
		return NotThere()
	}
	return err
}
