package test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
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

// tenant is a client with a scope.
type tenant struct {
	name, key         string
	token             int
	teams, workspaces []int // nil for all
}

// seesTeam reports whether the tenant may see a team.
func (x *tenant) seesTeam(id int) bool {
	return id/10 == x.token && (x.teams == nil && x.workspaces == nil || slices.Contains(x.teams, id))
}

// seesWorkspace reports whether the tenant may see a workspace.
func (x *tenant) seesWorkspace(id int) bool {
	switch {
	case id/100 != x.token:
		return false
	case x.workspaces != nil:
		return slices.Contains(x.workspaces, id)
	}
	return x.teams == nil || slices.Contains(x.teams, id/10)
}

var (
	marks  = regexp.MustCompile(`mark-([TWU])(\d+)\.(\w*)`)
	digits = regexp.MustCompile(`\d+`)
)

// home returns the workspaces that the tenant may see.
func (x *tenant) home() []int {
	return slices.DeleteFunc(every("W", x.token), func(id int) bool { return !x.seesWorkspace(id) })
}

// foreign returns a mark in the text that the tenant must not see, or "".
func (x *tenant) foreign(text string) string {
	for _, found := range marks.FindAllStringSubmatch(text, -1) {
		id, _ := strconv.Atoi(found[2])
		if found[1] == "T" && !x.seesTeam(id) || found[1] == "W" && !x.seesWorkspace(id) || found[1] == "U" && (id != x.token || x.teams != nil || x.workspaces != nil) {
			return found[0]
		}
	}
	return ""
}

// seesTag reports whether the tenant may see a cache tag. The user of a token has the token's digit as its id; a
// team's own records have the team's id and two digits.
func (x *tenant) seesTag(tag string) bool {
	_, id, _ := strings.Cut(tag, "/")
	n, err := strconv.Atoi(id)
	switch {
	case err != nil: // of a host or a list
		return true
	case n < 10:
		return n == x.token && x.teams == nil && x.workspaces == nil
	case n < 100:
		return x.seesTeam(n)
	case n >= 1000 && strings.HasPrefix(tag, "accounts/"):
		return x.seesTeam(n / 100)
	}
	return x.seesWorkspace(workspaceOf(n))
}

func endsInDigit(tag string) bool { last := tag[len(tag)-1]; return last >= '0' && last <= '9' }

// cacheTags returns the cache tags of the response to a query by GET.
func (e *env) cacheTags(key, query string) []string {
	e.t.Helper()
	r, err := http.NewRequest(http.MethodGet, e.url+"/graphql?query="+url.QueryEscape(query), nil)
	if err != nil {
		e.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	_, _, header := e.do(r)
	return slices.DeleteFunc(strings.Split(header.Get("Cache-Tag"), ","), func(tag string) bool { return tag == "" })
}

// tenants starts a funnelgraph in front of the leaky API, and returns its clients.
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
		entry := fmt.Sprintf("  - { name: %s, keys: [%q], token: token%d, access: read-write", strings.ReplaceAll(x.name, " ", "-"), hash, x.token)
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
	folder := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	file := write("access.yaml", fmt.Sprintf("tokens: { token1: { file: %q }, token2: { file: %q } }\nclients:\n%s\n",
		write("token1", "token-1"), write("token2", "token-2"), strings.Join(clients, "\n")))
	e := newEnv(t, append(options, withFault(leaky{}.serve), func(e *env, cfg *config.Config) {
		cfg.Limits.Aliases = 1000 // for the fields of all derived resources
		gate, err := access.NewClients(t.Context(), file, "", limits.Policy{Limits: cfg.Limits})
		if err != nil {
			t.Fatal(err)
		}
		e.gate = gate
	})...)
	return e, all
}

const contactFields = `id rawId publicId emailAddress customAttributes { value } tags { id name createdAt workspace { id name } } taggings { tag { name updatedAt } }
	appliedTags(first: 3) { nodes { id rawId tag { name } full: tag { id name createdAt } contact { rawId emailAddress workspace { name } } } } workspace { id rawId name subdomain team { id rawId name memberships { userEmail } } }`

const workspaceFields = `id rawId publicId name subdomain team { rawId name memberships { userEmail user { email } } billingSubscriptions { status } } contactTags { nodes { id name } } contacts(first: 4) { edges { cursor node { ` + contactFields + ` } } pageInfo { hasNextPage endCursor } }`

const teamFields = `id rawId publicId name locale memberships { id userEmail user { email } team { name } } billingSubscriptions { id status } workspaces(first: 3) { nodes { ` + workspaceFields + ` } pageInfo { hasNextPage endCursor } }`

const submissionFields = `id data { value } contact { id emailAddress workspace { name } } page { id name url funnel { name } } workspace { name }`

const pageFields = `id name url funnel { id name } formSubmissions(first: 5) { nodes { ` + submissionFields + ` } } workspace { name }`

const orderFields = `id notes lineItems { originalProduct { name } product { id name workspace { name } } } contact { id emailAddress tags { name createdAt } workspace { name } } page { id name url } workspace { name }
	tags { id name color } invoices(first: 5) { nodes { ` + invoiceFields + ` } } transactions(first: 5) { nodes { ` + transactionFields + ` } } appliedTags(first: 5) { nodes { ` + orderLabelFields + ` } }`

const invoiceFields = `id invoiceNumber lineItems { description } order { id notes currency } contact { id emailAddress workspace { name } } workspace { name }`

