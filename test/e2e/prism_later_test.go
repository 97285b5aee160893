//go:build prism

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// laterDescription is ClickFunnels' API of June 2026: names and types, without recorded bodies.
const laterDescription = "../../../shared/clickfunnels/openapi-2026-06.json"

// workspaceID and recordID are in the bodies of operations without a recorded one.
const workspaceID, recordID = 42000, 7

// withLaterOperations writes a description with all operations of mid-2025, and those of 2026 that
// it lacks. It returns the name of the file, and the added operations.
func withLaterOperations(t *testing.T) (name string, added []string) {
	t.Helper()
	all, later := readJSON(t, description), readJSON(t, laterDescription)
	paths, schemas := all["paths"].(map[string]any), all["components"].(map[string]any)["schemas"].(map[string]any)
	for name, schema := range later["components"].(map[string]any)["schemas"].(map[string]any) {
		schemas["Later"+name] = adapted("", schema)
	}
	known := make(map[string]string) // paths by their form without names in braces
	for path := range paths {
		known[withoutNames(path)] = path
	}
	for path, methods := range later["paths"].(map[string]any) {
		at, isKnown := known[withoutNames(path)]
		if !isKnown {
			paths[path] = map[string]any{}
			at = path
		}
		operations := paths[at].(map[string]any)
		for method, operation := range methods.(map[string]any) {
			if operations[method] != nil || method == "patch" && operations["put"] != nil {
				continue
			}
			operation := adapted("", operation).(map[string]any)
			renameParameters(operation, path, at)
			completeResponses(operation)
			operations[method] = operation
			added = append(added, strings.ToUpper(method)+" "+at)
		}
	}
	name = filepath.Join(t.TempDir(), "openapi.json")
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name, added
}

func readJSON(t *testing.T, name string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var value map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// withoutNames returns a path without the names of its parameters.
func withoutNames(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// completeResponses adds the response of an operation that has none on success: deleting.
func completeResponses(operation map[string]any) {
	responses := operation["responses"].(map[string]any)
	for status := range responses {
		if strings.HasPrefix(status, "2") {
			return
		}
	}
	responses["204"] = map[string]any{"description": "Done"}
}

// renameParameters gives an operation's path parameters the names in another path.
func renameParameters(operation map[string]any, from, to string) {
	names := make(map[string]string)
	old, renamed := strings.Split(from, "/"), strings.Split(to, "/")
	for i := range old {
		names[strings.Trim(old[i], "{}")] = strings.Trim(renamed[i], "{}")
	}
	parameters, _ := operation["parameters"].([]any)
	for _, p := range parameters {
		if p := p.(map[string]any); p["in"] == "path" {
			p["name"] = names[p["name"].(string)]
		}
	}
}

// adapted returns a part of the later description for use in the other one: references lead to the
// added schemas, and ids have examples, so that records fit together. key is where the part stands.
func adapted(key string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		if key == "value" && value["properties"] == nil {
			return map[string]any{} // of any type (clickfunnels-api.md §5, RefineFilter)
		}
		made := make(map[string]any, len(value)+1)
		for k, v := range value {
			made[k] = adapted(k, v)
		}
		if value["type"] == "integer" || value["type"] == "string" {
			switch id := made["example"]; {
			case id != nil:
			case key == "workspace_id":
				made["example"] = example(value["type"], workspaceID)
			case key == "id" || strings.HasSuffix(key, "_id") && key != "public_id":
				made["example"] = example(value["type"], recordID)
			}
		}
		return made
	case []any:
		made := make([]any, len(value))
		for i, v := range value {
			made[i] = adapted("", v)
		}
		return made
	case string:
		if key == "$ref" {
			return strings.Replace(value, "#/components/schemas/", "#/components/schemas/Later", 1)
		}
	}
	return value
}

// example returns an id as a value of a type.
func example(kind any, id int) any {
	if kind == "string" {
		return strconv.Itoa(id)
	}
	return id
}
