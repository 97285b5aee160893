//go:build prism

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// recordings are the operations of ClickFunnels' description, by path and method in lower case,
// with the recorded bodies of their responses.
type recordings map[string]map[string]struct {
	Responses map[string]struct {
		Content map[string]struct{ Example any }
	}
}

func readRecordings(t *testing.T) recordings {
	t.Helper()
	text, err := os.ReadFile(description)
	if err != nil {
		t.Fatal("want ClickFunnels' description at " + description)
	}
	var openapi struct{ Paths recordings }
	if err := json.Unmarshal(text, &openapi); err != nil {
		t.Fatal(err)
	}
	return openapi.Paths
}

// body returns the recorded body of a GET operation, nil if there is none.
func (r recordings) body(path string) any {
	return r[path]["get"].Responses["200"].Content["application/json"].Example
}

// record returns the recorded record below a path such as funnels/tags, nil if there is none.
func (r recordings) record(path string) map[string]any {
	record, _ := r.body("/" + path + "/{id}").(map[string]any)
	return record
}

// list returns the recorded rows of a list such as orders/*/invoices, nil if there are none.
func (r recordings) list(path string) []any {
	for of := range r {
		segments := strings.Split(strings.TrimPrefix(of, "/"), "/")
		for i, segment := range segments {
			if strings.HasPrefix(segment, "{") && i < len(segments)-1 {
				segments[i] = "*"
			}
		}
		if rows, ok := r.body(of).([]any); ok && strings.Join(segments, "/") == path {
			return rows
		}
	}
	return nil
}

// of returns the recorded record of a resource, or its first row if no path has single records. It
// is nil if there is none.
func (r recordings) of(x demo.Resource) map[string]any {
	if !x.Listed {
		return r.record(x.Path)
	}
	first, _ := at(r.list(x.List), "0").(map[string]any)
	return first
}

// compareRecords checks that every recorded field of every record appears in the response.
func compareRecords(t *testing.T, url string, w walk, recorded recordings) {
	t.Helper()
	resources := append([]demo.Resource{{Type: "Team", Path: "teams"}, {Type: "User", Path: "users"}, {Type: "Workspace", Path: "workspaces"}}, demo.Resources...)
	compared := 0
	for _, x := range resources {
		body := recorded.of(x)
		if body == nil {
			_, isRecorded := recorded["/"+x.Path+"/{id}"]
			if isRecorded && x.Type != "OrderInvoiceRestock" { // the description has no body of it
				t.Errorf("want a recorded body of a %s, got none", x.Type)
			}
			continue
		}
		compared += compareRecord(t, url, w.ids[x.Type], x, body)
	}
	if compared < 590 {
		t.Errorf("%d recorded fields were compared, want at least 590", compared)
	}
}

// compareRecord checks that the recorded fields of one record appear in the response. It returns
// their number.
func compareRecord(t *testing.T, url, id string, x demo.Resource, body map[string]any) (compared int) {
	t.Helper()
	path := "/" + x.Path + "/{id}"
	for keys := range slices.Chunk(slices.Sorted(maps.Keys(body)), 50) {
		var all strings.Builder
		for _, key := range keys {
			if fields, _, _ := selection(x, path, key, body[key]); fields != "" {
				fmt.Fprintf(&all, "%s: node(id: %q) { ... on %s { %s } } ", key, id, x.Type, fields)
			}
		}
		data, errs := attempt(t, url, "{ "+all.String()+" }")
		if len(errs) > 0 {
			t.Errorf("%s: want the recorded fields without errors, got %v", path, errs)
		}
		for _, key := range keys {
			fields, read, want := selection(x, path, key, body[key])
			if fields == "" {
				continue
			}
			compared++
			if got := at(data, key+"."+read); plain(got) != plain(want) {
				t.Errorf("%s: %s is %v, want the recorded %v", path, key, got, want)
			}
		}
	}
	return compared
}

