package upstream

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// home is where the records of an answer have to belong: to a workspace, or within a
// team's own record to that team.
type home struct{ workspace, team string }

// admits reports whether a record exists for the client, and takes out of it the embedded
// records that do not. Every record of every answer goes through here before anything else
// looks at it. For a scoped client a record does not exist if it names another workspace
// than the one that it was asked for in, or none where its kind names one.
//
// Which kinds those are is what their field workspace_id says: with the tag
// scope:"optional" ClickFunnels mostly does not send it. An embedded record with that tag
// is one whose id has to be that of a record which is looked at itself.
func (c *Client) admits(row any, at Place) bool {
	return c.scope == nil || c.scope.admits(reflect.ValueOf(row).Elem(), home{workspace: at.WorkspaceID}, false)
}

func (s *Scope) admits(v reflect.Value, in home, optional bool) bool {
	switch row := v.Addr().Interface().(type) {
	case *Team:
		if !s.team(row.RawID) {
			return false
		}
		in.team = row.RawID
	case *Workspace:
		if !s.workspace(row) || in.workspace != "" && row.RawID != in.workspace {
			return false
		}
	case *Membership:
		if row.TeamID != "" && row.TeamID != in.team {
			return false
		}
	case *BillingSubscription:
		if row.TeamID != "" && row.TeamID != in.team {
			return false
		}
	}
	kind := namingOf(v.Type())
	if kind.workspace != nil {
		named := v.FieldByIndex(kind.workspace).String()
		if named == "" && !kind.optional && !optional || named != "" && named != in.workspace {
			return false
		}
	}
	for _, part := range kind.parts {
		switch field := v.FieldByIndex(part.index); field.Kind() { //nolint:exhaustive // no others are parts
		case reflect.Pointer:
			if !field.IsNil() && !s.admits(field.Elem(), in, part.optional) {
				field.SetZero()
			}
		case reflect.Slice:
			all := reflect.MakeSlice(field.Type(), 0, field.Len())
			for i := range field.Len() {
				if row := field.Index(i); !row.IsNil() && s.admits(row.Elem(), in, part.optional) {
					all = reflect.Append(all, row)
				}
			}
			if all.Len() < field.Len() {
				field.Set(all)
			}
		default:
			if !s.admits(field, in, part.optional) {
				return false
			}
		}
	}
	return true
}

// naming is how the records of a type name their workspace.
type naming struct {
	workspace []int // the field; nil if there is none
	optional  bool  // it need not be there
	parts     []part
}

// part is a field that holds embedded records.
type part struct {
	index    []int
	optional bool
}

var namings sync.Map // of *naming, by the type

func namingOf(t reflect.Type) *naming {
	if known, ok := namings.Load(t); ok {
		return known.(*naming)
	}
	n := new(naming)
	for _, field := range reflect.VisibleFields(t) {
		if !field.IsExported() || field.Anonymous {
			continue
		}
		optional := field.Tag.Get("scope") == "optional"
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name == "workspace_id" {
			n.workspace, n.optional = field.Index, optional
			continue
		}
		inner := field.Type
		if inner.Kind() == reflect.Slice {
			if inner = inner.Elem(); inner.Kind() != reflect.Pointer {
				continue
			}
		}
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && namingOf(inner).matters(inner) {
			n.parts = append(n.parts, part{field.Index, optional})
		}
	}
	namings.Store(t, n)
	return n
}

// matters reports whether anything is to be looked at in a record of the type.
func (n *naming) matters(t reflect.Type) bool {
	ofTeam := []reflect.Type{reflect.TypeFor[Workspace](), reflect.TypeFor[Membership](), reflect.TypeFor[BillingSubscription]()}
	return n.workspace != nil || len(n.parts) > 0 || slices.Contains(ofTeam, t)
}

// NamesWorkspace reports whether records of a type say which workspace they belong to.
func NamesWorkspace(t reflect.Type) bool {
	n := namingOf(t)
	return n.workspace != nil && !n.optional
}

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
