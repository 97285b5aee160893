package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// leaky is an API that is as careless as it could be: whatever a token reaches it
// answers on every host, below every workspace and by every filter (API.md §9, 3).
// Each text is a mark of what it belongs to.
//
// A token's digit begins the ids of its teams, those begin the ids of their
// workspaces, and so on: 1 → 12 → 121 → 1213.
type leaky struct{}

func mark(kind string, id int) string { return fmt.Sprintf("mark-%s%d.", kind, id) }

func (leaky) team(id int) map[string]any {
	return map[string]any{
		"id": id, "public_id": fmt.Sprintf("T%dp", id), "name": mark("T", id), "locale": mark("T", id),
		"memberships":           []any{map[string]any{"id": id*100 + 1, "user_email": mark("T", id), "user": map[string]any{"id": 1, "email": mark("T", id)}}},
		"billing_subscriptions": []any{map[string]any{"id": id*100 + 2, "status": mark("T", id)}},
	}
}

func (leaky) workspace(id int) map[string]any {
	return map[string]any{"id": id, "public_id": fmt.Sprintf("W%dp", id), "team_id": id / 10, "name": mark("W", id), "subdomain": fmt.Sprintf("sub-%d", id)}
}

func (leaky) tag(id int) map[string]any {
	return map[string]any{"id": id, "public_id": fmt.Sprintf("G%dp", id), "workspace_id": id / 10, "name": mark("W", id/10), "color": mark("W", id/10)}
}

func (l leaky) contact(id int) map[string]any {
	all := map[string]any{
		"id": id, "public_id": fmt.Sprintf("C%dp", id), "workspace_id": id / 10, "email_address": mark("W", id/10), "first_name": mark("W", id/10),
		"tags": []any{l.tag(id/10*10 + 5)}, "custom_attributes": map[string]any{"x": mark("W", id/10)},
	}
	if id%10 == 3 { // it does not say whose it is
		delete(all, "workspace_id")
	}
	return all
}

func (leaky) applied(id int) map[string]any {
	return map[string]any{
		"id": id, "public_id": fmt.Sprintf("A%dp", id), "contact_id": id / 10, "tag_id": id/100*10 + 5,
		"tag": map[string]any{"public_id": fmt.Sprintf("G%dp", id/100*10+5), "name": mark("W", id/100), "color": mark("W", id/100)},
	}
}

// sibling is the other workspace of a workspace's team.
func sibling(workspace int) int { return workspace - workspace%10 + 3 - workspace%10 }

func (leaky) funnel(id int) map[string]any {
	return map[string]any{"id": id, "public_id": fmt.Sprintf("F%dp", id), "workspace_id": id / 10, "name": mark("W", id/10), "current_path": mark("W", id/10)}
}

func (leaky) page(id int) map[string]any {
	return map[string]any{
		"id": id, "public_id": fmt.Sprintf("P%dp", id), "workspace_id": id / 10, "name": mark("W", id/10), "url": mark("W", id/10),
		"funnel": map[string]any{"id": id/10*10 + 6, "public_id": fmt.Sprintf("F%dp", id/10*10+6), "name": mark("W", id/10)},
	}
}

// submission is one of which every second says that another workspace's contact has sent
// it, from another one's page.
func (leaky) submission(id int) map[string]any {
	from := id / 10
	if id%10 == 9 {
		from = sibling(from)
	}
	return map[string]any{
		"id": id, "public_id": fmt.Sprintf("S%dp", id), "workspace_id": id / 10, "contact_id": from*10 + 1, "page_id": from*10 + 7,
		"data": map[string]any{"x": mark("W", id/10)},
	}
}

// order is one of which every second embeds another workspace's contact.
func (l leaky) order(id int) map[string]any {
	of := id / 10
	if id%10 == 8 {
		of = sibling(of)
	}
	return map[string]any{
		"id": id, "public_id": fmt.Sprintf("O%dp", id), "workspace_id": id / 10, "contact_id": of*10 + 1, "contact": l.contact(of*10 + 1),
		"page_id": id/10*10 + 7, "order_page": map[string]any{"id": id/10*10 + 7, "name": mark("W", id/10)}, "notes": mark("W", id/10), "currency": "USD",
		"line_items": []any{map[string]any{"id": 1, "original_product": map[string]any{"id": 1, "name": mark("W", id/10)}}},
	}
}

// The shapes of ids by their kind: how many digits, and what the last can be.
var shapes = map[string]struct {
	digits int
	last   string
}{"T": {2, "123"}, "W": {3, "12"}, "C": {4, "123"}, "G": {4, "5"}, "A": {5, "1"}, "F": {4, "6"}, "P": {4, "7"}, "S": {4, "89"}, "O": {4, "89"}}