const transactionFields = `id outcome: status order { id notes } workspace { name }`

const orderLabelFields = `id publicId tag { id name color } order { id notes } workspace { name }`

const productFields = `id name currentPath defaultVariant { id name product { name } } tags { id name color } collections(first: 5) { nodes { id name products { nodes { id name } } } } workspace { name }
	variants(first: 5) { nodes { ` + variantFields + ` } } prices(first: 5) { nodes { ` + priceFields + ` } }`

const variantFields = `id name product { id name workspace { name } } prices(first: 5) { nodes { id named: name } } workspace { name }`

const priceFields = `id named: name variant { id name product { id name } } workspace { name }`

const collectionFields = `id name products { nodes { id name variants(first: 5) { nodes { id name } } } } workspace { name }`

const courseFields = `id title sections(first: 5) { nodes { ` + sectionFields + ` } } enrollments(first: 5) { nodes { ` + enrollmentFields + ` } } workspace { name }`

const sectionFields = `id title course { id title } lessons(first: 5) { nodes { ` + lessonFields + ` } } workspace { name }`

const lessonFields = `id title section { id title course { id title } } workspace { name }`

const enrollmentFields = `id suspensionReason course { id title } contact { id emailAddress workspace { name } } workspace { name }`

const pipelineFields = `id name stages { ` + stageFields + ` } opportunities(first: 5) { nodes { ` + opportunityFields + ` } } workspace { name }`

const stageFields = `id name createdAt pipeline { id name } opportunities(first: 5) { nodes { id name } } workspace { name }`

const opportunityFields = `id name remarks: notes { content } contact { id emailAddress workspace { name } } pipeline { id name createdAt } stage { id name createdAt pipeline { name } } workspace { name }`

const elsewhereFields = `id orders(first: 5) { nodes { notes contact { emailAddress } } } formSubmissions(first: 5) { nodes { ` + submissionFields + ` } } opportunities(first: 5) { nodes { ` + opportunityFields + ` } } enrollments(first: 5) { nodes { ` + enrollmentFields + ` } }`

// nodeFragments are the selected fields of each type that implements Node.
var nodeFragments = withDerivedFragments(map[string]string{
	"Team":                teamFields,
	"Workspace":           workspaceFields,
	"Contact":             contactFields + ` ` + elsewhereFields,
	"ContactTag":          `rawId name workspace { name }`,
	"Funnel":              `name path: currentPath workspace { name } pages(first: 5) { nodes { ` + pageFields + ` } }`,
	"Page":                pageFields,
	"FormSubmission":      submissionFields,
	"Order":               orderFields,
	"OrderInvoice":        invoiceFields,
	"OrderTransaction":    transactionFields,
	"OrderTag":            `name color workspace { name }`,
	"AppliedOrderTag":     orderLabelFields,
	"Product":             productFields,
	"ProductVariant":      variantFields,
	"ProductPrice":        priceFields,
	"ProductCollection":   collectionFields,
	"ProductTag":          `name color workspace { name }`,
	"Course":              courseFields,
	"CourseSection":       sectionFields,
	"CourseLesson":        lessonFields,
	"CourseEnrollment":    enrollmentFields,
	"SalesPipeline":       pipelineFields,
	"SalesPipelineStage":  stageFields,
	"SalesOpportunity":    opportunityFields,
	"AppliedContactTag":   `rawId tag { name } full: tag { createdAt } contact { emailAddress }`,
	"Membership":          `userEmail team { name }`,
	"BillingSubscription": `status team { name }`,
	"User":                `email firstName`,
})

// nodeFields selects the fields of any record.
var nodeFields = fieldsOf(slices.Sorted(maps.Keys(nodeFragments))...)

// fieldsOf selects the fields of records of some types.
func fieldsOf(types ...string) string {
	return "__typename id" + each(len(types), func(i int) string { return fmt.Sprintf(" ... on %s { %s }", types[i], nodeFragments[types[i]]) })
}

// typeOf returns the type of a kind's records.
func typeOf(kind string) string {
	words := strings.Split(string(resources[kind].kind), "_")
	return each(len(words), func(i int) string { return strings.ToUpper(words[i][:1]) + words[i][1:] })
}

