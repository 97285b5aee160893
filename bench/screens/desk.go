package screens

import (
	"context"
	"fmt"
	"strings"
)

// fulfillmentDesk shows the line items of invoices, each with its order and its shipments.
var fulfillmentDesk = Screen{
	Name: "fulfillment desk",
	Query: `query Desk($workspace: ID!, $subdomain: String) {
  workspace(id: $workspace, subdomain: $subdomain) {
    orderInvoices(first: 20) {
      nodes {
        id
        order { id orderNumber contact { id firstName lastName } }
        lineItems { rawId description quantity fulfillmentStatus }
      }
    }
    fulfillments(first: 20) {
      nodes {
        id trackingCode
        location { id name }
        includedInvoicesLineItems { invoicesLineItemId }
      }
    }
  }
}
`,
	Variables: map[string]any{"workspace": workspaceID, "subdomain": subdomain},
	rest:      desk,
	show: func(d data) (shown []string) {
		sent := make(map[string]string)
		for _, f := range d.Workspace.Fulfillments.Nodes {
			for _, item := range f.Items {
				sent[item.LineItemID] += " " + f.TrackingCode + " from " + f.Location.Name
			}
		}
		for _, invoice := range d.Workspace.OrderInvoices.Nodes {
			of := invoice.Order
			for _, item := range invoice.LineItems {
				shown = append(shown, ordered(of.OrderNumber, of.Contact.FirstName, of.Contact.LastName)+fmt.Sprintf("%d %s %s", item.Quantity, item.Description, item.FulfillmentStatus)+sent[item.RawID])
			}
		}
		return shown
	},
}

// ordered returns the start of a line of the screen.
func ordered(number, first, last string) string { return number + " " + first + " " + last + ": " }

// desk makes three calls in parallel. Invoices embed their orders and contacts.
func desk(ctx context.Context, c *client) (shown []string, err error) {
	var (
		invoices     []restInvoice
		fulfillments []restFulfillment
		locations    []restLocation
	)
	below := "/workspaces/" + workspaceID
	err = together(
		func() (err error) {
			invoices, _, err = page[restInvoice](ctx, c, subdomain, below+"/orders/invoices")
			return err
		},
		func() (err error) {
			fulfillments, err = list[restFulfillment](ctx, c, subdomain, below+"/fulfillments")
			return err
		},
		func() (err error) {
			locations, err = list[restLocation](ctx, c, subdomain, below+"/fulfillments/locations")
			return err
		},
	)
	names, sent := make(map[int64]string), make(map[int64]string)
	for _, l := range locations {
		names[l.ID] = l.Name
	}
	for _, f := range fulfillments {
		for _, item := range f.Items {
			sent[item.LineItemID] += " " + f.TrackingCode + " from " + names[f.LocationID]
		}
	}
	for _, invoice := range invoices {
		of := invoice.Order
		for _, item := range invoice.LineItems {
			shown = append(shown, ordered(of.OrderNumber, of.Contact.FirstName, of.Contact.LastName)+fmt.Sprintf("%d %s %s", item.Quantity, item.Description, strings.ToUpper(item.FulfillmentStatus))+sent[item.ID])
		}
	}
	return shown, err
}

// The fields of REST responses that the screen shows.
type (
	restInvoice struct {
		Order struct {
			OrderNumber string  `json:"order_number"`
			Contact     contact `json:"contact"`
		} `json:"order"`
		LineItems []struct {
			ID                int64  `json:"id"`
			Description       string `json:"description"`
			Quantity          int    `json:"quantity"`
			FulfillmentStatus string `json:"fulfillment_status"`
		} `json:"line_items"`
	}
	restFulfillment struct {
		TrackingCode string `json:"tracking_code"`
		LocationID   int64  `json:"location_id"`
		Items        []struct {
			LineItemID int64 `json:"invoices_line_item_id"`
		} `json:"included_invoices_line_items"`
	}
	restLocation struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
)

// graphInvoice is an invoice in a GraphQL response.
type graphInvoice struct {
	Order struct {
		OrderNumber string   `json:"orderNumber"`
		Contact     graphRow `json:"contact"`
	} `json:"order"`
	LineItems []struct {
		RawID             string `json:"rawId"`
		Description       string `json:"description"`
		Quantity          int    `json:"quantity"`
		FulfillmentStatus string `json:"fulfillmentStatus"`
	} `json:"lineItems"`
}

// graphFulfillment is a fulfillment in a GraphQL response.
type graphFulfillment struct {
	TrackingCode string `json:"trackingCode"`
	Location     tag    `json:"location"`
	Items        []struct {
		LineItemID string `json:"invoicesLineItemId"`
	} `json:"includedInvoicesLineItems"`
}
