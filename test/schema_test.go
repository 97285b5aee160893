package test

import (
	"os"
	"testing"

	"github.com/funnelgraph/funnelgraph/graph"
)

// TestSchemaFile wants the committed schema, which clients' tools read, to be the one
// that is served.
func TestSchemaFile(t *testing.T) {
	file, err := os.ReadFile("schema.graphql")
	if err != nil {
		t.Fatal(err)
	}
	if string(file) != graph.SDL() {
		t.Error("schema.graphql is not the schema that is served; refresh it: go run . schema > schema.graphql")
	}
}
