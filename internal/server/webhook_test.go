package server

import (
	"bytes"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestWebhookCommands creates, lists and deletes a webhook endpoint at the simulated API.
func TestWebhookCommands(t *testing.T) {
	api := httptest.NewServer(demo.New())
	t.Cleanup(api.Close)
	t.Setenv("CLICKFUNNELS_API_TOKEN", demo.Token)
	t.Setenv("CLICKFUNNELS_API_URL", demo.Template(api.Listener.Addr().String()))
	run := func(args ...string) (string, error) {
		t.Helper()
		cfg, err := config.Parse(append([]string{"webhook"}, args...), nil)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err = runWebhook(t.Context(), cfg, &out)
		return out.String(), err
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := run(args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	added := regexp.MustCompile(`(?s)^id:     (\d+)\nsecret: \S{20,}\n`).FindStringSubmatch(must("add", "--workspace=101", "--url=https://api.example.com/webhooks/academy", "--event=contact.created", "--event=contact.updated"))
	if added == nil {
		t.Fatal("want an id and a secret")
	}
	line := added[1] + `  "funnelgraph"  "https://api.example.com/webhooks/academy"  "contact.created,contact.updated"` + "\n"
	if list := must("list", "--workspace=101"); !strings.Contains(list, line) || strings.Contains(list, "secret") {
		t.Errorf("want %q in\n%s", line, list)
	}
	if out := must("remove", "--workspace=101", added[1]); !strings.Contains(out, added[1]) {
		t.Error(out)
	}
	if list := must("list", "--workspace=101"); strings.Contains(list, line) {
		t.Errorf("the endpoint is still there:\n%s", list)
	}
	for _, args := range [][]string{{"remove", "--workspace=101", "999999"}, {"list", "--workspace=999999"}} {
		if out, err := run(args...); err == nil || strings.Contains(err.Error(), "\n") || out != "" {
			t.Errorf("%q: %q, %v; want an error of one line", args, out, err)
		}
	}
}
