package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// leaky is an API without any isolation between workspaces. It answers for every record that a
// token reaches, on every host, in every list and with every filter (clickfunnels-api.md §9, 3). Only the
// list of a workspace's courses is accurate, because nothing else says to which workspace a
// course belongs. Each text holds a mark that names the record's workspace, or its team.
type leaky struct{}

// resources are the kinds of records, by the first letter of their public ids. The id of a
// record begins with the id of its parent, and the id of a team with the digit of its token: 1
// → 12 → 121 → 1213.
var resources = withDerived(map[string]leakyResource{
	"T": {upstream.KindTeam, "teams", "", "123", []string{"teams//"}},
	"W": {upstream.KindWorkspace, "workspaces", "T", "12", []string{"teams//workspaces"}},
	"C": {upstream.KindContact, "contacts", "W", "123", []string{"workspaces//contacts"}},
	"G": {upstream.KindContactTag, "contacts/tags", "W", "5", []string{"workspaces//contacts/tags"}},
	"A": {upstream.KindAppliedContactTag, "contacts/applied_tags", "C", "12", []string{"contacts//applied_tags"}},
	"F": {upstream.KindFunnel, "funnels", "W", "6", []string{"workspaces//funnels"}},
	"P": {upstream.KindPage, "pages", "W", "78", []string{"workspaces//pages"}},
	"S": {upstream.KindFormSubmission, "form_submissions", "W", "89", []string{"workspaces//form_submissions"}},
	"O": {upstream.KindOrder, "orders", "W", "89", []string{"workspaces//orders"}},
	"I": {upstream.KindOrderInvoice, "orders/invoices", "O", "12", []string{"orders//invoices", "workspaces//orders/invoices"}},
	"X": {upstream.KindOrderTransaction, "orders/transactions", "O", "1", []string{"orders//transactions"}},
	"Z": {upstream.KindOrderTag, "orders/tags", "W", "5", []string{"workspaces//orders/tags"}},
	"M": {upstream.KindAppliedOrderTag, "orders/applied_tags", "O", "12", []string{"orders//applied_tags"}},
	"R": {upstream.KindProduct, "products", "W", "123", []string{"workspaces//products"}},
	"V": {upstream.KindProductVariant, "products/variants", "R", "12", []string{"products//variants"}},
	"E": {upstream.KindProductPrice, "products/prices", "V", "1", []string{"products//prices"}},
	"K": {upstream.KindProductCollection, "products/collections", "W", "45", []string{"workspaces//products/collections"}},
	"B": {upstream.KindProductTag, "products/tags", "W", "5", []string{"workspaces//products/tags"}},
	"Q": {upstream.KindCourse, "courses", "W", "4", []string{"workspaces//courses"}},
	"D": {upstream.KindCourseSection, "courses/sections", "Q", "1", []string{"courses//sections"}},
	"L": {upstream.KindCourseLesson, "courses/lessons", "D", "1", []string{"courses/sections//lessons"}},
	"N": {upstream.KindCourseEnrollment, "courses/enrollments", "Q", "12", []string{"courses//enrollments"}},
	"H": {upstream.KindSalesPipeline, "sales/pipelines", "W", "6", []string{"workspaces//sales/pipelines"}},
	"J": {upstream.KindSalesPipelineStage, "sales/pipelines/stages", "H", "1", nil},
	"Y": {upstream.KindSalesOpportunity, "sales/opportunities", "W", "78", []string{"workspaces//sales/opportunities"}},
})

// leakyResource describes a kind of records.
type leakyResource struct {
	kind  upstream.Kind
	path  string   // the path of a record, without its id
	above string   // the kind of its parent
	last  string   // the possible last digits of its id
	lists []string // the paths of its lists, without the parent's id
}

// letters are the keys of resources, sorted.
var letters = slices.Sorted(maps.Keys(resources))

// every returns the ids of a kind that a token reaches, in ascending order.
func every(kind string, token int) []int {
	above := []int{token}
	if kind != "T" {
		above = every(resources[kind].above, token)
	}
	var ids []int
	for _, id := range above {
		for _, last := range resources[kind].last {
			ids = append(ids, id*10+int(last-'0'))
		}
	}
	return ids
}

