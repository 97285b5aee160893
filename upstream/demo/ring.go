package demo

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// funnelNames and their pages: each workspace has these, and a page on its own.
var (
	funnelNames = []string{"Welcome", "Webinar", "Checkout"}
	stepNames   = []string{"Opt-in", "Thank you"}
)

// aroundContacts makes what is around contacts: funnels, their pages, and what visitors
// have sent by forms and have ordered.
func aroundContacts(workspaces, contacts *table) []*table {
	ofWorkspace := func(r row) string { return subdomainOf(workspaces, r["workspace_id"].(int64)) }
	ring := func(path string, filters map[string]func(row, []string) bool) *table {
		filters["id"] = oneOf("id")
		return &table{list: "workspaces/*/" + path, member: path + "/*", parent: "workspace_id", parents: workspaces, filters: filters, subdomain: ofWorkspace}
	}
	code := func(r row) any { return fmt.Sprintf("<!-- %s -->", r["name"]) }
	funnels := ring("funnels", map[string]func(row, []string) bool{})
	funnels.expand = map[string]func(row) any{"head_code": code, "footer_code": code}
	pages := ring("pages", map[string]func(row, []string) bool{
		"theme_id": oneOf("theme_id"),
		"funnel_ids": func(r row, values []string) bool {
			return r["funnel"] != nil && slices.Contains(values, fmt.Sprint(r["funnel"].(row)["id"]))
		},
		"funnel_pages": func(r row, values []string) bool {
			return slices.Contains(values, strconv.FormatBool(r["funnel"] != nil))
		},
	})
	pages.expand = map[string]func(row) any{"head_code": code, "footer_code": code, "markup": code}
	submissions := ring("form_submissions", map[string]func(row, []string) bool{"contact_id": oneOf("contact_id"), "page_id": oneOf("page_id")})
	orders := ring("orders", map[string]func(row, []string) bool{"contact_id": oneOf("contact_id"), "order_type": oneOf("order_type"), "live_mode": oneOf("live_mode")})
	orders.complete = func(r row) row {
		contact, _ := contacts.find(fmt.Sprint(r["contact_id"]))
		workspace, _ := workspaces.find(fmt.Sprint(r["workspace_id"]))
		return with(maps.Clone(r), row{"contact": contact, "workspace": workspace})
	}
	for _, workspace := range workspaces.rows {
		page := func(name string, funnel row) {
			id := int64(30_001 + len(pages.rows))
			path := "/" + strings.ToLower(strings.ReplaceAll(name, " ", "-"))
			kind := "landing_page"
			var within any
			if funnel != nil {
				kind, within = "funnel_page", only(funnel, "id", "public_id", "name")
			}
			pages.rows = append(pages.rows, with(record(id, id%500), row{
				"workspace_id": workspace.id(), "name": name, "theme_id": int64(901), "type": kind, "funnel": within, "current_path": path,
				"url": fmt.Sprintf("https://%s.example.com%s", workspace["subdomain"], path), "description": nil,
				"seo_title": name, "seo_description": nil, "seo_index": true,
			}))
		}
		page("About", nil)
		first := len(pages.rows)
		for i, name := range funnelNames {
			id := int64(20_001 + len(funnels.rows))
			funnel := with(record(id, id%300), row{
				"workspace_id": workspace.id(), "name": name, "archived": i == 1, "current_path": "/" + strings.ToLower(name), "live_mode": i != 2,
				"favicon_image_id": nil, "tags": []row{{"id": int64(801 + i), "public_id": publicID(int64(801 + i)), "name": name + "s", "color": tagColors[i]}},
			})
			funnels.rows = append(funnels.rows, funnel)
			for _, step := range stepNames {
				page(name+" "+step, funnel)
			}
		}
		i := 0
		for _, contact := range contacts.rows {
			if contact["workspace_id"] != workspace.id() {
				continue
			}
			if i++; i%3 != 1 || contact["email_address"] == nil { // every third has sent one
				continue
			}
			from := pages.rows[first+i%(len(funnelNames)*len(stepNames))]
			id := int64(40_001 + len(submissions.rows))
			submissions.rows = append(submissions.rows, with(record(id, int64(200+i)), row{
				"contact_id": contact.id(), "workspace_id": workspace.id(), "page_id": from.id(),
				"data": row{"email": contact["email_address"], "first_name": contact["first_name"]},
			}))
			orders.rows = append(orders.rows, order(int64(50_001+len(orders.rows)), i/3, workspace, contact, from))
		}
	}
	return []*table{funnels, pages, submissions, orders}
}

// order is what the i-th contact of a workspace has ordered on a page.
func order(id int64, i int, workspace, contact, page row) row {
	amount := fmt.Sprintf("%d.00", 27+10*(i%9))
	r := with(record(id, int64(210+i)), row{
		"order_number": strconv.FormatInt(800_000+id, 10), "workspace_id": workspace.id(), "contact_id": contact.id(), "live_mode": i%5 != 0,
		"total_amount": amount, "tax_amount": "0.00", "currency": []string{"USD", "usd", "EUR"}[i%3], "page_id": page.id(), "page_name": page["name"],
		"order_page": only(page, "id", "public_id", "name"), "funnel_name": page["funnel"].(row)["name"], "notes": nil, "in_trial": false,
		"billing_status": []string{"paid", "unpaid", "refunded"}[i%3], "service_status": []string{"active", "completed", "canceled"}[i%3],
		"order_type": []string{"one-time-order", "subscription-order"}[i%2], "phone_number": contact["phone_number"], "payment_processor": "payments_ai",
		"origination_channel_id": int64(1), "origination_channel_type": "User", "origination_channel_name": "", "tag_ids": []int64{}, "discount_ids": []int64{},
		"contact_groups": []row{}, "segments": []row{}, "affiliate": nil, "referral_code": nil, "previous_line_item": nil,
		"line_items": []row{{
			"id": 60_000 + id, "public_id": publicID(60_000 + id), "order_id": id, "quantity": 1 + i%2, "prorated": nil, "created_at": at(int64(210 + i)), "updated_at": at(int64(210 + i)),
			"original_product": row{"id": int64(70_001), "name": "Course"},
			"products_price":   row{"id": int64(71_001), "amount": amount, "currency": "USD", "duration": "once", "interval": "month", "interval_count": "1"},
			"products_variant": row{"id": int64(72_001), "name": "Standard", "description": nil, "sku": "C-1"},
		}},
	})
	for _, key := range []string{
		"trial_end_at", "next_charge_at", "activated_at", "canceled_at", "canceled_by", "cancel_reason", "cancel_description", "churned_at", "paid_until",
		"billing_payment_method_id", "external_id", "workspace_sharing_id",
	} {
		r[key] = nil
	}
	for _, kind := range []string{"shipping", "billing"} {
		address := row{"street_one": "1 Example Street", "street_two": nil, "city": cities[i%len(cities)], "region": nil, "country": "US", "postal_code": "00000"}
		for key, value := range address {
			r[kind+"_address_"+key] = value
		}
	}
	return with(r, row{
		"shipping_address_first_name": contact["first_name"], "shipping_address_last_name": contact["last_name"],
		"shipping_address_organization_name": nil, "shipping_address_phone_number": contact["phone_number"],
	})
}
