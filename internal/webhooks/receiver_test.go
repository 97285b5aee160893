package webhooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// example is a delivery of ClickFunnels (clickfunnels-api.md §7).
const example = `{"data": {"id": 3000000001, "public_id": "abc", "workspace_id": 101, "email_address": "ada@example.com"},
	"event_id": "0b29c8ab-7c8c-4b17-a5ff-0a2d3b6e1f7c", "event_type": "contact.updated", "subject_id": 3000000001, "subject_type": "Contact",
	"created_at": "2026-11-29T10:00:00.123Z", "page_id": null, "funnel_id": null, "api_version": 2, "workspace_id": 101}`

// rig is a receiver of two webhooks, and what it has handled.
type rig struct {
	handler http.Handler
	handled []Event
	err     error
}

func newRig() *rig {
	r := new(rig)
	hooks := map[string]Webhook{
		"academy":  {Name: "academy", Workspace: "101", Secrets: []Secret{"old-secret", "new-secret"}},
		"retreats": {Name: "retreats", Workspace: "102", Secrets: []Secret{"other-secret"}},
	}
	mux := http.NewServeMux()
	mux.Handle("POST "+Path, &Receiver{
		Find: func(name string) (Webhook, bool) { hook, ok := hooks[name]; return hook, ok },
		Handle: func(_ context.Context, hook Webhook, e Event) error {
			if hook.Workspace != e.Workspace {
				return errors.New("an event of another workspace")
			}
			r.handled = append(r.handled, e)
			return r.err
		},
		MaxBody: 1 << 16,
	})
	r.handler = mux
	return r
}

// deliver sends a delivery that is signed now with a secret. Headers are "Name: value".
func (r *rig) deliver(t *testing.T, name, secret, body string, headers ...string) int {
	t.Helper()
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/"+name, strings.NewReader(body))
	request.Header.Set(timestampHeader, timestamp)
	request.Header.Set(signatureHeader, Sign(secret, timestamp, []byte(body)))
	for _, header := range headers {
		key, value, _ := strings.Cut(header, ": ")
		request.Header.Set(key, value)
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, request)
	return w.Code
}

func TestDelivery(t *testing.T) {
	for _, secret := range []string{"old-secret", "new-secret"} {
		r := newRig()
		if status := r.deliver(t, "academy", secret, example); status != http.StatusNoContent || len(r.handled) != 1 {
			t.Fatalf("%s: status %d, %d events", secret, status, len(r.handled))
		}
		e := r.handled[0]
		if e.ID != "0b29c8ab7c8c4b17a5ff0a2d3b6e1f7c" || e.Type != "contact.updated" || e.Workspace != "101" || e.SubjectType != "Contact" || e.SubjectID != "3000000001" || e.IsV1 ||
			!e.OccurredAt.Equal(time.Date(2026, 11, 29, 10, 0, 0, 123e6, time.UTC)) || !strings.Contains(string(e.Data), "ada@example.com") {
			t.Errorf("%+v", e)
		}
	}
}

