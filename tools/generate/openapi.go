package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// API is what an OpenAPI description says about the REST API: operations, and the names and types of
// their properties.
type API struct {
	// Operations are sorted by path and method.
	Operations []*Operation
}

// Operation is one REST operation.
type Operation struct {
	Method, Path string
	// Response are the properties of the record in the response, or of the records in a list.
	Response []Property
	// Body are the attributes of the body, without its wrapper key.
	Body []Property
	// Filters are the keys of the list's filter.
	Filters []Property
}

// Property is a named value. A dot in the name separates the name of a property in an object or in
// the objects of a list.
type Property struct {
	Name string
	// Type is string, integer, number, boolean, time, array, object or any. It is the name of a
	// schema for a record that is described elsewhere.
	Type     string
	Nullable bool
}

// String returns the property as a word for its name and one for its type.
func (p Property) String() string {
	if p.Nullable {
		return p.Name + " " + p.Type + "?"
	}
	return p.Name + " " + p.Type
}

// Operation returns the operation with a method and a path, nil if there is none. Names in braces do
// not count.
func (a *API) Operation(method, path string) *Operation {
	i := slices.IndexFunc(a.Operations, func(o *Operation) bool { return o.Method == method && anonymous(o.Path) == anonymous(path) })
	if i < 0 {
		return nil
	}
	return a.Operations[i]
}

