package upstream

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// Scope is the part of what a token reaches that a caller may see. What is outside
// looks as if it did not exist, whichever way it is asked for: by an id of any
// form, by a list, within another record or on another workspace's subdomain. A
// nil Scope is all that the token reaches. It is safe for concurrent use.
type Scope struct {
	teams, workspaces map[string]bool // nil is any
	text              string
}

// NewScope returns the scope of the teams and workspaces with the raw ids given.
//
// With teams alone, it is these and their workspaces. With workspaces alone, it is
// these and no team, since a team's record tells of people and plans. With both, it
// is these teams, and of all workspaces only these. With neither (nil), it is all,
// which is a nil Scope. Users belong to the token and not to a team, so that only
// that one sees them. It fails when an id is not a raw one.
func NewScope(teams, workspaces []string) (*Scope, error) {
	for _, id := range slices.Concat(teams, workspaces) {
		if !IsRawID(id) {
			return nil, fmt.Errorf("%q is not a raw id, which is a number: the query { teams { nodes { rawId publicId workspaces { nodes { rawId publicId } } } } } shows both", id)
		}
	}
	if teams == nil && workspaces == nil {
		return nil, nil //nolint:nilnil // all there is
	}
	s := &Scope{teams: set(teams), workspaces: set(workspaces)}
	s.text = describe("teams", s.teams) + "; " + describe("workspaces", s.workspaces)
	return s, nil
}

func set(ids []string) map[string]bool {
	if ids == nil {
		return nil
	}
	s := make(map[string]bool, len(ids))
	for _, id := range ids {
		s[id] = true
	}
	return s
}

// describe writes a set of raw ids, which are digits: no other set has the same text.
func describe(what string, ids map[string]bool) string {
	if ids == nil {
		return what + ": any"
	}
	return what + ": " + fmt.Sprint(slices.Sorted(maps.Keys(ids)))
}

// String returns a text that is the same for equal scopes only; empty for nil.
func (s *Scope) String() string {
	if s == nil {
		return ""
	}
	return s.text
}

// team reports whether a team is inside, by its raw id.
func (s *Scope) team(id string) bool { return s == nil || s.teams[id] }

// workspace reports whether a workspace is inside, by its raw id and its team's.
func (s *Scope) workspace(id, team string) bool {
	switch {
	case s == nil:
		return true
	case !IsRawID(id): // nothing could be said to belong to it
		return false
	case s.workspaces != nil:
		return s.workspaces[id]
	}
	return s.teams[team]
}

// hides reports whether a workspace is outside, as far as its id can tell.
func (s *Scope) excludes(workspaceID string) bool {
	return s != nil && s.workspaces != nil && IsRawID(workspaceID) && !s.workspaces[workspaceID]
}

// credential stands for the token and what of it may be seen.
func (s *Scope) credential(t Token) credential {
	if s == nil {
		return t.credential()
	}
	return digest(string(t), s.text)
}

// Within returns a client that sees of all that its token reaches only what is in
// the scope.
func (c *Client) Within(s *Scope) *Client {
	within := *c
	within.scope = s
	within.credential = s.credential(c.token)
	return &within
}

// Scoped reports whether there is anything that the client must not see. What a
// caller says of a place then has to be found out instead.
func (c *Client) Scoped() bool { return c.scope != nil }

// SeesTeam reports whether a team with this raw id, if there is one, may be seen.
func (c *Client) SeesTeam(id string) bool { return c.scope.team(id) }

// NotThere is the one answer for what does not exist and for what must not be seen.
func NotThere() *Error { return NewError(NotFound, "There is no such record.") }

// Forgo counts a call that is not made, for a client that must not see everything: what
// it takes to find out that something is another's is what it takes where there is
// nothing.
func (c *Client) Forgo(ctx context.Context) {
	if a := allowanceOf(ctx); a != nil && c.Scoped() {
		a.spend()
	}
}

// maxHiddenPages ends the walk through a list of which next to nothing may be seen.
const maxHiddenPages = 500

// visible returns a page of a list whose hidden rows fetch leaves out. all, if not 0,
// is how many others there can be. The list is walked from its beginning: where it goes on
// is told by a row that may be seen, so that a cursor cannot be used to ask whether
// there is another one.
func visiblePage[T any, P keyed[T]](ctx context.Context, q Query, fetch func(context.Context, Query) (*Page[T], error), most int) (*Page[T], error) {
	after := q.After
	q.After = ""
	var pager Pager[T]
	var rows []*T
	for range maxHiddenPages {
		page, err := pager.Turn(ctx, q, fetch)
		if err != nil {
			return nil, err
		}
		rows = append(rows, page.Rows...)
		if page.Next == "" || most > 0 && len(rows) >= most {
			break
		}
		q.After = page.Next
	}
	if after != "" {
		i := slices.IndexFunc(rows, func(row *T) bool { return P(row).row().Key() == after })
		if i < 0 {
			return nil, NewError(BadUserInput, "This is not a cursor of this list.")
		}
		rows = rows[i+1:]
	}
	if len(rows) <= PageSize {
		return &Page[T]{Rows: rows}, nil
	}
	return &Page[T]{Rows: rows[:PageSize], Next: P(rows[PageSize-1]).row().Key()}, nil
}
