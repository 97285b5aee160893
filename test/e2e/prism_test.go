//go:build prism

package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// description is ClickFunnels' own OpenAPI description. It lies next to the checkout, because
// we may not copy it.
const description = "../../../shared/clickfunnels/openapi.json"

// transcript collects Prism's output. It is safe for concurrent use.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *transcript) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestPrismAcceptsEveryRequest walks over the whole schema with a mock server behind it, which
// validates each REST call against ClickFunnels' description and answers with the recorded
// bodies. The walk must request every operation, Prism must accept every call, and every recorded
// field must appear in the responses.
func TestPrismAcceptsEveryRequest(t *testing.T) {
	recorded := readRecordings(t)
	const prism = "prism/node_modules/.bin/prism"
	if _, err := os.Stat(prism); err != nil {
		t.Fatal("Prism is not installed: npm ci in test/e2e/prism")
	}
	var said transcript
	merged, added := withLaterOperations(t)
	mock := start(t, regexp.MustCompile(`Prism is listening on (http://\S+)`), &said, prism, "mock", "--port", freePort(t), merged)
	url := funnelgraph(t, "--upstream-url="+lastPages(t, mock))
	w := newWalk(t, recorded)

	askNested(t, url)
	for _, query := range append(w.queries(t), idForms...) {
		_, errs := attempt(t, url, query)
		for _, err := range errs {
			if !isExpected(query, err) {
				t.Errorf("%s: want no errors, got %v", query, err)
			}
		}
	}
	for _, mutation := range w.mutations() {
		data, errs := attempt(t, url, mutation)
		refused, _ := at(data, "m.userErrors").([]any)
		wanted := 0
		if strings.Contains(mutation, "m: reorderFormFields(") {
			wanted = 1 // Prism refuses it: see misdescribed
		}
		if strings.Contains(fmt.Sprint(errs), "The route ") && regexp.MustCompile(`m: (create|delete)Contact\w+Action\(`).MatchString(mutation) {
			continue // the descriptions have no actions on contacts
		}
		if len(errs) > 0 || len(refused) != wanted || data["m"] == nil {
			t.Errorf("%s: want no errors and %d user errors, got %v and %v", mutation, wanted, errs, refused)
		}
	}
	compareRecords(t, url, w, recorded)

	checkOperations(t, said.String(), recorded, added)
	checkViolations(t, said.String(), added)
}

// idForms are queries with ids in other forms than the walk's, and with several records at once.
var idForms = []string{
	`{ teams(last: 3) { nodes { id } } team(id: "GSRInw") { name workspaces(first: 40, after: "7") { nodes { id } } } users(first: 1) { nodes { id } } }`,
	`{ way: team(id: "42000") { workspaces { nodes { id } } } public: team(id: "GSRInw") { workspaces { nodes { id } } } }`,
	`{ workspace(id: "kHdUei") { contacts(first: 50, sort: { property: UPDATED_AT, direction: DESC }, filter: { ids: ["1", "Pxocqg"], emailAddresses: ["a+b@example.com", "c&d@example.com"], tagIds: ["7", "TSgXwK"], isActive: true }) { nodes { id emailEngagement { lastEmailSentAt } } } } }`,
	`{ viewer { user { email } connectedWorkspace { workspaceName } platformApplication { publicId } } }`,
	`{ workspace(id: "42000") { contacts(last: 2, before: "41") { nodes { appliedTags { nodes { contact { id } tag { createdAt } } } tags { updatedAt } } } contactTags(filter: { names: ["VIP", "a b"], ids: ["7"] }) { nodes { id } } } }`,
	`{ workspace(id: "42000") { a: contact(id: "40") { uuid } b: contact(id: "41") { uuid } c: contact(id: "Pxocqg") { uuid } } contact(id: "42", workspaceId: "kHdUei") { appliedTags { nodes { id } } } }`,
}

// expected are the errors that the walk gets because of the recorded bodies, by parts of queries.
var expected = []struct{ query, message string }{
	// The description's example of a workspace's invoices is an invalid reference, and not a list.
	{" orderInvoices(", "ClickFunnels sent a response that cannot be read."},
	// Restocks have no example. Prism's own has the id 0, which is before any cursor, and belongs to
	// another workspace.
	{" on OrderInvoiceRestock {", "There is no such record."},
	{"{ orderInvoiceRestock(", "There is no such record."},
	{" orderInvoiceRestocks(", "ClickFunnels does not continue this list after the given cursor"},
	// The descriptions have no actions on contacts.
	{" on Contact", "The route /contacts/"},
	{"{ contact", "The route /contacts/"},
	{"Actions(", "ClickFunnels does not continue this list after the given cursor"},
	{"Actions(", "The route /workspaces/"},
	// The description has no list of memberships.
	{" teamMemberships(", "ClickFunnels does not continue this list after the given cursor"},
	// The blog's style is not in the recorded list of styles.
	{" on Blog { style {", "There is no such record."},
	// The recorded theme's style is not in the recorded list of styles.
	{" currentStyle {", "There is no such record."},
}

func isExpected(query string, err any) bool {
	message, _ := at(err, "message").(string)
	for _, e := range expected {
		if strings.Contains(query, e.query) && strings.HasPrefix(message, e.message) {
			return true
		}
	}
	return false
}