// exists reports whether an id of a kind is one of a token's.
func exists(kind string, id, token int) bool {
	text, shape := strconv.Itoa(id), shapes[kind]
	if len(text) != shape.digits || text[0] != byte('0'+token) || !strings.Contains(shape.last, text[len(text)-1:]) {
		return false
	}
	for i, allowed := range []string{"", "123", "12", "123"} {
		if i > 0 && i < len(text)-1 && !strings.Contains(allowed, text[i:i+1]) {
			return false
		}
	}
	return true
}

var route = regexp.MustCompile(`^/(teams|workspaces|contacts/applied_tags|contacts/tags|contacts|users|funnels|pages|form_submissions|orders)(?:/(\w+))?(?:/(workspaces|contacts/tags|contacts/upsert|contacts|applied_tags|gdpr_destroy|funnels|pages|form_submissions|orders))?$`)

var kindOfPath = map[string]string{"teams": "T", "workspaces": "W", "contacts": "C", "contacts/tags": "G", "contacts/applied_tags": "A", "funnels": "F", "pages": "P", "form_submissions": "S", "orders": "O"}

// written are the ids that have been written to, or been written, with their kinds.
var written struct {
	sync.Mutex
	ids []string
}

// write notes a write, and carries it out on whatever the token reaches.
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
	row := map[string]func(int) any{
		"T": func(id int) any { return l.team(id) }, "W": func(id int) any { return l.workspace(id) }, "C": func(id int) any { return l.contact(id) },
		"G": func(id int) any { return l.tag(id) },
	}[kind](id)
	switch at[1] + "/" + at[3] {
	case "workspaces/contacts", "workspaces/contacts/upsert":
		row = l.contact(id*10 + 1)
	case "workspaces/contacts/tags":
		row = l.tag(id*10 + 5)
	case "contacts/applied_tags":
		row = l.applied(id*10 + 1)
	}
	text, _ := json.Marshal(row)
	answer(201, "application/json", string(text))(w, r)
}

func (l leaky) serve(w http.ResponseWriter, r *http.Request, _, path string) bool {
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	token, err := strconv.Atoi(strings.TrimPrefix(bearer, "token-"))
	at := route.FindStringSubmatch(path)
	if err != nil || at == nil {
		answer(404, "application/json", `{"error":"No such route"}`)(w, r)
		return true
	}
	kind := kindOfPath[at[1]]
	id, _ := strconv.Atoi(strings.Trim(at[2], "TWCGAFPSOp"))
	if at[2] != "" && (!exists(kind, id, token) || strings.HasSuffix(at[2], "p") && at[2][:1] != kind) && at[1] != "users" {
		answer(404, "application/json", `{"error":"Not found: Record `+at[2]+` missing"}`)(w, r)
		return true
	}
	if r.Method != http.MethodGet {
		l.write(w, r, at, kind, id)
		return true
	}
	rows := []map[string]any{}
	add := func(kind string, ids ...int) {
		for _, id := range ids {
			rows = append(rows, map[string]func(int) map[string]any{"T": l.team, "W": l.workspace, "C": l.contact, "G": l.tag, "A": l.applied, "F": l.funnel, "P": l.page, "S": l.submission, "O": l.order}[kind](id))
		}
	}
	size := upstream.PageSize
	switch list := at[1] + "/" + at[3]; {
	case at[1] == "users":
		rows = []map[string]any{{"id": 1, "public_id": "Up", "email": mark("U", token), "first_name": mark("U", token)}}
	case at[2] == "":
		add("T", token*10+1, token*10+2, token*10+3)
		size = 1 // so that what may be seen is behind what may not
	case list == "teams/workspaces":
		add("W", id*10+1, id*10+2)
		size = 1
	case list == "workspaces/contacts":
		add("C", id*10+1, id*10+2, id*10+3)
	case list == "workspaces/contacts/tags":
		add("G", id*10+5)
	case list == "contacts/applied_tags":
		add("A", id*10+1)
	case list == "workspaces/funnels":
		add("F", id*10+6, sibling(id)*10+6)
	case list == "workspaces/pages":
		add("P", id*10+7, sibling(id)*10+7)
	case list == "workspaces/form_submissions":
		add("S", id*10+8, id*10+9, sibling(id)*10+8)
	case list == "workspaces/orders":
		add("O", id*10+8, id*10+9, sibling(id)*10+9)
	default:
		add(kind, id)
	}
	// A filter finds whatever the token reaches.
	if filter := r.URL.Query().Get("filter[id]"); filter != "" {
		rows = rows[:0]
		for id := range strings.SplitSeq(filter, ",") {
			kind := kindOfPath[at[3]]
			if n, _ := strconv.Atoi(id); exists(kind, n, token) {
				add(kind, n)
			}
		}
	}
	if r.URL.Query().Get("sort_order") == "desc" {
		slices.Reverse(rows)
	}
	var body any
	if at[2] != "" && at[3] == "" {
		body = rows[0]
	} else {
		after := r.URL.Query().Get("after")
		if i := slices.IndexFunc(rows, func(row map[string]any) bool { return fmt.Sprint(row["id"]) == after }); i >= 0 {
			rows = rows[i+1:]
		}
		if len(rows) > size {
			rows = rows[:size]
			w.Header().Set("Pagination-Next", fmt.Sprint(rows[size-1]["id"]))
		}
		body = rows
	}
	text, _ := json.Marshal(body)
	answer(200, "application/json", string(text))(w, r)
	return true
}