// readTemplates are queries with placeholders for ids. The letter of a kind stands for an id of
// that kind in any form. "node", also with a number, stands for the global id of any object,
// "raw" for any raw id, "cursor" for any cursor, and "subdomain" for any subdomain.
var readTemplates = append(derivedReadTemplates(), []string{
	`{ teams(first: 100) { nodes { ` + teamFields + ` } pageInfo { hasNextPage endCursor } } }`,
	`{ teams(last: 1) { nodes { name } pageInfo { hasNextPage hasPreviousPage } } }`,
	`{ teams(after: "{cursor}") { nodes { name } pageInfo { hasNextPage } } }`,
	`{ teams(before: "{cursor}") { nodes { name } pageInfo { hasNextPage } } }`,
	`{ team(id: "{T}") { ` + teamFields + ` } }`,
	`{ team(id: "{T}") { id rawId publicId __typename } }`,
	`{ team(id: "{T}") { id workspaces(first: 1) { nodes { name } pageInfo { hasNextPage } } } }`,
	`{ team(id: "{T}") { workspaces(after: "{cursor}") { nodes { name } } } }`,
	`{ users { nodes { email firstName } } }`,
	`{ workspace(id: "{W}") { ` + workspaceFields + ` } }`,
	`{ workspace(id: "{W}") { id rawId contacts { nodes { emailAddress } } } }`,
	`{ workspace(id: "{W}", subdomain: "{subdomain}") { ` + workspaceFields + ` } }`,
	`{ workspace(id: "{W}", subdomain: "{subdomain}") { id contacts(first: 2) { nodes { emailAddress } } } }`,
	`{ workspace(id: "{W}", subdomain: "{subdomain}") { contact(id: "{C}") { ` + contactFields + ` } } }`,
	`{ workspace(id: "{W}") { contact(id: "{C}") { ` + contactFields + ` } } }`,
	`{ workspace(id: "{W}") { contact(id: "{C}") { id appliedTags { nodes { tag { name } contact { emailAddress } } } } } }`,
	`{ workspace(id: "{W}") { contact(id: "{C}") { id rawId workspace { id team { id rawId } } } } }`,
	`{ contact(id: "{C}", workspaceId: "{W}") { ` + contactFields + ` } }`,
	`{ contact(id: "{C}", workspaceId: "{W}") { id appliedTags { nodes { id tag { name } } } } }`,
	`{ contact(id: "{C}") { ` + contactFields + ` } }`,
	`{ workspace(id: "{W}") { contacts(filter: { ids: ["{C}", "{raw}"] }) { nodes { ` + contactFields + ` } } } }`,
	`{ workspace(id: "{W}") { contacts(filter: { tagIds: ["{G}"] }) { nodes { emailAddress } } } }`,
	`{ workspace(id: "{W}") { contactTags(filter: { ids: ["{G}"] }) { nodes { name color } } } }`,
	`{ workspace(id: "{W}") { contacts(after: "{cursor}") { nodes { emailAddress } } } }`,
	`{ workspace(id: "{W}") { orders { nodes { ` + orderFields + ` } } formSubmissions { nodes { ` + submissionFields + ` } } } }`,
	`{ workspace(id: "{W}", subdomain: "{subdomain}") { funnels { nodes { id name currentPath } } pages { nodes { id name url funnel { name currentPath workspace { name } } } } } }`,
	`{ workspace(id: "{W}") { orders(filter: { ids: ["{raw}"], contactIds: ["{C}"] }) { edges { node { ` + orderFields + ` } } } } }`,
	`{ workspace(id: "{W}") { formSubmissions(filter: { contactIds: ["{C}", "{raw}"] }) { nodes { ` + submissionFields + ` } } pages(filter: { ids: ["{raw}"] }) { nodes { name } } } }`,
	`{ node(id: "{node}") { ` + nodeFields + ` } }`,
	`{ nodes(ids: ["{node}", "{node}"]) { ` + nodeFields + ` } }`,
	`{ nodes(ids: ["{node1}", "{node2}", "{node3}", "{node4}", "{node5}", "{node6}", "{node7}", "{node8}"]) { ` + nodeFields + ` } }`,
	`{ workspace(id: "{W}") { contacts { nodes { ` + elsewhereFields + ` } } } }`,
	`{ workspace(id: "{W}") { contact(id: "{C}") { ` + elsewhereFields + ` } } }`,
	`{ contact(id: "{C}", workspaceId: "{W}") { ` + elsewhereFields + ` } }`,
	`{ workspace(id: "{W}") { funnels { nodes { name pages(first: 5) { nodes { ` + pageFields + ` } } } } pages(filter: { funnelIds: ["{F}"] }) { nodes { ` + pageFields + ` } } } }`,
	`{ workspace(id: "{W}") { pages(filter: { ids: ["{P}", "{raw}"] }) { edges { node { ` + pageFields + ` } } } formSubmissions(filter: { ids: ["{S}"], pageIds: ["{P}"] }) { nodes { ` + submissionFields + ` } } } }`,
	`{ workspace(id: "{W}") { orders(filter: { ids: ["{O}"] }) { nodes { ` + orderFields + ` } } } }`,
	`{ workspace(id: "{W}") { orderInvoices { nodes { ` + invoiceFields + ` } } orderTags { nodes { id name color workspace { name } } } } }`,
	`{ workspace(id: "{W}") { orderInvoices(filter: { ids: ["{I}", "{raw}"] }) { edges { node { ` + invoiceFields + ` } } } orders { nodes { invoices(filter: { ids: ["{I}", "{raw}"] }) { nodes { ` + invoiceFields + ` } } } } } }`,
	`{ workspace(id: "{W}") { orderInvoices(after: "{cursor}") { nodes { ` + invoiceFields + ` } pageInfo { hasNextPage } } products(last: 1) { nodes { name } pageInfo { startCursor } } courses(before: "{cursor}") { nodes { title } } } }`,
	`{ workspace(id: "{W}", subdomain: "{subdomain}") { products { edges { node { ` + productFields + ` } } } } }`,
	`{ workspace(id: "{W}") { products(filter: { ids: ["{R}", "{raw}"] }) { nodes { ` + productFields + ` } } } }`,
	`{ workspace(id: "{W}") { products { nodes { name variants(filter: { ids: ["{V}", "{raw}"] }) { nodes { ` + variantFields + ` } } prices(filter: { ids: ["{E}", "{raw}"] }) { nodes { ` + priceFields + ` } } } } } }`,
	`{ workspace(id: "{W}") { products { nodes { prices(filter: { variantIds: ["{V}", "{raw}"] }) { nodes { ` + priceFields + ` } } } } } }`,
	`{ workspace(id: "{W}") { productCollections { nodes { ` + collectionFields + ` } } productTags { nodes { id name color } } } }`,
	`{ workspace(id: "{W}") { productCollections(filter: { ids: ["{K}", "{raw}"] }) { nodes { ` + collectionFields + ` } } productTags(filter: { ids: ["{B}", "{raw}"] }) { nodes { name color workspace { name } } } } }`,
	`{ workspace(id: "{W}", subdomain: "{subdomain}") { courses { nodes { ` + courseFields + ` } } } }`,
	`{ workspace(id: "{W}") { courses { nodes { title enrollments(filter: { ids: ["{N}", "{raw}"], contactIds: ["{C}"] }) { nodes { ` + enrollmentFields + ` } } } } } }`,
	`{ workspace(id: "{W}") { courses { nodes { title enrollments(filter: { contactIds: ["{C}", "{raw}"] }) { edges { node { ` + enrollmentFields + ` } } } } } } }`,
	`{ workspace(id: "{W}", subdomain: "{subdomain}") { salesPipelines { nodes { ` + pipelineFields + ` } } } }`,
	`{ workspace(id: "{W}") { salesPipelines(filter: { ids: ["{H}", "{raw}"] }) { nodes { ` + pipelineFields + ` } } } }`,
	`{ workspace(id: "{W}") { salesOpportunities { nodes { ` + opportunityFields + ` } } } }`,
	`{ workspace(id: "{W}") { salesOpportunities(filter: { ids: ["{Y}", "{raw}"] }) { nodes { ` + opportunityFields + ` } } } }`,
	`{ workspace(id: "{W}") { salesOpportunities(filter: { pipelineIds: ["{H}"], stageIds: ["{J}"], contactIds: ["{C}", "{raw}"] }) { nodes { ` + opportunityFields + ` } } } }`,
	`{ a: node(id: "{node}") { id } b: workspace(id: "{W}", subdomain: "{subdomain}") { name contact(id: "{C}") { emailAddress } } c: contact(id: "{C}", workspaceId: "{W}") { emailAddress } }`,
}...)