// selection returns the fields that select a recorded key, the path of its value in the
// response, and the expected value.
func selection(of demo.Resource, path, key string, recorded any) (fields, read string, want any) {
	switch key {
	case "id":
		return "rawId", "rawId", recorded
	case "workspace_id":
		if path == "/sales/pipelines/stages/{id}" {
			return "", "", nil // a stage's workspace differs from its pipeline's
		}
		return "workspace { rawId }", "workspace.rawId", recorded
	case "pipeline_id", "pipelines_stage_id", "primary_contact_id":
		if recorded == nil {
			return "", "", nil // null where the pipeline is embedded
		}
		parent := strings.TrimPrefix(strings.TrimPrefix(strings.TrimSuffix(key, "_id"), "primary_"), "pipelines_")
		return parent + " { rawId }", parent + ".rawId", recorded
	case "team_id":
		return "team { rawId }", "team.rawId", recorded
	case "tag":
		return "tag { publicId name color }", "tag", camelKeys(recorded)
	case "tags":
		if path == "/funnels/{id}" {
			return "tags { rawId publicId name color }", "tags.0", map[string]any{"rawId": plain(at(recorded, "0.id")), "publicId": at(recorded, "0.public_id"), "name": at(recorded, "0.name"), "color": at(recorded, "0.color")}
		}
		return "tags: taggings { appliedAt tag { rawId publicId name color } }", "tags.0", map[string]any{
			"appliedAt": at(recorded, "0.applied_at"),
			"tag":       map[string]any{"rawId": plain(at(recorded, "0.id")), "publicId": at(recorded, "0.public_id"), "name": at(recorded, "0.name"), "color": at(recorded, "0.color")},
		}
	case "custom_attributes", "data":
		if path == "/webhooks/outgoing/events/{id}" {
			break // a JSON value
		}
		all := []any{}
		for k, v := range recorded.(map[string]any) {
			all = append(all, map[string]any{"key": k, "value": v})
		}
		return camel(key) + " { key value }", camel(key), all
	case "contact":
		return "contact { rawId emailAddress createdAt }", "contact", map[string]any{"rawId": plain(at(recorded, "id")), "emailAddress": at(recorded, "email_address"), "createdAt": at(recorded, "created_at")}
	case "workspace":
		return "workspace { rawId }", "workspace.rawId", at(recorded, "id")
	case "order_page":
		return "page { rawId publicId name }", "page", named(recorded)
	case "contact_groups", "segments":
		return camel(key) + " { rawId publicId name }", camel(key) + ".0", named(at(recorded, "0"))
	case "affiliate":
		return "affiliate { name email }", "affiliate", recorded
	case "referral_code":
		return "referralCode { code default }", "referralCode", recorded
	case "primary_contact":
		return "contact { rawId emailAddress uuid }", "contact", map[string]any{"rawId": plain(at(recorded, "id")), "emailAddress": at(recorded, "email_address"), "uuid": at(recorded, "uuid")}
	case "pipeline", "pipelines_stage":
		name := strings.TrimPrefix(key, "pipelines_")
		return name + " { rawId publicId name }", name, named(recorded)
	case "variant_properties":
		return "variantProperties { rawId publicId name }", "variantProperties.0", named(at(recorded, "0"))
	case "properties_values":
		return "propertiesValues { propertyId value }", "propertiesValues.0", camelKeys(at(recorded, "0"))
	case "properties_value_ids":
		return "propertiesValueIds", "propertiesValueIds", []any{} // the recorded ids are null
	case "created_by_platform_application":
		return "createdByPlatformApplication { publicId trustedSkus }", "createdByPlatformApplication", recorded
	case "stages":
		return "stages { rawId publicId name sortOrder closeProbability opportunityIds totalValue weightedValue pipeline { rawId } }", "stages.0", with(withRawIDs(drop(at(recorded, "0"), "workspace_id", "pipeline_id")), "pipeline", map[string]any{"rawId": at(recorded, "0.pipeline_id")})
	case "included_invoices_line_items":
		fields, want := embedded(drop(at(recorded, "0"), "fulfillment_id"))
		return camel(key) + " { " + fields + " fulfillment { rawId } }", camel(key) + ".0", with(want, "fulfillment", map[string]any{"rawId": at(recorded, "0.fulfillment_id")})
	case "notes":
		if path == "/sales/opportunities/{id}" {
			return "notes { rawId publicId content createdById createdAt updatedAt }", "notes.0", withRawIDs(at(recorded, "0"))
		}
	case "order":
		fields, want := embedded(recorded)
		return "order { " + fields + " }", "order", want
	case "line_items":
		if path == "/orders/invoices/{id}" {
			fields, want := embedded(drop(at(recorded, "0"), "invoice_id"))
			return "lineItems { " + fields + " }", "lineItems.0", want
		}
		return `lineItems { rawId publicId quantity prorated createdAt updatedAt originalProduct { rawId publicId name } price { rawId publicId amount { amount currency } currency duration interval intervalCount } variant { rawId publicId name description sku } }`,
			"lineItems.0", withRawIDs(at(recorded, "0"))
	case "memberships":
		if path == "/users/{id}" {
			return "", "", nil // the description does not declare it for users, and its members differ (clickfunnels-api.md §5)
		}
		return "memberships { rawId }", "memberships", recorded
	}
	if object, member, ok := composedKey(key); ok {
		return object + " { " + member + " }", object + "." + member, recorded
	}
	if key == "price" || key == "cost" {
		return key + " { amount }", key + ".amount", recorded
	}
	for _, f := range of.Fields {
		switch {
		case f.Key != key || f.List:
		case f.To != "":
			return f.Name + " { rawId }", f.Name + ".rawId", recorded
		case f.Word != "":
			raw := "raw" + strings.ToUpper(f.Name[:1]) + f.Name[1:]
			return f.Name + " " + raw, raw, recorded
		case f.Type == "JSON":
			return f.Name, f.Name, recorded
		}
	}
	if first, ok := at(recorded, "0").(map[string]any); ok {
		fields, want := embedded(first)
		return camel(key) + " { " + fields + " }", camel(key) + ".0", want
	}
	if object, ok := recorded.(map[string]any); ok {
		fields, want := embedded(object)
		return camel(key) + " { " + fields + " }", camel(key), want
	}
	return camel(key), camel(key), recorded
}