// tenant is a client and what it may see.
type tenant struct {
	name, key         string
	token             int
	teams, workspaces []int // nil: all
}

func (x *tenant) seesTeam(id int) bool {
	return id/10 == x.token && (x.teams == nil && x.workspaces == nil || slices.Contains(x.teams, id))
}

func (x *tenant) seesWorkspace(id int) bool {
	switch {
	case id/100 != x.token:
		return false
	case x.workspaces != nil:
		return slices.Contains(x.workspaces, id)
	}
	return x.teams == nil || slices.Contains(x.teams, id/10)
}

var marks = regexp.MustCompile(`mark-([TWU])(\d+)\.`)

// foreign returns a mark of what the tenant must not see.
func (x *tenant) foreign(text string) string {
	for _, found := range marks.FindAllStringSubmatch(text, -1) {
		id, _ := strconv.Atoi(found[2])
		if found[1] == "T" && !x.seesTeam(id) || found[1] == "W" && !x.seesWorkspace(id) || found[1] == "U" && (id != x.token || x.teams != nil || x.workspaces != nil) {
			return found[0]
		}
	}
	return ""
}

// tenants starts a funnelgraph in front of the leaky API.
func tenants(t *testing.T, options ...envOption) (*env, []*tenant) {
	t.Helper()
	all := []*tenant{
		{name: "everything", token: 1},
		{name: "a team", token: 1, teams: []int{12}},
		{name: "two workspaces", token: 1, workspaces: []int{111, 132}},
		{name: "a team and a workspace of it", token: 1, teams: []int{13}, workspaces: []int{131}},
		{name: "a team and a workspace of another", token: 1, teams: []int{11}, workspaces: []int{122}},
		{name: "nothing", token: 1, workspaces: []int{}},
		{name: "of another token", token: 2, workspaces: []int{211}},
		{name: "a team of another token", token: 2, teams: []int{22}},
	}
	var clients []string
	for _, x := range all {
		key, hash := access.NewKey()
		x.key = key
		entry := fmt.Sprintf("  - { name: %q, keys: [%q], token: token%d, access: read-write", x.name, hash, x.token)
		list := func(name string, ids []int) {
			if ids != nil {
				text, _ := json.Marshal(ids)
				entry += fmt.Sprintf(", %s: %s", name, text)
			}
		}
		list("teams", x.teams)
		list("workspaces", x.workspaces)
		if x.teams == nil && x.workspaces == nil {
			entry += ", teams: all"
		}
		clients = append(clients, entry+" }")
	}
	t.Setenv("TOKEN_1", "token-1")
	t.Setenv("TOKEN_2", "token-2")
	file := filepath.Join(t.TempDir(), "access.yaml")
	text := "tokens: { token1: { env: TOKEN_1 }, token2: { env: TOKEN_2 } }\nclients:\n" + strings.Join(clients, "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e := newEnv(t, append(options, withFault(leaky{}.serve), func(e *env, cfg *config.Config) {
		gate, err := access.NewClients(t.Context(), file, "", limits.Policy{Limits: cfg.Limits})
		if err != nil {
			t.Fatal(err)
		}
		e.gate = gate
	})...)
	return e, all
}

const contactFields = `id rawId publicId emailAddress customAttributes { value } tags { id name createdAt workspace { id name } } taggings { tag { name updatedAt } }
	appliedTags { nodes { id rawId tag { id name createdAt } contact { rawId emailAddress workspace { name } } } } workspace { id rawId name subdomain team { id rawId name memberships { userEmail } } }`

const workspaceFields = `id rawId publicId name subdomain team { rawId name memberships { userEmail user { email } } billingSubscriptions { status } } contactTags { nodes { id name } } contacts { edges { cursor node { ` + contactFields + ` } } pageInfo { hasNextPage endCursor } }`

