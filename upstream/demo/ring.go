package demo

import (
	"fmt"
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
// have sent by forms.
func aroundContacts(workspaces, contacts *table) (funnels, pages, submissions *table) {
	ofWorkspace := func(r row) string { return subdomainOf(workspaces, r["workspace_id"].(int64)) }
	ring := func(path string, filters map[string]func(row, []string) bool) *table {
		filters["id"] = oneOf("id")
		return &table{list: "workspaces/*/" + path, member: path + "/*", parent: "workspace_id", parents: workspaces, filters: filters, subdomain: ofWorkspace}
	}
	code := func(r row) any { return fmt.Sprintf("<!-- %s -->", r["name"]) }
	funnels = ring("funnels", map[string]func(row, []string) bool{})
	funnels.expand = map[string]func(row) any{"head_code": code, "footer_code": code}
	pages = ring("pages", map[string]func(row, []string) bool{
		"theme_id": oneOf("theme_id"),
		"funnel_ids": func(r row, values []string) bool {
			return r["funnel"] != nil && slices.Contains(values, fmt.Sprint(r["funnel"].(row)["id"]))
		},
		"funnel_pages": func(r row, values []string) bool {
			return slices.Contains(values, strconv.FormatBool(r["funnel"] != nil))
		},
	})
	pages.expand = map[string]func(row) any{"head_code": code, "footer_code": code, "markup": code}
	submissions = ring("form_submissions", map[string]func(row, []string) bool{"contact_id": oneOf("contact_id"), "page_id": oneOf("page_id")})
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
		}
	}
	return funnels, pages, submissions
}
