package demo

import (
	"fmt"
	"maps"
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
type site struct {
	funnels, pages, submissions, sites *table
	steps                              int64 // number of steps that show pages
}

func (s site) tables() []*table { return []*table{s.funnels, s.pages, s.submissions, s.sites} }

func (r *fixtures) newSite() site {
	code := func(key string) func(row) any {
		return func(r row) any {
			if own, isSet := r[key]; isSet {
				return own
			}
			return fmt.Sprintf("<!-- %s -->", r["name"])
		}
	}
	codes := func(keys ...string) map[string]func(row) any {
		all := make(map[string]func(row) any)
		for _, key := range keys {
			all[key] = code(key)
		}
		return all
	}
	s := site{funnels: r.workspaceTable("funnels", keys("id")), submissions: r.workspaceTable("form_submissions", keys("id", "contact_id", "page_id"))}
	s.funnels.expand = codes("head_code", "footer_code")
	f := keys("id", "theme_id")
	f["funnel_ids"] = func(r row, values []string) bool {
		return r["funnel"] != nil && slices.Contains(values, fmt.Sprint(r["funnel"].(row)["id"]))
	}
	f["funnel_pages"] = func(r row, values []string) bool {
		return slices.Contains(values, strconv.FormatBool(r["funnel"] != nil))
	}
	s.pages = r.workspaceTable("pages", f)
	s.pages.expand = codes("head_code", "footer_code", "markup")
	s.sites = r.workspaceTable("site", nil)
	s.sites.member, s.sites.expand = "", codes("head_code", "footer_code")
	s.sites.writes = &writes{key: "site", attributes: []string{"name", "head_code", "footer_code", "head_code_mode", "footer_code_mode"}}
	return s
}

// addPages adds a workspace's funnels and pages, and returns the pages of funnels.
func (r *fixtures) addPages(workspace row) []row {
	page := func(name string, funnel row) {
		path := "/" + strings.ToLower(strings.ReplaceAll(name, " ", "-"))
		kind := "landing_page"
		var within, step any
		if funnel != nil {
			kind, within = "funnel_page", only(funnel, "id", "public_id", "name")
			step = r.newStep(name, path, len(r.pages.rows)%len(stepNames))
		}
		r.pages.appendRow(r.pages.nextRow(30_001, int64(len(r.pages.rows))), row{
			"workspace_id": workspace.id(), "name": name, "theme_id": 200_001 + derivedPerParent*(workspace.id()-101), "type": kind, "funnel": within, "show_page_step": step, "current_path": path,
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
			"favicon_image_id": nil, "domain_id": nil, "tags": []row{only(tag, "id", "public_id", "name", "color")},
		})
		for _, step := range stepNames {
			page(name+" "+step, funnel)
		}
	}
	return r.pages.rows[first:]
}

// newStep returns a step of a funnel that shows a page, without products.
func (r *fixtures) newStep(name, path any, place int) row {
	id := 7 + r.steps
	r.steps++
	return row{"id": id, "public_id": publicID(id), "name": name, "current_path": path, "sort_order": place, "products": []row{}}
}

// sell adds products to a step of a funnel, each once.
func sell(step row, products ...row) {
	sold := slices.Clone(step["products"].([]row))
	for _, product := range products {
		if !slices.ContainsFunc(sold, func(known row) bool { return known.id() == product.id() }) {
			sold = append(sold, only(product, "id", "public_id", "name"))
		}
	}
	step["products"] = sold
}

// setCode sets the code of a funnel or page. It is added to the existing code, unless the mode is
// replace.
func setCode(t *table, r row, given map[string]any) {
	for _, key := range []string{"head_code", "footer_code"} {
		code, isGiven := given[key]
		if !isGiven {
			continue
		}
		if before, _ := t.expand[key](r).(string); code != nil && given[key+"_mode"] != "replace" {
			code = before + fmt.Sprint(code)
		}
		r[key] = code
	}
}

// codeAttributes are the attributes that [setCode] sets.
var codeAttributes = []string{"head_code", "head_code_mode", "footer_code", "footer_code_mode"}

// productsIn returns the products of a workspace that a list of ids names, nil if one does not exist.
func (r *fixtures) productsIn(workspace any, ids any) (products []row, ok bool) {
	all, _ := ids.([]any)
	for _, id := range all {
		product, ok := r.products.find(idText(id))
		if !ok || product["workspace_id"] != workspace {
			return nil, false
		}
		products = append(products, product)
	}
	return products, true
}

// setFunnel sets the code, the tags and the path of a funnel.
func (r *fixtures) setFunnel(funnel row, given map[string]any) (refusal string) {
	setCode(r.funnels, funnel, given)
	if funnel["tags"] == nil {
		funnel["tags"] = []row{}
	}
	if ids, ok := given["tag_ids"].([]any); ok {
		tags := make([]row, len(ids))
		for i, id := range ids {
			tag, _ := r.tables["FunnelTag"].find(idText(id))
			tags[i] = only(tag, "id", "public_id", "name", "color")
		}
		funnel["tags"] = tags
	}
	if funnel["current_path"] == nil {
		funnel["current_path"] = fmt.Sprintf("/%v", funnel.id())
	}
	return ""
}

// place puts a new page into a funnel.
func (r *fixtures) place(page row, within map[string]any) (refusal string) {
	if id := within["show_page_step_id"]; id != nil {
		i := slices.IndexFunc(r.pages.children[page["workspace_id"]], func(other row) bool {
			step, ok := other["show_page_step"].(row)
			return ok && step.is(idText(id))
		})
		if i < 0 {
			return "Show page step must exist"
		}
		shown := r.pages.children[page["workspace_id"]][i]
		page["show_page_step"], page["funnel"] = shown["show_page_step"], shown["funnel"]
	} else {
		funnel, ok := r.funnels.find(fmt.Sprint(within["funnel_id"]))
		if !ok || funnel["workspace_id"] != page["workspace_id"] {
			return "Funnel must exist"
		}
		page["show_page_step"], page["funnel"] = r.newStep(page["name"], page["current_path"], len(stepNames)), only(funnel, "id", "public_id", "name")
	}
	page["type"] = "funnel_page"
	return ""
}

// setPage sets the code, the funnel and the products of a page.
func (r *fixtures) setPage(page row, given map[string]any) (refusal string) {
	setCode(r.pages, page, given)
	if within, ok := given["funnel"].(map[string]any); ok {
		if refusal := r.place(page, within); refusal != "" {
			return refusal
		}
	}
	change, _ := given["show_page_step"].(map[string]any)
	if change["product_ids"] == nil {
		return ""
	}
	step, isStep := page["show_page_step"].(row)
	products, ok := r.productsIn(page["workspace_id"], change["product_ids"])
	switch {
	case !isStep:
		return "Show page step needs a funnel"
	case !ok:
		return "Products must exist"
	}
	step = maps.Clone(step)
	sell(step, products...)
	page["show_page_step"] = step
	return ""
}

func (r *fixtures) addSubmission(workspace, contact, page row, i int) {
	r.submissions.appendRow(r.submissions.nextRow(40_001, int64(200+i)), row{
		"contact_id": contact.id(), "workspace_id": workspace.id(), "page_id": page.id(),
		"data": row{"email": contact["email_address"], "first_name": contact["first_name"]},
	})
}