// lastPages returns the URL of a proxy that makes each page of a mock server the last one. Prism
// sends the same page each time and says that more follow.
func lastPages(t *testing.T, mock string) string {
	t.Helper()
	to, err := url.Parse(mock)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(r *http.Response) error {
		r.Header.Del("Pagination-Next")
		r.Header.Del("Link")
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// askNested asks for records of several levels at once, and checks their recorded values.
func askNested(t *testing.T, url string) {
	t.Helper()
	data := ask(t, url, `{ teams { nodes { name workspaces { nodes { name subdomain contacts(first: 5) { nodes { emailAddress tags { name } customAttributes { key value } workspace { name team { name } } } } } } } } }`)
	const contact = "teams.nodes.0.workspaces.nodes.0.contacts.nodes.0."
	for path, want := range map[string]string{
		"teams.nodes.0.name":                         "Example Team",
		"teams.nodes.0.workspaces.nodes.0.subdomain": "example",
		contact + "tags.0.name":                      "Example Tag",
		contact + "customAttributes.0.value":         "MyText",
		contact + "workspace.team.name":              "Example Team",
	} {
		if got := at(data, path); got != want {
			t.Errorf("%s is %v, want %s", path, got, want)
		}
	}
}

// covered returns the operations that docs/coverage.md lists as a difference of a kind, such as
// "missing operation".
func covered(t *testing.T, kind string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/coverage.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range regexp.MustCompile(kind+": `([^`]+)`").FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	return all
}

// checkOperations checks that Prism received requests of all operations. Only an operation that
// docs/coverage.md lists as missing may lack one. added are those of June 2026.
func checkOperations(t *testing.T, said string, recorded recordings, added []string) {
	t.Helper()
	operations := make(map[string]bool) // whether they were requested
	for path, methods := range recorded {
		for method := range methods {
			if method != "parameters" {
				operations[strings.ToUpper(method)+" "+path] = false
			}
		}
	}
	if len(operations) != 204 {
		t.Errorf("want 204 operations in the description, got %d", len(operations))
	}
	for _, operation := range added {
		operations[operation] = false
	}
	for _, m := range regexp.MustCompile(`\[HTTP SERVER\] (\w+) (\S+) .*Request received`).FindAllStringSubmatch(said, -1) {
		if operation := operationOf(slices.Collect(maps.Keys(operations)), strings.ToUpper(m[1]), m[2]); operation != "" {
			operations[operation] = true
		}
	}
	missing := covered(t, "missing operation")
	for operation, requested := range operations {
		if !requested && !slices.Contains(missing, operation) {
			t.Errorf("want a request of %s by the walk, got none", operation)
		}
	}
}

// operationOf returns the operation that a request matches, the one with the fewest parameters if
// several do, and an empty string if none does.
func operationOf(operations []string, method, path string) string {
	path, _, _ = strings.Cut(path, "?")
	given := strings.Split(method+" "+path, "/")
	best, fewest := "", len(given)
	for _, operation := range operations {
		segments := strings.Split(operation, "/")
		parameters := 0
		matches := slices.EqualFunc(segments, given, func(segment, value string) bool {
			if strings.HasPrefix(segment, "{") {
				parameters++
				return true
			}
			return segment == value
		})
		if matches && parameters < fewest {
			best, fewest = operation, parameters
		}
	}
	return best
}

// misdescribed is the operation whose own example violates the description: its body is an object,
// described as a list (clickfunnels-api.md §5, Forms::Field). Prism refuses any body.
const misdescribed = "POST /forms/field_sets/{field_set_id}/fields/reorder"

// checkViolations checks that no request violated the description. The recorded bodies do not
// always match the description either (clickfunnels-api.md §8, trap 11), so that violations by
// responses do not count. Prism must refuse each operation that docs/coverage.md lists as extra,
// since it knows no path of it, and the misdescribed one.
func checkViolations(t *testing.T, said string, added []string) {
	t.Helper()
	if !strings.Contains(said, "passed the validation rules") {
		t.Error("want Prism to validate the requests, but it does not say so")
	}
	extra := slices.DeleteFunc(covered(t, "extra operation"), func(operation string) bool {
		return slices.ContainsFunc(added, func(other string) bool { return withoutNames(other) == withoutNames(operation) })
	})
	refused := make(map[string]bool)
	terminated := regexp.MustCompile(`\[HTTP SERVER\] (\w+) (\S+) .*Request terminated with error: .*#(NO_PATH_MATCHED_ERROR|UNPROCESSABLE_ENTITY)`)
	request := ""
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "Request received") {
			request = line
		}
		if m := terminated.FindStringSubmatch(line); m != nil {
			unknown := extra
			if m[3] == "UNPROCESSABLE_ENTITY" {
				unknown = []string{misdescribed}
			}
			operation := operationOf(unknown, strings.ToUpper(m[1]), m[2])
			refused[operation] = true
			if operation != "" {
				continue
			}
		}
		if strings.Contains(line, "Violation: request") || strings.Contains(line, "terminated with error") {
			t.Errorf("want requests that match the description, but Prism says after %q: %s", request, line)
		}
	}
	for _, operation := range append(extra, misdescribed) {
		if !refused[operation] {
			t.Errorf("want Prism to refuse %s, which the description lacks or contradicts", operation)
		}
	}
}
