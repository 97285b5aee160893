package demo

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

var (
	productNames    = []string{"Starter course", "Coaching hour", "Workbook", "Annual pass"}
	variantNames    = []string{"Standard", "Large"}
	productTagNames = []string{"New", "Bestseller"}
	orderTagNames   = []string{"Gift", "Call back"}
)

// shop holds the tables of products and orders.
type shop struct {
	products, variants, prices, collections, productTags         *table
	orders, invoices, workspaceInvoices, transactions, orderTags *table
	appliedOrderTags                                             *table
}

func (s shop) tables() []*table {
	return []*table{
		s.variants, s.prices, s.collections, s.productTags, s.products,
		s.invoices, s.workspaceInvoices, s.transactions, s.orderTags, s.appliedOrderTags, s.orders,
	}
}

func (r *fixtures) newShop() shop {
	s := shop{
		products:    r.workspaceTable("products", keys("id", "visible_in_store", "visible_in_customer_center", "archived")),
		collections: r.workspaceTable("products/collections", keys("id", "visible_in_store", "archived")),
		productTags: r.workspaceTable("products/tags", keys("id")),
		orders:      r.workspaceTable("orders", keys("id", "contact_id", "order_type", "live_mode")),
		orderTags:   r.workspaceTable("orders/tags", nil),
	}
	s.variants = childTable(s.products, "product_id", "products/*/variants", "products/variants", keys("id", "visible", "archived", "fulfillment_required"))
	s.prices = childTable(s.products, "product_id", "products/*/prices", "products/prices", keys("id", "variant_id", "visible", "archived")).omitting("product_id")
	s.orders.complete = func(order row) row {
		return with(maps.Clone(order), row{"contact": r.contactOf(order), "workspace": r.workspaceOf(order)})
	}
	s.invoices = childTable(s.orders, "order_id", "orders/*/invoices", "orders/invoices", keys("id", "status", "invoice_type", "invoice_number", "external_id"))
	s.invoices.complete = func(invoice row) row {
		order, _ := s.orders.find(fmt.Sprint(invoice["order_id"]))
		invoice = with(maps.Clone(invoice), row{"order": with(only(order, orderInInvoice...), row{"contact": r.contactOf(order)})})
		delete(invoice, "workspace_id")
		return invoice
	}
	s.workspaceInvoices = r.workspaceTable("orders/invoices", s.invoices.filters)
	s.workspaceInvoices.member, s.workspaceInvoices.complete = "", s.invoices.complete
	s.transactions = childTable(s.orders, "order_id", "orders/*/transactions", "orders/transactions", nil)
	s.appliedOrderTags = childTable(s.orders, "order_id", "orders/*/applied_tags", "orders/applied_tags", nil)
	s.appliedOrderTags.writes = s.tagsOnOrders()
	return s
}

// tagsOnOrders returns the writes of the tags that are applied to orders.
func (s *shop) tagsOnOrders() *writes {
	applied := s.appliedOrderTags
	return &writes{
		key: "orders_applied_tag", attributes: []string{"tag_id"}, required: []string{"tag_id"}, path: applied.list, parents: applied.parents,
		make: func(id int64, order row) row { return with(record(id, 0), row{"order_id": order.id()}) },
		changed: func(r row, _ map[string]any) string {
			order, _ := s.orders.find(fmt.Sprint(r["order_id"]))
			tag, ok := s.orderTags.find(idText(r["tag_id"]))
			if !ok || tag["workspace_id"] != order["workspace_id"] {
				return "Tag must exist"
			}
			if slices.ContainsFunc(applied.children[order.id()], func(other row) bool { return other["tag_id"] == tag.id() }) {
				return "Tag has already been taken"
			}
			r["tag_id"] = tag.id()
			order["tag_ids"] = append(slices.Clone(order["tag_ids"].([]int64)), tag.id())
			return ""
		},
		destroy: func(r row) {
			applied.rows = slices.DeleteFunc(applied.rows, func(other row) bool { return other.id() == r.id() })
			if order, ok := s.orders.find(fmt.Sprint(r["order_id"])); ok {
				order["tag_ids"] = slices.DeleteFunc(slices.Clone(order["tag_ids"].([]int64)), func(id int64) bool { return id == r["tag_id"] })
			}
		},
	}
}

