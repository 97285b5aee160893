package model

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
)

// The enums of what ClickFunnels declares as closed sets (API.md §5). A value that is
// newer than the schema is UNKNOWN, and stands as it came in a field of its own, so that
// it breaks no query. Values are the API's own words in capitals.
var (
	paymentTypes        = enum{"one_time", "subscription", "payment_plan"}
	sortMethods         = enum{"manually", "name_asc", "name_desc", "price_desc", "price_asc", "added_at_desc", "added_at_asc", "created_at_desc", "created_at_asc"}
	invoiceTypes        = enum{"initial", "renewal", "interim", "cancellation", "one_time", "refund", "charge", "one_time_sale"}
	fulfillmentStatuses = enum{"unfulfilled", "partially_fulfilled", "complete", "ignored"}
)

// enum is a closed set in the API's own words.
type enum []string

const unknown = "UNKNOWN"

func (e enum) marshal(value string) graphql.Marshaler {
	name := unknown
	if slices.Contains(e, value) {
		name = strings.ToUpper(value)
	}
	return graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote(name)) })
}

// unmarshal reads an argument, which has been held against the schema. ClickFunnels has no
// word for UNKNOWN.
func (enum) unmarshal(v any) (string, error) {
	name, _ := v.(string)
	if name == unknown {
		return "", errors.New("UNKNOWN is no value to filter by: it stands for any that is newer than the schema")
	}
	return strings.ToLower(name), nil
}

// MarshalProductPricePaymentType writes a value for gqlgen.
func MarshalProductPricePaymentType(v string) graphql.Marshaler { return paymentTypes.marshal(v) }

// UnmarshalProductPricePaymentType reads an argument.
func UnmarshalProductPricePaymentType(v any) (string, error) { return paymentTypes.unmarshal(v) }

// MarshalProductCollectionSortMethod writes a value for gqlgen.
func MarshalProductCollectionSortMethod(v string) graphql.Marshaler { return sortMethods.marshal(v) }

// UnmarshalProductCollectionSortMethod reads an argument.
func UnmarshalProductCollectionSortMethod(v any) (string, error) { return sortMethods.unmarshal(v) }

// MarshalOrderInvoiceType writes a value for gqlgen.
func MarshalOrderInvoiceType(v string) graphql.Marshaler { return invoiceTypes.marshal(v) }

// UnmarshalOrderInvoiceType reads an argument.
func UnmarshalOrderInvoiceType(v any) (string, error) { return invoiceTypes.unmarshal(v) }

// MarshalOrderInvoiceLineItemFulfillmentStatus writes a value for gqlgen.
func MarshalOrderInvoiceLineItemFulfillmentStatus(v string) graphql.Marshaler {
	return fulfillmentStatuses.marshal(v)
}

// UnmarshalOrderInvoiceLineItemFulfillmentStatus reads an argument.
func UnmarshalOrderInvoiceLineItemFulfillmentStatus(v any) (string, error) {
	return fulfillmentStatuses.unmarshal(v)
}
