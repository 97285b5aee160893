package upstream

import (
	"cmp"
	"context"
)

// Funnel is a row of pages that a visitor goes through (API.md §5, Funnel).
type Funnel struct {
	Record         `json:",embed"`
	WorkspaceID    string       `json:"workspace_id"`
	Name           string       `json:"name"`
	Archived       *bool        `json:"archived"`
	CurrentPath    string       `json:"current_path"`
	LiveMode       *bool        `json:"live_mode"`
	FaviconImageID *string      `json:"favicon_image_id"`
	Tags           []*FunnelTag `json:"tags"`
	HeadCode       *string      `json:"head_code" expand:"true"`
	FooterCode     *string      `json:"footer_code" expand:"true"`
}

// FunnelTag is a label of a funnel as the funnel itself carries it.
type FunnelTag struct {
	RawID       string  `json:"id"`
	PublicID    *string `json:"public_id"`
	Name        string  `json:"name"`
	Color       string  `json:"color"`
	WorkspaceID string  `json:"workspace_id" scope:"optional"`
}

// Ref returns the funnel's address.
func (f *Funnel) Ref() Ref { return Ref{Kind: KindFunnel, Parent: f.WorkspaceID, ID: f.Key()} }

func (f *Funnel) adopt(p Place) {
	f.WorkspaceID = cmp.Or(f.WorkspaceID, p.WorkspaceID)
	f.Tags = withoutNulls(f.Tags)
}

// Funnels lists a workspace's funnels. Filter keys: id.
func (c *Client) Funnels(ctx context.Context, p Place, q Query) (*Page[Funnel], error) {
	return listIn(ctx, c, p, q, (*Funnel).adopt, "workspaces", thisWorkspace, "funnels")
}

// Funnel fetches a funnel by its raw or public id.
func (c *Client) Funnel(ctx context.Context, p Place, id string) (*Funnel, error) {
	return oneIn(ctx, c, p, (*Funnel).adopt, "funnels", id)
}
