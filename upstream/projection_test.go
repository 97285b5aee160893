package upstream

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestProjectionKeepsWantedKeys decodes responses for random sets of keys. The wanted values must
// equal those of a full decoding.
func TestProjectionKeepsWantedKeys(t *testing.T) {
	const lying = `[{"id":"7","public_id":5,"workspace_id":null,"anonymous":1,"email_address":12.5,"first_name":null,"is_active":"true","created_at":"x","unknown":{"a":[1]},
		"tags":[{"id":1,"name":2}],"custom_attributes":{"a":1},"avatar_image":{"u":[]},"visits":{"first_visit":{"uuid":3}}},{"id":2}]`
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/acme-academy"+demo.BasePath+"/workspaces/101/contacts", nil)
	r.Header.Set("Authorization", "Bearer "+demo.Token)
	r.Header.Set("User-Agent", "Test")
	demo.New().ServeHTTP(w, r)

	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	all := columns(reflect.TypeFor[referenceContact]())
	if len(all) < 25 {
		t.Fatalf("a contact has %d keys", len(all))
	}
	for _, body := range []string{w.Body.String(), lying} {
		full, err := readReference([]byte(body))
		if err != nil || len(full) == 0 {
			t.Fatal(err)
		}
		for range 300 {
			var chosen []string
			for key := range all {
				if random.IntN(4) == 0 {
					chosen = append(chosen, key)
				}
			}
			rows, err := decodeList[Contact]([]byte(body), &Projection{want: func(key string) bool { return slices.Contains(chosen, key) }})
			if err != nil || len(rows) != len(full) {
				t.Fatalf("seed %d, %q: %d rows, %v", seed, chosen, len(rows), err)
			}
			for i, row := range rows {
				for _, key := range append(chosen, "id", "public_id", "workspace_id") {
					if want := reflect.ValueOf(full[i]).Elem(); isWhole(key) && !sameValue(want, all[key], row) {
						t.Fatalf("seed %d: %s is not %v", seed, key, want.FieldByIndex(all[key]))
					}
				}
			}
		}
	}
}

// isWhole reports whether wanting a key alone selects its whole value. Child rows have keys of
// their own.
func isWhole(key string) bool { return key != "tags" && key != "visits" && key != "email_engagement" }

// TestProjectionReadsUnusualShapes decodes responses of unusual shapes with several projections.
func TestProjectionReadsUnusualShapes(t *testing.T) {
	for _, body := range []string{``, `null`, `{}`, `"x"`, `[null]`, `[5,{"id":1}]`, `[{"id":1}] x`, `[{"id":1}][]`, "[]\x00x", "[{\"id\":1}]\x00", `[{"id":1,"tags":{}}]`, `[{"id":1},`, `[{"id":1,"id":2}]`} {
		want, wantErr := readReference([]byte(body))
		for _, p := range []*Projection{nil, {want: func(string) bool { return true }}} {
			got, err := decodeList[Contact]([]byte(body), p)
			if (err == nil) != (wantErr == nil) || err == nil && !sameRows(want, got) {
				t.Errorf("%s: %v %v, want %v %v", body, got, err, want, wantErr)
			}
		}
	}
}

// TestProjectionRejectsBrokenJSON breaks responses at random places. Rows must match the reference
// decoder, and fail where it fails, except for errors within skipped strings.
func TestProjectionRejectsBrokenJSON(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	const body = `[{"id":7,"public_id":"aB","workspace_id":-1.5e3,"anonymous":null,"email_address":"a\u00e9\"b","first_name":"é","unknown":{"a":[1,"\\",{}]},
		"tags":[{"id":1,"name":2,"applied_at":"2025-01-31T09:30:00.123Z"}],"custom_attributes":{"a":true},"visits":{"first_visit":{"uuid":"x"}}},{"id":"8","tags":[]}]`
	const bytes = "\"\\{}[]:,0-.eEtn \x01\xff/u"
	everything := &Projection{want: func(string) bool { return true }}
	strings := regexp.MustCompile(`"([^"\\]|\\(.|\n))*"`)
	accepted := 0
	for range 20_000 {
		broken := []byte(body)
		for range 1 + random.IntN(3) {
			i := random.IntN(len(broken))
			switch random.IntN(3) {
			case 0:
				broken[i] = bytes[random.IntN(len(bytes))]
			case 1:
				broken = slices.Delete(broken, i, i+1)
			case 2:
				broken = slices.Insert(broken, i, bytes[random.IntN(len(bytes))])
			}
		}
		want, wantErr := readReference(broken)
		got, err := decodeList[Contact](broken, everything)
		if wantErr != nil && err == nil && jsontext.Value(strings.ReplaceAllString(string(broken), `""`)).IsValid(jsontext.AllowDuplicateNames(true)) {
			continue
		}
		if (err == nil) != (wantErr == nil) || err == nil && !sameRows(want, got) {
			t.Fatalf("seed %d: %s: %v %v, want %v %v", seed, broken, got, err, want, wantErr)
		}
		if err == nil {
			accepted++
		}
	}
	if accepted < 1000 {
		t.Errorf("the reader accepted %d of 20,000 broken bodies", accepted)
	}
}
