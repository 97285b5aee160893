package model

import (
	"reflect"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Row is what a list is made of.
type Row interface{ Cursor() string }

// Connection is a slice of a list, for every type of row (the GraphQL Cursor
// Connections Specification).
type Connection[T any] struct {
	Nodes    []*T
	PageInfo PageInfo

	cursor func(*T) string
}

// Edge is a row and its cursor.
type Edge[T any] struct {
	Cursor string
	Node   *T
}

// PageInfo says where a slice lies in its list.
type PageInfo struct {
	HasNextPage     bool
	HasPreviousPage bool
	StartCursor     *string
	EndCursor       *string
}

// NewConnection returns the connection of a slice that was fetched for the
// window.
func NewConnection[T any, P interface {
	*T
	Row
}](s upstream.Slice[T], w upstream.Window) *Connection[T] {
	c := &Connection[T]{Nodes: s.Rows, cursor: func(row *T) string { return P(row).Cursor() }}
	if c.Nodes == nil {
		c.Nodes = []*T{}
	}
	// ClickFunnels tells of rows in the direction of the walk. In the other one
	// there is at least the row whose cursor was given.
	c.PageInfo.HasNextPage, c.PageInfo.HasPreviousPage = s.More, w.Cursor != ""
	if w.Backward {
		c.PageInfo.HasNextPage, c.PageInfo.HasPreviousPage = w.Cursor != "", s.More
	}
	if n := len(c.Nodes); n > 0 {
		first, last := c.cursor(c.Nodes[0]), c.cursor(c.Nodes[n-1])
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &first, &last
	}
	return c
}

// Edges returns the rows with their cursors.
func (c *Connection[T]) Edges() []*Edge[T] {
	edges := make([]*Edge[T], len(c.Nodes))
	for i, node := range c.Nodes {
		edges[i] = &Edge[T]{Cursor: c.cursor(node), Node: node}
	}
	return edges
}

// Rows is what a connection of any type of row can tell.
type Rows interface {
	// Type is the row's type.
	Type() reflect.Type
	Len() int
	// Row returns a pointer to the ith row.
	Row(i int) any
	CursorOf(i int) string
	Page() *PageInfo
}

// Type implements [Rows].
func (*Connection[T]) Type() reflect.Type { return reflect.TypeFor[T]() }

// Len implements [Rows].
func (c *Connection[T]) Len() int { return len(c.Nodes) }

// Row implements [Rows].
func (c *Connection[T]) Row(i int) any { return c.Nodes[i] }

// CursorOf implements [Rows].
func (c *Connection[T]) CursorOf(i int) string { return c.cursor(c.Nodes[i]) }

// Page implements [Rows].
func (c *Connection[T]) Page() *PageInfo { return &c.PageInfo }

// gqlgen binds the schema's connections to these aliases.
//
//nolint:revive // one comment says it for all
type (
	TeamConnection              = Connection[upstream.Team]
	TeamEdge                    = Edge[upstream.Team]
	UserConnection              = Connection[upstream.User]
	UserEdge                    = Edge[upstream.User]
	WorkspaceConnection         = Connection[upstream.Workspace]
	WorkspaceEdge               = Edge[upstream.Workspace]
	ContactConnection           = Connection[upstream.Contact]
	ContactEdge                 = Edge[upstream.Contact]
	ContactTagConnection        = Connection[upstream.ContactTag]
	ContactTagEdge              = Edge[upstream.ContactTag]
	AppliedContactTagConnection = Connection[upstream.AppliedContactTag]
	AppliedContactTagEdge       = Edge[upstream.AppliedContactTag]
)
