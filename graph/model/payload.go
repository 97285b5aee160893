package model

import "github.com/funnelgraph/funnelgraph/upstream"

// Written is the payload of a mutation that returns a record, which is nil if ClickFunnels
// refused.
type Written[T any] struct {
	Record     *T
	UserErrors []*UserError
}

// Deleted is the payload of a mutation that deletes a record.
type Deleted struct {
	// ID is the global id of the deleted record; nil if ClickFunnels refused.
	ID         *string
	UserErrors []*UserError
}

// Viewer is the caller of an operation.
type Viewer struct {
	Name       *string
	CanWrite   bool
	Workspaces []*upstream.Workspace

	upstream.Me
}