const teamFields = `id rawId publicId name locale memberships { id userEmail user { email } team { name } } billingSubscriptions { id status } workspaces { nodes { ` + workspaceFields + ` } pageInfo { hasNextPage endCursor } }`

const submissionFields = `data { value } contact { id emailAddress workspace { name } } page { id name url funnel { name } } workspace { name }`

const orderFields = `notes lineItems { originalProduct { name } } contact { id emailAddress tags { name createdAt } workspace { name } } page { id name url } workspace { name }`

const nodeFields = `__typename id ... on Team { ` + teamFields + ` } ... on Workspace { ` + workspaceFields + ` } ... on Contact { ` + contactFields + ` } ... on ContactTag { rawId name workspace { name } }
	... on Funnel { name currentPath workspace { name } } ... on Page { name url funnel { name currentPath } } ... on FormSubmission { ` + submissionFields + ` } ... on Order { ` + orderFields + ` }
	... on AppliedContactTag { rawId tag { name createdAt } contact { emailAddress } } ... on Membership { userEmail team { name } } ... on BillingSubscription { status team { name } } ... on User { email firstName }`

// roads are the ways to ask for something by an id, which stands for %[n]s: a team's
// (1), a workspace's (2), a contact's (3), a tag's (4), an applied tag's (5), each in
// one of its forms; any object's global id (6); a subdomain (7); a raw id (8).
var roads = []string{
	`{ teams(first: 100) { nodes { ` + teamFields + ` } pageInfo { hasNextPage endCursor } } }`,
	`{ teams(last: 1) { nodes { name } pageInfo { hasNextPage hasPreviousPage } } }`,
	`{ teams(after: "%[8]s") { nodes { name } pageInfo { hasNextPage } } }`,
	`{ teams(before: "%[8]s") { nodes { name } pageInfo { hasNextPage } } }`,
	`{ team(id: "%[1]s") { ` + teamFields + ` } }`,
	`{ team(id: "%[1]s") { id rawId publicId __typename } }`,
	`{ team(id: "%[1]s") { id workspaces(first: 1) { nodes { name } pageInfo { hasNextPage } } } }`,
	`{ team(id: "%[1]s") { workspaces(after: "%[8]s") { nodes { name } } } }`,
	`{ users { nodes { email firstName } } }`,
	`{ workspace(id: "%[2]s") { ` + workspaceFields + ` } }`,
	`{ workspace(id: "%[2]s") { id rawId contacts { nodes { emailAddress } } } }`,
	`{ workspace(id: "%[2]s", subdomain: "%[7]s") { ` + workspaceFields + ` } }`,
	`{ workspace(id: "%[2]s", subdomain: "%[7]s") { id contacts(first: 2) { nodes { emailAddress } } } }`,
	`{ workspace(id: "%[2]s", subdomain: "%[7]s") { contact(id: "%[3]s") { ` + contactFields + ` } } }`,
	`{ workspace(id: "%[2]s") { contact(id: "%[3]s") { ` + contactFields + ` } } }`,
	`{ workspace(id: "%[2]s") { contact(id: "%[3]s") { id appliedTags { nodes { tag { name } contact { emailAddress } } } } } }`,
	`{ workspace(id: "%[2]s") { contact(id: "%[3]s") { id rawId workspace { id team { id rawId } } } } }`,
	`{ contact(id: "%[3]s", workspaceId: "%[2]s") { ` + contactFields + ` } }`,
	`{ contact(id: "%[3]s", workspaceId: "%[2]s") { id appliedTags { nodes { id tag { name } } } } }`,
	`{ contact(id: "%[3]s") { ` + contactFields + ` } }`,
	`{ workspace(id: "%[2]s") { contacts(filter: { ids: ["%[3]s", "%[8]s"] }) { nodes { ` + contactFields + ` } } } }`,
	`{ workspace(id: "%[2]s") { contacts(filter: { tagIds: ["%[4]s"] }) { nodes { emailAddress } } } }`,
	`{ workspace(id: "%[2]s") { contactTags(filter: { ids: ["%[4]s"] }) { nodes { name color } } } }`,
	`{ workspace(id: "%[2]s") { contacts(after: "%[8]s") { nodes { emailAddress } } } }`,
	`{ workspace(id: "%[2]s") { orders { nodes { ` + orderFields + ` } } formSubmissions { nodes { ` + submissionFields + ` } } } }`,
	`{ workspace(id: "%[2]s", subdomain: "%[7]s") { funnels { nodes { id name currentPath } } pages { nodes { id name url funnel { name currentPath workspace { name } } } } } }`,
	`{ workspace(id: "%[2]s") { orders(filter: { ids: ["%[8]s"], contactIds: ["%[3]s"] }) { edges { node { ` + orderFields + ` } } } } }`,
	`{ workspace(id: "%[2]s") { formSubmissions(filter: { contactIds: ["%[3]s", "%[8]s"] }) { nodes { ` + submissionFields + ` } } pages(filter: { ids: ["%[8]s"] }) { nodes { name } } } }`,
	`{ node(id: "%[6]s") { ` + nodeFields + ` } }`,
	`{ nodes(ids: ["%[6]s", "%[6]s"]) { ` + nodeFields + ` } }`,
	`{ a: node(id: "%[6]s") { id } b: workspace(id: "%[2]s", subdomain: "%[7]s") { name contact(id: "%[3]s") { emailAddress } } c: contact(id: "%[3]s", workspaceId: "%[2]s") { emailAddress } }`,
}

