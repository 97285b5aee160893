package server

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestWarningOfMissingWebhooks names the workspaces that clients can see and that have no webhook.
func TestWarningOfMissingWebhooks(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("hook-secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	hooks := func(workspaces ...string) string {
		text := "webhooks:\n"
		for _, id := range workspaces {
			text += fmt.Sprintf("  - { name: w%s, workspace: %s, secrets: [{ file: %q }] }\n", id, id, secret)
		}
		return text
	}
	for name, test := range map[string]struct {
		rights, hooks string
		down          bool
		want          string // empty for no warning
	}{
		"no webhook":        {"teams: all", "", false, "no webhook says what changes: list one in the access file"},
		"all workspaces":    {"workspaces: [101, 102]", hooks("101", "102"), false, ""},
		"one missing":       {"workspaces: [101, 102]", hooks("101"), false, "count=1 workspaces=[102]"},
		"of a team":         {"teams: [11]", hooks("101", "103"), false, "count=2 workspaces=\"[102 104]\""},
		"of all teams":      {"teams: all", hooks("101"), false, "count=11 workspaces=\"[102 103"},
		"ClickFunnels down": {"teams: all", hooks("101"), true, "ClickFunnels does not say which workspaces need a webhook"},
	} {
		t.Run(name, func(t *testing.T) {
			simulated := demo.New()
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if test.down {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				simulated.ServeHTTP(w, r)
			}))
			t.Cleanup(api.Close)
			client, err := upstream.New(upstream.Config{URLTemplate: demo.Template(api.Listener.Addr().String())})
			if err != nil {
				t.Fatal(err)
			}
			_, hash := access.NewKey()
			file := filepath.Join(t.TempDir(), "access.yaml")
			if err := os.WriteFile(file, fmt.Appendf(nil, "clients: [{ name: app, keys: [%q], %s }]\n%s", hash, test.rights, test.hooks), 0o600); err != nil {
				t.Fatal(err)
			}
			gate, err := access.NewClients(t.Context(), file, demo.Token, limits.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			if got := logged(t, func() { warnOfMissingWebhooks(t.Context(), gate, client) }); !strings.Contains(got, test.want) || test.want == "" && got != "" {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	if got := logged(t, func() { warnOfMissingWebhooks(context.Background(), access.PassThrough{}, nil) }); !strings.Contains(got, "list one in the access file") {
		t.Errorf("%q without an access file", got)
	}
}

// logged returns what a function logs.
func logged(t *testing.T, f func()) string {
	t.Helper()
	before := slog.Default()
	defer slog.SetDefault(before)
	var log bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	f()
	return log.String()
}
