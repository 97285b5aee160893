package upstream

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestAppendField writes values of every shape as response text.
func TestAppendField(t *testing.T) {
	invoice, err := ParseRecord[OrderInvoice]("101", `{"id":3.0e9,"public_id":null,"invoice_number":17,"status":{"a":"\u00e9"},"invoice_type":"ONE","total_amount":97.00,
		"eligible_for_fulfillment":"f","paid_at":"2025-01-31 10:00:00 +0200","issued_at":"2025-01-31T10:00:00.000Z","due_at":"never","external_id":"a\"\n\u0001\ud800",
		"fulfillment_status":"x","line_items":[null,{"id":1,"quantity":"3.0","fulfillment_status":"complete"},{"quantity":4e9}],"order":{"id":5,"tag_ids":[1.0,null,"","b\"c"]},"order_id":5}`)
	if err != nil {
		t.Fatal(err)
	}
	check := func(row *Row, typ, name, want string) {
		t.Helper()
		out, null, err := row.AppendField([]byte("."), TypeByName(typ).Field(name))
		if got := string(out[1:]); err != nil || null != (want == "") || got != want || got != "" && !json.Valid(out[1:]) {
			t.Errorf("%s.%s: %s, null %t, %v; want %s", typ, name, got, null, err, want)
		}
	}
	for name, want := range map[string]string{
		"rawId": `"3000000000"`, "publicId": "", "invoiceNumber": `"17"`, "status": `"{\"a\":\"\\u00e9\"}"`, "invoiceType": `"UNKNOWN"`, "rawInvoiceType": `"ONE"`,
		"eligibleForFulfillment": "false", "paidAt": `"2025-01-31T08:00:00.000Z"`, "issuedAt": `"2025-01-31T10:00:00.000Z"`, "dueAt": "",
		"externalId": `"a\"\n\u0001` + "\uFFFD" + `"`,
	} {
		check(&invoice.Row, "OrderInvoice", name, want)
	}
	amounts := TypeByName("OrderInvoice")
	check(&invoice.Child(amounts.Field("totalAmount")).Row, "Money", "amount", `"97.00"`)
	if due := invoice.Child(amounts.Field("dueAmount")); due != nil {
		t.Errorf("the amount due is %v", due)
	}
	lines := TypeByName("OrderInvoice").Field("lineItems")
	items := invoice.Children(lines)
	if !lines.IsList() || lines.Of() != TypeByName("OrderInvoiceLineItem") || len(items) != 2 || len(invoice.LineItems()) != 2 {
		t.Fatalf("%d line items", len(items))
	}
	check(&items[0].Row, "OrderInvoiceLineItem", "quantity", "3")
	check(&items[0].Row, "OrderInvoiceLineItem", "fulfillmentStatus", `"COMPLETE"`)
	check(&items[1].Row, "OrderInvoiceLineItem", "rawId", `""`)
	if _, _, err := items[1].AppendField(nil, TypeByName("OrderInvoiceLineItem").Field("quantity")); !errors.Is(err, Unavailable) {
		t.Errorf("4e9: %v", err)
	}
	check(&invoice.Order().Row, "Order", "tagIds", `["1","b\"c"]`)
	if ids := invoice.Order().TagIDs(); !reflect.DeepEqual(ids, []string{"1", `b"c`}) {
		t.Errorf("%q", ids)
	}
	if orders := TypeByName("Order").Field("lineItems"); invoice.Order().Children(orders) != nil || invoice.Order().LineItems() != nil {
		t.Error("line items that were not sent are not null")
	}
}

// TestRowsConvertBetweenTypes reads rows as another type with the same keys.
func TestRowsConvertBetweenTypes(t *testing.T) {
	contact, err := ParseRecord[Contact]("101", `{"id":7,"tags":[{"id":1,"name":"VIP","applied_at":"2025-01-31T10:00:00.000Z"}],"custom_attributes":{"a":1,"b":null,"size_id":"2.0"}}`)
	if err != nil {
		t.Fatal(err)
	}
	tag := contact.Taggings()[0]
	if tag.Tag() != contact.Tags()[0] || tag.Tag().Name() != "VIP" || tag.AppliedAt() == nil || tag.Tag().Ref() != (Ref{KindContactTag, "101", "1"}) {
		t.Errorf("%+v", tag)
	}
	row := contact.Children(TypeByName("Contact").Field("taggings"))[0]
	if out, _, _ := row.AppendField(nil, TypeByName("ContactTagging").Field("appliedAt")); string(out) != `"2025-01-31T10:00:00.000Z"` {
		t.Errorf("%s", out)
	}
	free := TypeByName("Contact").Field("customAttributes")
	if all := contact.Members(free, nil); !free.HasMembers() || len(all) != 3 || all[1].Value != nil || *all[2].Value != "2" {
		t.Errorf("%+v", all)
	}
	if some := contact.Members(free, []string{"a"}); len(some) != 1 || *some[0].Value != "1" {
		t.Errorf("%+v", some)
	}
	one := TypeByName("Contact").Field("customAttribute")
	if value := contact.Member(one, "size_id"); one.HasMembers() || !one.IsMember() || value == nil || *value != "2" {
		t.Errorf("%+v", value)
	}
	for _, name := range []string{"b", "none", ""} {
		if value := contact.Member(one, name); value != nil {
			t.Errorf("%q: %q, want null", name, *value)
		}
	}
}

