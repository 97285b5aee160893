package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/documents"
)

// withTrusted trusts the documents of a manifest. If only is set, no other document runs.
func withTrusted(manifest string, only bool) envOption {
	return func(e *env, cfg *config.Config) {
		file := filepath.Join(e.t.TempDir(), "manifest.json")
		if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
			e.t.Fatal(err)
		}
		trusted, err := documents.Load(file)
		if err != nil {
			e.t.Fatal(err)
		}
		e.trusted, cfg.TrustedOnly = trusted, only
	}
}

// TestTrustedDocumentsRunByEveryName runs trusted documents by id, by hash and by text, in each
// client's format. With --trusted-documents-only no other document runs.
func TestTrustedDocumentsRunByEveryName(t *testing.T) {
	const teams, one = `{ teams { nodes { name } } }`, `query One($id: ID!) { team(id: $id) { name } }`
	manifests := map[string]string{
		"ids and texts": fmt.Sprintf(`{"teams-1": %q, %q: %q}`, teams, hashOf(one), one),
		"Apollo's":      fmt.Sprintf(`{"format":"apollo-persisted-query-manifest","version":1,"operations":[{"id":"teams-1","name":"","type":"query","body":%q},{"id":%q,"name":"One","type":"query","body":%q}]}`, teams, hashOf(one), one),
	}
	for name, manifest := range manifests {
		for _, only := range []bool{false, true} {
			e := newEnv(t, withTrusted(manifest, only))
			send := func(params map[string]any) result {
				body, _ := json.Marshal(params)
				_, raw, _ := e.do(post(string(body))(e))
				var r result
				if err := json.Unmarshal([]byte(raw), &r); err != nil {
					t.Fatal(err)
				}
				r.raw = raw
				return r
			}
			apollo := func(hash string) map[string]any {
				return map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": hash}}
			}
			id := map[string]any{"id": "11"}
			for i, good := range []map[string]any{
				{"documentId": "teams-1"}, {"id": "teams-1"}, {"doc_id": "teams-1"}, {"documentId": hashOf(teams)}, {"documentId": "sha256:" + hashOf(teams)}, {"extensions": apollo(hashOf(teams))},
				{"documentId": "teams-1", "query": teams}, {"query": teams, "extensions": apollo(hashOf(teams))}, {"query": teams}, {"documentId": hashOf(one), "variables": id, "operationName": "One"}, {"extensions": apollo(hashOf(one)), "variables": id},
			} {
				if r := send(good); len(r.Errors) > 0 || !strings.Contains(r.raw, "Acme Coaching") {
					t.Errorf("%s, only %v, request %d: want the teams, got %s", name, only, i, r.raw)
				}
			}
			const foreign = `{ teams { nodes { locale } } }`
			for i, bad := range []map[string]any{
				{"documentId": "teams-2"}, {"documentId": ""}, {"documentId": "teams-1", "query": foreign}, {"documentId": hashOf(foreign)}, {"documentId": "sha256:teams-1"}, {"query": teams, "extensions": apollo(hashOf(foreign))},
			} {
				if r := send(bad); len(r.Errors) != 1 || r.Data != nil {
					t.Errorf("%s, only %v, request %d: want one error, got %s", name, only, i, r.raw)
				}
			}
			// An unknown document is sent as text, and then as automatic persisted queries do.
			sent := []result{send(map[string]any{"query": foreign}), send(map[string]any{"extensions": apollo(hashOf(foreign))}), send(map[string]any{"query": foreign, "extensions": apollo(hashOf(foreign))}), send(map[string]any{"extensions": apollo(hashOf(foreign))})}
			for i, r := range sent {
				switch {
				case only && (r.Data != nil || len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != map[bool]string{true: "BAD_USER_INPUT", false: "DOCUMENT_NOT_FOUND"}[i == 0]):
					t.Errorf("%s: want an error for an untrusted document, got %s", name, r.raw)
				case !only && i == 1 && (len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != "PERSISTED_QUERY_NOT_FOUND" || r.Errors[0].Message != "PersistedQueryNotFound"):
					t.Errorf("%s: want PersistedQueryNotFound before the text is sent, got %s", name, r.raw)
				case !only && i != 1 && !strings.Contains(r.raw, `"locale"`):
					t.Errorf("%s, request %d: want the teams, got %s", name, i, r.raw)
				}
			}
			if only {
				for _, query := range []string{`{ __schema { queryType { name } } }`, teams + " ", "#\n" + teams} {
					if r := send(map[string]any{"query": query}); len(r.Errors) != 1 || r.Data != nil {
						t.Errorf("%s: want one error, got %s", query, r.raw)
					}
				}
			}
		}
	}
}

// TestUnknownTrustedDocumentHasItsOwnCode names unknown documents in each client's format. The
// code is neither BAD_USER_INPUT nor the one of automatic persisted queries, after which
// clients send the text.
func TestUnknownTrustedDocumentHasItsOwnCode(t *testing.T) {
	const query = `{ teams { nodes { name } } }`
	for _, only := range []bool{false, true} {
		e := newEnv(t, withTrusted(fmt.Sprintf(`{"teams": %q}`, query), only))
		send := func(params, accept string) (int, string) {
			req := post(params)(e)
			req.Header.Set("Accept", accept)
			status, raw, _ := e.do(req)
			return status, raw
		}
		apollo := fmt.Sprintf(`{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": %q}}}`, hashOf("{ __typename }"))
		code := map[string]string{
			`{"documentId": "teams-2"}`: "DOCUMENT_NOT_FOUND", `{"id": "teams-2"}`: "DOCUMENT_NOT_FOUND", `{"doc_id": "teams-2"}`: "DOCUMENT_NOT_FOUND",
			apollo: map[bool]string{true: "DOCUMENT_NOT_FOUND", false: "PERSISTED_QUERY_NOT_FOUND"}[only],
			`{"documentId": "teams", "query": "{ __typename }"}`: "BAD_USER_INPUT",
		}
		if only {
			code[`{"query": "{ __typename }"}`] = "BAD_USER_INPUT"
		}
		for params, want := range code {
			if status, raw := send(params, "application/graphql-response+json"); status != http.StatusBadRequest || !strings.Contains(raw, fmt.Sprintf(`"code":%q`, want)) || strings.Contains(raw, `"data"`) {
				t.Errorf("only %t, %s: got %d %s, want 400 and %s", only, params, status, raw, want)
			}
			if status, raw := send(params, "application/json"); status != http.StatusOK || !strings.Contains(raw, want) {
				t.Errorf("only %t, %s: got %d %s, want 200 and %s", only, params, status, raw, want)
			}
		}
	}
}