// placeholder matches a placeholder of a template.
var placeholder = regexp.MustCompile(`"\{(\w+)\}"`)

// fill replaces the placeholders of a template, equal ones by the same text. It returns the
// query and the texts.
func fill(template string, text func(name string) string) (string, []string) {
	known := make(map[string]string)
	filled := placeholder.ReplaceAllStringFunc(template, func(name string) string {
		name = strings.Trim(name, `"{}`)
		if _, ok := known[name]; !ok {
			known[name] = text(name)
		}
		return strconv.Quote(known[name])
	})
	return filled, slices.Collect(maps.Values(known))
}

// idSource generates random ids: existing ones of any token, and missing ones.
type idSource struct {
	*rand.Rand
	home []int // half of the workspaces are taken from these
}

// id returns a raw id of a kind.
func (r idSource) id(kind string) int {
	if kind == "W" && len(r.home) > 0 && r.IntN(2) == 0 {
		return r.home[r.IntN(len(r.home))]
	}
	all := every(kind, 1+r.IntN(2))
	id := all[r.IntN(len(all))]
	if r.IntN(12) == 0 {
		id -= id % 10 // a missing record
	}
	return id
}

// kind returns the letter of any kind.
func (r idSource) kind() string { return letters[r.IntN(len(letters))] }

// form returns an id in a random form: raw, public or global.
func (r idSource) form(kind string, id int) string {
	switch r.IntN(3) {
	case 0:
		return strconv.Itoa(id)
	case 1:
		return fmt.Sprintf("%s%dp", kind, id)
	}
	return r.global(kind, id)
}

// global returns a global id. Its workspace may be forged.
func (r idSource) global(kind string, id int) string {
	ref := upstream.Ref{Kind: resources[kind].kind, ID: strconv.Itoa(id)}
	if r.IntN(4) == 0 {
		ref.ID = fmt.Sprintf("%s%dp", kind, id)
	}
	if ref.Kind.Nested() {
		owner := id / 10
		if r.IntN(2) == 0 {
			owner = r.id(resources[kind].above) // forged
		}
		ref.ID = fmt.Sprintf("%d-%s", owner, ref.ID)
	}
	if kind != "T" && kind != "W" {
		if ref.Parent = strconv.Itoa(workspaceOf(id)); r.IntN(2) == 0 {
			ref.Parent = strconv.Itoa(r.id("W")) // forged
			if r.IntN(3) == 0 {
				ref.Parent = "W" + ref.Parent + "p"
			}
		}
	}
	return model.GlobalID(ref)
}

// node returns the global id of any object.
func (r idSource) node() string {
	switch r.IntN(16) {
	case 0:
		return model.GlobalID(upstream.Ref{Kind: upstream.KindMembership, Parent: strconv.Itoa(r.id("T")), ID: strconv.Itoa(r.id("T")*100 + 1)})
	case 1:
		return model.GlobalID(upstream.Ref{Kind: upstream.KindSubscription, Parent: strconv.Itoa(r.id("T")), ID: strconv.Itoa(r.id("T")*100 + 2)})
	case 2:
		return model.GlobalID(upstream.Ref{Kind: upstream.KindUser, ID: "1"})
	}
	kind := r.kind()
	return r.global(kind, r.id(kind))
}

