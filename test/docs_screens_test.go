package test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/bench/screens"
)

// TestDocsScreensMatchTheirTable counts the calls and bytes of the screens of docs/screens.md
// over REST and over GraphQL, and compares them with the page's table. The times in the table
// come from bench/screens/run.
func TestDocsScreensMatchTheirTable(t *testing.T) {
	api := screens.NewAPI(0)
	alone := httptest.NewServer(api)
	t.Cleanup(alone.Close)
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, _ string) bool {
		api.ServeHTTP(w, r)
		return true
	}))
	at := func(url string) string { return strings.TrimPrefix(url, "http://") }
	table, err := screens.Servers{API: api, APIAddress: at(alone.URL), GraphAddress: at(e.url)}.Measure(t.Context(), 0, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("docs/screens.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, screen := range screens.Screens {
		if !strings.Contains(page, "```graphql\n"+screen.Query+"```") {
			t.Errorf("the page does not have the query of the %s:\n%s", screen.Name, screen.Query)
		}
	}
	_, rows, ok := strings.Cut(page, screens.Head)
	if !ok {
		t.Fatalf("the page has no table that begins with\n%s", screens.Head)
	}
	rows, _, _ = strings.Cut(rows, "\n\n")
	_, want, _ := strings.Cut(screens.Markdown(table), screens.Head)
	if got := untimed(rows); got != untimed(want) {
		t.Errorf("the page's table without times:\n%s\nwant the counts:\n%s", got, untimed(want))
	}
}

// untimed returns the rows of a table without the two columns of milliseconds.
func untimed(rows string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(rows)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		for i, cell := range cells {
			if i != 4 && i != len(cells)-1 {
				b.WriteString(cell + " | ")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}
