package demo

import (
	"reflect"
	"slices"
	"testing"
)

// tableAt returns the table with a path of members.
func tableAt(t *testing.T, member string) *table {
	t.Helper()
	i := slices.IndexFunc(example(), func(t *table) bool { return t.member == member+"/*" })
	if i < 0 {
		t.Fatalf("no table for %s", member)
	}
	return example()[i]
}

// TestRelationsStayOnTheirHost follows each relation of each derived record. The related record
// exists, and has the same host.
func TestRelationsStayOnTheirHost(t *testing.T) {
	byType := make(map[string]*table)
	for _, of := range example() {
		if of.resource != nil {
			byType[of.resource.Type] = of
		}
	}
	for _, from := range byType {
		for _, r := range from.rows {
			for _, f := range from.resource.Fields {
				to, value := byType[f.To], r[f.Key]
				if f.To == "" || value == nil || !from.derived {
					continue
				}
				for _, id := range idsOf(value) {
					if found, ok := to.find(id); !ok || to.subdomain(found) != from.subdomain(r) {
						t.Errorf("%s %d: its %s %s is on another host, or missing", from.resource.Type, r.id(), f.Name, id)
					}
				}
			}
		}
	}
}

// idsOf returns the ids in the value of a relation.
func idsOf(value any) (all []string) {
	if v := reflect.ValueOf(value); v.Kind() == reflect.Slice {
		for i := range v.Len() {
			all = append(all, idText(v.Index(i).Interface()))
		}
		return all
	}
	return []string{idText(value)}
}

// TestFulfillmentsContainInvoicedLines looks for the line items of fulfillments and restocks in
// the invoices of their contacts.
func TestFulfillmentsContainInvoicedLines(t *testing.T) {
	invoices, orders := tableAt(t, "orders/invoices"), tableAt(t, "orders")
	owner := make(map[any]row) // orders by their invoices' line items
	for _, invoice := range invoices.rows {
		for _, line := range invoice["line_items"].([]row) {
			owner[line["id"]], _ = orders.find(idText(invoice["order_id"]))
		}
	}
	items := 0
	for _, path := range []string{"fulfillments", "orders/invoices/restocks"} {
		for _, r := range tableAt(t, path).rows {
			for _, item := range r["included_invoices_line_items"].([]row) {
				items++
				if order := owner[item["invoices_line_item_id"]]; order["contact_id"] != r["contact_id"] || order["workspace_id"] != r["workspace_id"] {
					t.Errorf("%s %d: its line item belongs to the order %v, want one of its contact", path, r.id(), order["id"])
				}
			}
		}
	}
	if items < 20 {
		t.Errorf("%d line items in fulfillments and restocks, want at least 20", items)
	}
}

// TestAnswersChooseOptionsOfTheirField follows each answer to its field and its option, up to
// the form.
func TestAnswersChooseOptionsOfTheirField(t *testing.T) {
	sets, fields, options := tableAt(t, "forms/field_sets"), tableAt(t, "forms/fields"), tableAt(t, "forms/fields/options")
	submissions := tableAt(t, "forms/submissions")
	for _, answer := range tableAt(t, "forms/submissions/answers").rows {
		option, _ := options.find(idText(answer["fields_option_id"]))
		field, _ := fields.find(idText(answer["field_id"]))
		set, _ := sets.find(idText(field["field_set_id"]))
		submission, _ := submissions.find(idText(answer["submission_id"]))
		if option["field_id"] != field.id() || option["label"] != answer["entry"] || set["form_id"] != submission["form_id"] {
			t.Errorf("answer %d: its option, field or form does not match: %v, %v, %v", answer.id(), option, field, set)
		}
	}
}

// TestEventsHoldTheirContacts compares the data of webhook events with their contacts.
func TestEventsHoldTheirContacts(t *testing.T) {
	contacts := tableAt(t, "contacts")
	for _, event := range tableAt(t, "webhooks/outgoing/events").rows {
		contact, ok := contacts.find(idText(event["subject_id"]))
		if ok && !reflect.DeepEqual(event["data"], contact) || ok != (event["data"] != nil) {
			t.Errorf("event %d: its data is not the contact %v", event.id(), event["subject_id"])
		}
	}
}