func (r *fixtures) contactOf(order row) row {
	contact, _ := r.contacts.find(fmt.Sprint(order["contact_id"]))
	return contact
}

func (r *fixtures) workspaceOf(record row) row {
	workspace, _ := r.workspaces.find(fmt.Sprint(record["workspace_id"]))
	return workspace
}

// goods is a product with its variant and price.
type goods struct{ product, variant, price row }

// line returns a line item of an order.
func (g goods) line(id int64, quantity any) row {
	return row{
		"id": id, "public_id": publicID(id), "quantity": quantity, "prorated": nil,
		"original_product": only(g.product, "id", "name"),
		"products_price":   only(g.price, "id", "amount", "currency", "duration", "interval", "interval_count"),
		"products_variant": only(g.variant, "id", "name", "description", "sku"),
	}
}

// addGoods adds a workspace's products and returns them. One workspace has more than a page.
func (r *fixtures) addGoods(workspace row) []goods {
	tags := make([]row, len(productTagNames))
	for i, name := range productTagNames {
		tags[i] = r.productTags.appendRow(r.productTags.nextRow(77_001, int64(80+i)), row{"workspace_id": workspace.id(), "name": name, "color": tagColors[i]})
	}
	for i, name := range orderTagNames {
		r.orderTags.appendRow(r.orderTags.nextRow(95_001, int64(80+i)), row{"workspace_id": workspace.id(), "name": name, "color": tagColors[i]})
	}
	n := len(productNames)
	if workspace["subdomain"] == "acme-podcast" {
		n = 24
	}
	images := make([]row, 2)
	for i := range images {
		images[i] = r.addExample(r.derived["images"], workspace, 78_501, row{"url": fmt.Sprintf("https://%s.example.com/images/%d.png", workspace["subdomain"], i+1), "alt_text": productNames[i]})
	}
	all := make([]goods, n)
	products := make([]row, n)
	for i := range n {
		product := r.products.appendRow(r.products.nextRow(70_001, int64(90+i)), row{
			"workspace_id": workspace.id(), "name": productNames[i%len(productNames)], "current_path": nil, "archived": i%7 == 3, "visible_in_store": i%3 != 2,
			"visible_in_customer_center": true, "image_id": images[i%2].id(), "seo_title": nil, "seo_description": nil, "seo_image_id": nil, "commissionable": i%2 == 0,
			"image_ids": ids(images[i%2:]), "tag_ids": ids(tags[:i%3]), "redirect_funnel_id": nil, "cancellation_funnel_url": nil,
			"variant_properties": []row{{"id": int64(78_001 + i), "name": "Size"}},
		})
		variants, prices := []row{}, []row{}
		for v := range 1 + i%2 {
			variant := r.addVariant(product, i, v)
			price := r.addPrice(product, variant, i, v)
			variant["price_ids"] = []int64{price.id()}
			variants, prices = append(variants, variant), append(prices, price)
		}
		with(product, row{"default_variant_id": variants[0].id(), "variant_ids": ids(variants), "price_ids": ids(prices)})
		products[i], all[i] = product, goods{product, variants[0], prices[0]}
	}
	for i, name := range []string{"Learning", "Everything"} {
		r.collections.appendRow(r.collections.nextRow(76_001, int64(110+i)), row{
			"workspace_id": workspace.id(), "name": name, "description": nil, "collection_type": "manual", "product_ids": ids(products[:2+i*(n-2)]),
			"sort_method": []string{"manually", "by_magic"}[i], "archived": false, "image_id": nil, "visible_in_store": i == 0, "current_path": nil,
			"seo_title": nil, "seo_description": nil, "seo_indexable": nil, "social_image_id": nil,
		})
	}
	return all
}

