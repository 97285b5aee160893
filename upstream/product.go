package upstream

import (
	"cmp"
)

// Product is what a workspace sells (API.md §5, Product).
type Product struct {
	Record                  `json:",embed"`
	WorkspaceID             string         `json:"workspace_id"`
	Name                    string         `json:"name"`
	CurrentPath             *string        `json:"current_path"`
	Archived                *bool          `json:"archived"`
	VisibleInStore          *bool          `json:"visible_in_store"`
	VisibleInCustomerCenter *bool          `json:"visible_in_customer_center"`
	SeoTitle                *string        `json:"seo_title"`
	SeoDescription          *string        `json:"seo_description"`
	Commissionable          *bool          `json:"commissionable"`
	CancellationFunnelURL   *string        `json:"cancellation_funnel_url"`
	ImageID                 *string        `json:"image_id"`
	ImageIDs                []string       `json:"image_ids"`
	SeoImageID              *string        `json:"seo_image_id"`
	RedirectFunnelID        *string        `json:"redirect_funnel_id"`
	VariantIDs              []string       `json:"variant_ids"`
	PriceIDs                []string       `json:"price_ids"`
	TagIDs                  []string       `json:"tag_ids"`
	DefaultVariantID        string         `json:"default_variant_id"`
	VariantProperties       []*NamedRecord `json:"variant_properties"`
}

func (p *Product) adopt(at Place) {
	p.WorkspaceID = cmp.Or(p.WorkspaceID, at.WorkspaceID)
	p.VariantProperties = withoutNulls(p.VariantProperties)
}
