package documents

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestBadManifests checks that each error is one line with the reason.
func TestBadManifests(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "it is not a manifest",
		"[]":                       "it is not a manifest",
		`{"a": 1}`:                 "it is not a manifest",
		`{"format": "other"}`:      `the manifest format "other" is not supported`,
		`{"": "{ a }"}`:            "a document has no id",
		`{"a": "{"}`:               "document a: ",
		`{"a": "{ a }", "b": "}"}`: "document b: ",
		`{"format": "apollo-persisted-query-manifest", "operations": [{"body": "{ a }"}]}`:         "a document has no id",
		`{"format": "apollo-persisted-query-manifest", "operations": [{"id": "a", "body": "{ "}]}`: "document a: ",
	} {
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want something of %q", text, err, want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Error(err)
	}
}

func TestManifest(t *testing.T) {
	trusted, err := parse([]byte(`{"a": "{ a }", "b": "{ a }", "` + hash("{ a }") + `": "{ b }"}`))
	if err != nil || trusted.Len() != 2 {
		t.Fatal(err)
	}
	for id, want := range map[string]string{
		"a": "{ a }", "b": "{ a }", hash("{ a }"): "{ b }", "sha256:" + hash("{ a }"): "{ a }", hash("{ b }"): "{ b }", "sha256:a": "", "": "", "c": "",
	} {
		if got, ok := trusted.find(id); got != want || ok != (want != "") {
			t.Errorf("%s is %q, want %q", id, got, want)
		}
	}
}

// TestPersistedCacheIsBounded checks that the cache stores small documents only, in bounded memory.
func TestPersistedCacheIsBounded(t *testing.T) {
	k := NewCache().(persistedCache)
	k.Add(t.Context(), "a", "{ a }")
	k.Add(t.Context(), "b", strings.Repeat("#", maxPersistedBytes+1))
	if text, ok := k.Get(t.Context(), "a"); !ok || text != "{ a }" {
		t.Error("not kept")
	}
	if _, ok := k.Get(t.Context(), "b"); ok {
		t.Error("a large one is kept")
	}
	for i := range 2 * persistedCacheBytes / maxPersistedBytes {
		k.Add(t.Context(), strings.Repeat("x", i+1), strings.Repeat("#", maxPersistedBytes))
	}
	if _, size := k.documents.Size(); size > persistedCacheBytes {
		t.Errorf("%d bytes are kept", size)
	}
}