// query fills a random template.
func (r idSource) query() string {
	query, _ := fill(readTemplates[r.IntN(len(readTemplates))], func(name string) string {
		switch {
		case name == "subdomain":
			return fmt.Sprintf("sub-%d", r.id("W"))
		case name == "raw", name == "cursor":
			return strconv.Itoa(r.id(r.kind()))
		case strings.HasPrefix(name, "node"):
			return r.node()
		}
		return r.form(name, r.id(name))
	})
	return query
}

// TestTenancyHidesForeignRecords sends random queries of several clients of two tokens at once.
// No response may hold a record outside the client's scope. Every record within the scope must
// be found.
func TestTenancyHidesForeignRecords(t *testing.T) {
	t.Parallel()
	for _, ttl := range []time.Duration{0, time.Minute} {
		t.Run("cached for "+ttl.String(), func(t *testing.T) {
			t.Parallel()
			e, all := tenants(t, withCDN(ttl))
			tagged := make(map[string]bool) // tenants with tags of records
			seed, queries := rand.Uint64(), size(500, 50_000)
			if testing.Short() {
				queries = 200
			}
			var wait sync.WaitGroup
			var mu sync.Mutex
			seen := make(map[string]map[string]bool) // seen marks by tenant
			for i := range 8 {
				wait.Go(func() {
					r := idSource{Rand: rand.New(rand.NewPCG(seed, uint64(i)))}
					for range queries {
						x := all[r.IntN(len(all))]
						r.home = x.home()
						query := r.query()
						answered := e.queryAs(x.key, query)
						if found := x.foreign(answered.raw); found != "" {
							t.Errorf("seed %d: %s sees %s:\n%s\n%.2000s", seed, x.name, found, query, answered.raw)
							return
						}
						if !strings.Contains(answered.raw, `"data":`) {
							t.Errorf("seed %d: invalid query: %s\n%.300s", seed, query, answered.raw)
						}
						if strings.Contains(answered.raw, "token-") || strings.Contains(answered.raw, x.key) {
							t.Errorf("seed %d: want no secret in a response, got %s", seed, answered.raw)
						}
						var tags []string
						if ttl > 0 && r.IntN(4) == 0 {
							tags = e.cacheTags(x.key, query)
						}
						for _, tag := range tags {
							if !x.seesTag(tag) {
								t.Errorf("seed %d: the header of %s has the tag %s:\n%s", seed, x.name, tag, query)
								return
							}
						}
						mu.Lock()
						tagged[x.name] = tagged[x.name] || slices.ContainsFunc(tags, endsInDigit)
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
			if len(tagged) < len(all)-1 && ttl > 0 { // one of them sees nothing
				t.Errorf("seed %d: only %v have tags of records", seed, tagged)
			}
			// Records in scope must be visible. The ones that no random query has returned are
			// fetched now.
			for _, x := range all {
				answers := e.queryAs(x.key, "{ teams { nodes { name } } users { nodes { email } } }").raw
				want := map[string]bool{mark("U", x.token): x.teams == nil && x.workspaces == nil}
				for _, id := range every("T", x.token) {
					want[mark("T", id)] = x.seesTeam(id)
				}
				for _, workspace := range x.home() {
					for _, kind := range letters {
						if kind == "T" {
							continue
						}
						want[mark(kind, workspace)] = true
						// All records, as if they were in this workspace
						for ids := range slices.Chunk(every(kind, x.token), 6) {
							var nodes []string
							for _, id := range ids {
								nodes = append(nodes, strconv.Quote(globalIn(workspace, kind, id)))
							}
							answers += e.queryAs(x.key, fmt.Sprintf(`{ nodes(ids: [%s]) { %s } }`, strings.Join(nodes, ", "), fieldsOf(typeOf(kind)))).raw
						}
					}
				}
				if found := x.foreign(answers); found != "" {
					t.Errorf("%s sees %s, want it hidden", x.name, found)
				}
				for text, sees := range want {
					if sees != (seen[x.name][text] || strings.Contains(answers, text)) {
						t.Errorf("seed %d: %s sees %s: %t, want %t", seed, x.name, text, !sees, sees)
					}
				}
			}
		})
	}
}

// TestHiddenLooksMissing sends every query for a hidden record and for a missing one. The
// responses must be the same.
func TestHiddenLooksMissing(t *testing.T) {
	t.Parallel()
	e, all := tenants(t)
	hidden, missing := map[string]int{"T": 12, "W": 121}, map[string]int{"T": 17, "W": 178}
	for _, kind := range letters {
		if kind != "T" && kind != "W" {
			hidden[kind], missing[kind] = first(kind, hidden["W"]), first(kind, missing["W"])
		}
	}
	raw := func(_ string, id int) string { return strconv.Itoa(id) }
	public := func(kind string, id int) string { return fmt.Sprintf("%s%dp", kind, id) }
	global := func(kind string, id int) string { return globalIn(workspaceOf(id), kind, id) }
	crafted := func(kind string, id int) string { return globalIn(131, kind, id) }
	forms := []struct {
		id, node             func(kind string, id int) string
		workspace, subdomain string // replaces the one of the record
	}{
		{id: raw, node: global},
		{id: public, node: crafted, subdomain: "sub-131"},
		{id: crafted, node: crafted, workspace: "131"},
		{id: global, node: global, subdomain: "sub-131"},
		{id: raw, node: membership, workspace: "131", subdomain: "sub-121"},
		{id: public, node: crafted, workspace: "131"},
	}
	for _, x := range all {
		if x.token != 1 || x.seesTeam(12) || x.seesWorkspace(121) {
			continue
		}
		for n, template := range readTemplates {
			for i, form := range forms {
				kinds := []string{letters[(n+i)%len(letters)]}
				if strings.HasPrefix(template, "{ node(") {
					kinds = letters
				}
				for _, kind := range kinds {
					ask := func(ids map[string]int) string {
						query, asked := fill(strings.Replace(template, nodeFields, fieldsOf(typeOf(kind), "Membership"), len(kinds)-1), func(name string) string {
							switch {
							case name == "W" && form.workspace != "":
								return form.workspace
							case name == "subdomain":
								return cmp.Or(form.subdomain, fmt.Sprintf("sub-%d", ids["W"]))
							case name == "raw":
								return raw(kind, ids[kind])
							case name == "cursor":
								// Lists compare numbers, so a missing record's cursor must lie
								// next to the hidden one's.
								if ids[kind] == missing[kind] {
									return raw(kind, unused(kind, hidden[kind]))
								}
								return raw(kind, ids[kind])
							case strings.HasPrefix(name, "node"):
								return form.node(kind, ids[kind])
							}
							return form.id(name, ids[name])
						})
						return alike(e.queryAs(x.key, query).raw, slices.Collect(maps.Values(ids)), asked)
					}
					if a, b := ask(hidden), ask(missing); a != b {
						t.Errorf("%s, form %d, %s: %.200s\nhidden:  %.600s\nwant as for a missing record: %.600s", x.name, i, kind, template, a, b)
					}
				}
			}
		}
	}
}

// unused returns an id next to a record's id that no record has.
func unused(kind string, id int) int {
	for last := range 10 {
		if !strings.Contains(resources[kind].last, strconv.Itoa(last)) {
			return id/10*10 + last
		}
	}
	return id
}

// first returns the id of the first record of a kind in a workspace.
func first(kind string, workspace int) int {
	if kind == "W" {
		return workspace
	}
	return first(resources[kind].above, workspace)*10 + int(resources[kind].last[0]-'0')
}

// globalIn returns a global id that places a record in a workspace, rightly or not.
func globalIn(workspace int, kind string, id int) string {
	ref := upstream.Ref{Kind: resources[kind].kind, ID: strconv.Itoa(id)}
	if ref.Kind.Nested() {
		ref.ID = fmt.Sprintf("%d-%d", id/10, id)
	}
	if kind != "T" && kind != "W" {
		ref.Parent = strconv.Itoa(workspace)
	}
	return model.GlobalID(ref)
}

// membership returns the global id of a team's membership.
func membership(_ string, id int) string {
	for id >= 100 {
		id /= 10
	}
	return model.GlobalID(upstream.Ref{Kind: upstream.KindMembership, Parent: strconv.Itoa(id), ID: strconv.Itoa(id*100 + 1)})
}

// TestCallBudgetRevealsNothing gives a client too few calls to find out whether a record is
// hidden. The response, and what remains of the budget, must be the same as for a missing
// record.
func TestCallBudgetRevealsNothing(t *testing.T) {
	// This chain of calls reveals how much of the budget is left: its last calls start after
	// the look-up.
	const left = `funnels { nodes { pages { nodes { formSubmissions { nodes { contact { emailAddress appliedTags { nodes { tag { createdAt } } } } } } } } } }`
	outcomes := make(map[bool]int)
	for calls := range 11 {
		e, all := tenants(t, withLimits(func(l *limits.Limits) { l.Calls = calls + 1 }))
		x := all[slices.IndexFunc(all, func(x *tenant) bool { return x.name == "two workspaces" })]
		e.queryAs(x.key, `{ workspace(id: "111") { name } }`)
		for _, kind := range letters {
			if kind == "T" || kind == "W" {
				continue
			}
			var answers []string
			for _, id := range []int{first(kind, 121), first(kind, 178)} {
				global := globalIn(111, kind, id)
				answer := e.queryAs(x.key, fmt.Sprintf(`{ node(id: %q) { %s } }`, global, fieldsOf(typeOf(kind)))).raw
				spent := strings.Contains(e.queryAs(x.key, fmt.Sprintf(`{ node(id: %q) { __typename } workspace(id: "111") { %s } }`, global, left)).raw, "CALL_BUDGET_EXCEEDED")
				outcomes[spent]++
				answers = append(answers, alike(answer, []int{id}, nil)+fmt.Sprint(" spent: ", spent))
			}
			if answers[0] != answers[1] {
				t.Errorf("%d calls, %s: hidden\n%s\nwant as for a missing record\n%s", calls+1, kind, answers[0], answers[1])
			}
		}
	}
	if outcomes[true] == 0 || outcomes[false] == 0 {
		t.Errorf("want runs with and without an exhausted budget, got %v", outcomes)
	}
}

// TestCallBudgetRevealsNothingAboutOwners compares the remaining budget where hidden records
// share an owner, or where the operation could know the owner already.
func TestCallBudgetRevealsNothingAboutOwners(t *testing.T) {
	const left = `funnels { nodes { pages { nodes { formSubmissions { nodes { contact { emailAddress appliedTags { nodes { tag { createdAt } } } } } } } } } }`
	node := func(kind upstream.Kind, ids ...string) string {
		all := make([]string, len(ids))
		for i, id := range ids {
			all[i] = strconv.Quote(model.GlobalID(upstream.Ref{Kind: kind, Parent: "111", ID: id}))
		}
		return "nodes(ids: [" + strings.Join(all, ", ") + "]) { __typename }"
	}
	outcomes := make(map[bool]int)
	for calls := range 14 {
		e, all := tenants(t, withLimits(func(l *limits.Limits) { l.Calls = calls + 1 }))
		x := all[slices.IndexFunc(all, func(x *tenant) bool { return x.name == "two workspaces" })]
		e.queryAs(x.key, `{ workspace(id: "111") { name } }`)
		for name, ways := range map[string][2]string{
			"two variants of a product":   {node(upstream.KindProductVariant, "12111", "12112"), node(upstream.KindProductVariant, "17811", "17812")},
			"two prices of a variant":     {node(upstream.KindProductPrice, "121111", "121112"), node(upstream.KindProductPrice, "178111", "178112")},
			"two applied tags":            {node(upstream.KindAppliedContactTag, "12111", "12112"), node(upstream.KindAppliedContactTag, "17811", "17812")},
			"a lesson behind its courses": {node(upstream.KindCourseLesson, "121411") + ` w: workspace(id: "111") { courses { nodes { title } } }`, node(upstream.KindCourseLesson, "178411") + ` w: workspace(id: "111") { courses { nodes { title } } }`},
		} {
			var spent [2]bool
			for i, way := range ways {
				spent[i] = strings.Contains(e.queryAs(x.key, fmt.Sprintf(`{ %s workspace(id: "111") { %s } }`, way, left)).raw, "CALL_BUDGET_EXCEEDED")
				outcomes[spent[i]]++
			}
			if spent[0] != spent[1] {
				t.Errorf("%d calls, %s: the budget is exhausted: %t for hidden records, %t for missing ones, want the same", calls+1, name, spent[0], spent[1])
			}
		}
	}
	if outcomes[true] == 0 || outcomes[false] == 0 {
		t.Errorf("want runs with and without an exhausted budget, got %v", outcomes)
	}
}

var texts = regexp.MustCompile(`"[^"]*"`)

// alike returns a response without the requested ids, which it may repeat, and with its errors
// sorted.
func alike(answer string, ids []int, asked []string) string {
	before, errors, _ := strings.Cut(answer, `,"errors":[`)
	all := strings.Split(strings.TrimSuffix(errors, "]}"), "},{")
	for i, e := range all {
		all[i] = strings.Trim(e, "{}")
	}
	slices.Sort(all)
	return texts.ReplaceAllStringFunc(before+strings.Join(all, "\n"), func(text string) string {
		text = strings.Trim(text, `"`)
		if slices.Contains(asked, text) {
			return "?"
		}
		if ref, ok := model.ParseGlobalID(text); ok && slices.ContainsFunc(ids, func(id int) bool { return slices.Contains(digits.FindAllString(ref.ID, -1), strconv.Itoa(id)) }) {
			return "?"
		}
		return text
	})
}

// TestTeamIsHiddenFromWorkspaceClients selects the team of a workspace as a client that may not
// see the team. Even its id is hidden.
func TestTeamIsHiddenFromWorkspaceClients(t *testing.T) {
	e, all := tenants(t)
	x := all[slices.IndexFunc(all, func(x *tenant) bool { return x.name == "two workspaces" })]
	for _, fields := range []string{"id rawId", "__typename", "id workspaces { nodes { name } }", "name"} {
		r := e.queryAs(x.key, `{ workspace(id: "111") { name team { `+fields+` } } }`)
		if r.get("workspace.name") != "mark-W111.W" || r.get("workspace.team") != nil || r.code("workspace.team") != "NOT_FOUND" {
			t.Errorf("%s: want the team hidden, got %s", fields, r.raw)
		}
	}
}

// writeTemplates are mutations with placeholders for ids, as in readTemplates.
var writeTemplates = append(derivedWriteTemplates(), []string{
	`updateTeam(input: { id: "{T}", name: "x" }) { team { ` + teamFields + ` } userErrors { message } }`,
	`updateWorkspace(input: { id: "{W}", name: "x" }) { workspace { ` + workspaceFields + ` } userErrors { message } }`,
	`createContact(input: { workspaceId: "{W}", emailAddress: "x", tagIds: ["{G}"] }) { contact { ` + contactFields + ` } userErrors { message } }`,
	`createContact(input: { workspaceId: "{W}", emailAddress: "x" }) { contact { ` + contactFields + ` } userErrors { message } }`,
	`upsertContact(input: { workspaceId: "{W}", emailAddress: "x", tagIds: ["{G}", "{raw}"] }) { contact { ` + contactFields + ` } userErrors { message } }`,
	`updateContact(input: { id: "{C}", workspaceId: "{W}", firstName: "x" }) { contact { ` + contactFields + ` } userErrors { message } }`,
	`updateContact(input: { id: "{C}", tagIds: ["{G}"] }) { contact { ` + contactFields + ` } userErrors { message } }`,
	`deleteContact(input: { id: "{C}", workspaceId: "{W}" }) { deletedContactId userErrors { message } }`,
	`deleteContact(input: { id: "{C}" }) { deletedContactId userErrors { message } }`,
	`redactContact(input: { id: "{C}", workspaceId: "{W}", confirm: true }) { redactedContactId userErrors { message } }`,
	`createContactTag(input: { workspaceId: "{W}", name: "x" }) { contactTag { id name workspace { name } } userErrors { message } }`,
	`updateContactTag(input: { id: "{G}", workspaceId: "{W}", name: "x" }) { contactTag { id name workspace { name } } userErrors { message } }`,
	`deleteContactTag(input: { id: "{G}", workspaceId: "{W}" }) { deletedContactTagId userErrors { message } }`,
	`applyContactTag(input: { contactId: "{C}", workspaceId: "{W}", tagId: "{G}" }) { appliedContactTag { id tag { name } contact { emailAddress } } contact { ` + contactFields + ` } userErrors { message } }`,
	`applyContactTag(input: { contactId: "{C}", tagId: "{G}" }) { appliedContactTag { id tag { name } contact { emailAddress } } contact { ` + contactFields + ` } userErrors { message } }`,
	`createContactTagAction(input: { workspaceId: "{W}", tagIds: ["{G}"], targets: { contactIds: ["{C}"] } }) { contactTagAction { id workspace { name } } userErrors { message } }`,
	`createContactUnsubscribeAction(input: { workspaceId: "{W}", targets: { storedFilterId: "{` + letterOf("RefineFilter") + `}" } }) { contactUnsubscribeAction { id workspace { name } } userErrors { message } }`,
	`createContactExportAction(input: { workspaceId: "{W}", fields: ["x"], targets: { all: true } }) { contactExportAction { id fileUrl workspace { name } } userErrors { message } }`,
	`deleteContactExportAction(input: { id: "{` + letterOf("ContactExportAction") + `}", workspaceId: "{W}" }) { deletedContactExportActionId userErrors { message } }`,
	`createSplitTestStep(input: { funnelId: "{F}", workspaceId: "{W}", variants: [{ pageId: "{P}" }] }) { splitTestStep { id funnel { name } } userErrors { message } }`,
	`updateSplitTestStep(input: { id: "{` + letterOf("SplitTestStep") + `}", variants: [{ weight: 100 }, { weight: 0 }] }) { splitTestStep { id funnel { name } variants { showPageStep { name } } } userErrors { message } }`,
	`deleteSplitTestStep(input: { id: "{` + letterOf("SplitTestStep") + `}" }) { deletedSplitTestStepId userErrors { message } }`,
	`createConditionalSplitStep(input: { funnelId: "{F}", workspaceId: "{W}", filterId: "{` + letterOf("RefineFilter") + `}" }) { conditionalSplitStep { id funnel { name } } userErrors { message } }`,
	`updateConditionalSplitStep(input: { id: "{` + letterOf("ConditionalSplitStep") + `}", filterId: "{` + letterOf("RefineFilter") + `}" }) { conditionalSplitStep { id funnel { name } condition { filterPublicId } } userErrors { message } }`,
	`deleteConditionalSplitStep(input: { id: "{` + letterOf("ConditionalSplitStep") + `}", branch: MATCHED }) { deletedConditionalSplitStepId userErrors { message } }`,
	`removeContactTag(input: { contactId: "{C}", workspaceId: "{W}", tagId: "{G}" }) { removedAppliedContactTagId contact { ` + contactFields + ` } userErrors { message } }`,
}...)

// seesWritten reports whether the tenant may write to a record.
func (x *tenant) seesWritten(kindAndID string) bool {
	id, _ := strconv.Atoi(digits.FindString(kindAndID))
	switch {
	case kindAndID[0] == 'T':
		return x.seesTeam(id)
	case kindAndID[0] == 'G' && x.teams == nil && x.workspaces == nil:
		return true // ClickFunnels refuses records that the token cannot reach
	}
	return x.seesWorkspace(workspaceOf(id))
}

// TestTenancyConfinesWrites sends random mutations. No record outside a client's scope may be
// written to, or be in a response.
func TestTenancyConfinesWrites(t *testing.T) {
	e, all := tenants(t)
	seed := rand.Uint64()
	r := idSource{Rand: rand.New(rand.NewPCG(seed, 1))}
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
		r.home = x.home()
		template := r.IntN(len(writeTemplates))
		workspace := r.id("W")
		contact, tag := r.id("C"), r.id("G")
		if r.IntN(2) == 0 { // ids that belong together
			contact, tag = workspace*10+1+r.IntN(2), workspace*10+5
		}
		together := r.IntN(2) == 0
		ids := map[string]int{"T": r.id("T"), "W": workspace, "C": contact, "G": tag}
		mutation, _ := fill("mutation { "+writeTemplates[template]+" }", func(name string) string {
			if name == "raw" {
				return strconv.Itoa(r.id("G"))
			}
			if ids[name] == 0 {
				if ids[name] = r.id(name); together {
					ids[name] = first(name, workspace)
				}
			}
			return r.form(name, ids[name])
		})
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
	// Clients must succeed in writing within their scope.
	for _, x := range all {
		if len(x.workspaces) > 0 && x.teams == nil || x.workspaces == nil {
			if writes[x.name] == 0 && !testing.Short() {
				t.Errorf("seed %d: %s has written %d times, want at least once", seed, x.name, writes[x.name])
			}
		}
	}
	t.Logf("writes: %v", writes)
}
