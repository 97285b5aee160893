package upstream

import "cmp"

// FulfillmentLocation is a place that products are sent from (API.md §5,
// Fulfillments::Location).
type FulfillmentLocation struct {
	Record       `json:",embed"`
	WorkspaceID  string           `json:"workspace_id"`
	Name         string           `json:"name"`
	AddressName  string           `json:"address_name"`
	EmailAddress string           `json:"email_address"`
	PhoneNumber  *string          `json:"phone_number"`
	SortOrder    *int             `json:"sort_order"`
	Archived     *bool            `json:"archived"`
	ExternalApp  *bool            `json:"external_app"`
	Address      *LocationAddress `json:"address"`
}

// LocationAddress is the address of a location.
type LocationAddress struct {
	AddressOne *string `json:"address_one"`
	AddressTwo *string `json:"address_two"`
	City       *string `json:"city"`
	Region     *string `json:"region"`
	Country    *string `json:"country"`
	PostalCode *string `json:"postal_code"`
}

func (l *FulfillmentLocation) adopt(p Place) { l.WorkspaceID = cmp.Or(l.WorkspaceID, p.WorkspaceID) }