func (r *fixtures) addVariant(product row, i, v int) row {
	kind := []string{"digital", "physical"}[i%2]
	return r.variants.appendRow(r.variants.nextRow(72_001, int64(91+i)), row{
		"product_id": product.id(), "name": variantNames[v], "description": nil, "sku": fmt.Sprintf("P%d-%d", i, v), "product_type": kind,
		"properties_value_ids": []any{nil}, "out_of_stock_sales": nil, "weight": "22.0", "weight_unit": "lb", "height": "1.5", "width": nil, "length": nil,
		"dimensions_unit": "inches", "quantity": 10 * i, "tag_ids": []int64{}, "tax_category_id": nil, "asset_ids": []int64{}, "taxable": nil,
		"track_quantity": i%2 == 1, "archived": false, "visible": v == 0, "fulfillment_required": kind == "physical", "country_of_manufacture_id": nil,
		"image_ids": []int64{}, "fulfillments_location_ids": []int64{}, "default": v == 0,
		"properties_values": []row{{"property_id": int64(78_001 + i), "value": variantNames[v]}}, "created_by_platform_application": nil,
	})
}

func (r *fixtures) addPrice(product, variant row, i, v int) row {
	kind := []string{"one_time", "subscription"}[i%2]
	price := r.prices.appendRow(r.prices.nextRow(74_001, int64(92+i)), row{
		"product_id": product.id(), "variant_id": variant.id(), "name": kind, "amount": fmt.Sprintf("%d.00", 27+10*(i%9)+5*v), "cost": "0.00", "currency": "USD",
		"trial_amount": "0.00", "self_cancel": true, "self_upgrade": true, "self_downgrade": true, "self_reactivate": true, "payment_type": kind, "visible": true, "archived": false,
	})
	with(price, nulls("duration", "interval", "interval_count", "trial_interval", "trial_duration", "setup_amount", "compare_at_amount", "key"))
	if kind == "subscription" {
		with(price, row{"interval": "months", "interval_count": 1})
	}
	return price
}

// addOrder adds a contact's order from a page, with its payments.
func (r *fixtures) addOrder(workspace, contact, page row, all []goods, i int) {
	id, sold, hours := int64(50_001+len(r.orders.rows)), all[i%len(all)], int64(210+i)
	tags := []int64{}
	if i%2 == 0 {
		tag := r.orderTags.rows[len(r.orderTags.rows)-len(orderTagNames)+i%4/2]
		tags = append(tags, tag.id())
		r.appliedOrderTags.appendRow(r.appliedOrderTags.nextRow(96_001, hours+1), row{"order_id": id, "tag_id": tag.id()})
	}
	order := r.orders.appendRow(record(id, hours), row{
		"order_number": strconv.FormatInt(800_000+id, 10), "workspace_id": workspace.id(), "contact_id": contact.id(), "live_mode": i%5 != 0,
		"total_amount": sold.price["amount"], "tax_amount": "0.00", "currency": []string{"USD", "usd", "EUR"}[i%3], "page_id": page.id(), "page_name": page["name"],
		"order_page": only(page, "id", "public_id", "name"), "funnel_name": page["funnel"].(row)["name"], "notes": nil, "in_trial": false,
		"billing_status": []string{"paid", "unpaid", "refunded"}[i%3], "service_status": []string{"active", "completed", "canceled"}[i%3],
		"order_type": []string{"one-time-order", "subscription-order"}[i%2], "phone_number": contact["phone_number"], "payment_processor": []string{"external", "payments_ai"}[min(i%7, 1)],
		"origination_channel_id": int64(1), "origination_channel_type": "User", "origination_channel_name": "", "tag_ids": tags, "discount_ids": []int64{},
		"contact_groups": []row{}, "segments": []row{}, "affiliate": nil, "referral_code": nil, "previous_line_item": nil,
		"line_items": []row{with(sold.line(60_000+id, 1+i%2), row{"order_id": id, "created_at": at(hours), "updated_at": at(hours)})},
	})
	with(order, nulls("trial_end_at", "next_charge_at", "activated_at", "canceled_at", "canceled_by", "cancel_reason", "cancel_description", "churned_at", "paid_until",
		"billing_payment_method_id", "external_id", "workspace_sharing_id", "origination_channel_public_id", "resource_install_intent"))
	visits, _ := contact["visits"].(row)
	order["visits"] = only(visits, "last_visit", "last_visit_with_utm")
	for _, kind := range []string{"shipping", "billing"} {
		address := row{"street_one": "1 Example Street", "street_two": nil, "city": cities[i%len(cities)], "region": nil, "country": "US", "postal_code": "00000"}
		for key, value := range address {
			order[kind+"_address_"+key] = value
		}
	}
	with(order, row{
		"shipping_address_first_name": contact["first_name"], "shipping_address_last_name": contact["last_name"],
		"shipping_address_organization_name": nil, "shipping_address_phone_number": contact["phone_number"],
	})
	for n := range 1 + i%2 {
		r.addInvoice(order, sold, i, n)
	}
}

