package demo

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEveryOperationIsServed sends every operation of ClickFunnels' descriptions, with ids that may not
// exist. Each must have a route, except the ones that the API has replaced.
func TestEveryOperationIsServed(t *testing.T) {
	operation := regexp.MustCompile(`(?m)^(GET|POST|PUT|PATCH|DELETE) (/\S+)$`)
	id := regexp.MustCompile(`\{[a-z_]+\}`)
	s, seen := New(), make(map[string]bool)
	for _, file := range []string{"../../tools/generate/api-2025.txt", "../../tools/generate/api-2026.txt"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range operation.FindAllStringSubmatch(string(text), -1) {
			if seen[found[0]] || found[0] == "POST /products/{product_id}/prices" { // below variants since 2026
				continue
			}
			seen[found[0]] = true
			path := id.ReplaceAllString(strings.NewReplacer("{workspace_id}", "101", "/workspaces/{id}", "/workspaces/101", "{team_id}", "11", "/teams/{id}", "/teams/11").Replace(found[2]), "1")
			served := false
			for _, host := range []string{"accounts", "acme-academy"} {
				r := httptest.NewRequestWithContext(t.Context(), found[1], "/"+host+BasePath+path, strings.NewReader("{}"))
				r.Header.Set("Authorization", "Bearer "+Token)
				r.Header.Set("User-Agent", "test")
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				served = served || w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "No such route")
			}
			if !served {
				t.Errorf("%s has no route", found[0])
			}
		}
	}
	if len(seen) < 250 {
		t.Errorf("%d operations", len(seen))
	}
}