// roamer makes up ids: real ones of any token and ones that there are not.
type roamer struct{ *rand.Rand }

func (r roamer) id(kind string) int {
	id := 1 + r.IntN(2) // the token
	for id < 10_000 {
		shape := shapes[kind]
		digits := len(strconv.Itoa(id))
		if digits == shape.digits {
			break
		}
		choices := "123"
		switch digits {
		case shape.digits - 1:
			choices = shape.last
		case 2:
			choices = "12"
		}
		id = id*10 + int(choices[r.IntN(len(choices))]-'0')
	}
	if r.IntN(12) == 0 {
		id += 7 // there is none
	}
	return id
}

var kindNames = map[string]upstream.Kind{"T": upstream.KindTeam, "W": upstream.KindWorkspace, "C": upstream.KindContact, "G": upstream.KindContactTag, "A": upstream.KindAppliedContactTag,
	"F": upstream.KindFunnel, "P": upstream.KindPage, "S": upstream.KindFormSubmission, "O": upstream.KindOrder}

// form returns an id in one of its forms.
func (r roamer) form(kind string, id int) string {
	switch r.IntN(3) {
	case 0:
		return strconv.Itoa(id)
	case 1:
		return fmt.Sprintf("%s%dp", kind, id)
	}
	return r.global(kind, id)
}

// global returns a global id, whose workspace may be any.
func (r roamer) global(kind string, id int) string {
	ref := upstream.Ref{Kind: kindNames[kind], ID: strconv.Itoa(id)}
	if r.IntN(4) == 0 {
		ref.ID = fmt.Sprintf("%s%dp", kind, id)
	}
	if kind != "T" && kind != "W" {
		if ref.Parent = strconv.Itoa(id / map[bool]int{false: 10, true: 100}[kind == "A"]); r.IntN(2) == 0 {
			ref.Parent = strconv.Itoa(r.id("W")) // crafted
			if r.IntN(3) == 0 {
				ref.Parent = "W" + ref.Parent + "p"
			}
		}
	}
	return model.GlobalID(ref)
}

func (r roamer) query() string {
	kinds := []string{"T", "W", "C", "G", "A", "F", "P", "S", "O"}
	var object string
	switch r.IntN(8) {
	case 0:
		object = model.GlobalID(upstream.Ref{Kind: upstream.KindMembership, Parent: strconv.Itoa(r.id("T")), ID: strconv.Itoa(r.id("T")*100 + 1)})
	case 1:
		object = model.GlobalID(upstream.Ref{Kind: upstream.KindSubscription, Parent: strconv.Itoa(r.id("T")), ID: strconv.Itoa(r.id("T")*100 + 2)})
	case 2:
		object = model.GlobalID(upstream.Ref{Kind: upstream.KindUser, ID: "1"})
	default:
		kind := kinds[r.IntN(len(kinds))]
		object = r.global(kind, r.id(kind))
	}
	return fmt.Sprintf(roads[r.IntN(len(roads))], r.form("T", r.id("T")), r.form("W", r.id("W")), r.form("C", r.id("C")), r.form("G", r.id("G")), r.form("A", r.id("A")),
		object, fmt.Sprintf("sub-%d", r.id("W")), strconv.Itoa(r.id(kinds[r.IntN(len(kinds))])))
}

