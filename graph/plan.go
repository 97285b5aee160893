package graph

import (
	"slices"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/graph/exec"
	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// planner makes the plan of an operation. A plan lists the selected fields of each object type in
// response order, with fragments merged. It also says which batches of REST calls may follow which
// fields. A batch can therefore wait for the loads that it will get (see [loader.Loaders.Expect]).
//
// A document keeps its plans. An operation gets a plan of its own only if its directives decide
// which fields are selected, or if it has deferred fragments.
type planner struct {
	op          *graphql.OperationContext
	schema      *ast.Schema
	hasDeferred bool // whether the operation's deferred fragments are marked
}

// selection is the plan of one selection set for one object type. It is safe for concurrent use.
type selection struct {
	planner  *planner
	def      *ast.Definition
	fields   []*field
	deferred []*deferredFragment // fragments that are sent later
	// level is the number of resolvers between the root and the resolvers of these fields.
	level int
	// lookupLevel is the level of the batches that lookups join. A lookup returns a single record
	// that an argument names by its id. Lookups below a lookup join the outer one's batches, so
	// that nesting ids costs no calls.
	lookupLevel int
	// loadedFields are the fields whose results an object keeps until it is written: relations,
	// and members of the record that have loaded fields themselves.
	loadedFields []*field
	// followUps are the batches that may follow once objects of the selection are loaded. Their
	// levels are absolute. Their workspaces are filled in from the objects.
	followUps []loader.BatchKey
}

// field is a selected field.
type field struct {
	graphql.CollectedField

	jsonKey string // the alias as it is written: quoted, with a colon
	// relation is nil if the field is part of the record.
	relation *exec.Relation
	// kind is the kind of records that the relation loads in batches, empty if it batches none.
	kind upstream.Kind
	// followUps are the batches that may follow once the field's objects are loaded.
	followUps []loader.BatchKey
	// slot is the index of the field's result in [object.results], -1 if it has none.
	slot int
	// column is the field's column in a row, nil if the record is no row.
	column *upstream.RowField
	// objectSelection is the selection of the field's objects. It is nil if the field has no objects
	// or an abstract type.
	objectSelection *selection

	planner    *planner
	isLeaf     bool // whether the type is a scalar, an enum, or a list of these
	level      int  // level of the field's own objects
	batchLevel int  // level of the batches that the relation joins
	mu         sync.Mutex
	selections map[string]*selection // selection sets by object type, guarded by mu
}

// newPlan returns the plan of an operation, starting at its root. hasDeferred says that deferred
// fragments are marked (see [markDeferred]).
func newPlan(op *graphql.OperationContext, schema *ast.Schema, hasDeferred bool) *selection {
	p := &planner{op, schema, hasDeferred}
	root := schema.Query
	switch op.Operation.Operation {
	case ast.Query:
	case ast.Mutation:
		root = schema.Mutation
	case ast.Subscription:
		root = schema.Subscription
	}
	return p.selection(root, op.Operation.SelectionSet, 0, 0)
}

// selection plans a selection set for an object type.
func (p *planner) selection(def *ast.Definition, set ast.SelectionSet, level, lookupLevel int) *selection {
	s := &selection{planner: p, def: def, level: level, lookupLevel: lookupLevel}
	satisfies := append([]string{def.Name}, def.Interfaces...)
	op := p.op
	if p.hasDeferred {
		s.deferred = p.deferredFragments(s, set, satisfies)
		for _, fragment := range s.deferred {
			for _, key := range fragment.followUps {
				key.Deferred = true
				s.addFollowUps(key)
			}
		}
		// CollectFields caches by the address of the selection set, so this one needs a cache of
		// its own.
		op, set = &graphql.OperationContext{Doc: op.Doc, Variables: op.Variables}, withoutDeferred(set)
	}
	for _, collected := range graphql.CollectFields(op, set, satisfies) {
		if !slices.ContainsFunc(s.fields, func(f *field) bool { return f.Alias == collected.Alias }) {
			s.add(collected)
		}
	}
	return s
}

func (s *selection) add(collected graphql.CollectedField) {
	f := &field{CollectedField: collected, planner: s.planner, jsonKey: `"` + collected.Alias + `":`, slot: -1, level: s.level}
	f.relation, f.isLeaf = exec.RelationOf(s.def.Name, f.Name), s.planner.schema.Types[f.Definition.Type.Name()].IsLeafType()
	if rows := upstream.TypeByName(s.def.Name); rows != nil && f.relation == nil {
		f.column = rows.Field(f.Name)
	}
	s.fields = append(s.fields, f)
	if f.relation != nil {
		f.level++
		f.kind, f.batchLevel = f.batchedKind(), s.level
		if f.isLookup() {
			f.batchLevel = s.lookupLevel
		}
	}
	if def := s.planner.schema.Types[f.Definition.Type.Name()]; def.Kind == ast.Object && !strings.HasPrefix(def.Name, "__") {
		f.objectSelection = f.selectionFor(def.Name)
	}
	if f.relation == nil && (f.objectSelection == nil || !f.objectSelection.needsObjects()) {
		return
	}
	f.slot = len(s.loadedFields)
	s.loadedFields = append(s.loadedFields, f)
	if f.kind != "" {
		s.addFollowUps(loader.BatchKey{Kind: f.kind, Level: f.batchLevel})
	}
	if f.objectSelection != nil && f.objectSelection.def.Name != "Team" { // a team leads to other workspaces
		f.followUps = f.objectSelection.followUps
		s.addFollowUps(f.followUps...)
	}
}

// addFollowUps adds batches that may follow the selection's objects.
func (s *selection) addFollowUps(keys ...loader.BatchKey) {
	for _, key := range keys {
		if !slices.Contains(s.followUps, key) {
			s.followUps = append(s.followUps, key)
		}
	}
}

// batchedKind returns the kind of records that a relation loads in batches, or "" for none.
// Relations with a batch resolver do, and so do lookups of a kind that REST finds by several ids.
func (f *field) batchedKind() upstream.Kind {
	typeName := f.Definition.Type.Name()
	if row, ok := strings.CutSuffix(typeName, "Connection"); ok {
		if !f.relation.Batch {
			return ""
		}
		typeName = row
	}
	kind := upstream.Kind(snakeCase(strings.ToLower(typeName[:1]) + typeName[1:]))
	if !f.relation.Batch && !loader.Batches(kind) {
		return ""
	}
	return kind
}

// isLookup reports whether the relation is a single record that an argument names.
func (f *field) isLookup() bool {
	return f.relation != nil && !f.relation.Batch && !strings.HasSuffix(f.Definition.Type.Name(), "Connection")
}

// lookupLevel returns the level of the batches for lookups below the field.
func (f *field) lookupLevel() int {
	if f.isLookup() {
		return f.batchLevel
	}
	return f.level
}

// selectionFor returns the selection of the field's objects of one type.
func (f *field) selectionFor(typeName string) *selection {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.selections[typeName]
	if s == nil {
		s = f.planner.selection(f.planner.schema.Types[typeName], f.Selections, f.level, f.lookupLevel())
		if f.selections == nil {
			f.selections = make(map[string]*selection, 1)
		}
		f.selections[typeName] = s
	}
	return s
}

// needsObjects reports whether records of the selection need an [object], which keeps the results
// of loads and the deferred fragments.
func (s *selection) needsObjects() bool { return len(s.loadedFields) > 0 || len(s.deferred) > 0 }

// listCount returns how many of the lists `nodes` and `edges` are selected on a connection.
func (s *selection) listCount() (n int) {
	for _, f := range s.fields {
		if f.Name == "nodes" || f.Name == "edges" {
			n++
		}
	}
	return n
}
