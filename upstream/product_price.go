package upstream

import (
	"context"
)

// ProductPrice is what a variant of a product costs (API.md §5, Products::Price). Amounts
// are exact decimals as text (API.md §8, trap 9).
type ProductPrice struct {
	Record    `json:",embed"`
	VariantID string `json:"variant_id"`
	// ProductID is the raw id of the product it was listed for, empty where it was not.
	ProductID string `json:"-"`
	// WorkspaceID is the raw id of the workspace it was found in, which ClickFunnels
	// mostly does not send with it.
	WorkspaceID     string  `json:"workspace_id" scope:"optional"`
	Name            *string `json:"name"`
	Amount          *string `json:"amount"`
	Currency        *string `json:"currency"`
	Cost            *string `json:"cost"`
	CompareAtAmount *string `json:"compare_at_amount"`
	SetupAmount     *string `json:"setup_amount"`
	PaymentType     *string `json:"payment_type" for:"raw_payment_type"`
	Duration        *string `json:"duration"`
	Interval        *string `json:"interval"`
	IntervalCount   *string `json:"interval_count"`
	TrialInterval   *string `json:"trial_interval"`
	TrialDuration   *string `json:"trial_duration"`
	TrialAmount     *string `json:"trial_amount"`
	SelfCancel      *bool   `json:"self_cancel"`
	SelfUpgrade     *bool   `json:"self_upgrade"`
	SelfDowngrade   *bool   `json:"self_downgrade"`
	SelfReactivate  *bool   `json:"self_reactivate"`
	Visible         *bool   `json:"visible"`
	Archived        *bool   `json:"archived"`
	Code            *string `json:"key"`
}

func (p *ProductPrice) adopt(at Place) { p.WorkspaceID = at.WorkspaceID }

// ProductPrices lists the prices of all variants of a product, given by its raw or public id. Filter keys:
// id, variant_id, visible, archived.
func (c *Client) ProductPrices(ctx context.Context, p Place, product string, q Query) (*Page[ProductPrice], error) {
	adopt := func(price *ProductPrice, at Place) {
		if price.adopt(at); IsRawID(product) {
			price.ProductID = product
		}
	}
	return listIn(ctx, c, p, q, adopt, "products", product, "prices")
}