// exists reports whether a token reaches an id of a kind.
func exists(kind string, id, token int) bool { return slices.Contains(every(kind, token), id) }

// workspaceOf returns the workspace of a record.
func workspaceOf(id int) int {
	for id >= 1000 {
		id /= 10
	}
	return id
}

// sibling returns the same record's id in the other workspace of the team.
func sibling(id int) int {
	digits := []byte(strconv.Itoa(id))
	digits[2] = '1' + '2' - digits[2]
	id, _ = strconv.Atoi(string(digits))
	return id
}

// mark returns the text of a record.
func mark(kind string, id int) string {
	if kind == "T" || kind == "U" {
		return fmt.Sprintf("mark-%s%d.", kind, id)
	}
	return fmt.Sprintf("mark-W%d.%s", workspaceOf(id), kind)
}

// row returns a record. The relations of a record with an even id, except for its parent and
// owner, point into another workspace. A record directly below a workspace does not name it if its own id ends
// with 3.
func (l leaky) row(kind string, id int) map[string]any {
	text := mark(kind, id)
	own := func(last string) int { // an id of the same workspace
		id, _ := strconv.Atoi(strconv.Itoa(workspaceOf(id)) + last)
		return id
	}
	some := func(last string) int {
		if id%2 == 0 {
			return sibling(own(last))
		}
		return own(last)
	}
	both := func(last string) []int { return []int{own(last), sibling(own(last))} }
	part := func(kind string, id int) map[string]any { // an embedded record
		return map[string]any{"id": id, "public_id": fmt.Sprintf("%s%dp", kind, id), "name": text, "color": text}
	}
	short := func(id int) map[string]any { // an embedded contact
		return map[string]any{"id": id, "public_id": fmt.Sprintf("C%dp", id), "email_address": mark("C", id), "first_name": mark("C", id)}
	}
	all := map[string]any{"id": id, "public_id": fmt.Sprintf("%s%dp", kind, id)}
	for _, name := range []string{"name", "title", "description", "color", "status", "url", "current_path"} {
		all[name] = text
	}
	if above := resources[kind].above; above != "" && kind != "Q" && (above != "W" || id%10 != 3) {
		all[strings.TrimSuffix(path.Base(resources[above].path), "s")+"_id"] = id / 10
	}
	var more map[string]any
	switch kind {
	case "T":
		more = map[string]any{
			"locale":                text,
			"memberships":           []any{map[string]any{"id": id*100 + 1, "user_email": text, "user": map[string]any{"id": 1, "email": text}}},
			"billing_subscriptions": []any{map[string]any{"id": id*100 + 2, "status": text}},
		}
	case "W":
		more = map[string]any{"subdomain": fmt.Sprintf("sub-%d", id)}
	case "C":
		more = map[string]any{"email_address": text, "first_name": text, "custom_attributes": map[string]any{"x": text}, "tags": []any{part("G", own("5"))}, "tag_ids": []int{own("5")}}
	case "A":
		more = map[string]any{"tag_id": some("5"), "tag": part("G", some("5")), "contact": short(id / 10)}
	case "P":
		more = map[string]any{"funnel_ids": some("6"), "funnel": part("F", some("6"))}
	case "S":
		more = map[string]any{"contact_id": some("1"), "page_id": some("7"), "data": map[string]any{"x": text}}
	case "O":
		more = map[string]any{
			"contact_id": some("1"), "contact": l.row("C", some("1")), "workspace": l.row("W", workspaceOf(some("1"))), "page_id": some("7"), "order_page": part("P", some("7")), "tag_ids": both("5"),
			"notes": text, "currency": "USD", "line_items": []any{map[string]any{"id": 1, "original_product": part("R", some("1"))}},
		}
	case "I":
		order := id / 10
		if id%2 == 0 {
			order = sibling(order)
		}
		more = map[string]any{"invoice_number": text, "line_items": []any{map[string]any{"id": 1, "description": text}}, "order": l.row("O", order)}
	case "M": // it has no other text
		more = map[string]any{"public_id": text, "tag_id": some("5")}
	case "R":
		more = map[string]any{"default_variant_id": some("11"), "tag_ids": both("5")}
	case "K":
		more = map[string]any{"product_ids": both("1")}
	case "N":
		more = map[string]any{"contact_id": some("1"), "contact": short(some("1")), "suspension_reason": text}
	case "H":
		stage := part("J", id*10+1)
		stage["pipeline_id"] = id
		more = map[string]any{"stages": []any{stage}}
	case "J":
		more = map[string]any{"workspace_id": sibling(workspaceOf(id))}
	case "Y":
		more = map[string]any{
			"primary_contact_id": some("1"), "primary_contact": l.row("C", some("1")), "notes": []any{map[string]any{"id": 1, "content": text}},
			"pipeline_id": some("6"), "pipeline": part("H", some("6")), "pipelines_stage_id": some("61"), "pipelines_stage": part("J", some("61")),
		}
	}
	maps.Copy(all, more)
	if x, ok := derived[kind]; ok {
		fillMarks(all, x.Fields, text)
		for _, f := range x.Fields {
			if letter := letterOf(f.To); letter != "" && all[f.Key] == nil {
				if all[f.Key] = firstOf(letter, workspaceOf(id)); id%2 == 0 && f.Name != x.Owner {
					all[f.Key] = sibling(firstOf(letter, workspaceOf(id)))
				}
			}
		}
		all[x.ParentKey] = id / 10
	}
	return all
}

