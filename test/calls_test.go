package test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// callRow is a query and the number of REST calls that it takes.
type callRow struct {
	name      string
	query     string
	variables map[string]any
	// warm is sent first with the same token, to fill what funnelgraph remembers.
	warm string
	want int
	// why explains the number where it is not obvious.
	why string
}

// callTable holds the number of REST calls of each query. It is the least that the API allows.
var callTable = slices.Concat(derivedCalls(), relationCalls(), []callRow{
	{name: "teams", query: `{ teams { nodes { name } } }`, want: 1},
	{name: "teams, workspaces, contacts", query: nested, want: 1 + 3 + 12, why: "1 + T + T·W"},
	{name: "first page of workspaces only", query: `{ teams { nodes { workspaces { nodes { name } } } } }`, want: 1 + 3},
	{name: "the parents are already read", query: `{ team(id: "11") { name workspaces { nodes { contacts { nodes { workspace { name team { name } } } } } } } }`, want: 1 + 1 + 4},
	{name: "tags come with the contact", query: `{ teams { nodes { workspaces { nodes { contacts { nodes { tags { id name color } taggings { appliedAt tag { name } } } } } } } } }`, want: 16},
	{name: "only ids of an unread workspace", query: `{ node(id: "` + contactIDs(1)[0] + `") { id ... on Contact { workspace { id rawId } } } }`, warm: `{ workspace(id: "101") { name } }`, want: 1},
	{name: "40 contacts by raw id", query: `{ workspace(id: "101", subdomain: "acme-academy") { ` + contactAliases(40, `contact(id: "%s") { emailAddress }`) + ` } }`, want: 2, why: "filter[id] takes 20 ids; the subdomain is given"},
	{name: "40 contacts by raw id, subdomain unknown", query: `{ ` + contactAliases(40, `contact(id: "%s", workspaceId: "101") { emailAddress }`) + ` }`, want: 3, why: "one more call looks the subdomain up"},
	{name: "40 contacts by raw id, subdomain remembered", warm: `{ workspace(id: "101") { name } }`, query: `{ ` + contactAliases(40, `contact(id: "%s", workspaceId: "101") { emailAddress }`) + ` }`, want: 2},
	{name: "40 contacts by nodes", warm: `{ workspace(id: "101") { name } }`, query: `query($ids: [ID!]!) { nodes(ids: $ids) { ... on Contact { emailAddress } } }`, variables: map[string]any{"ids": contactIDs(40)}, want: 2},
	{name: "40 contacts by node aliases", warm: `{ workspace(id: "101") { name } }`, query: func() string {
		var b strings.Builder
		for i, id := range contactIDs(40) {
			fmt.Fprintf(&b, "n%d: node(id: %q) { ... on Contact { emailAddress } } ", i, id)
		}
		return "{ " + b.String() + " }"
	}(), want: 2},
	{name: "40 contacts below one alias of their workspace each", query: `{ ` + contactAliases(40, `workspace(id: "101", subdomain: "acme-academy") { contact(id: "%s") { emailAddress } }`) + ` }`, want: 2, why: "the loader waits briefly for other parts of the query"},
	{name: "40 contacts, half of them below their workspace", warm: `{ workspace(id: "101") { name } }`, query: `{ workspace(id: "101") { ` + contactAliases(20, `contact(id: "%s") { emailAddress }`) + ` } ` + contactAliases(40, `contact(id: "%s", workspaceId: "101") { firstName }`) + ` }`, want: 2},
	{name: "40 contacts of a workspace by its public id", query: `{ workspace(id: "` + public101 + `") { ` + contactAliases(40, `contact(id: "%s") { emailAddress }`) + ` } }`, want: 3},
	{name: "40 contacts by their workspace's public id", query: `{ ` + contactAliases(40, `contact(id: "%s", workspaceId: "`+public101+`") { emailAddress }`) + ` }`, want: 3},
	{name: "40 contacts below a list", query: `{ team(id: "11") { workspaces(first: 1) { nodes { ` + contactAliases(40, `contact(id: "%s") { emailAddress }`) + ` } } } }`, want: 3},
	{name: "40 contacts below a node", query: `{ node(id: "` + model.GlobalID(upstream.Ref{Kind: upstream.KindWorkspace, ID: "101"}) + `") { ... on Workspace { ` + contactAliases(40, `contact(id: "%s") { emailAddress }`) + ` } } }`, want: 3},
	{name: "one contact with and without its engagement", warm: `{ workspace(id: "101") { name } }`, query: `{ a: contact(id: "` + contactIDs(1)[0] + `") { emailAddress } b: contact(id: "` + contactIDs(1)[0] + `") { emailEngagement { lastEmailSentAt } } }`, want: 1},
	{name: "a public id and a subdomain", query: `{ workspace(id: "` + public101 + `", subdomain: "acme-academy") { contact(id: "3000000004") { id emailAddress workspace { id rawId } appliedTags { nodes { id } } } } }`, want: 2, why: "the contact names its workspace"},
	{name: "41 contacts by id", query: `{ workspace(id: "101", subdomain: "acme-academy") { ` + contactAliases(41, `contact(id: "%s") { emailAddress }`) + ` } }`, want: 3},
	{name: "a contact that lists leave out", query: `{ workspace(id: "101", subdomain: "acme-academy") { a: contact(id: "3000000041") { rawId anonymous } b: contact(id: "3000000001") { rawId } c: contact(id: "3000000002") { rawId } } }`, want: 2, why: "filter[id], then the member path for the missing one"},
	{name: "one contact", query: `{ workspace(id: "101", subdomain: "acme-academy") { contact(id: "3000000041") { emailAddress } } }`, want: 1, why: "the member path finds every contact"},
	{name: "the same contact in many places", warm: `{ workspace(id: "101") { name } }`, query: `{ a: contact(id: "3000000001", workspaceId: "101") { emailAddress } b: contact(id: "` + contactIDs(1)[0] + `") { firstName } n: node(id: "` + contactIDs(1)[0] + `") { ... on Contact { lastName } } w: workspace(id: "101", subdomain: "acme-academy") { contact(id: "3000000001") { lastName } } }`, want: 1},
	{name: "the same team in many places", query: `{ a: team(id: "11") { name } b: team(id: "11") { locale } n: node(id: "` + model.GlobalID(upstream.Ref{Kind: upstream.KindTeam, ID: "11"}) + `") { ... on Team { name } } }`, want: 1},
	{name: "the same workspace in many places", query: `{ a: workspace(id: "101") { name } b: workspace(id: "101") { subdomain contacts { nodes { id } } } c: contact(id: "3000000001", workspaceId: "101") { workspace { name } } }`, want: 3, why: "the workspace, its contacts, and the contact, which may not exist"},
	{name: "the same list in many places", query: `{ a: teams { nodes { name } } b: teams(first: 5) { nodes { locale } } c: teams(first: 2) { pageInfo { hasNextPage } } }`, want: 1, why: "one page serves every window in it"},
	{name: "one list, three windows", query: `{ workspace(id: "103", subdomain: "acme-podcast") { a: contacts(first: 10) { nodes { id } } b: contacts(first: 50) { nodes { id } } c: contacts(first: 30) { nodes { id } } } }`, want: 3},
	{name: "first: 50", query: `{ workspace(id: "103", subdomain: "acme-podcast") { contacts(first: 50) { nodes { id } } } }`, want: 3},
	{name: "first: 100", query: `{ workspace(id: "103", subdomain: "acme-podcast") { contacts(first: 100) { nodes { id } } } }`, want: 5},
	{name: "last: 25", query: `{ workspace(id: "103", subdomain: "acme-podcast") { contacts(last: 25) { nodes { id } } } }`, want: 2},
	{name: "first: 60 of 20", query: `{ workspace(id: "102", subdomain: "acme-retreats") { contacts(first: 60) { nodes { id } pageInfo { hasNextPage } } } }`, want: 1, why: "the header says that there is no next page"},
	{name: "subdomain given", query: `{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { id } } } }`, want: 1},
	{name: "subdomain given, with the workspace's fields", query: `{ workspace(id: "101", subdomain: "acme-academy") { name contacts { nodes { id } } } }`, want: 2},
	{name: "subdomain remembered", warm: `{ workspace(id: "101") { name } }`, query: `{ workspace(id: "101") { id rawId contacts { nodes { id } } } }`, want: 1},
	{name: "subdomain learned from a list", warm: `{ team(id: "11") { workspaces { nodes { id } } } }`, query: `{ workspace(id: "101") { contacts { nodes { id } } } }`, want: 1},
	{name: "subdomain looked up", query: `{ workspace(id: "101") { contacts { nodes { id } } } }`, want: 2},
	{name: "a team without fields of its own", query: `{ team(id: "11") { id workspaces { nodes { name } } } }`, want: 1, why: "its record is not needed"},
	{name: "all fields of tags", query: `{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { tags { createdAt } } } } }`, want: 2, why: "six tags, one filter[id]"},
	{name: "all fields of tags by edges", query: `{ workspace(id: "101", subdomain: "acme-academy") { contacts { edges { node { tags { createdAt } } } } } }`, want: 2},
	{name: "all fields of tags by taggings", query: `{ workspace(id: "101", subdomain: "acme-academy") { contacts { edges { node { taggings { tag { name updatedAt } } } } } } }`, want: 2},
	{name: "all fields of tags by applied tags", query: `{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 20) { nodes { appliedTags { nodes { tag { createdAt } } } } } } }`, want: 22, why: "the contacts, the applied tags of each, all their tags"},
	{name: "applied tags", query: `{ workspace(id: "101", subdomain: "acme-academy") { contact(id: "3000000004") { appliedTags { nodes { tag { name color } contact { timeZone } } } } } }`, want: 2, why: "the contact, whose fields are then known, and its applied tags"},
	{name: "applied tags with their contacts", query: `{ workspace(id: "101", subdomain: "acme-academy") { contact(id: "3000000004") { id appliedTags { nodes { contact { emailAddress firstName } } } } } }`, want: 1, why: "an applied tag embeds its contact"},
	{name: "applied tags of a contact without fields of its own", query: `{ workspace(id: "101", subdomain: "acme-academy") { contact(id: "3000000004") { id appliedTags { nodes { tag { name } contact { id } } } } } }`, want: 1},
	{name: "e-mail engagement", query: `{ workspace(id: "101", subdomain: "acme-academy") { contacts { edges { node { emailEngagement { lastEmailSentAt } } } } } }`, want: 1, why: "the list expands it"},
	{name: "e-mail engagement of one contact", query: `{ workspace(id: "101", subdomain: "acme-academy") { contact(id: "3000000004") { emailAddress emailEngagement { lastEmailSentAt } } } }`, want: 1},
	{name: "a filter that nothing matches", query: `{ workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { ids: ["` + model.GlobalID(upstream.Ref{Kind: upstream.KindContact, Parent: "102", ID: "3000000060"}) + `"] }) { nodes { id } } } }`, want: 0, why: "the id is of another workspace"},
	{name: "contacts by names of tags", query: `{ workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { tagNames: ["VIP", "Lead"] }) { nodes { id } } } }`, want: 2, why: "the tags by one filter[name], and the contacts"},
	{name: "workspaces of all teams", query: `{ workspaces { nodes { name team { id } } } }`, want: 4, why: "the teams, and the workspaces of each of the three"},
	{name: "workspaces of all teams with contacts", query: `{ workspaces { nodes { contacts(first: 1) { nodes { id } } } } }`, want: 16, why: "their subdomains are known from the lists"},
	{name: "statistics of pages and of their embedded funnels", query: `{ workspace(id: "101", subdomain: "acme-academy") { pages(first: 5) { nodes { stats { currency } funnel { id stats { currency } } } } } }`, want: 1 + 5 + 2, why: "the pages, the statistics of each, those of their two funnels"},
	{name: "the viewer", query: `{ viewer { name canWrite } }`, want: 0},
	{name: "the viewer with workspaces and user", query: `{ viewer { workspaces { name } user { email } } workspaces { nodes { name } } }`, want: 5, why: "the lists are read once"},
	{name: "the viewer's token, twice", query: `{ a: viewer { user { email } connectedWorkspace { workspaceName } } b: viewer { platformApplication { rawId } } }`, want: 1, why: "one GET /me"},
	{name: "a site and e-mail settings, twice", query: `{ workspace(id: "101", subdomain: "acme-academy") { site { name } again: site { rawId } emailSettings { systemEmailsFromAddress { name } } other: emailSettings { marketingEmailsFromAddress { name } } } }`, want: 2},
	{name: "conditional split steps with their filters", query: `{ workspace(id: "101", subdomain: "acme-academy") { funnels { nodes { conditionalSplitSteps { nodes { condition { filter { name } } } } } } } }`, want: 4, why: "the funnels, and one list of steps each, which embed their filters on request"},
	{name: "statistics of a funnel with its pages", query: `{ workspace(id: "101", subdomain: "acme-academy") { funnels(first: 1) { nodes { stats { steps { page { name } } } again: stats { currency } } } } }`, want: 3, why: "the funnels, the statistics once, and the pages by filter[id]"},
	{name: "prices that a subscription can change to", query: `{ workspace(id: "101", subdomain: "acme-academy") { products(first: 1) { nodes { prices(first: 1) { nodes { changeOptions { upgrade { variant { product { name } } } downgrade { variant { product { name } } } } } } } } } }`, want: 3, why: "the product, its prices, and the options, whose variants are of the same product"},
	{name: "contacts of a stored filter", query: `{ workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { storedFilterId: "200001" }) { nodes { rawId } } } }`, want: 1},
	{name: "records by id in one request", warm: `{ workspace(id: "101") { name } }`, query: `{ a: order(id: "50001", workspaceId: "101") { orderNumber } b: order(id: "50002", workspaceId: "101") { orderNumber } }`, want: 1, why: "one filter[id]"},
	{name: "memberships by node", query: `{ a: node(id: "` + model.GlobalID(upstream.Ref{Kind: upstream.KindMembership, Parent: "11", ID: "8110"}) + `") { ... on Membership { userEmail team { name } } } }`, want: 1},
	{name: "form submissions with contacts and pages", query: `{ workspace(id: "101", subdomain: "acme-academy") { formSubmissions { nodes { data { key value } contact { emailAddress } page { name funnel { name } } workspace { rawId } } } } }`, want: 3, why: "the list, and by filter[id] its contacts and its pages, which embed their funnels' names"},
	{name: "form submissions by edges", query: `{ workspace(id: "101", subdomain: "acme-academy") { formSubmissions { edges { node { contact { id rawId } page { id } } } } } }`, want: 1, why: "a submission names both ids"},
	{name: "pages with their funnels", query: `{ workspace(id: "101", subdomain: "acme-academy") { pages { nodes { name funnel { rawId name } } } } }`, want: 1, why: "a page embeds its funnel's name"},
	{name: "pages with all fields of their funnels", query: `{ workspace(id: "101", subdomain: "acme-academy") { pages { nodes { name funnel { archived tags { name } } } } } }`, want: 2, why: "three funnels, one filter[id]"},
	{name: "orders with contacts, line items and pages", query: `{ workspace(id: "101", subdomain: "acme-academy") { orders { nodes { totalAmount { amount currency } lineItems { quantity price { amount { amount } } } contact { emailAddress tags { name } } page { name } workspace { rawId } } } } }`, want: 1, why: "an order embeds them"},
	{name: "orders with all fields of their workspace", query: `{ workspace(id: "101", subdomain: "acme-academy") { orders { nodes { workspace { name subdomain publicId createdAt team { id } } } } } }`, want: 1, why: "an order embeds it"},
	{name: "an order with its workspace", warm: `{ workspace(id: "101") { name } }`, query: `{ node(id: "` + model.GlobalID(upstream.Ref{Kind: upstream.KindOrder, Parent: "101", ID: "50001"}) + `") { ... on Order { workspace { name } } } }`, want: 1},
	{name: "orders with all fields of their pages", query: `{ workspace(id: "101", subdomain: "acme-academy") { orders { nodes { page { url } } } } }`, want: 2, why: "six pages, one filter[id]"},
	{name: "orders with the e-mail engagement of their contacts", query: `{ workspace(id: "101", subdomain: "acme-academy") { orders { nodes { contact { emailEngagement { lastEmailSentAt } } } } } }`, want: 2, why: "orders do not embed it: the contacts by filter[id]"},
	{name: "children of contacts: orders", query: `{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { orders(first: 5) { nodes { totalAmount { amount } lineItems { quantity } } } } } } }`, want: 2, why: "the contacts, and their orders by one filter[contact_id]"},
	{name: "children of contacts: orders by edges", query: `{ workspace(id: "101", subdomain: "acme-academy") { contacts { edges { node { orders(first: 5) { edges { node { totalAmount { amount } } } } } } } } }`, want: 2, why: "the first row requests the orders of all"},
	{name: "children of contacts: all lists", query: `{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { emailAddress orders { nodes { orderNumber } } formSubmissions { nodes { data { key } } } opportunities { nodes { name } } enrollments { nodes { course { title } } } } } } }`, want: 7, why: "the contacts, three filters, the courses, and the enrollments of each of the two"},
	{name: "children of contacts: of one contact", query: `{ contact(id: "3000000001", workspaceId: "101") { orders { nodes { contact { emailAddress } } pageInfo { hasNextPage } } enrollments { nodes { course { title } } } } }`, want: 6, why: "the workspace, the contact, its orders, the courses, and two lists of enrollments"},
	{name: "children of contacts: of an embedded contact", query: `{ workspace(id: "101", subdomain: "acme-academy") { orders(first: 1) { nodes { contact { id orders { nodes { orderNumber } } } } } } }`, want: 2, why: "the order names its contact"},
	{name: "children of contacts: 40 contacts by id", warm: `{ workspace(id: "101") { name } }`, query: `query($ids: [ID!]!) { nodes(ids: $ids) { ... on Contact { emailAddress orders { nodes { orderNumber } } } } }`, variables: map[string]any{"ids": contactIDs(40)}, want: 3, why: "filter[id] twice, and one filter[contact_id] for all 40"},
	{name: "children of contacts: more than a page of orders", query: `{ workspace(id: "103", subdomain: "acme-podcast") { contacts(first: 3) { nodes { orders(first: 3) { nodes { orderNumber } } } } } }`, want: 3, why: "the first contact has 26 orders: once it has three, the filter omits it"},
	{name: "children of contacts: more than a page of orders, all selected", query: `{ workspace(id: "103", subdomain: "acme-podcast") { contacts(first: 3) { nodes { orders(first: 50) { nodes { orderNumber } pageInfo { hasNextPage } } } } } }`, want: 3, why: "two pages of orders"},
	{name: "children of contacts: whether there are more", query: `{ workspace(id: "103", subdomain: "acme-podcast") { contact(id: "3000000078") { orders(first: 20) { nodes { orderNumber } pageInfo { hasNextPage } } } } }`, want: 2, why: "the contact, and a page whose header says that there are more"},
	{name: "products with variants and prices", query: `{ workspace(id: "101", subdomain: "acme-academy") { products { nodes { name variants { nodes { name prices { nodes { amount { amount currency } } } product { name } } } } } } }`, want: 9, why: "the products; for each of four its variants, and by one filter[variant_id] their prices"},
	{name: "products with prices and their variants", query: `{ workspace(id: "101", subdomain: "acme-academy") { products { nodes { prices { nodes { amount { amount } variant { name } } } } } } }`, want: 9, why: "the products; for each of four its prices, and by one filter[id] their variants"},
	{name: "products with tags and collections", query: `{ workspace(id: "101", subdomain: "acme-academy") { products { nodes { tags { name } collections { nodes { name } } defaultVariant { id } } } } }`, want: 3, why: "the products, their tags by filter[id], and the collections once for all"},
	{name: "collections with products", query: `{ workspace(id: "101", subdomain: "acme-academy") { productCollections { nodes { products { nodes { name } } } } } }`, want: 2, why: "the products by filter[id]"},
	{name: "courses with sections and lessons", query: `{ workspace(id: "101", subdomain: "acme-academy") { courses { nodes { title sections { nodes { title lessons { nodes { title section { title course { title } } } } } } } } } }`, want: 9, why: "1 + C + S: two courses with three sections each, the root among them"},
	{name: "courses with enrollments", query: `{ workspace(id: "101", subdomain: "acme-academy") { courses { nodes { title enrollments { nodes { contact { id } course { title } } } } } } }`, want: 3, why: "the courses and two lists, which name their contacts"},
	{name: "courses with enrollments and embedded contact fields", query: `{ workspace(id: "101", subdomain: "acme-academy") { courses { nodes { enrollments { nodes { contact { id publicId emailAddress firstName lastName phoneNumber workspace { id } } } } } } } }`, want: 3, why: "an enrollment embeds these fields"},
	{name: "courses with enrollments and other contact fields", query: `{ workspace(id: "101", subdomain: "acme-academy") { courses(first: 1) { nodes { enrollments(first: 20) { nodes { contact { emailAddress timeZone } } } } } } }`, want: 3, why: "enrollments do not embed the time zone: 20 contacts, one filter[id]"},
	{name: "pipelines with stages and opportunities", query: `{ workspace(id: "101", subdomain: "acme-academy") { salesPipelines { nodes { name stages { name closeProbability opportunities { nodes { name value contact { emailAddress } pipeline { name } stage { name } notes { content } } } } } } } }`, want: 2, why: "a pipeline embeds its stages; one filter for all opportunities"},
	{name: "pipelines with all fields of their stages", query: `{ workspace(id: "101", subdomain: "acme-academy") { salesPipelines { nodes { stages { name createdAt } } } } }`, want: 2, why: "embedded stages have no createdAt, so each pipeline's stages are listed"},
	{name: "pipelines with the pipelines of their stages", query: `{ workspace(id: "101", subdomain: "acme-academy") { salesPipelines { nodes { stages { pipeline { createdAt } } } } } }`, want: 1, why: "they are already read"},
	{name: "opportunities with all fields of their notes", query: `{ workspace(id: "101", subdomain: "acme-academy") { salesOpportunities { nodes { notes { content createdAt updatedAt opportunity { createdAt } } } } } }`, want: 1, why: "an opportunity embeds its notes"},
	{name: "products with all fields of their collections", query: `{ workspace(id: "101", subdomain: "acme-academy") { products { nodes { collections { nodes { createdAt } } } } } }`, want: 2, why: "all collections are on one page, which names their products"},
	{name: "pipelines with their opportunities", query: `{ workspace(id: "101", subdomain: "acme-academy") { salesPipelines { nodes { opportunities(sort: { property: SORT_ORDER, direction: DESC }) { nodes { name } } } } } }`, want: 2},
	{name: "courses of a workspace by its public id", query: `{ workspace(id: "` + public101 + `", subdomain: "acme-academy") { courses { nodes { id workspace { rawId } } } } }`, want: 2, why: "ids hold the workspace's raw id, which no course names"},
	{name: "orders with invoices and transactions", query: `{ workspace(id: "101", subdomain: "acme-academy") { orders(first: 3) { nodes { invoices { nodes { invoiceNumber order { orderNumber contact { emailAddress } } contact { emailAddress } } } transactions { nodes { amount { amount } order { orderNumber } } } } } } }`, want: 7, why: "REST lists both for one order at a time: 1 + N + N"},
	{name: "invoices of a workspace with contacts and orders", query: `{ workspace(id: "101", subdomain: "acme-academy") { orderInvoices { nodes { totalAmount { amount } rawInvoiceType contact { emailAddress } order { id orderNumber } } } } }`, want: 1, why: "an invoice embeds both"},
	{name: "amounts of the orders of invoices", query: `{ workspace(id: "101", subdomain: "acme-academy") { orderInvoices { nodes { order { totalAmount { __typename amount } } } } } }`, want: 1, why: "an invoice embeds its order's total"},
	{name: "currencies of the orders of invoices", query: `{ workspace(id: "101", subdomain: "acme-academy") { orderInvoices { nodes { order { totalAmount { amount ... on Money { in: currency } } } } } } }`, want: 2, why: "an invoice does not embed its order's currency"},
	{name: "orders with their tags", query: `{ workspace(id: "101", subdomain: "acme-academy") { orders { nodes { tags { name color } } } } }`, want: 2, why: "two tags in one list, which has no filter"},
	{name: "orders with their products", query: `{ workspace(id: "101", subdomain: "acme-academy") { orders { nodes { lineItems { product { name } } } } } }`, want: 2, why: "four products, one filter[id]"},
	{name: "funnels with pages and form submissions", query: `{ workspace(id: "101", subdomain: "acme-academy") { funnels { nodes { name pages { nodes { name formSubmissions { nodes { contact { id } } } } } } } } }`, want: 3, why: "one filter[funnel_ids], one filter[page_id]"},
	{name: "independent lists", query: `{ workspace(id: "101", subdomain: "acme-academy") { funnels { nodes { name } } pages { nodes { name } } formSubmissions { nodes { rawId } } contacts { nodes { rawId } } } }`, want: 4},
	{name: "only introspection", query: `{ __typename __schema { queryType { name } } }`, want: 0},
	{name: "only the type name of a list", query: `query($no: Boolean = false) { teams { __typename nodes @include(if: $no) { name } ... on TeamConnection { type: __typename } } }`, want: 0},
	{name: "only pageInfo", query: `{ teams { pageInfo { hasNextPage endCursor } } }`, want: 1},
	{name: "only the type names of rows", query: `{ teams { nodes { __typename } } }`, want: 1},
	{name: "skipped", query: `query($no: Boolean = false) { teams @include(if: $no) { nodes { name } } }`, want: 0},
})

