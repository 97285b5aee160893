package upstream

// ProductVariant is a variant of a product (API.md §5, Products::Variant).
type ProductVariant struct {
	Record    `json:",embed"`
	ProductID string `json:"product_id"`
	// WorkspaceID is the raw id of the workspace it was found in, which ClickFunnels
	// mostly does not send with it.
	WorkspaceID                  string                  `json:"workspace_id" scope:"optional"`
	Name                         string                  `json:"name"`
	Description                  *string                 `json:"description"`
	SKU                          *string                 `json:"sku"`
	ProductType                  *string                 `json:"product_type"`
	Default                      *bool                   `json:"default"`
	Visible                      *bool                   `json:"visible"`
	Archived                     *bool                   `json:"archived"`
	Quantity                     *int                    `json:"quantity"`
	TrackQuantity                *bool                   `json:"track_quantity"`
	OutOfStockSales              *string                 `json:"out_of_stock_sales"`
	FulfillmentRequired          *bool                   `json:"fulfillment_required"`
	Weight                       *string                 `json:"weight"`
	WeightUnit                   *string                 `json:"weight_unit"`
	Height                       *string                 `json:"height"`
	Width                        *string                 `json:"width"`
	Length                       *string                 `json:"length"`
	DimensionsUnit               *string                 `json:"dimensions_unit"`
	Taxable                      *string                 `json:"taxable"`
	TaxCategoryID                *string                 `json:"tax_category_id"`
	CountryOfManufactureID       *string                 `json:"country_of_manufacture_id"`
	PropertiesValueIDs           []string                `json:"properties_value_ids"`
	TagIDs                       []string                `json:"tag_ids"`
	AssetIDs                     []string                `json:"asset_ids"`
	PriceIDs                     []string                `json:"price_ids"`
	ImageIDs                     []string                `json:"image_ids"`
	FulfillmentsLocationIDs      []string                `json:"fulfillments_location_ids"`
	PropertiesValues             []*ProductPropertyValue `json:"properties_values"`
	CreatedByPlatformApplication *PlatformApplication    `json:"created_by_platform_application"`
}

// ProductPropertyValue is what a variant is in one of the things that variants differ in.
type ProductPropertyValue struct {
	PropertyID *string `json:"property_id"`
	Value      *string `json:"value"`
}

// PlatformApplication is an application that works with ClickFunnels.
type PlatformApplication struct {
	PublicID    *string  `json:"public_id"`
	TrustedSkus []string `json:"trusted_skus"`
}

func (v *ProductVariant) adopt(at Place) {
	v.WorkspaceID = at.WorkspaceID
	v.PropertiesValues = withoutNulls(v.PropertiesValues)
}
