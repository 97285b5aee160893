package demo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// story returns the values of the nth record of a parent, from 0 to derivedPerParent-1. They replace
// the example values of the record's description.
type story func(r *fixtures, parent row, n int) row

// stories holds the values of records that belong together, by the path of the records.
var stories = map[string]story{
	"appointments/scheduled_events": scheduledEvent,
	"blogs":                         named("News", "Recipes", "Archive"),
	"blogs/posts":                   blogPost,
	"blogs/tags":                    named("Launch", "Tips", "Behind the scenes"),
	"contacts/tag_actions":          contactAction,
	"contacts/enroll_actions":       contactAction,
	"contacts/run_workflow_actions": contactAction,
	"contacts/unsubscribe_actions":  contactAction,
	"contacts/export_actions":       contactAction,
	"domains":                       domain,
	"emails/addresses":              emailAddress,
	"emails/broadcasts":             emailBroadcast,
	"emails/templates":              named("Plain letter", "Newsletter", "Announcement"),
	"emails/topics":                 named("Newsletter", "Product updates", "Events"),
	"refine_filters":                refineFilter,
	splitTestList:                   splitTestStep,
	conditionalSplitList:            conditionalSplitStep,
	"forms":                         named("Coaching application", "Event feedback", "Newsletter"),
	"forms/field_sets":              titled("About you", "Your goals", "Anything else"),
	"forms/fields":                  formField,
	"forms/fields/options":          formFieldOption,
	"forms/submissions/answers":     formAnswer,
	"fulfillments":                  fulfillment,
	"fulfillments/locations":        location,
	"orders/invoices/restocks":      restock,
	"shipping/profiles":             shippingProfile,
	"shipping/location_groups":      locationGroup,
	"shipping/zones":                zone,
	"shipping/rates":                rate,
	"shipping/rates/names":          named("Standard", "Express", "Pick-up"),
	"shipping/packages":             named("Letter", "Small box", "Large box"),
	"stores":                        store,
	"themes":                        theme,
	"styles":                        style,
	"webhooks/outgoing/endpoints":   webhookEndpoint,
	"webhooks/outgoing/events":      webhookEvent,
}

// named returns a story in which only the names matter.
func named(names ...string) story {
	return func(_ *fixtures, _ row, n int) row { return row{"name": names[n]} }
}

// titled returns a story in which only the titles matter.
func titled(titles ...string) story {
	return func(_ *fixtures, _ row, n int) row { return row{"title": titles[n]} }
}

// question is a field of a form, with its options.
type question struct {
	label   string
	options []string
}

// questions holds the fields of the forms, by the title of their field set.
var questions = map[string][]question{
	"About you": {
		{"Country", []string{"Portugal", "Germany", "Japan"}},
		{"Age", []string{"18 to 29", "30 to 49", "50 or older"}},
		{"Experience", []string{"None", "Some", "Years"}},
	},
	"Your goals": {
		{"Main goal", []string{"Start a business", "Grow a business", "Change careers"}},
		{"Time per week", []string{"1 hour", "3 hours", "A day"}},
		{"Start", []string{"This week", "This month", "Later"}},
	},
	"Anything else": {
		{"Found us through", []string{"A friend", "A podcast", "A search"}},
		{"Contact me by", []string{"E-mail", "Phone", "Text message"}},
		{"Newsletter", []string{"Weekly", "Monthly", "Never"}},
	},
}

func formField(_ *fixtures, set row, n int) row {
	label := questions[set["title"].(string)][n].label
	return row{
		"label": label, "key": strings.ToLower(strings.ReplaceAll(label, " ", "_")), "field_type": "select", "allow_multiple": false, "hidden": false,
	}
}

func formFieldOption(r *fixtures, field row, n int) row {
	set, _ := r.tables["FormFieldSet"].find(fmt.Sprint(field["field_set_id"]))
	for _, q := range questions[set["title"].(string)] {
		if q.label == field["label"] {
			return row{"label": q.options[n]}
		}
	}
	return nil
}

// formAnswer answers the nth field of the first field set of the submission's form.
func formAnswer(r *fixtures, submission row, n int) row {
	set := r.tables["FormFieldSet"].children[submission["form_id"]][0]
	field := r.tables["FormField"].children[set.id()][n]
	options := r.tables["FormFieldOption"].children[field.id()]
	chosen := options[int(submission.id()+int64(n))%len(options)]
	return row{"field_id": field.id(), "entry": chosen["label"], "fields_option_id": chosen.id(), "fields_option_ids": []int64{chosen.id()}}
}

// shippedInvoice returns a workspace's nth invoice that needs a shipment, nil if there are too few.
// Workbooks come first.
func (r *fixtures) shippedInvoice(workspace row, n int) row {
	lineOf := func(invoice row) row { return invoice["line_items"].([]row)[0] }
	all := slices.Clone(r.workspaceInvoices.children[workspace.id()])
	slices.SortStableFunc(all, func(a, b row) int {
		return strings.Compare(lineOf(b)["description"].(string), lineOf(a)["description"].(string))
	})
	if n >= len(all) {
		return nil
	}
	return all[n]
}

