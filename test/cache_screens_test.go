package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/bench/screens"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestScreensWithTheCache loads all screens again and again, while contacts change elsewhere. It counts the
// REST calls and the outdated answers. A second stands for a minute.
func TestScreensWithTheCache(t *testing.T) {
	t.Parallel()
	const every, changes = time.Second / 6, time.Second
	lasts := 2 * time.Second
	if *full {
		lasts = 10 * time.Second
	}
	fewest := 0.0
	for _, way := range []struct {
		name     string
		ttl      time.Duration
		webhooks bool
	}{{"no cache", 0, false}, {"30s", time.Second / 2, false}, {"30s, webhooks", time.Second / 2, true}, {"5m, webhooks", 5 * time.Second, true}} {
		l := newLiveWith(t, "teams: all", func(_ *env, cfg *config.Config) { cfg.CacheTTL.Default = way.ttl })
		rounds, n, outdated := 0, 0, 0
		lastChange := time.Now()
		name := "Ada"
		for began := time.Now(); time.Since(began) < lasts; rounds++ {
			for _, screen := range screens.Screens {
				body, err := json.Marshal(map[string]any{"query": screen.Query, "variables": screen.Variables})
				if err != nil {
					t.Fatal(err)
				}
				status, text, _ := l.do(post(string(body), "Authorization: Bearer "+l.key)(l.env))
				if status != http.StatusOK || strings.Contains(text, `"errors"`) {
					t.Fatal(screen.Name, status, text)
				}
			}
			query := `{ contact(id: "` + ada + `", workspaceId: "101") { firstName } }`
			if _, text, _ := l.do(post(`{"query": `+quoted(query)+`}`, "Authorization: Bearer "+l.key)(l.env)); !strings.Contains(text, `"`+name+`"`) {
				outdated++
			}
			if time.Since(lastChange) > changes { // elsewhere: with another token
				n++
				lastChange, name = time.Now(), fmt.Sprint("Ada", n)
				elsewhere, err := upstream.New(upstream.Config{URLTemplate: l.upstreamURL})
				if err != nil {
					t.Fatal(err)
				}
				place := upstream.Place{WorkspaceID: "101", Subdomain: "acme-academy"}
				if _, err := elsewhere.WithToken(demo.Token+"-elsewhere").UpdateContact(t.Context(), place, ada, map[string]any{"first_name": name}); err != nil {
					t.Fatal(err)
				}
				if way.webhooks {
					l.sends(t, n, "contact.updated", "Contact", ada, time.Now().Format(time.RFC3339Nano), `{"id": `+ada+`}`)
				}
			}
			time.Sleep(every)
		}
		calls := len(l.calls[demo.Token])
		if outdated > 0 && (way.ttl == 0 || way.webhooks) {
			t.Errorf("%s: %d outdated answers", way.name, outdated)
		}
		average := float64(calls) / float64(rounds*len(screens.Screens))
		if way.ttl > time.Second && average > fewest {
			t.Errorf("%s: %.2f calls for each screen, and %.2f with a short time to live", way.name, average, fewest)
		}
		fewest = average
		t.Logf("%-14s %4d screens, %5d REST calls, %.2f for each screen, %d outdated", way.name, rounds*len(screens.Screens), calls, average, outdated)
	}
}
