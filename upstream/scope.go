package upstream

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// Scope is the part of a token's reach that a caller may see. Records outside look as if they did
// not exist, however they are requested: by an id of any form, in a list, within another record or
// on another workspace's subdomain. A nil Scope contains everything that the token reaches. A Scope
// is safe for concurrent use.
type Scope struct {
	teams, workspaces map[string]bool // nil means any
	text              string
}

// NewScope returns the scope of the teams and workspaces with the given raw ids:
//
//   - With teams alone, it contains these teams and their workspaces.
//   - With workspaces alone, it contains these workspaces and no team, because a team's record
//     names people and plans.
//   - With both, it contains these teams and only these workspaces.
//   - With neither (both nil), it is nil and contains everything.
//
// Users belong to the token and not to a team, so only the nil Scope contains them. NewScope fails
// if an id is not a raw id.
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

// describe returns a text for a set of raw ids. Different sets have different texts, because raw
// ids are digits.
func describe(what string, ids map[string]bool) string {
	if ids == nil {
		return what + ": any"
	}
	return what + ": " + fmt.Sprint(slices.Sorted(maps.Keys(ids)))
}

// String returns a text that only equal scopes share. It is empty for a nil Scope.
func (s *Scope) String() string {
	if s == nil {
		return ""
	}
	return s.text
}

// team reports whether a team, given by its raw id, is within the scope.
func (s *Scope) team(id string) bool { return s == nil || s.teams[id] }

// workspace reports whether a workspace is within the scope, given its raw id and the raw id of its team.
func (s *Scope) workspace(id, team string) bool {
	switch {
	case s == nil:
		return true
	case !IsRawID(id): // its records could not be matched to it
		return false
	case s.workspaces != nil:
		return s.workspaces[id]
	}
	return s.teams[team]
}

// excludes reports whether the id alone shows that a workspace is outside the scope.
func (s *Scope) excludes(workspaceID string) bool {
	return s != nil && s.workspaces != nil && IsRawID(workspaceID) && !s.workspaces[workspaceID]
}

// credential returns a value that identifies the token together with the scope.
func (s *Scope) credential(t Token) transport.Credential {
	if s == nil {
		return t.credential()
	}
	return transport.NewCredential(string(t), s.text)
}

// Within returns a client that sees only the part of its token's reach that is in the scope.
func (c *Client) Within(s *Scope) *Client {
	within := *c
	within.scope = s
	within.credential = s.credential(c.token)
	return &within
}

// Forget drops the responses to the client's token that this server has cached.
func (c *Client) Forget() { c.transport.Forget(c.account) }

// Scoped reports whether the client has a scope. A scoped client looks up where records belong
// instead of trusting its caller.
func (c *Client) Scoped() bool { return c.scope != nil }

// ScopedWorkspaces returns the raw ids of the workspaces in the client's scope, in ascending order. It
// is nil if the scope names no workspaces.
func (c *Client) ScopedWorkspaces() []string {
	if c.scope == nil || c.scope.workspaces == nil {
		return nil
	}
	return slices.SortedFunc(maps.Keys(c.scope.workspaces), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
}

// SeesTeam reports whether the client may see the team with this raw id. The team need not exist.
func (c *Client) SeesTeam(id string) bool { return c.scope.team(id) }

// RecordNotFound returns the error for records that do not exist or that the client must not see.
// Both look the same to a caller.
func RecordNotFound() *Error { return NewError(NotFound, "There is no such record.") }

// CountSkippedCall counts a call that is not made against a scoped client's allowance. A record of
// another owner then costs as many calls as one that does not exist.
func (c *Client) CountSkippedCall(ctx context.Context) {
	if a := transport.AllowanceOf(ctx); a != nil && c.Scoped() {
		a.Spend()
	}
}

// maxHiddenPages bounds the pages of a list whose rows are nearly all hidden.
const maxHiddenPages = 500

// visiblePage returns a page of a list from which fetch removes hidden rows. most, if not 0, is the
// largest possible number of visible rows. The list is always walked from its beginning, and its
// cursors are visible rows. A cursor therefore cannot be used to test whether a hidden row exists.
func visiblePage[T any, P keyed[T]](ctx context.Context, q Query, fetch func(context.Context, Query) (*Page[T], error), most int) (*Page[T], error) {
	after := q.After
	q.After = ""
	var pager Pager[T]
	var rows []*T
	for range maxHiddenPages {
		page, err := pager.Next(ctx, q, fetch)
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