// included returns an invoice's line item as part of a fulfillment.
func included(id int64, line row, fulfillment int64) []row {
	return []row{{
		"id": id, "public_id": publicID(id), "quantity": line["quantity"], "invoices_line_item_id": line["id"], "fulfillment_id": fulfillment,
	}}
}

func fulfillment(r *fixtures, workspace row, n int) row {
	made := row{
		"status": []string{"fulfilled", "fulfilled", "restocked"}[n], "fulfillment_number": n + 1, "shipping_provider": "Example Post",
		"tracking_code": fmt.Sprintf("EP%d%03d", workspace.id(), n+1), "tracking_url": fmt.Sprintf("https://post.example.com/EP%d%03d", workspace.id(), n+1),
		"included_invoices_line_items": []row{},
	}
	invoice := r.shippedInvoice(workspace, n)
	if invoice == nil {
		return made
	}
	order, _ := r.orders.find(fmt.Sprint(invoice["order_id"]))
	line := invoice["line_items"].([]row)[0]
	line["fulfillment_status"] = "complete"
	with(invoice, row{"eligible_for_fulfillment": true, "fulfillment_status": "fulfilled"})
	id := 200_001 + int64(len(r.tables["Fulfillment"].rows))
	return with(made, row{"contact_id": order["contact_id"], "included_invoices_line_items": included(id+100_000, line, id)})
}

// restock takes back the last fulfillment of a workspace. Those of the others were cancelled.
func restock(r *fixtures, workspace row, n int) row {
	sent := r.tables["Fulfillment"].children[workspace.id()]
	from := sent[len(sent)-1-n]
	made := row{"status": "cancelled", "contact_id": from["contact_id"], "included_invoices_line_items": []row{}}
	if n == 0 {
		made["status"] = "restocked"
	}
	for _, item := range from["included_invoices_line_items"].([]row) {
		id := item.id() + 100_000
		made["included_invoices_line_items"] = []row{with(maps.Clone(item), row{"id": id, "public_id": publicID(id)})}
	}
	return made
}

var locationNames = []string{"Main warehouse", "Studio", "Print partner"}

func location(_ *fixtures, workspace row, n int) row {
	return row{
		"name": locationNames[n], "address_name": fmt.Sprintf("%s, %s", workspace["name"], locationNames[n]),
		"email_address": fmt.Sprintf("shipping.%d@%s.example.com", n+1, workspace["subdomain"]), "phone_number": fmt.Sprintf("+1 555 01%02d", n),
		"sort_order": n, "archived": false, "external_app": n == 2,
		"address": row{
			"address_one": fmt.Sprintf("%d Example Street", n+1), "address_two": nil, "city": cities[n], "region": nil,
			"country": []string{"PT", "DE", "JP"}[n], "postal_code": fmt.Sprintf("%05d", 10_000*(n+1)),
		},
	}
}

func shippingProfile(r *fixtures, workspace row, n int) row {
	products := r.products.children[workspace.id()]
	return row{"name": []string{"Workbooks", "Welcome boxes", "Everything else"}[n], "variant_ids": products[(n+2)%len(products)]["variant_ids"]}
}

func locationGroup(r *fixtures, profile row, n int) row {
	from := r.tables["FulfillmentLocation"].children[profile["workspace_id"]][n]
	return row{"name": "From the " + strings.ToLower(locationNames[n]), "fulfillments_location_ids": []int64{from.id()}}
}

func zone(_ *fixtures, _ row, n int) row {
	return row{
		"name": []string{"Domestic", "European Union", "Rest of the world"}[n], "address_filter_id": nil, "region_ids": []int64{},
		"country_ids": []int64{}, "includes_rest_of_world": n == 2,
	}
}

func rate(r *fixtures, zone row, n int) row {
	names := r.tables["ShippingRateName"]
	group, _ := r.tables["ShippingLocationGroup"].find(fmt.Sprint(zone["location_group_id"]))
	profile, _ := r.tables["ShippingProfile"].find(fmt.Sprint(group["profile_id"]))
	return row{
		"description": []string{"3 to 5 days", "1 day", "Same day"}[n], "provider_name": "Example Post", "price": []string{"4.90", "19.90", "0.00"}[n],
		"price_currency": "USD", "live_rates_provider": nil, "rates_name_id": names.children[profile["workspace_id"]][n].id(),
	}
}

func store(_ *fixtures, workspace row, n int) row {
	name := fmt.Sprintf("%s %s", workspace["name"], []string{"Shop", "Gift Shop", "Outlet"}[n])
	return row{
		"name": name, "current_path": []string{"/shop", "/gifts", "/outlet"}[n], "status": []string{"published", "published", "draft"}[n],
		"seo_title": name, "seo_description": nil, "seo_indexable": n < 2,
	}
}

// style belongs to the first theme of its workspace. Styles are added before themes.
func style(r *fixtures, _ row, n int) row {
	return row{"name": []string{"Light", "Dark", "High contrast"}[n], "theme_id": 200_001 + int64(len(r.tables["Style"].rows)-n)}
}

