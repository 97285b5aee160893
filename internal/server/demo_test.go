package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/internal/telemetry"
	"github.com/funnelgraph/funnelgraph/internal/webhooks"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestDemoReceivesWebhooks delivers an event to the demo with an access file.
func TestDemoReceivesWebhooks(t *testing.T) {
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "access.yaml"), filepath.Join(dir, "secret")
	text := fmt.Sprintf("webhooks: [{ name: academy, workspace: 101, secrets: [{ file: %q }] }]", secret)
	for name, text := range map[string]string{file: text, secret: "hook-secret"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gate, err := access.NewClients(t.Context(), file, demo.Token, limits.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse([]string{"--demo"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDemo(t.Context(), cfg, Parts{Gate: gate, State: new(serving.State), Telemetry: telemetry.New(telemetry.Config{})})
	if err != nil {
		t.Fatal(err)
	}
	body := `{"event_id": "0b29c8ab-7c8c-4b17-a5ff-0a2d3b6e1f7c", "event_type": "contact.updated", "subject_id": 1, "subject_type": "Contact", "data": {"id": 1}}`
	r := httptest.NewRequest(http.MethodPost, strings.Replace(webhooks.Path, "{name}", "academy", 1), strings.NewReader(body))
	at := strconv.FormatInt(time.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Webhook-ClickFunnels-Timestamp", at)
	r.Header.Set("X-Webhook-ClickFunnels-Signature", webhooks.Sign("hook-secret", at, []byte(body)))
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if w.Code != http.StatusNoContent {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}