// letterOf returns the letter of a type, "" if there is none.
func letterOf(typeName string) string {
	i := slices.IndexFunc(demo.Resources, func(r demo.Resource) bool { return r.Type == typeName })
	if i < 0 {
		return ""
	}
	for letter, r := range resources {
		if string(r.kind) == demo.Resources[i].Kind {
			return letter
		}
	}
	return ""
}

// firstOf returns the first id of a kind in a workspace.
func firstOf(kind string, workspace int) int {
	if kind == "W" {
		return workspace
	}
	return firstOf(resources[kind].above, workspace)*10 + int(resources[kind].last[0]-'0')
}

// list returns the kind and the rows of a list. The rows of the sibling workspace are mixed in.
// A filter finds rows of every workspace. The kind is empty if the path is not a list.
func (l leaky) list(path string, of, token int, filters url.Values) (kind string, rows []map[string]any) {
	kind = listedAt(path)
	if kind == "" {
		return "", nil
	}
	below := func(id, above int) bool { return strings.HasPrefix(strconv.Itoa(id), strconv.Itoa(above)) }
	for _, id := range every(kind, token) {
		row := l.row(kind, id)
		listed := below(id, of) || of >= 100 && path != "workspaces//courses" && below(id, sibling(of))
		filtered, found := false, true
		for name, values := range filters {
			is, says := row[strings.TrimSuffix(strings.TrimPrefix(name, "filter["), "]")]
			if says && strings.HasPrefix(name, "filter[") {
				wanted := strings.Split(values[0], ",")
				filtered = true
				found = found && slices.ContainsFunc(strings.Fields(strings.Trim(fmt.Sprint(is), "[]")), func(id string) bool { return slices.Contains(wanted, id) })
			}
		}
		if filtered && found || !filtered && listed {
			rows = append(rows, row)
		}
	}
	return kind, rows
}