// composedKey splits a key such as shipping_address_city or total_amount into the field with the
// object and the field within it.
func composedKey(key string) (object, member string, ok bool) {
	if key == "amount" || strings.HasSuffix(key, "_amount") {
		return camel(key), "amount", true
	}
	kind, member, ok := strings.Cut(key, "_address_")
	return kind + "Address", camel(member), ok
}

// drop returns a recorded object without some of its keys.
func drop(recorded any, keys ...string) map[string]any {
	out := maps.Clone(recorded.(map[string]any))
	for _, key := range keys {
		delete(out, key)
	}
	return out
}

// with sets a key of an object and returns the object.
func with(object any, key string, value any) any {
	object.(map[string]any)[key] = value
	return object
}

// embedded returns the fields that select all keys of a recorded object, and the expected
// object.
func embedded(recorded any) (fields string, want map[string]any) {
	var b strings.Builder
	want = make(map[string]any)
	for key, value := range recorded.(map[string]any) {
		if object, member, ok := composedKey(key); ok {
			b.WriteString(object + " { " + member + " } ")
			if want[object] == nil {
				want[object] = make(map[string]any)
			}
			with(want[object], member, value)
			continue
		}
		name := camel(key)
		switch key {
		case "id":
			name, value = "rawId", plain(value)
		case "order_page":
			name, value = "page", named(value)
		case "fulfillment_status":
			name = "rawFulfillmentStatus"
		case "products_price", "products_variant":
			name = strings.TrimPrefix(key, "products_")
		case "contact":
			value = map[string]any{"rawId": plain(at(value, "id")), "emailAddress": at(value, "email_address")}
		}
		b.WriteString(name)
		switch v := value.(type) {
		case map[string]any:
			if _, done := v["rawId"]; done {
				b.WriteString(" { " + strings.Join(slices.Sorted(maps.Keys(v)), " ") + " }")
				break
			}
			inner, all := embedded(v)
			b.WriteString(" { " + inner + " }")
			value = all
		}
		b.WriteByte(' ')
		want[name] = value
	}
	return b.String(), want
}

// named returns the expected value of a record that is embedded with its name only.
func named(recorded any) map[string]any {
	return map[string]any{"rawId": plain(at(recorded, "id")), "publicId": at(recorded, "public_id"), "name": at(recorded, "name")}
}

// withRawIDs converts the keys of a recorded value to fields, recursively.
func withRawIDs(recorded any) any {
	object, ok := recorded.(map[string]any)
	if !ok {
		return recorded
	}
	out := make(map[string]any)
	for key, value := range object {
		switch key {
		case "id":
			out["rawId"] = plain(value)
		case "order_id", "key": // order_id is the id of the parent, and key is not declared
		case "amount":
			out[key] = map[string]any{"amount": value, "currency": strings.ToUpper(fmt.Sprint(object["currency"]))}
		case "currency":
			out[key] = strings.ToUpper(fmt.Sprint(value))
		default:
			out[camel(strings.TrimPrefix(key, "products_"))] = withRawIDs(value)
		}
	}
	return out
}

// camel converts a snake_case key to camelCase.
func camel(key string) string {
	words := strings.Split(key, "_")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

// camelKeys converts the keys of an object to camelCase.
func camelKeys(v any) map[string]any {
	out := make(map[string]any)
	for key, value := range v.(map[string]any) {
		out[camel(key)] = value
	}
	return out
}

// plain returns a value as text. A number equals its text, and the order of key-value pairs
// does not matter.
func plain(v any) string {
	b, _ := json.Marshal(texts(v))
	return strings.Trim(string(b), `"`)
}

// texts converts all numbers in a value to texts, and sorts lists of key-value pairs.
func texts(v any) any {
	switch v := v.(type) {
	case float64:
		b, _ := json.Marshal(v)
		return string(b)
	case []any:
		all := make([]any, len(v))
		for i, item := range v {
			all[i] = texts(item)
		}
		slices.SortStableFunc(all, func(a, b any) int { return strings.Compare(fmt.Sprint(at(a, "key")), fmt.Sprint(at(b, "key"))) })
		return all
	case map[string]any:
		all := make(map[string]any, len(v))
		for key, item := range v {
			all[key] = texts(item)
		}
		return all
	}
	return v
}
