package test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/webhooks"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// contactCreated is a delivery for workspace 101.
const contactCreated = `{"event_id": "0b29c8ab-7c8c-4b17-a5ff-0a2d3b6e1f7c", "event_type": "contact.created", "subject_id": 1, "subject_type": "Contact", "created_at": "2026-11-29T10:00:00Z", "data": {"id": 1}}`

// deliver sends a delivery to a webhook, signed with a secret, and returns its status.
func (e *env) deliver(name, secret, body string) int {
	e.t.Helper()
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	r, err := http.NewRequest(http.MethodPost, e.url+"/webhooks/"+name, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Webhook-ClickFunnels-Timestamp", timestamp)
	r.Header.Set("X-Webhook-ClickFunnels-Signature", webhooks.Sign(secret, timestamp, []byte(body)))
	status, _, _ := e.do(r)
	return status
}

// TestWebhooksKeepTheCacheFresh caches answers of two workspaces, and delivers an event of one.
func TestWebhooksKeepTheCacheFresh(t *testing.T) {
	key, hash := access.NewKey()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hook-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := newEnv(t, withCache(time.Hour), func(e *env, _ *config.Config) {
		file := filepath.Join(t.TempDir(), "access.yaml")
		text := "clients: [{ name: app, keys: ['" + hash + "'], teams: all }]\nwebhooks: [{ name: academy, workspace: 101, secrets: [{ file: '" + secret + "' }] }]\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		gate, err := access.NewClients(t.Context(), file, demo.Token, limits.Policy{})
		if err != nil {
			t.Fatal(err)
		}
		e.gate = gate
	})
	calls := func() []string {
		e.forget()
		if r := e.queryAs(key, `{ a: workspace(id: "101") { contacts(first: 1) { nodes { emailAddress } } } b: workspace(id: "102") { contacts(first: 1) { nodes { emailAddress } } } }`); len(r.Errors) > 0 {
			t.Fatal(r.raw)
		}
		return e.callsOf(demo.Token)
	}
	calls()
	if again := calls(); len(again) > 0 {
		t.Fatalf("the answers are not cached: %q", again)
	}
	for _, refused := range []struct {
		name, secret string
		status       int
	}{{"academy", "another", http.StatusUnauthorized}, {"retreats", "hook-secret", http.StatusNotFound}} {
		if status := e.deliver(refused.name, refused.secret, contactCreated); status != refused.status {
			t.Errorf("%s: status %d, want %d", refused.name, status, refused.status)
		}
	}
	if still := calls(); len(still) > 0 {
		t.Errorf("a refused delivery drops answers: %q", still)
	}
	if status := e.deliver("academy", "hook-secret", contactCreated); status != http.StatusNoContent {
		t.Errorf("status %d", status)
	}
	if after := calls(); !slices.Equal(after, []string{"acme-academy /workspaces/101/contacts"}) {
		t.Errorf("after an event of workspace 101: the calls %q", after)
	}
	// Without an entry in an access file, there are no webhooks.
	if status := newEnv(t).deliver("academy", "hook-secret", contactCreated); status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
		t.Errorf("without an access file: status %d", status)
	}
}
