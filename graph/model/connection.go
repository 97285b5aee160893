package model

import "github.com/funnelgraph/funnelgraph/upstream"

// Row is an element of a list.
type Row interface{ Cursor() string }

// Connection is a page of a list, for every type of row (GraphQL Cursor Connections
// Specification).
type Connection[T any] struct {
	Nodes []*T

	hasMore, hasCursor, backward bool // of the window
}

// gqlgen binds the connection of memberships, which are no resource, to these aliases.
//
//nolint:revive // one comment for both
type (
	MembershipConnection = Connection[upstream.Membership]
	MembershipEdge       = Edge[upstream.Membership]
)

// Edge is a row and its cursor.
type Edge[T any] struct {
	Cursor string
	Node   *T
}

// PageInfo says where a page lies in its list.
type PageInfo struct {
	HasNextPage     bool
	HasPreviousPage bool
	StartCursor     *string
	EndCursor       *string
}

// NewConnection returns the connection of a slice that was loaded for the window. T must
// implement [Row].
func NewConnection[T any](s upstream.Slice[T], w upstream.Window) *Connection[T] {
	c := &Connection[T]{Nodes: s.Rows, hasMore: s.More, hasCursor: w.Cursor != "", backward: w.Backward}
	if c.Nodes == nil {
		c.Nodes = []*T{}
	}
	return c
}

// PageInfo returns where the page lies. ClickFunnels says whether rows follow in the direction of
// the walk. In the other direction there is at least the row of the given cursor.
func (c *Connection[T]) PageInfo() PageInfo {
	info := PageInfo{HasNextPage: c.hasMore, HasPreviousPage: c.hasCursor}
	if c.backward {
		info.HasNextPage, info.HasPreviousPage = c.hasCursor, c.hasMore
	}
	if n := len(c.Nodes); n > 0 {
		first, last := c.CursorOf(0), c.CursorOf(n-1)
		info.StartCursor, info.EndCursor = &first, &last
	}
	return info
}

// Edges returns the rows with their cursors.
func (c *Connection[T]) Edges() []*Edge[T] {
	edges := make([]*Edge[T], len(c.Nodes))
	for i, node := range c.Nodes {
		edges[i] = &Edge[T]{Cursor: c.CursorOf(i), Node: node}
	}
	return edges
}

// Rows is a connection of any type of row.
type Rows interface {
	// Type is the type of the rows.
	Type() *upstream.RowType
	Len() int
	// Row returns a pointer to row i.
	Row(i int) any
	CursorOf(i int) string
	PageInfo() PageInfo
}

// Type implements [Rows].
func (*Connection[T]) Type() *upstream.RowType { return upstream.TypeOf[T]() }

// Len implements [Rows].
func (c *Connection[T]) Len() int { return len(c.Nodes) }

// Row implements [Rows].
func (c *Connection[T]) Row(i int) any { return c.Nodes[i] }

// CursorOf implements [Rows].
func (c *Connection[T]) CursorOf(i int) string { return any(c.Nodes[i]).(Row).Cursor() }
