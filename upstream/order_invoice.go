package upstream

import (
	"cmp"
	"time"
)

// OrderInvoice is a bill for an order (API.md §5, Orders::Invoice). Amounts are exact
// decimals as text (API.md §8, trap 9).
type OrderInvoice struct {
	Record  `json:",embed"`
	OrderID string `json:"order_id"`
	// WorkspaceID is the raw id of the workspace it was found in, which ClickFunnels
	// mostly does not send with it.
	WorkspaceID            string                  `json:"workspace_id" scope:"optional"`
	InvoiceNumber          *string                 `json:"invoice_number"`
	Status                 *string                 `json:"status"`
	InvoiceType            *string                 `json:"invoice_type" for:"raw_invoice_type"`
	DueAmount              *string                 `json:"due_amount"`
	TotalAmount            *string                 `json:"total_amount"`
	SubtotalAmount         *string                 `json:"subtotal_amount"`
	TaxAmount              *string                 `json:"tax_amount"`
	ShippingAmount         *string                 `json:"shipping_amount"`
	DiscountAmount         *string                 `json:"discount_amount"`
	Currency               *string                 `json:"currency"`
	IssuedAt               *time.Time              `json:"issued_at"`
	DueAt                  *time.Time              `json:"due_at"`
	PaidAt                 *time.Time              `json:"paid_at"`
	FulfillmentStatus      *string                 `json:"fulfillment_status"`
	EligibleForFulfillment *bool                   `json:"eligible_for_fulfillment"`
	PaymentProcessor       *string                 `json:"payment_processor"`
	ExternalID             *string                 `json:"external_id"`
	LineItems              []*OrderInvoiceLineItem `json:"line_items"`
	// Order is the order but for some of its fields, with its contact.
	Order *Order `json:"order" for:"contact" scope:"optional"`
}

// OrderInvoiceLineItem is a position of an invoice.
type OrderInvoiceLineItem struct {
	RawID                  string               `json:"id"`
	PublicID               *string              `json:"public_id"`
	ExternalID             *string              `json:"external_id"`
	PaymentType            *string              `json:"payment_type"`
	Description            *string              `json:"description"`
	Quantity               *int                 `json:"quantity"`
	Amount                 *string              `json:"amount"`
	FulfillmentStatus      *string              `json:"fulfillment_status" for:"raw_fulfillment_status"`
	ExternalProductID      *string              `json:"external_product_id"`
	DiscountAmount         *string              `json:"discount_amount"`
	StateTaxAmount         *string              `json:"state_tax_amount"`
	CountyTaxAmount        *string              `json:"county_tax_amount"`
	CityTaxAmount          *string              `json:"city_tax_amount"`
	DistrictTaxAmount      *string              `json:"district_tax_amount"`
	StateTaxRate           *string              `json:"state_tax_rate"`
	CountyTaxRate          *string              `json:"county_tax_rate"`
	CityTaxRate            *string              `json:"city_tax_rate"`
	DistrictTaxRate        *string              `json:"district_tax_rate"`
	CountryTaxJurisdiction *string              `json:"country_tax_jurisdiction"`
	StateTaxJurisdiction   *string              `json:"state_tax_jurisdiction"`
	CountyTaxJurisdiction  *string              `json:"county_tax_jurisdiction"`
	CityTaxJurisdiction    *string              `json:"city_tax_jurisdiction"`
	PeriodStartAt          *time.Time           `json:"period_start_at"`
	PeriodEndAt            *time.Time           `json:"period_end_at"`
	PeriodNumber           *string              `json:"period_number"`
	CreatedAt              *time.Time           `json:"created_at"`
	UpdatedAt              *time.Time           `json:"updated_at"`
	ProductsPrice          *OrderPrice          `json:"products_price"`
	ProductsVariant        *OrderInvoiceVariant `json:"products_variant"`
	WorkspaceID            string               `json:"workspace_id" scope:"optional"`
}

// OrderInvoiceVariant is the variant of a product in a position of an invoice.
type OrderInvoiceVariant struct {
	RawID               string  `json:"id"`
	PublicID            *string `json:"public_id"`
	ProductID           *string `json:"product_id"`
	Name                *string `json:"name"`
	Description         *string `json:"description"`
	SKU                 *string `json:"sku"`
	FulfillmentRequired *bool   `json:"fulfillment_required"`
	WorkspaceID         string  `json:"workspace_id" scope:"optional"`
}

// OwnOrder returns the order as far as the invoice tells.
func (i *OrderInvoice) OwnOrder() *Order {
	if i.Order == nil {
		return &Order{Record: Record{RawID: i.OrderID}, WorkspaceID: i.WorkspaceID}
	}
	return i.Order
}

func (i *OrderInvoice) adopt(at Place) {
	i.WorkspaceID = at.WorkspaceID
	i.LineItems = withoutNulls(i.LineItems)
	if i.Order != nil {
		i.OrderID = cmp.Or(i.OrderID, i.Order.RawID)
		i.Order.adopt(at)
		if i.Order.RawID != i.OrderID {
			i.Order = nil // another one
		}
	}
}