// TestMembersAreDecodedIfOneIsWanted decodes a free-form object only if a field of it is wanted.
func TestMembersAreDecodedIfOneIsWanted(t *testing.T) {
	one := TypeByName("Contact").Field("customAttribute")
	for key, decoded := range map[string]bool{"custom_attribute": true, "custom_attributes": true, "email_address": false} {
		contact, err := decodeOne[Contact]([]byte(`{"id":1,"email_address":"a","custom_attributes":{"a":"b"}}`), NewProjection(func(wanted string) bool { return wanted == key }))
		if err != nil {
			t.Fatal(err)
		}
		if got := contact.Member(one, "a") != nil; got != decoded || strings.Contains(contact.block, `{"a":"b"}`) != decoded {
			t.Errorf("%s: decoded %q, want the members in it: %t", key, contact.block, decoded)
		}
	}
}

// TestMismatchedEmbeddedRecordsAreDropped checks that an embedded record must match the relation's
// id. Without such an id, the embedded record provides it.
func TestMismatchedEmbeddedRecordsAreDropped(t *testing.T) {
	for object, want := range map[string]bool{
		`{"id":1,"contact_id":7,"contact":{"id":7}}`:                          true,
		`{"id":1,"contact":{"id":7}}`:                                         true,
		`{"id":1,"contact_id":8,"contact":{"id":7}}`:                          false,
		`{"id":1,"contact_id":7,"contact":{"id":7,"workspace_id":102}}`:       false,
		`{"id":1,"contact_id":7,"contact":{}}`:                                false,
		`{"id":1,"contact_id":7,"contact":[{"id":7}]}`:                        false,
		`{"id":1,"contact":{"id":7},"contact":{"id":7,"tags":[]}}`:            true,
		`{"id":1,"contact":{"id":7},"contact":null}`:                          false,
		`{"id":1,"workspace_id":102,"contact":{"id":7,"workspace_id":"102"}}`: true,
	} {
		order, err := ParseRecord[Order]("101", object)
		if err != nil {
			t.Fatal(err)
		}
		if got := order.Contact() != nil; got != want || got && (order.ContactID() != "7" || order.ContactRef() != order.Contact().Ref()) {
			t.Errorf("%s: %t, %+v", object, got, order.ContactRef())
		}
	}
}