// anonymous returns a path with empty braces.
func anonymous(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// schema is a JSON schema in an OpenAPI description.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       any                `json:"type"` // a text or a list of texts
	Format     string             `json:"format"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	AllOf      []*schema          `json:"allOf"`
	AnyOf      []*schema          `json:"anyOf"`
	OneOf      []*schema          `json:"oneOf"`
}

// openAPI is the part of an OpenAPI description that [ReadOpenAPI] reads.
type openAPI struct {
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas    map[string]*schema   `json:"schemas"`
		Parameters map[string]parameter `json:"parameters"`
	} `json:"components"`
}

// parameter is a parameter of an operation.
type parameter struct {
	Ref    string  `json:"$ref"`
	Name   string  `json:"name"`
	Schema *schema `json:"schema"`
}

// content is a body by media type.
type content struct {
	Content map[string]struct {
		Schema *schema `json:"schema"`
	} `json:"content"`
}

// methods are the methods of operations in an OpenAPI description.
var methods = []string{"get", "post", "put", "patch", "delete"}

// ReadOpenAPI reads an OpenAPI description in JSON.
func ReadOpenAPI(name string) (*API, error) {
	text, err := os.ReadFile(name) //nolint:gosec // named on the command line
	if err != nil {
		return nil, err
	}
	var document openAPI
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	api := new(API)
	for path, operations := range document.Paths {
		for _, method := range methods {
			if operations[method] == nil {
				continue
			}
			o, err := document.operation(operations[method])
			if err != nil {
				return nil, fmt.Errorf("%s: %s %s: %w", name, method, path, err)
			}
			o.Method, o.Path = strings.ToUpper(method), path
			api.Operations = append(api.Operations, o)
		}
	}
	api.sort()
	return api, nil
}

func (a *API) sort() {
	slices.SortFunc(a.Operations, func(a, b *Operation) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
	})
}

// operation reads an operation.
func (d *openAPI) operation(text json.RawMessage) (*Operation, error) {
	var operation struct {
		Parameters  []parameter        `json:"parameters"`
		RequestBody content            `json:"requestBody"`
		Responses   map[string]content `json:"responses"`
	}
	if err := json.Unmarshal(text, &operation); err != nil {
		return nil, err
	}
	o := new(Operation)
	for _, status := range []string{"200", "201"} {
		if s := operation.Responses[status].Content["application/json"].Schema; s != nil && o.Response == nil {
			if s = d.resolve(s); s.Items != nil {
				s = d.resolve(s.Items)
			}
			o.Response = d.properties(s, "")
		}
	}
	if s := operation.RequestBody.Content["application/json"].Schema; s != nil {
		s = d.resolve(s)
		if wrapped := slices.Collect(maps.Values(s.Properties)); len(wrapped) == 1 && d.resolve(wrapped[0]).Properties != nil {
			s = d.resolve(wrapped[0])
		}
		o.Body = d.properties(s, "")
	}
	for _, parameter := range operation.Parameters {
		if name, ok := strings.CutPrefix(parameter.Ref, "#/components/parameters/"); ok {
			parameter = d.Components.Parameters[name]
		}
		if parameter.Schema == nil {
			continue
		}
		known := d.resolve(parameter.Schema)
		if key, ok := strings.CutPrefix(parameter.Name, "filter["); ok {
			o.Filters = append(o.Filters, Property{Name: strings.TrimSuffix(key, "]"), Type: typeName(known)})
		} else if parameter.Name == "filter" {
			o.Filters = d.properties(known, "")
		}
	}
	return o, nil
}

// resolve follows a reference to a schema, and joins the parts of a composed one.
func (d *openAPI) resolve(s *schema) *schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok && d.Components.Schemas[name] != nil {
		return d.resolve(d.Components.Schemas[name])
	}
	parts := slices.Concat(s.AllOf, s.AnyOf, s.OneOf)
	if len(parts) == 0 {
		return s
	}
	joined := *s
	joined.AllOf, joined.AnyOf, joined.OneOf = nil, nil, nil
	for _, part := range parts {
		part = d.resolve(part)
		if joined.Properties == nil && part.Properties != nil {
			joined.Properties = part.Properties
		}
		joined.Items = cmp.Or(joined.Items, part.Items)
		joined.Type = append(words(joined.Type), words(part.Type)...)
	}
	return &joined
}

// properties returns the properties of an object, sorted by name. Names of nested ones begin with
// the prefix.
func (d *openAPI) properties(s *schema, prefix string) []Property {
	var all []Property
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		of := s.Properties[name]
		known := d.resolve(of)
		p := Property{Name: prefix + name, Type: typeName(known), Nullable: slices.Contains(words(known.Type), "null")}
		if record, ok := strings.CutSuffix(strings.TrimPrefix(of.Ref, "#/components/schemas/"), "Attributes"); ok {
			all = append(all, Property{p.Name, record, p.Nullable})
			continue
		}
		all = append(all, p)
		below := known
		if known.Items != nil {
			below = d.resolve(known.Items)
		}
		if strings.Count(p.Name, ".") < 3 {
			all = append(all, d.properties(below, p.Name+".")...)
		}
	}
	return all
}

// typeName returns the type of a property; any if it is not declared.
func typeName(s *schema) string {
	for _, word := range words(s.Type) {
		switch {
		case word == "null":
		case word == "string" && s.Format == "date-time":
			return "time"
		default:
			return word
		}
	}
	return "any"
}

// words returns a text or a list of texts as a list.
func words(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []string:
		return v
	case []any:
		var all []string
		for _, word := range v {
			if word, ok := word.(string); ok {
				all = append(all, word)
			}
		}
		return all
	}
	return nil
}

// Write writes names and types: a line for each operation, and below it one for each property.
func (a *API) Write(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, o := range a.Operations {
		_, _ = fmt.Fprintf(b, "%s %s\n", o.Method, o.Path)
		for _, part := range o.parts() {
			for _, p := range *part.properties {
				_, _ = fmt.Fprintf(b, "\t%s %s\n", part.name, p)
			}
		}
	}
	return b.Flush()
}

// part is a named list of an operation's properties.
type part struct {
	name       string
	properties *[]Property
}

func (o *Operation) parts() []part {
	return []part{{"filter", &o.Filters}, {"body", &o.Body}, {"response", &o.Response}}
}

// ReadAPI reads what [API.Write] has written.
func ReadAPI(name string) (*API, error) {
	text, err := os.ReadFile(name) //nolint:gosec // named by the program
	if err != nil {
		return nil, err
	}
	api := new(API)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if !strings.HasPrefix(line, "\t") {
			api.Operations = append(api.Operations, &Operation{Method: fields[0], Path: fields[1]})
			continue
		}
		for _, part := range api.Operations[len(api.Operations)-1].parts() {
			if part.name == fields[0] {
				word, nullable := strings.CutSuffix(fields[2], "?")
				*part.properties = append(*part.properties, Property{fields[1], word, nullable})
			}
		}
	}
	return api, nil
}