// derivedCalls returns rows for the resources that are simulated from their description.
func derivedCalls() []callRow {
	var all []callRow
	for _, x := range demo.Derived() {
		const warm = `{ workspace(id: "101") { name } }`
		list := x.Field + " { nodes { id rawId" + x.Selection("") + " workspace { id } } }"
		record := fmt.Sprintf(`{ node(id: %q) { ... on %s { id rawId%s workspace { id } } } }`, derivedID(x), x.Type, x.Selection(""))
		row := callRow{name: x.Type + ": list", warm: warm, query: `{ workspace(id: "101", subdomain: "acme-academy") { ` + list + ` } }`, want: 1}
		if x.Parent != "Workspace" {
			row.query, row.want = fmt.Sprintf(`{ node(id: %q) { ... on %s { %s } } }`, derivedParent(x), x.Parent, list), 2
		}
		all = append(all, row, callRow{name: x.Type + ": record", warm: warm, query: record, want: 1})
	}
	return all
}

// TestCallsAreMinimal counts the REST calls of every row, with all processors and with one.
func TestCallsAreMinimal(t *testing.T) {
	for _, procs := range []int{runtime.GOMAXPROCS(0), 1} {
		for _, row := range callTable {
			t.Run(fmt.Sprintf("%d/%s", procs, row.name), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				e := newEnv(t)
				if row.warm != "" {
					e.must(row.warm)
					e.forget()
				}
				e.must(row.query, row.variables)
				if calls := e.callsOf(demo.Token); len(calls) != row.want {
					t.Errorf("%d calls, want %d (%s):\n%s", len(calls), row.want, row.why, strings.Join(calls, "\n"))
				}
			})
		}
	}
}

