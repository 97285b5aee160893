package upstream

import (
	"cmp"
)

// OrderTag is a label that orders can carry (API.md §5, Orders::Tag).
type OrderTag struct {
	Record      `json:",embed"`
	WorkspaceID string `json:"workspace_id"`
	Name        string `json:"name"`
	Color       string `json:"color"`
}

func (t *OrderTag) adopt(at Place) { t.WorkspaceID = cmp.Or(t.WorkspaceID, at.WorkspaceID) }