// TestTenancy has several clients of two tokens ask for everything by every road, at
// the same time: nothing that they must not see is ever in an answer.
func TestTenancy(t *testing.T) {
	for _, ttl := range []time.Duration{0, time.Minute} {
		t.Run("cached for "+ttl.String(), func(t *testing.T) {
			e, all := tenants(t, withCache(ttl))
			seed, queries := rand.Uint64(), size(1_000, 50_000)
			if testing.Short() {
				queries = 200
			}
			var wait sync.WaitGroup
			var mu sync.Mutex
			seen := make(map[string]map[string]bool) // marks, by tenant
			for i := range 8 {
				wait.Go(func() {
					r := roamer{rand.New(rand.NewPCG(seed, uint64(i)))}
					for range queries {
						x := all[r.IntN(len(all))]
						query := r.query()
						answered := e.queryAs(x.key, query)
						if found := x.foreign(answered.raw); found != "" {
							t.Errorf("seed %d: %s sees %s:\n%s\n%.2000s", seed, x.name, found, query, answered.raw)
							return
						}
						if strings.Contains(answered.raw, "token-") || strings.Contains(answered.raw, x.key) {
							t.Errorf("seed %d: a secret in %s", seed, answered.raw)
						}
						mu.Lock()
						if seen[x.name] == nil {
							seen[x.name] = make(map[string]bool)
						}
						for _, found := range marks.FindAllString(answered.raw, -1) {
							seen[x.name][found] = true
						}
						mu.Unlock()
					}
				})
			}
			wait.Wait()
			// What they may see they do see: what chance has not asked for is asked for now.
			for _, x := range all {
				want := 0
				answered := e.queryAs(x.key, "{ teams { nodes { name } } users { nodes { email } } }").raw
				for id := x.token * 100; id < x.token*100+100; id++ {
					if exists("W", id, x.token) && x.seesWorkspace(id) {
						answered += e.queryAs(x.key, fmt.Sprintf(`{ workspace(id: "%d") { name } }`, id)).raw
					}
				}
				for _, found := range marks.FindAllString(answered, -1) {
					if seen[x.name] == nil {
						seen[x.name] = make(map[string]bool)
					}
					seen[x.name][found] = true
				}
				for id := x.token * 100; id < x.token*100+100; id++ {
					if exists("W", id, x.token) && x.seesWorkspace(id) {
						want++
					}
					if id < x.token*100+10 && exists("T", id-x.token*90, x.token) && x.seesTeam(id-x.token*90) {
						want++
					}
				}
				if x.teams == nil && x.workspaces == nil {
					want++ // the user
				}
				if len(seen[x.name]) != want && !testing.Short() {
					t.Errorf("seed %d: %s sees %d of %d: %v", seed, x.name, len(seen[x.name]), want, seen[x.name])
				}
			}
		})
	}
}

// TestHiddenLooksMissing asks by every road for what a client must not see, and for
// what there is not: the answers are the same.
func TestHiddenLooksMissing(t *testing.T) {
	e, all := tenants(t)
	global := func(kind string, parent, id int) string {
		ref := upstream.Ref{Kind: kindNames[kind], ID: strconv.Itoa(id)}
		if parent > 0 {
			ref.Parent = strconv.Itoa(parent)
		}
		return model.GlobalID(ref)
	}
	// What is hidden from each, and what is missing: team, workspace, contact, tag,
	// applied tag.
	hidden, missing := []int{12, 121, 1211, 1215, 12111}, []int{17, 178, 1789, 1780, 17891}
	forms := []func(ids []int) []any{
		func(ids []int) []any {
			return []any{strconv.Itoa(ids[0]), strconv.Itoa(ids[1]), strconv.Itoa(ids[2]), strconv.Itoa(ids[3]), strconv.Itoa(ids[4]), global("C", ids[1], ids[2]), fmt.Sprintf("sub-%d", ids[1]), strconv.Itoa(ids[1])}
		},
		func(ids []int) []any {
			p := func(kind string, id int) string { return fmt.Sprintf("%s%dp", kind, id) }
			return []any{p("T", ids[0]), p("W", ids[1]), p("C", ids[2]), p("G", ids[3]), p("A", ids[4]), global("A", 131, ids[4]), "sub-131", strconv.Itoa(ids[2])}
		},
		func(ids []int) []any {
			return []any{global("T", 0, ids[0]), "131", global("C", 131, ids[2]), global("G", 131, ids[3]), global("A", 131, ids[4]), global("C", 131, ids[2]), fmt.Sprintf("sub-%d", ids[1]), strconv.Itoa(ids[0])}
		},
		func(ids []int) []any {
			return []any{global("T", 0, ids[0]), global("W", 0, ids[1]), global("C", ids[1], ids[2]), global("G", ids[1], ids[3]), global("A", ids[1], ids[4]), global("G", ids[1], ids[3]), "sub-131", strconv.Itoa(ids[4])}
		},
		func(ids []int) []any {
			return []any{strconv.Itoa(ids[0]), "131", strconv.Itoa(ids[2]), strconv.Itoa(ids[3]), strconv.Itoa(ids[4]), model.GlobalID(upstream.Ref{Kind: upstream.KindMembership, Parent: strconv.Itoa(ids[0]), ID: strconv.Itoa(ids[0]*100 + 1)}), "sub-121", strconv.Itoa(ids[3])}
		},
	}
	for _, x := range all {
		if x.token != 1 || x.seesTeam(12) || x.seesWorkspace(121) {
			continue
		}
		for _, road := range roads {
			for i, form := range forms {
				there, not := form(hidden), form(missing)
				a := alike(e.queryAs(x.key, fmt.Sprintf(road, there...)).raw, hidden, there)
				b := alike(e.queryAs(x.key, fmt.Sprintf(road, not...)).raw, missing, not)
				if a != b {
					t.Errorf("%s, form %d: %.200s\nhidden:  %.600s\nmissing: %.600s", x.name, i, road, a, b)
				}
			}
		}
	}
}