// TestCallsAreMinimalUnderLoad sends 64 concurrent requests of every row. Each has a token of
// its own, so that no two share a call.
func TestCallsAreMinimalUnderLoad(t *testing.T) {
	clients := 64
	if testing.Short() {
		clients = 4 // for the race detector
	}
	e := newEnv(t, withLatency(time.Millisecond))
	for turn, procs := range []int{runtime.GOMAXPROCS(0), 1} {
		for n, row := range callTable {
			t.Run(fmt.Sprintf("%d/%s", procs, row.name), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				token := func(i int) string { return fmt.Sprint(demo.Token, ".", turn, ".", n, ".", i) }
				all := func(query string, variables map[string]any) {
					var wait sync.WaitGroup
					for i := range clients {
						wait.Go(func() {
							if r := e.queryAs(token(i), query, variables); len(r.Errors) > 0 {
								t.Errorf("want no errors, got %s", r.raw)
							}
						})
					}
					wait.Wait()
				}
				if row.warm != "" {
					all(row.warm, nil)
					e.forget()
				}
				all(row.query, row.variables)
				for i := range clients {
					if calls := e.callsOf(token(i)); len(calls) != row.want {
						t.Fatalf("%d calls, want %d (%s):\n%s", len(calls), row.want, row.why, strings.Join(calls, "\n"))
					}
				}
			})
		}
	}
}

