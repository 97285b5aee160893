package demo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Each workspace has the funnels of funnelNames with the pages of stepNames, and one page without a
// funnel.
var (
	funnelNames = []string{"Welcome", "Webinar", "Checkout"}
	stepNames   = []string{"Opt-in", "Thank you"}
)

// site holds the tables of funnels, pages, form submissions and sites.
type site struct{ funnels, pages, submissions, sites *table }

func (s site) tables() []*table { return []*table{s.funnels, s.pages, s.submissions, s.sites} }

func (r *fixtures) newSite() site {
	code := func(r row) any { return fmt.Sprintf("<!-- %s -->", r["name"]) }
	s := site{funnels: r.workspaceTable("funnels", keys("id")), submissions: r.workspaceTable("form_submissions", keys("id", "contact_id", "page_id"))}
	s.funnels.expand = map[string]func(row) any{"head_code": code, "footer_code": code}
	f := keys("id", "theme_id")
	f["funnel_ids"] = func(r row, values []string) bool {
		return r["funnel"] != nil && slices.Contains(values, fmt.Sprint(r["funnel"].(row)["id"]))
	}
	f["funnel_pages"] = func(r row, values []string) bool {
		return slices.Contains(values, strconv.FormatBool(r["funnel"] != nil))
	}
	s.pages = r.workspaceTable("pages", f)
	s.pages.expand = map[string]func(row) any{"head_code": code, "footer_code": code, "markup": code}
	s.sites = r.workspaceTable("site", nil)
	s.sites.member, s.sites.expand = "", map[string]func(row) any{"head_code": code, "footer_code": code}
	s.sites.writes = &writes{key: "site", attributes: []string{"name", "head_code", "footer_code", "head_code_mode", "footer_code_mode"}}
	return s
}

// addPages adds a workspace's funnels and pages, and returns the pages of funnels.
func (r *fixtures) addPages(workspace row) []row {
	page := func(name string, funnel row) {
		path := "/" + strings.ToLower(strings.ReplaceAll(name, " ", "-"))
		kind := "landing_page"
		var within any
		if funnel != nil {
			kind, within = "funnel_page", only(funnel, "id", "public_id", "name")
		}
		r.pages.appendRow(r.pages.nextRow(30_001, int64(len(r.pages.rows))), row{
			"workspace_id": workspace.id(), "name": name, "theme_id": int64(901), "type": kind, "funnel": within, "current_path": path,
			"url": fmt.Sprintf("https://%s.example.com%s", workspace["subdomain"], path), "description": nil,
			"seo_title": name, "seo_description": nil, "seo_index": true,
		})
	}
	r.sites.appendRow(r.sites.nextRow(10_001, 0), row{"workspace_id": workspace.id(), "name": workspace["name"]})
	page("About", nil)
	first := len(r.pages.rows)
	for i, name := range funnelNames {
		tag := r.addExample(r.derived["funnels/tags"], workspace, 801, row{"name": name + "s", "color": tagColors[i]})
		funnel := r.funnels.appendRow(r.funnels.nextRow(20_001, int64(i)), row{
			"workspace_id": workspace.id(), "name": name, "archived": i == 1, "current_path": "/" + strings.ToLower(name), "live_mode": i != 2,
			"favicon_image_id": nil, "tags": []row{only(tag, "id", "public_id", "name", "color")},
		})
		for _, step := range stepNames {
			page(name+" "+step, funnel)
		}
	}
	return r.pages.rows[first:]
}

func (r *fixtures) addSubmission(workspace, contact, page row, i int) {
	r.submissions.appendRow(r.submissions.nextRow(40_001, int64(200+i)), row{
		"contact_id": contact.id(), "workspace_id": workspace.id(), "page_id": page.id(),
		"data": row{"email": contact["email_address"], "first_name": contact["first_name"]},
	})
}