// TestRefusedDeliveries sends deliveries that are forged, replayed later or hostile.
func TestRefusedDeliveries(t *testing.T) {
	at := func(offset time.Duration) []string {
		timestamp := strconv.FormatInt(time.Now().Add(offset).Unix(), 10)
		return []string{timestampHeader + ": " + timestamp, signatureHeader + ": " + Sign("new-secret", timestamp, []byte(example))}
	}
	replace := func(part, by string) string { return strings.Replace(example, part, by, 1) }
	for name, test := range map[string]struct {
		hook, secret, body string
		headers            []string
		status             int
	}{
		"another webhook's secret":     {"academy", "other-secret", example, nil, http.StatusUnauthorized},
		"another webhook":              {"retreats", "new-secret", example, nil, http.StatusUnauthorized},
		"another workspace":            {"retreats", "other-secret", example, nil, http.StatusForbidden},
		"another workspace in data":    {"academy", "new-secret", replace(`"workspace_id": 101,`, `"workspace_id": 102,`), nil, http.StatusForbidden},
		"another workspace as text":    {"academy", "new-secret", replace(`"workspace_id": 101}`, `"workspace_id": "102"}`), nil, http.StatusForbidden},
		"an unknown name":              {"unknown", "new-secret", example, nil, http.StatusNotFound},
		"no signature":                 {"academy", "new-secret", example, []string{signatureHeader + ": "}, http.StatusUnauthorized},
		"no timestamp":                 {"academy", "new-secret", example, []string{timestampHeader + ": "}, http.StatusUnauthorized},
		"a signature in upper case":    {"academy", "new-secret", example, []string{signatureHeader + ": " + strings.Repeat("A", 64)}, http.StatusUnauthorized},
		"a huge timestamp":             {"academy", "new-secret", example, []string{timestampHeader + ": " + strings.Repeat("9", 400)}, http.StatusUnauthorized},
		"599 s ago":                    {"academy", "", example, at(-598 * time.Second), http.StatusNoContent},
		"in 599 s":                     {"academy", "", example, at(598 * time.Second), http.StatusNoContent},
		"602 s ago":                    {"academy", "", example, at(-602 * time.Second), http.StatusUnauthorized},
		"in 602 s":                     {"academy", "", example, at(602 * time.Second), http.StatusUnauthorized},
		"a changed body":               {"academy", "", example + " ", at(0), http.StatusUnauthorized},
		"a large body":                 {"academy", "new-secret", replace("ada@", strings.Repeat("x", 1<<16)), nil, http.StatusRequestEntityTooLarge},
		"no JSON":                      {"academy", "new-secret", "<html>", nil, http.StatusBadRequest},
		"nothing":                      {"academy", "new-secret", "", nil, http.StatusBadRequest},
		"a list":                       {"academy", "new-secret", "[" + example + "]", nil, http.StatusBadRequest},
		"two values":                   {"academy", "new-secret", example + example, nil, http.StatusBadRequest},
		"a deep body":                  {"academy", "new-secret", strings.Repeat(`{"data":`, 6000) + strings.Repeat("}", 6000), nil, http.StatusBadRequest},
		"an id of another type":        {"academy", "new-secret", replace(`"0b29c8ab-7c8c-4b17-a5ff-0a2d3b6e1f7c"`, "7"), nil, http.StatusBadRequest},
		"an id that is none":           {"academy", "new-secret", replace("0b29c8ab", "zzzzzzzz"), nil, http.StatusBadRequest},
		"no type":                      {"academy", "new-secret", replace("contact.updated", ""), nil, http.StatusBadRequest},
		"a type with a line":           {"academy", "new-secret", replace("contact.updated", `contact\nupdated`), nil, http.StatusBadRequest},
		"a long type":                  {"academy", "new-secret", replace("contact.updated", strings.Repeat("x", 500)), nil, http.StatusBadRequest},
		"a time that is none":          {"academy", "new-secret", replace("2026-11-29T10:00:00.123Z", "yesterday"), nil, http.StatusNoContent},
		"a time without a zone":        {"academy", "new-secret", replace("2026-11-29T10:00:00.123Z", "2026-11-29 10:00:00 UTC"), nil, http.StatusNoContent},
		"a byte that is no UTF-8":      {"academy", "new-secret", replace("ada@", "ad\xff@"), nil, http.StatusNoContent},
		"a decimal workspace":          {"academy", "new-secret", replace(`"workspace_id": 101}`, `"workspace_id": 102.0}`), nil, http.StatusForbidden},
		"data that is a text":          {"academy", "new-secret", strings.Replace(example, example[strings.Index(example, "{\"id\""):strings.Index(example, ",\n\t\"event_id\"")], `"x"`, 1), nil, http.StatusNoContent},
		"no subject":                   {"academy", "new-secret", strings.NewReplacer(`"subject_id": 3000000001`, `"subject_id": null`).Replace(example), nil, http.StatusNoContent},
		"a deprecated version":         {"academy", "new-secret", replace(`"api_version": 2`, `"api_version": "v1"`), nil, http.StatusNoContent},
		"an id without dashes":         {"academy", "new-secret", replace("0b29c8ab-7c8c-4b17-a5ff-0a2d3b6e1f7c", "0B29C8AB7C8C4B17A5FF0A2D3B6E1F7C"), nil, http.StatusNoContent},
		"no workspace":                 {"academy", "new-secret", replace(`, "workspace_id": 101}`, "}"), nil, http.StatusNoContent},
		"a member that nobody knows":   {"academy", "new-secret", replace(`"api_version": 2`, `"api_version": 2, "new": [1]`), nil, http.StatusNoContent},
		"a member twice":               {"academy", "new-secret", replace(`"api_version": 2`, `"api_version": 2, "workspace_id": 102`), nil, http.StatusBadRequest},
		"a workspace that is an array": {"academy", "new-secret", replace(`"api_version": 2, "workspace_id": 101`, `"api_version": 2, "workspace_id": [102]`), nil, http.StatusForbidden},
	} {
		r := newRig()
		if status := r.deliver(t, test.hook, test.secret, test.body, test.headers...); status != test.status || (len(r.handled) == 1) != (status == http.StatusNoContent) {
			t.Errorf("%s: status %d and %d events, want status %d", name, status, len(r.handled), test.status)
		}
		if len(r.handled) == 1 && r.handled[0].IsV1 != (name == "a deprecated version") {
			t.Errorf("%s: %+v", name, r.handled[0])
		}
	}
}

// TestFailuresAreDeliveredAgain pins the status with which ClickFunnels repeats a delivery.
func TestFailuresAreDeliveredAgain(t *testing.T) {
	r := newRig()
	r.err = errors.New("not now")
	if status := r.deliver(t, "academy", "new-secret", example); status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
	r.err = nil
	if status := r.deliver(t, "academy", "new-secret", example); status != http.StatusNoContent || len(r.handled) != 2 {
		t.Errorf("status %d, %d events", status, len(r.handled))
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	hook := Webhook{Secrets: []Secret{"hush"}}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("hook", "hook", hook, "secrets", hook.Secrets)
	for _, shown := range []string{logged.String(), fmt.Sprint(hook), fmt.Sprintf("%+v %#v %s", hook, hook, hook), slog.AnyValue(hook.Secrets[0]).Resolve().String()} {
		if strings.Contains(shown, "hush") {
			t.Errorf("a secret prints: %s", shown)
		}
	}
}