// TestCallsAreShared sends the same query from many clients at once with one credential. The
// calls of each level last until all clients have joined.
func TestCallsAreShared(t *testing.T) {
	clients := 64
	if testing.Short() {
		clients = 8 // the race detector makes each of them slow
	}
	e := newEnv(t, withLatency(time.Second))
	var wait sync.WaitGroup
	answers := make([]string, clients)
	for i := range clients {
		// Identical operations would be executed once.
		wait.Go(func() { answers[i] = e.must(nested + strings.Repeat(" ", i)).raw })
	}
	wait.Wait()
	if calls := e.callsOf(demo.Token); len(calls) != 16 {
		t.Errorf("%d calls for %d clients, want 16:\n%s", len(calls), clients, strings.Join(calls, "\n"))
	}
	if slices.ContainsFunc(answers, func(a string) bool { return a != answers[0] }) {
		t.Error("the responses differ, want equal ones")
	}
}

// TestCallsAreNotSharedAcrossCredentials sends the same query at once with two credentials. One
// of them is invalid.
func TestCallsAreNotSharedAcrossCredentials(t *testing.T) {
	e := newEnv(t, withLatency(time.Second))
	var wait sync.WaitGroup
	for i := range 20 {
		token, code := demo.Token, ""
		if i%2 == 1 {
			token, code = "stranger", "UNAUTHENTICATED"
		}
		wait.Go(func() {
			if r := e.queryAs(token, `{ teams { nodes { name } } }`); r.code("teams") != code || (code == "") != (r.get("teams.nodes.0.name") == "Acme Coaching") {
				t.Errorf("%s: want the teams with the valid token and UNAUTHENTICATED without, got %s", token, r.raw)
			}
		})
	}
	wait.Wait()
	if good, bad := e.callsOf(demo.Token), e.callsOf("stranger"); len(good) != 1 || len(bad) != 1 {
		t.Errorf("calls %q and %q, want one each", good, bad)
	}
}

// TestCallsGoToTheHostOfTheirData expects each call on the host that holds its data.
func TestCallsGoToTheHostOfTheirData(t *testing.T) {
	e := newEnv(t)
	e.must(`{ users { nodes { id } } team(id: "12") { name workspaces(first: 1) { nodes { contacts(first: 1) { nodes { appliedTags { nodes { id } } } } contactTags { nodes { id } } } } } }`)
	want := []string{
		"accounts /teams/12", "accounts /teams/12/workspaces", "accounts /users",
		"northwind-yoga /contacts/3000000235/applied_tags", "northwind-yoga /workspaces/105/contacts", "northwind-yoga /workspaces/105/contacts/tags",
	}
	if got := e.callsOf(demo.Token); !slices.Equal(got, want) {
		t.Errorf("calls\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
