package demo

import (
	"fmt"
	"maps"
	"slices"
)

// fixtures builds the example data around contacts: what a workspace sells and teaches, and the
// orders, enrollments, form submissions and opportunities of its contacts.
type fixtures struct {
	workspaces, contacts *table
	site
	shop
	school
	sales
	// derived holds the tables made from the description, by the path of their records. tables holds
	// the tables of all resources, by type.
	derived, tables map[string]*table
}

// maxContactsWithFixtures is how many contacts of a workspace have other records.
const maxContactsWithFixtures = 310

// contactFixtures returns the tables around contacts. others are the existing tables.
func contactFixtures(workspaces, contacts *table, others []*table) []*table {
	r := &fixtures{workspaces: workspaces, contacts: contacts}
	r.site = r.newSite()
	r.shop = r.newShop()
	r.school = r.newSchool()
	r.sales = r.newSales()
	tables := slices.Concat(r.site.tables(), r.shop.tables(), r.school.tables(), r.sales.tables())
	derived := r.derive(slices.Concat(others, tables))
	r.derived["courses/lesson_completions"].omitting("course_id")
	r.prepareSteps()
	r.prepareActions()
	for _, workspace := range workspaces.rows {
		pages := r.addPages(workspace)
		goods := r.addGoods(workspace)
		sell(pages[len(pages)-len(stepNames)]["show_page_step"].(row), goods[0].product) // of the checkout
		courses := r.addCourses(workspace)
		stages := r.addPipeline(workspace)
		i := 0
		for _, contact := range contacts.rows {
			if contact["workspace_id"] != workspace.id() {
				continue
			}
			if i++; contact["email_address"] == nil || i > maxContactsWithFixtures {
				continue
			}
			if i%3 == 1 { // every third contact has submitted a form and ordered
				page := pages[i%len(pages)]
				r.addSubmission(workspace, contact, page, i)
				for n := range ordersOf(workspace, i) {
					r.addOrder(workspace, contact, page, goods, i/3+n)
				}
			}
			if i%5 == 1 {
				r.enroll(contact, courses, i)
			}
			if i%4 == 1 {
				r.addOpportunity(workspace, contact, stages, i)
			}
		}
	}
	indexed(slices.Concat(others, tables, derived))
	r.fillDerived()
	for _, funnel := range r.funnels.rows {
		if funnel["name"] == funnelNames[0] {
			funnel["domain_id"] = r.tables["Domain"].children[funnel["workspace_id"]][0].id()
		}
	}
	r.addConditions()
	return slices.Concat(tables, derived)
}

// ordersOf returns the number of orders of a workspace's ith contact, usually one.
func ordersOf(workspace row, i int) int {
	switch {
	case i == 1 && workspace["subdomain"] == "acme-podcast":
		return 26 // more than a page
	case i%9 == 1:
		return 2
	}
	return 1
}

// filters holds the filter functions of a table by key.
type filters = map[string]func(row, []string) bool

// keys returns filters for the values of fields.
func keys(names ...string) filters {
	all := make(filters, len(names))
	for _, name := range names {
		all[name] = oneOf(name)
	}
	return all
}

// workspaceTable returns a table of a workspace's records with the given path.
func (r *fixtures) workspaceTable(path string, f filters) *table {
	return &table{
		list: "workspaces/*/" + path, member: path + "/*", parent: "workspace_id", parents: r.workspaces, filters: f,
		subdomain: func(row row) string { return subdomainOf(r.workspaces, row["workspace_id"].(int64)) },
	}
}

// childTable returns a table of the children of another table's records.
func childTable(parents *table, parent, list, member string, f filters) *table {
	return &table{
		list: list, member: member + "/*", parent: parent, parents: parents, filters: f,
		subdomain: func(row row) string {
			owner, _ := parents.find(fmt.Sprint(row[parent]))
			return parents.subdomain(owner)
		},
	}
}

// omitting makes a table send its rows without a key.
func (t *table) omitting(key string) *table {
	t.complete = func(r row) row {
		r = maps.Clone(r)
		delete(r, key)
		return r
	}
	return t
}

// nextRow returns a table's next row with the fields that every resource has.
func (t *table) nextRow(first, hours int64) row {
	return record(first+int64(len(t.rows)), hours)
}

// appendRow appends a row to the table.
func (t *table) appendRow(r, more row) row {
	t.rows = append(t.rows, with(r, more))
	return r
}

// nulls returns a row whose keys are all null.
func nulls(keys ...string) row {
	r := make(row, len(keys))
	for _, key := range keys {
		r[key] = nil
	}
	return r
}

// ids returns the raw ids of rows.
func ids(rows []row) []int64 {
	all := make([]int64, len(rows))
	for i, r := range rows {
		all[i] = r.id()
	}
	return all
}