// TestBudgetTellsNothing gives a client so few calls that they do not suffice to find
// out whether something is another's: it is told no more than where there is nothing.
func TestBudgetTellsNothing(t *testing.T) {
	for calls := range 4 {
		e, all := tenants(t, withLimits(func(l *limits.Limits) { l.Calls = calls + 1 }))
		x := all[slices.IndexFunc(all, func(x *tenant) bool { return x.name == "two workspaces" })]
		e.queryAs(x.key, `{ workspace(id: "111") { name } }`)
		for kind, ids := range map[string][2]int{"C": {1211, 1789}, "G": {1215, 1780}, "A": {12111, 17891}} {
			var answers []string
			for i, id := range ids {
				global := model.GlobalID(upstream.Ref{Kind: kindNames[kind], Parent: "111", ID: strconv.Itoa(id)})
				// The second tells how much is left of the budget.
				r := e.queryAs(x.key, fmt.Sprintf(`{ node(id: %q) { ... on Contact { emailAddress appliedTags { nodes { id } } } ... on ContactTag { name } ... on AppliedContactTag { createdAt } } }`, global))
				left := e.queryAs(x.key, fmt.Sprintf(`{ a: node(id: %q) { __typename } }`, global))
				answers = append(answers, alike(r.raw, []int{id}, nil)+alike(left.raw, []int{id}, nil))
				if i == 1 && answers[0] != answers[1] {
					t.Errorf("%d calls, %s:\n%s\n%s", calls+1, kind, answers[0], answers[1])
				}
			}
		}
	}
}

var texts = regexp.MustCompile(`"[^"]*"`)

// alike returns an answer without the ids that were asked for, which it may repeat,
// and with its errors in order.
func alike(answer string, ids []int, asked []any) string {
	before, errors, _ := strings.Cut(answer, `,"errors":[`)
	all := strings.Split(strings.TrimSuffix(errors, "]}"), "},{")
	for i, e := range all {
		all[i] = strings.Trim(e, "{}")
	}
	slices.Sort(all)
	return texts.ReplaceAllStringFunc(before+strings.Join(all, "\n"), func(text string) string {
		text = strings.Trim(text, `"`)
		if slices.Contains(asked, any(text)) {
			return "?"
		}
		if ref, ok := model.ParseGlobalID(text); ok && slices.ContainsFunc(ids, func(id int) bool { return strings.Trim(ref.ID, "TWCGAp") == strconv.Itoa(id) }) {
			return "?"
		}
		return text
	})
}

// TestHiddenTeam tells a client of a workspace, whose team it must not see, nothing
// of that team, also where an id is all that is asked for.
func TestHiddenTeam(t *testing.T) {
	e, all := tenants(t)
	x := all[slices.IndexFunc(all, func(x *tenant) bool { return x.name == "two workspaces" })]
	for _, fields := range []string{"id rawId", "__typename", "id workspaces { nodes { name } }", "name"} {
		r := e.queryAs(x.key, `{ workspace(id: "111") { name team { `+fields+` } } }`)
		if r.get("workspace.name") != "mark-W111." || r.get("workspace.team") != nil || r.code("workspace.team") != "NOT_FOUND" {
			t.Errorf("%s: %s", fields, r.raw)
		}
	}
}

