package upstream

import (
	"cmp"
	"time"
)

// Order is what a contact has bought or subscribed to (API.md §5, Order). Amounts are
// exact decimals as text (API.md §8, trap 9).
type Order struct {
	Record                          `json:",embed"`
	WorkspaceID                     string             `json:"workspace_id"`
	ContactID                       string             `json:"contact_id"`
	PageID                          string             `json:"page_id"`
	OrderNumber                     *string            `json:"order_number"`
	LiveMode                        *bool              `json:"live_mode"`
	OrderType                       *string            `json:"order_type"`
	BillingStatus                   *string            `json:"billing_status"`
	ServiceStatus                   *string            `json:"service_status"`
	TotalAmount                     *string            `json:"total_amount"`
	TaxAmount                       *string            `json:"tax_amount"`
	Currency                        string             `json:"currency"`
	InTrial                         *bool              `json:"in_trial"`
	TrialEndAt                      *time.Time         `json:"trial_end_at"`
	NextChargeAt                    *time.Time         `json:"next_charge_at"`
	ActivatedAt                     *time.Time         `json:"activated_at"`
	CanceledAt                      *time.Time         `json:"canceled_at"`
	CanceledBy                      *string            `json:"canceled_by"`
	CancelReason                    *string            `json:"cancel_reason"`
	CancelDescription               *string            `json:"cancel_description"`
	ChurnedAt                       *time.Time         `json:"churned_at"`
	PaidUntil                       *time.Time         `json:"paid_until"`
	RecurringInvoicesPaidCount      *int               `json:"recurring_invoices_paid_count"`
	Notes                           *string            `json:"notes"`
	PhoneNumber                     *string            `json:"phone_number"`
	FunnelName                      *string            `json:"funnel_name"`
	PageName                        *string            `json:"page_name"`
	OriginationChannelID            *string            `json:"origination_channel_id"`
	OriginationChannelType          *string            `json:"origination_channel_type"`
	OriginationChannelName          *string            `json:"origination_channel_name"`
	PaymentProcessor                *string            `json:"payment_processor"`
	BillingPaymentMethodID          *string            `json:"billing_payment_method_id"`
	ExternalID                      *string            `json:"external_id"`
	WorkspaceSharingID              *string            `json:"workspace_sharing_id"`
	PreviousLineItem                *string            `json:"previous_line_item"`
	ShippingAddressFirstName        *string            `json:"shipping_address_first_name"`
	ShippingAddressLastName         *string            `json:"shipping_address_last_name"`
	ShippingAddressOrganizationName *string            `json:"shipping_address_organization_name"`
	ShippingAddressPhoneNumber      *string            `json:"shipping_address_phone_number"`
	ShippingAddressStreetOne        *string            `json:"shipping_address_street_one"`
	ShippingAddressStreetTwo        *string            `json:"shipping_address_street_two"`
	ShippingAddressCity             *string            `json:"shipping_address_city"`
	ShippingAddressRegion           *string            `json:"shipping_address_region"`
	ShippingAddressCountry          *string            `json:"shipping_address_country"`
	ShippingAddressPostalCode       *string            `json:"shipping_address_postal_code"`
	BillingAddressStreetOne         *string            `json:"billing_address_street_one"`
	BillingAddressStreetTwo         *string            `json:"billing_address_street_two"`
	BillingAddressCity              *string            `json:"billing_address_city"`
	BillingAddressRegion            *string            `json:"billing_address_region"`
	BillingAddressCountry           *string            `json:"billing_address_country"`
	BillingAddressPostalCode        *string            `json:"billing_address_postal_code"`
	TagIDs                          []string           `json:"tag_ids"`
	DiscountIDs                     []string           `json:"discount_ids"`
	LineItems                       []*OrderLineItem   `json:"line_items"`
	ContactGroups                   []*NamedRecord     `json:"contact_groups"`
	Segments                        []*NamedRecord     `json:"segments"`
	Affiliate                       *OrderAffiliate    `json:"affiliate"`
	ReferralCode                    *OrderReferralCode `json:"referral_code"`
	// Contact is who has ordered, with all that a contact has but what it has to be
	// asked for (API.md §8, trap 28).
	Contact   *Contact     `json:"contact"`
	OrderPage *NamedRecord `json:"order_page" for:"page"`
	// Workspace is where it was ordered, with all that a workspace has; nil if the order
	// does not tell.
	Workspace *Workspace `json:"workspace"`
}

// OrderLineItem is a position of an order.
type OrderLineItem struct {
	RawID           string        `json:"id"`
	PublicID        *string       `json:"public_id"`
	Quantity        *int          `json:"quantity"`
	Prorated        *string       `json:"prorated"`
	CreatedAt       *time.Time    `json:"created_at"`
	UpdatedAt       *time.Time    `json:"updated_at"`
	OriginalProduct *NamedRecord  `json:"original_product" for:"product"`
	ProductsPrice   *OrderPrice   `json:"products_price"`
	ProductsVariant *OrderVariant `json:"products_variant"`
	// WorkspaceID is that of the order.
	WorkspaceID string `json:"workspace_id" scope:"optional"`
}

// Product returns the product as far as the position tells; nil if it does not.
func (i *OrderLineItem) Product() *Product {
	if i.OriginalProduct == nil {
		return nil
	}
	return &Product{Record: i.OriginalProduct.record(""), WorkspaceID: i.WorkspaceID}
}

// OrderPrice is the price of a position.
type OrderPrice struct {
	RawID         string  `json:"id"`
	PublicID      *string `json:"public_id"`
	Amount        *string `json:"amount"`
	Currency      *string `json:"currency"`
	Duration      *string `json:"duration"`
	Interval      *string `json:"interval"`
	IntervalCount *string `json:"interval_count"`
	WorkspaceID   string  `json:"workspace_id" scope:"optional"`
}

// OrderVariant is the variant of a product in a position.
type OrderVariant struct {
	RawID       string  `json:"id"`
	PublicID    *string `json:"public_id"`
	Name        *string `json:"name"`
	Description *string `json:"description"`
	SKU         *string `json:"sku"`
	WorkspaceID string  `json:"workspace_id" scope:"optional"`
}

// OrderAffiliate is who is paid for having brought the customer.
type OrderAffiliate struct {
	Name  *string `json:"name"`
	Email *string `json:"email"`
}

// OrderReferralCode is the code by which the customer was brought.
type OrderReferralCode struct {
	Code    *string `json:"code"`
	Default *bool   `json:"default"`
}

func (o *Order) adopt(p Place) {
	o.WorkspaceID = cmp.Or(o.WorkspaceID, p.WorkspaceID)
	o.LineItems, o.ContactGroups, o.Segments = withoutNulls(o.LineItems), withoutNulls(o.ContactGroups), withoutNulls(o.Segments)
	for _, item := range o.LineItems {
		item.WorkspaceID = o.WorkspaceID
	}
	if o.ContactID == "" && o.Contact != nil { // within an invoice
		o.ContactID = o.Contact.RawID
	}
	o.Contact = o.Contact.within(o.WorkspaceID, o.ContactID)
	if w := o.Workspace; w != nil && (w.RawID != o.WorkspaceID || w.TeamID == "" || w.Subdomain == "") {
		o.Workspace = nil // another one, or not all of it
	}
}

// Page returns the page that the order came by as far as the order tells.
func (o *Order) Page() *WebPage {
	return &WebPage{Record: o.OrderPage.record(o.PageID), WorkspaceID: o.WorkspaceID, Name: o.OrderPage.text()}
}
