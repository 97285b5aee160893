package upstream

import (
	"cmp"
)

// ProductTag is a label that products can carry (API.md §5, Products::Tag).
type ProductTag struct {
	Record      `json:",embed"`
	WorkspaceID string `json:"workspace_id"`
	Name        string `json:"name"`
	Color       string `json:"color"`
}

func (t *ProductTag) adopt(at Place) { t.WorkspaceID = cmp.Or(t.WorkspaceID, at.WorkspaceID) }