// TestRowsDoNotReferToTheBody overwrites a body after its rows were decoded.
func TestRowsDoNotReferToTheBody(t *testing.T) {
	body := []byte(`[{"id":1,"email_address":"ada@example.com","tags":[{"name":"VIP"}],"custom_attributes":{"a":"b"}}]`)
	rows, err := decodeList[Contact](body, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range body {
		body[i] = 'x'
	}
	if c := rows[0]; c.RawID() != "1" || *c.EmailAddress() != "ada@example.com" || c.Tags()[0].Name() != "VIP" || *c.CustomAttributes(nil)[0].Value != "b" {
		t.Errorf("%+v", c)
	}
}

// TestComposedObjects reads objects that consist of keys of the surrounding row.
func TestComposedObjects(t *testing.T) {
	const body = `[{"id":1,"shipping_address_city":null,"shipping_address_street_one":7,"billing_address_city":null,"city":"x","shipping_address":{"city":"y"}},
		{"id":2,"billing_address_city":"Berlin","billing_address_country":"\ud800"}]`
	for name, test := range map[string]struct {
		p        *Projection
		shipping bool
		first    string
	}{
		"every key":             {nil, true, "7"},
		"a member":              {named("shipping_address", "billing_address", "street_one", "city"), true, "7"},
		"another member":        {named("shipping_address", "billing_address", "city"), true, ""},
		"the other object only": {named("billing_address", "street_one", "city"), false, ""},
	} {
		rows, err := decodeList[Order]([]byte(body), test.p)
		if err != nil || len(rows) != 2 {
			t.Fatalf("%s: %d rows, %v", name, len(rows), err)
		}
		address := rows[0].ShippingAddress()
		if (address != nil) != test.shipping || rows[0].BillingAddress() != nil || rows[1].ShippingAddress() != nil {
			t.Errorf("%s: the addresses are %v, %v and %v", name, address, rows[0].BillingAddress(), rows[1].ShippingAddress())
		}
		if address != nil && (address.City() != nil || test.first != "" && *address.StreetOne() != test.first) {
			t.Errorf("%s: the address is %v, %v", name, address.City(), address.StreetOne())
		}
		if got := rows[1].BillingAddress(); got == nil || *got.City() != "Berlin" {
			t.Errorf("%s: the other address is %v", name, got)
		}
	}
	if NewRecord[Order](Ref{Kind: KindOrder, ID: "1"}).ShippingAddress() != nil || new(Order).ShippingAddress() != nil {
		t.Error("an order without keys has an address")
	}
}

// TestAmountsShareTheCurrency reads amounts whose currency is a key of the same row, of the row or of
// the invoice that contains the row.
func TestAmountsShareTheCurrency(t *testing.T) {
	const body = `[{"id":1,"line_items":[{"discount_amount":0.5},{"discount_amount":"6","currency":"gbp"}],
		"due_amount":"","tax_amount":" ","total_amount":97,"currency":"usd"},{"id":2,"total_amount":"1","currency":""}]`
	for name, test := range map[string]struct {
		p        *Projection
		currency string
	}{
		"every key":     {nil, "USD"},
		"both members":  {named("total_amount", "due_amount", "tax_amount", "line_items", "discount_amount", "amount", "currency"), "USD"},
		"no currencies": {named("total_amount", "due_amount", "tax_amount", "line_items", "discount_amount", "amount"), ""},
		"no amounts":    {named("total_amount", "due_amount", "tax_amount", "line_items", "discount_amount", "currency"), "USD"},
	} {
		rows, err := decodeList[OrderInvoice]([]byte(body), test.p)
		if err != nil || len(rows) != 2 {
			t.Fatalf("%s: %d rows, %v", name, len(rows), err)
		}
		for _, row := range rows {
			row.setWorkspace("101", namedSometimes)
		}
		check := func(what string, m *Money, amount, currency string) {
			t.Helper()
			if m == nil || m.Amount() != amount || m.text("currency") != currency {
				t.Errorf("%s: %s is %+v, want %s %s", name, what, m, amount, currency)
			}
		}
		check("the total", rows[0].TotalAmount(), "97.00", test.currency)
		check("the other total", rows[1].TotalAmount(), "1.00", "")
		if due, tax := rows[0].DueAmount(), rows[0].TaxAmount(); due != nil || tax != nil {
			t.Errorf("%s: blank amounts are %+v and %+v, want null", name, due, tax)
		}
		items := rows[0].LineItems()
		check("the discount", items[0].DiscountAmount(), "0.50", test.currency)
		if test.currency != "" {
			check("an item with a currency of its own", items[1].DiscountAmount(), "6.00", "GBP")
		}
	}
}

// TestAmountsAndCodes reads amounts and codes in many formats.
func TestAmountsAndCodes(t *testing.T) {
	for _, test := range []struct {
		shape      shape
		sent, want string
	}{
		{asAmount, `97`, `"97.00"`},
		{asAmount, `"97"`, `"97.00"`},
		{asAmount, `1.5`, `"1.50"`},
		{asAmount, `"1.5"`, `"1.50"`},
		{asAmount, `"97.00"`, `"97.00"`},
		{asAmount, `"10.000"`, `"10.00"`},
		{asAmount, `"97.120"`, `"97.12"`},
		{asAmount, `"97.123"`, `"97.123"`}, // never rounded
		{asAmount, `"0.005"`, `"0.005"`},
		{asAmount, `12345678901234567890123.5`, `"12345678901234567890123.50"`},
		{asAmount, `12345678901234567890123`, `"12345678901234567890123.00"`},
		{asAmount, `"-7"`, `"-7.00"`},
		{asAmount, `-7.5`, `"-7.50"`},
		{asAmount, `-0.0`, `"0.00"`},
		{asAmount, `"5."`, `"5.00"`},
		{asAmount, `" 97.5 "`, `"97.50"`},
		{asAmount, `1e3`, `"1000.00"`},
		{asAmount, `9.75e1`, `"9.75e1"`}, // exact as it is
		{asAmount, `"1,000.5"`, `"1,000.5"`},
		{asAmount, `"free"`, `"free"`},
		{asAmount, `"."`, `"."`},
		{asAmount, `""`, ``},
		{asAmount, `" "`, ``},
		{asAmount, `null`, ``},
		{asCode, `"usd"`, `"USD"`},
		{asCode, `"Usd "`, `"USD"`},
		{asCode, `840`, `"840"`},
		{asCode, `""`, ``},
		{asCode, `" "`, ``},
		{asCode, `null`, ``},
	} {
		s := scanner{text: []byte(test.sent)}
		kind, raw, _ := s.raw()
		if got, ok := (&key{shape: test.shape}).appendValue(nil, kind, raw); string(got) != test.want || !ok {
			t.Errorf("%s: %s, want %s", test.sent, got, test.want)
		}
	}
}

// named returns the projection to the given keys.
func named(keys ...string) *Projection {
	return NewProjection(func(key string) bool { return slices.Contains(keys, key) })
}