func theme(r *fixtures, workspace row, n int) row {
	made := row{"name": []string{"Classic", "Evening", "Plain"}[n], "custom_name": nil, "styles": []row{}, "current_style_id": nil}
	if n > 0 {
		return made
	}
	own := r.tables["Style"].children[workspace.id()]
	styles := make([]row, len(own))
	for i, s := range own {
		styles[i] = only(s, "id", "public_id", "name")
	}
	return with(made, row{"styles": styles, "current_style_id": own[0].id()})
}

func webhookEndpoint(_ *fixtures, _ row, n int) row {
	return row{
		"name": []string{"CRM", "Mailing list", "Analytics"}[n], "url": "https://hooks.example.com/" + []string{"crm", "mail", "analytics"}[n],
		"event_type_ids": []string{"contact.created", "contact.updated"}[:1+n%2], "api_version": 2,
	}
}

// webhookEvent is about a contact, and holds the contact as REST sends it.
func webhookEvent(r *fixtures, workspace row, n int) row {
	all := filtered(r.contacts.children[workspace.id()], func(c row) bool { return !r.contacts.hidden(c) })
	page := r.pages.children[workspace.id()][1]
	made := row{
		"event_type_id": "contact.created", "subject_type": "Contact", "subject_id": nil, "data": nil, "api_version": 2,
		"uuid": fmt.Sprintf("%032x", workspace.id()*derivedPerParent+int64(n)), "page": only(page, "id", "public_id", "name"), "funnel": page["funnel"],
	}
	if n < len(all) {
		with(made, row{"subject_id": all[n].id(), "data": maps.Clone(all[n])})
	}
	return made
}

func blogPost(_ *fixtures, _ row, n int) row {
	title := []string{"Five habits of busy founders", "Our first year", "A new course is coming"}[n]
	path := "/" + strings.ToLower(strings.ReplaceAll(title, " ", "-"))
	return row{
		"title": title, "current_path": path, "url": "https://blog.example.com" + path, "visibility": []string{"public", "public", "draft"}[n],
		"excerpt_content": title + ", in short.", "markup": "<p>" + title + "</p>", "seo_title": title,
		"authors": []row{{"first_name": "Grace", "last_name": "Okafor", "email_address": "grace@example.com"}}, "categories": []row{{"name": "Stories"}}, "tags": []row{{"name": "Launch"}},
	}
}

func domain(_ *fixtures, workspace row, n int) row {
	return row{
		"name":      []string{"www", "shop", "learn"}[n] + "." + workspace["subdomain"].(string) + ".example.com",
		"connected": n < 2, "status": []string{"secured", "secured", "connecting"}[n],
	}
}

func emailAddress(_ *fixtures, workspace row, n int) row {
	name := []string{"Hello", "Support", "News"}[n]
	return row{"name": name, "email_address": strings.ToLower(name) + "@" + workspace["subdomain"].(string) + ".example.com", "is_workspace_default": n == 0}
}

func emailBroadcast(_ *fixtures, _ row, n int) row {
	name := []string{"Welcome to the new season", "Last places", "Your invitation"}[n]
	status := []string{"complete", "scheduled", "draft"}[n]
	made := row{
		"name": name, "subject": name, "status": status, "from_email": "hello@example.com", "from_name": "Hello", "html_body": "<p>" + name + "</p>", "text_body": name,
		"send_immediately": false, "sending_at": nil, "complete_at": nil,
	}
	if status == "complete" {
		return with(made, row{"sending_at": at(1), "complete_at": at(2)})
	}
	return made
}

// scheduledEvent is an appointment of the workspace's nth contact.
func scheduledEvent(r *fixtures, workspace row, n int) row {
	made := row{"status": []string{"scheduled", "scheduled", "canceled"}[n], "event_type": row{"name": "Coaching call"}, "tzid": "Europe/Berlin", "max_invitees": 1, "order_id": nil, "primary_contact": nil}
	all := filtered(r.contacts.children[workspace.id()], func(c row) bool { return !r.contacts.hidden(c) })
	if n < len(all) {
		made["primary_contact"] = only(all[n], "id", "public_id", "email_address", "first_name", "last_name", "phone_number")
	}
	return made
}

func refineFilter(_ *fixtures, _ row, n int) row {
	return row{
		"name": []string{"Inactive contacts", "Ada or Grace", "Subscriptions"}[n], "conjunction": []string{"and", "or", "and"}[n],
		"filter_class": []string{"ContactsFilter", "ContactsFilter", "OrdersFilter"}[n],
		"criteria": [][]row{
			{{"attribute": "is_active", "clause": "eq", "value": false}},
			{{"attribute": "first_name", "clause": "eq", "value": "Ada"}, {"attribute": "first_name", "clause": "eq", "value": "Grace"}},
			{{"attribute": "order_type", "clause": "eq", "value": "subscription-order"}},
		}[n],
	}
}