// orderInInvoice lists the keys of an order that are embedded in its invoices.
var orderInInvoice = []string{
	"id", "public_id", "order_number", "total_amount", "origination_channel_id", "origination_channel_public_id", "origination_channel_type", "origination_channel_name", "notes", "live_mode", "in_trial",
	"billing_status", "service_status", "order_type", "next_charge_at", "trial_end_at", "tag_ids", "activated_at", "canceled_at", "canceled_by", "cancel_reason",
	"cancel_description", "churned_at", "affiliate", "referral_code", "order_page",
	"shipping_address_first_name", "shipping_address_last_name", "shipping_address_organization_name", "shipping_address_phone_number",
	"shipping_address_street_one", "shipping_address_street_two", "shipping_address_city", "shipping_address_region", "shipping_address_country", "shipping_address_postal_code",
	"billing_address_street_one", "billing_address_street_two", "billing_address_city", "billing_address_region", "billing_address_country", "billing_address_postal_code",
}

// invoiceLine returns a line item of an invoice.
func (g goods) invoiceLine(id int64) row {
	line := row{
		"id": id, "public_id": publicID(id), "payment_type": g.price["payment_type"], "description": g.product["name"], "quantity": 1,
		"fulfillment_status": "unfulfilled", "discount_amount": "0.00",
		"products_price":   only(g.price, "id", "public_id", "amount", "currency", "duration", "interval", "interval_count"),
		"products_variant": only(g.variant, "id", "public_id", "product_id", "name", "description", "sku", "fulfillment_required"),
	}
	with(line, nulls("external_id", "external_product_id", "period_start_at", "period_end_at", "period_number", "created_at", "updated_at"))
	for _, tax := range []string{"state", "county", "city", "district", "country"} {
		with(line, row{tax + "_tax_amount": "0.00", tax + "_tax_rate": "0.0", tax + "_tax_jurisdiction": nil})
	}
	return line
}

// addInvoice adds an order's nth invoice with its payment.
func (r *fixtures) addInvoice(order row, sold goods, i, n int) {
	hours, amount, status := int64(211+i+700*n), sold.price["amount"], order["billing_status"]
	kind := []string{"one_time", "initial", "renewal"}[i%2+n]
	if i%6 == 4 {
		kind = "goodwill" // unknown to the description
	}
	invoice := r.invoices.nextRow(100_001, hours)
	line := with(sold.invoiceLine(invoice.id()+100_000), row{"invoice_id": invoice.id(), "amount": amount})
	r.invoices.appendRow(invoice, row{
		"order_id": order.id(), "workspace_id": order["workspace_id"], "status": status, "due_amount": "0.00", "total_amount": amount, "subtotal_amount": amount,
		"tax_amount": "0.00", "shipping_amount": "0.00", "discount_amount": "0.00", "currency": "USD", "issued_at": at(hours), "due_at": at(hours + 24), "paid_at": at(hours + 1),
		"invoice_type": kind, "invoice_number": strconv.FormatInt(invoice.id(), 10), "fulfillment_status": "not_applicable", "external_id": nil,
		"payment_processor": order["payment_processor"], "eligible_for_fulfillment": false, "line_items": []row{line}, "visits": order["visits"],
	})
	r.workspaceInvoices.rows = r.invoices.rows
	if status == "unpaid" {
		return
	}
	r.transactions.appendRow(r.transactions.nextRow(120_001, hours+1), with(nulls(
		"reason", "adjusted_transaction_id", "billing_payment_instruction_id", "billing_payment_instruction_type", "arn", "rebill_number"), row{
		"order_id": order.id(), "status": "completed", "external_type": "sale", "external_id": fmt.Sprintf("%032x", invoice.id()), "amount": amount, "currency": "USD",
		"result": "approved", "is_rebill": n > 0,
	}))
}