// write records a write, and carries it out on any record that the token reaches. Every third
// response holds another record.
func (l leaky) write(w http.ResponseWriter, r *http.Request, at []string, kind string, id int) {
	written.Lock()
	defer written.Unlock()
	written.ids = append(written.ids, fmt.Sprint(kind, id))
	var body map[string]struct {
		TagID  json.Number   `json:"tag_id"`
		TagIDs []json.Number `json:"tag_ids"`
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	for _, attributes := range body {
		for _, tag := range append(attributes.TagIDs, attributes.TagID) {
			if tag != "" {
				written.ids = append(written.ids, fmt.Sprint("G", tag))
			}
		}
	}
	if r.Method == http.MethodDelete {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	switch at[1] + "/" + at[3] {
	case "workspaces/contacts", "workspaces/contacts/upsert":
		kind, id = "C", id*10+1
	case "workspaces/contacts/tags":
		kind, id = "G", id*10+5
	case "contacts/applied_tags":
		kind, id = "A", id*10+1
	default:
		if letter := listedAt(at[1] + "//" + at[3]); derived[letter].Type != "" {
			kind, id = letter, id*10+int(resources[letter].last[0]-'0')
		}
	}
	answered := id
	if written.count++; written.count%3 == 0 { // every third response holds another record
		if kind == "T" {
			answered = id/10*10 + 1 + id%3
		} else {
			answered = sibling(id)
		}
	}
	text, _ := json.Marshal(l.row(kind, answered))
	answer(201, "application/json", string(text))(w, r)
}

// serve answers a REST call. It is a fault of an env, see [withFault].
func (l leaky) serve(w http.ResponseWriter, r *http.Request, _, path string) bool {
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	token, err := strconv.Atoi(strings.TrimPrefix(bearer, "token-"))
	at := route.FindStringSubmatch(unnested(path))
	if err != nil || at == nil {
		answer(404, "application/json", `{"error":"No such route"}`)(w, r)
		return true
	}
	kind, id := "", token
	if at[2] != "" && at[1] != "users" {
		if i := slices.IndexFunc(letters, func(kind string) bool { return resources[kind].path == at[1] }); i >= 0 {
			kind = letters[i]
		}
		id, _ = strconv.Atoi(digits.FindString(at[2]))
		if kind == "" || !exists(kind, id, token) || strings.HasSuffix(at[2], "p") && !strings.HasPrefix(at[2], kind) {
			answer(404, "application/json", `{"error":"Not found: Record `+at[2]+` missing"}`)(w, r)
			return true
		}
	}
	if r.Method != http.MethodGet {
		l.write(w, r, at, kind, id)
		return true
	}
	var body any
	size := upstream.PageSize
	switch {
	case at[1] == "users":
		body = []any{map[string]any{"id": 1, "public_id": "Up", "email": mark("U", token), "first_name": mark("U", token)}}
		if at[2] != "" {
			body = body.([]any)[0]
		}
	case at[2] != "" && at[3] == "":
		body = l.row(kind, id)
	default:
		listed, rows := l.list(at[1]+"//"+at[3], id, token, r.URL.Query())
		if listed == "" {
			answer(404, "application/json", `{"error":"No such route"}`)(w, r)
			return true
		}
		if listed == "T" || listed == "W" {
			size = 1 // so that visible rows follow pages of hidden ones
		}
		if r.URL.Query().Get("sort_order") == "desc" {
			slices.Reverse(rows)
		}
		after := r.URL.Query().Get("after")
		if i := slices.IndexFunc(rows, func(row map[string]any) bool { return fmt.Sprint(row["id"]) == after }); i >= 0 {
			rows = rows[i+1:]
		}
		if len(rows) > size {
			rows = rows[:size]
			w.Header().Set("Pagination-Next", fmt.Sprint(rows[size-1]["id"]))
		}
		body = append([]map[string]any{}, rows...)
		if derived[listed].Whole {
			body = map[string]any{at[3][strings.LastIndexByte(at[3], '/')+1:]: body}
		}
	}
	text, _ := json.Marshal(body)
	answer(200, "application/json", string(text))(w, r)
	return true
}

// route splits a path into the resource, an id, and a list below it.
var route = regexp.MustCompile(`^/([a-z_/*]+?)(?:/(\w*\d\w*)(?:/([a-z_/]+))?)?$`)

// unnested replaces the owner's id in the path of a nested record by a star. The leaky API ignores it.
func unnested(path string) string {
	if own := nestedRoute.FindStringSubmatch(path); own != nil && slices.ContainsFunc(letters, func(kind string) bool { return resources[kind].path == own[1]+"/*/"+own[2] }) {
		return "/" + own[1] + "/*/" + own[2] + "/" + own[3]
	}
	return path
}

// nestedRoute splits the path of a nested record.
var nestedRoute = regexp.MustCompile(`^/(\w+)/\w+/(\w+)/(\w+)$`)

// written records the kind and id of each record that a request has written to.
var written struct {
	sync.Mutex
	ids   []string
	count int
}