// writeRoads are the ways to write to something by an id, as roads are those to read.
var writeRoads = []string{
	`updateTeam(input: { id: "%[1]s", name: "x" }) { team { ` + teamFields + ` } userErrors { message } }`,
	`updateWorkspace(input: { id: "%[2]s", name: "x" }) { workspace { ` + workspaceFields + ` } userErrors { message } }`,
	`createContact(input: { workspaceId: "%[2]s", emailAddress: "x", tagIds: ["%[4]s"] }) { contact { ` + contactFields + ` } userErrors { message } }`,
	`createContact(input: { workspaceId: "%[2]s", emailAddress: "x" }) { contact { ` + contactFields + ` } userErrors { message } }`,
	`upsertContact(input: { workspaceId: "%[2]s", emailAddress: "x", tagIds: ["%[4]s", "%[8]s"] }) { contact { ` + contactFields + ` } userErrors { message } }`,
	`updateContact(input: { id: "%[3]s", workspaceId: "%[2]s", firstName: "x" }) { contact { ` + contactFields + ` } userErrors { message } }`,
	`updateContact(input: { id: "%[3]s", tagIds: ["%[4]s"] }) { contact { ` + contactFields + ` } userErrors { message } }`,
	`deleteContact(input: { id: "%[3]s", workspaceId: "%[2]s" }) { deletedContactId userErrors { message } }`,
	`deleteContact(input: { id: "%[3]s" }) { deletedContactId userErrors { message } }`,
	`redactContact(input: { id: "%[3]s", workspaceId: "%[2]s", confirm: true }) { redactedContactId userErrors { message } }`,
	`createContactTag(input: { workspaceId: "%[2]s", name: "x" }) { contactTag { id name workspace { name } } userErrors { message } }`,
	`updateContactTag(input: { id: "%[4]s", workspaceId: "%[2]s", name: "x" }) { contactTag { id name workspace { name } } userErrors { message } }`,
	`deleteContactTag(input: { id: "%[4]s", workspaceId: "%[2]s" }) { deletedContactTagId userErrors { message } }`,
	`applyContactTag(input: { contactId: "%[3]s", workspaceId: "%[2]s", tagId: "%[4]s" }) { appliedContactTag { id tag { name } contact { emailAddress } } contact { ` + contactFields + ` } userErrors { message } }`,
	`applyContactTag(input: { contactId: "%[3]s", tagId: "%[4]s" }) { appliedContactTag { id tag { name } contact { emailAddress } } contact { ` + contactFields + ` } userErrors { message } }`,
	`removeContactTag(input: { contactId: "%[3]s", workspaceId: "%[2]s", tagId: "%[4]s" }) { removedAppliedContactTagId contact { ` + contactFields + ` } userErrors { message } }`,
}

// seesWritten reports whether a tenant may see what has been written to.
func (x *tenant) seesWritten(kindAndID string) bool {
	id, _ := strconv.Atoi(kindAndID[1:])
	switch kindAndID[0] {
	case 'T':
		return x.seesTeam(id)
	case 'W':
		return x.seesWorkspace(id)
	case 'A':
		return x.seesWorkspace(id / 100)
	case 'G':
		if x.teams == nil && x.workspaces == nil {
			return true // what its own token cannot reach is ClickFunnels' to refuse
		}
	}
	return x.seesWorkspace(id / 10)
}

// TestTenancyOfWrites has clients write to everything by every road: nothing that they
// must not see is ever written to, or in an answer.
func TestTenancyOfWrites(t *testing.T) {
	e, all := tenants(t)
	seed := rand.Uint64()
	r := roamer{rand.New(rand.NewPCG(seed, 1))}
	writes := make(map[string]int)
	mutations := size(4_000, 200_000)
	if testing.Short() {
		mutations = 1_000
	}
	for range mutations {
		x := all[r.IntN(len(all))]
		written.Lock()
		written.ids = nil
		written.Unlock()
		road := r.IntN(len(writeRoads))
		workspace := r.id("W")
		contact, tag := r.id("C"), r.id("G")
		if r.IntN(2) == 0 { // what belongs together
			contact, tag = workspace*10+1+r.IntN(2), workspace*10+5
		}
		mutation := "mutation { " + fmt.Sprintf(writeRoads[road], r.form("T", r.id("T")), r.form("W", workspace), r.form("C", contact), r.form("G", tag), "", "", "", strconv.Itoa(r.id("G"))) + " }"
		answered := e.queryAs(x.key, mutation)
		if found := x.foreign(answered.raw); found != "" {
			t.Fatalf("seed %d: %s sees %s:\n%s\n%.2000s", seed, x.name, found, mutation, answered.raw)
		}
		written.Lock()
		for _, id := range written.ids {
			if !x.seesWritten(id) {
				t.Fatalf("seed %d: %s has written to %s:\n%s\n%.500s", seed, x.name, id, mutation, answered.raw)
			}
			writes[x.name]++
		}
		written.Unlock()
	}
	// What they may write to they do.
	for _, x := range all {
		if len(x.workspaces) > 0 && x.teams == nil || x.workspaces == nil {
			if writes[x.name] == 0 && !testing.Short() {
				t.Errorf("seed %d: %s has written %d times", seed, x.name, writes[x.name])
			}
		}
	}
	t.Logf("writes: %v", writes)
}
