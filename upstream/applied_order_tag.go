package upstream

// AppliedOrderTag is the fact that an order carries a label (API.md §5,
// Orders::AppliedTag).
type AppliedOrderTag struct {
	Record  `json:",embed"`
	OrderID string `json:"order_id"`
	TagID   string `json:"tag_id"`
	// WorkspaceID is the raw id of the workspace it was found in, which ClickFunnels
	// mostly does not send with it.
	WorkspaceID string `json:"workspace_id" scope:"optional"`
}

func (t *AppliedOrderTag) adopt(at Place) { t.WorkspaceID = at.WorkspaceID }
