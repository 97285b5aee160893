package main

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
)

var update = flag.Bool("update", false, "write the golden files")

// gardenSources returns a small description with replacements applied, and the directives.
func gardenSources(t *testing.T, replacements ...string) []*ast.Source {
	t.Helper()
	text := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	description := text("testdata/garden.graphqls")
	for i := 0; i < len(replacements); i += 2 {
		if !strings.Contains(description, replacements[i]) {
			t.Fatalf("the description does not have %q", replacements[i])
		}
		description = strings.Replace(description, replacements[i], replacements[i+1], 1)
	}
	return []*ast.Source{{Name: directivesFile, Input: text("../../schema/" + directivesFile)}, {Name: "garden.graphqls", Input: description}}
}

// TestGolden compares the expansion of a small description with the golden files.
func TestGolden(t *testing.T) {
	files, code, err := generate(gardenSources(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range code {
		files[strings.ReplaceAll(name, "/", "_")+".golden"] = text // a name that Go does not compile
	}
	for name, text := range files {
		golden := filepath.Join("testdata/expanded", name)
		if *update {
			if err := os.WriteFile(golden, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != string(text) {
			t.Errorf("%s differs from its golden file; see it by `go test ./tools/generate -update` and `git diff`", name)
		}
	}
}

// TestDeterministic expands the project's own description several times.
func TestDeterministic(t *testing.T) {
	sources, err := readSources("../../schema")
	if err != nil {
		t.Fatal(err)
	}
	schema, code, err := generate(sources)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		schemaAgain, codeAgain, err := generate(sources)
		if err != nil {
			t.Fatal(err)
		}
		same := func(a, b []byte) bool { return string(a) == string(b) }
		if !maps.EqualFunc(schema, schemaAgain, same) || !maps.EqualFunc(code, codeAgain, same) {
			t.Fatal("two runs differ")
		}
	}
}

// TestMembersAreEmbeddedWithTheirField checks that a field with @member needs no REST call exactly if
// the row embeds the field with the members.
func TestMembersAreEmbeddedWithTheirField(t *testing.T) {
	for facts, embedded := range map[string]bool{
		`embeds: ["name", "labels"]`: true, `embeds: ["name"]`: false,
		`lacks: ["name"]`: true, `lacks: ["labels"]`: false,
	} {
		_, code, err := generate(gardenSources(t, `plant: Plant @belongsTo(key: "plant_id", `, `plant: Plant @key @belongsTo(key: "plant_id", `+facts+`, `))
		if err != nil {
			t.Fatal(err)
		}
		_, set, found := strings.Cut(string(code["graph/light.gen.go"]), "embeddedPlantNotePlant ")
		set, _, _ = strings.Cut(set, "\n")
		if !found || strings.Contains(set, `"labelled"`) != embedded {
			t.Errorf("%s: the embedded fields are%s; want labelled among them: %t", facts, set, embedded)
		}
	}
}

// TestMistakes checks that each mistake in a description is reported at its line.
func TestMistakes(t *testing.T) {
	for name, test := range map[string]struct{ old, new, want string }{
		"misspelt extension":          {"extend input PlantFilter", "extend type Gradens { trees: Int }\nextend input PlantFilter", "there is no type Gradens to extend"},
		"misspelt type":               {"evergreen: Boolean", "evergreen: Bolean", "there is no type Bolean"},
		"misspelt directive":          {"@list(sort: NONE)", "@lst(sort: NONE)", "there is no directive @lst"},
		"misspelt argument":           {"embeds:", "embed:", "@belongsTo has no argument embed"},
		"missing argument":            {`path: "gardens", noun: "garden"`, `path: "gardens"`, "@resource lacks the argument noun"},
		"unknown word":                {"write: [CREATE, UPDATE, DELETE]", "write: [CREATE, ERASE]", "@resource(write:) is one of CREATE, UPDATE, PATCH, DELETE"},
		"text in place of a list":     {`filters: ["id", "garden_id", "name", "evergreen", "light", "height_in_cm"]`, `filters: "id"`, "@resource(filters:) is a list"},
		"filter that nothing matches": {`"light", "height_in_cm"`, `"light", "weight"`, "the filter weight of Plant is the key of no field and of no relation: describe it by `extend input PlantFilter`"},
		"field that is not embedded":  {`embeds: ["publicId", "name"]`, `embeds: ["nam"]`, "Garden has no field nam"},
		"embedded without a key":      {` @key(name: "bed", for: ["beds"], workspace: SOMETIMES)`, "", "a relation that rows embed has @key"},
		"parent of a list":            {`"gardens/{garden_id}/plants"`, `"beds/{bed_id}/plants"`, "no resource has the path beds, below which Plant is listed"},
		"relation to no resource":     {`garden: Garden @input(update: OPTIONAL, as: TEXT) @belongsTo`, `garden: Light @belongsTo`, "Light is no resource, so Plant.garden cannot belong to it"},
		"inverse without a filter":    {`key: "garden_id", embeds`, `key: "bed_id", inverse: "beds", embeds`, "Plant has no filter bed_id, which the inverse needs"},
		"records without a key":       {`@hasMany(key: "gardens", embeds: ["name"])`, `@hasMany`, "@hasMany has either key or walk"},
		"records of no resource":      {`gardens: [Garden!] @hasMany`, `gardens: [Light!] @hasMany`, "Light is no resource, so PlantNote cannot have many"},
		"field that nothing holds":    {`@hasMany(key: "gardens", embeds: ["name"])`, `@hasMany(walk: "note_ids")`, "Garden has no field for note_ids"},
		"part that is not embedded":   {`embeds: ["name"]`, `embeds: ["nam"]`, "Garden has no field nam"},
		"lists of no resource":        {`inverse: "allNotes"`, `inverse: "allNotes", across: "beds"`, "no resource has the path beds"},
		"type that rows do not hold":  {"plantedAt: DateTime", "plantedAt: Float", "rows hold no Float"},
		"name that rows use":          {"plantedAt: DateTime", "cursor: DateTime", "rows have a method Cursor: name another one for cursor by @goField"},
		"misspelt interface":          {"implements Labelled", "implements Labeled", "there is no interface Labeled"},
		"list of composed objects":    {"label: PlantLabel", "label: [PlantLabel]", "PlantLabel is composed: its objects are not listed"},
		"input of a composed object":  {"label: PlantLabel", "label: PlantLabel @input(create: OPTIONAL)", "inputs do not take a PlantLabel, which has no field with the key *"},
		"key in a composed input":     {"extend input PlantFilter", "extend input CreatePlantInput { crate: CrateInput }\ninput CrateInput @composed { width: Int @key(name: \"w\") }\nextend input PlantFilter", "the fields of the composed input CrateInput have no @key"},
		"key of no composed object":   {"evergreen: Boolean", `evergreen: Boolean @compose(field: "a", key: "b")`, "@compose is for objects of composed types"},
		"key of no composed field":    {`field: "currency"`, `field: "unit"`, "Money has no field unit"},
		"key in two forms":            {"currency: String @key(as: CODE)", "currency: String", "another field has the key of price.currency in a different form: see @key(as:)"},
		"object in a composed one":    {"soldBy: String", "soldBy: Place", "the fields of a composed type are scalars"},
		"form of no text":             {"evergreen: Boolean", "evergreen: Boolean @key(as: CODE)", "@key(as:) is for texts"},
		"key without a name":          {`@resource(path: "gardens", noun: "garden")`, `@resource(path: "gardens", noun: "garden") @key(type: "Int")`, "@key lacks the argument name"},
		"ids of no resource":          {`@input(of: "Garden", create`, `@input(of: "Light", create`, "@input(of:) is for ids of a resource, and Light is none"},
		"member of no field":          {`@member(of: "labels")`, `@member(of: "lables")`, "Plant has no field lables with members"},
		"member of a scalar":          {`@member(of: "labels")`, `@member(of: "evergreen")`, "Plant has no field evergreen with members"},
		"member of nothing":           {`@member(of: "labels")`, `@member`, "@member lacks the argument of"},
		"member without a key":        {"    key: String!\n", "    kind: String!\n", "a field with @member has the form labelled(key: String!): String"},
		"member with a nullable key":  {"    key: String!\n", "    key: String\n", "a field with @member has the form labelled(key: String!): String"},
		"member that is no text":      {"): String @member", "): Int @member", "a field with @member has the form labelled(key: String!): String"},
		"two fields for members":      {"  price: Money", `  price: Money label2(key: String!): String @member(of: "labels")`, "Plant.label2 is already a member of labels"},
		"member that rows use":        {"  labelled(", "  member(", "rows have a method Member: name another one for member by @goField"},
		"type that is defined twice":  {`"A garden."`, "type Light { id: ID }\n", "the type Light is defined twice"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := generate(gardenSources(t, test.old, test.new))
			if err == nil || !strings.HasSuffix(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "garden.graphqls:") {
				t.Errorf("want an error at a line of garden.graphqls: %s; got: %v", test.want, err)
			}
		})
	}
}