// goodsIn returns the goods of a workspace that an attribute names, by ids of a variant and a price.
func (r *fixtures) goodsIn(workspace any, item map[string]any) (goods, bool) {
	variant, isVariant := r.variants.find(idText(item["variant_id"]))
	price, isPrice := r.prices.find(idText(item["products_price_id"]))
	if !isVariant || !isPrice || variant["product_id"] != price["product_id"] {
		return goods{}, false
	}
	product, ok := r.products.find(fmt.Sprint(variant["product_id"]))
	return goods{product, variant, price}, ok && product["workspace_id"] == workspace
}

// setOrder sets the contact and the line items of a new external order.
func (r *fixtures) setOrder(order row, given map[string]any) (refusal string) {
	if by, ok := given["contact_attributes"].(map[string]any); ok && order["contact_id"] == nil {
		for _, contact := range r.contacts.children[order["workspace_id"]] {
			if contact["email_address"] == by["email_address"] && !r.contacts.hidden(contact) {
				order["contact_id"] = contact.id()
			}
		}
	}
	if order["contact_id"] == nil {
		return "Contact must exist"
	}
	items, ok := given["line_items_attributes"].([]any)
	if !ok {
		return ""
	}
	lines, total := make([]row, len(items)), 0.0
	for i, item := range items {
		item, _ := item.(map[string]any)
		sold, ok := r.goodsIn(order["workspace_id"], item)
		quantity, isNumber := item["quantity"].(float64)
		if !ok || !isNumber {
			return "Line items must have a variant, a price of its product and a quantity"
		}
		total += amountOf(sold.price) * quantity
		lines[i] = with(sold.line(1_000*order.id()+int64(i), quantity), row{"order_id": order.id(), "created_at": now(), "updated_at": now()})
		order["currency"] = sold.price["currency"]
	}
	with(order, nulls("page_id", "order_page", "affiliate", "referral_code", "previous_line_item", "page_name", "funnel_name"))
	with(order, row{
		"line_items": lines, "total_amount": strconv.FormatFloat(total, 'f', 2, 64), "tax_amount": "0.00", "payment_processor": "external",
		"order_number": strconv.FormatInt(order.id(), 10), "tag_ids": []int64{}, "discount_ids": []int64{}, "contact_groups": []row{}, "segments": []row{},
	})
	return ""
}

// setInvoice sets the line items of an invoice of an external order.
func (r *fixtures) setInvoice(invoice row, given map[string]any) (refusal string) {
	order, _ := r.orders.find(fmt.Sprint(invoice["order_id"]))
	if invoice["status"] == "paid" && invoice["paid_at"] == nil {
		return "Paid at can't be blank"
	}
	isNew := invoice["workspace_id"] == nil
	if isNew {
		with(invoice, row{
			"workspace_id": order["workspace_id"], "currency": order["currency"], "payment_processor": "external", "line_items": []row{}, "visits": order["visits"],
		})
	}
	lines := slices.Clone(invoice["line_items"].([]row))
	items, _ := given["line_items_attributes"].([]any)
	for i, item := range items {
		item, _ := item.(map[string]any)
		if !isNew {
			at := slices.IndexFunc(lines, func(line row) bool { return line.is(idText(item["id"])) })
			if at < 0 {
				continue // items without a known id are ignored
			}
			lines[at] = with(maps.Clone(lines[at]), item)
			continue
		}
		sold, ok := r.goodsIn(order["workspace_id"], item)
		if !ok {
			return "Line items must have a variant and a price of its product"
		}
		line := with(sold.invoiceLine(1_000*invoice.id()+int64(i)), row{"invoice_id": invoice.id()})
		lines = append(lines, with(line, only(item, "quantity", "amount", "description")))
	}
	invoice["line_items"] = lines
	return ""
}
