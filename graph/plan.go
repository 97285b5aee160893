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

// planner makes the plan of an operation: the fields of each object type in the order of
// the answer, with fragments merged. A plan is made once for a document, or for an
// operation whose directives decide which fields are answered.
type planner struct {
	op          *graphql.OperationContext
	schema      *ast.Schema
	hasDeferred bool // whether fragments are marked to be sent later
}

// selection is the part of a plan for the objects of one type at one place of the answer.
// It is safe for concurrent use.
type selection struct {
	planner  *planner
	def      *ast.Definition
	fields   []*field
	deferred []*deferredFragment // deferred fragments
	// level is the number of resolvers between the root and the resolvers of these fields.
	level int
	// single is the level of the batches that single records by their ids join: below a single
	// record, those of that one, so that the nesting of ids costs no calls.
	lookupLevel int
	// loads are the fields whose results an object keeps until it is written: relations,
	// and members of the record that have loads themselves.
	loadedFields []*field
	// ahead are the batches that may follow once objects of the selection are there. Their
	// levels are absolute; they belong to the workspaces of the objects.
	followUps []loader.BatchKey
}

// field is a field of a selection.
type field struct {
	graphql.CollectedField

	jsonKey string // as written: quoted, with a colon
	// relation is nil for a member of the record.
	relation *exec.Relation
	// kind is the kind of records that the relation batches, empty if it batches none.
	kind upstream.Kind
	// next are the batches that may follow once the field's objects are there.
	followUps []loader.BatchKey
	// slot is the index of the field's results in an object, -1 if an object keeps none.
	slot int
	// column is the field of a row, nil for other records.
	column *upstream.RowField

	planner    *planner
	isLeaf     bool // whether it is a scalar, an enum, or a list of these
	level      int  // of the field's own objects
	batchLevel int  // the level of the batches that the relation joins
	mu         sync.Mutex
	selections map[string]*selection // by type
}

// newPlan returns the plan for the root of an operation.
func newPlan(op *graphql.OperationContext, schema *ast.Schema, divided bool) *selection {
	p := &planner{op, schema, divided}
	root := schema.Query
	if op.Operation.Operation == ast.Mutation {
		root = schema.Mutation
	}
	return p.selection(root, op.Operation.SelectionSet, 0, 0)
}

// selection plans a selection set of objects of a type.
func (p *planner) selection(of *ast.Definition, set ast.SelectionSet, level, single int) *selection {
	s := &selection{planner: p, def: of, level: level, lookupLevel: single}
	satisfies := append([]string{of.Name}, of.Interfaces...)
	op := p.op
	if p.hasDeferred {
		s.deferred = p.deferredFragments(s, set, satisfies)
		for _, fragment := range s.deferred {
			for _, key := range fragment.followUps {
				key.Deferred = true
				s.addFollowUps(key)
			}
		}
		// The cache of collected fields goes by the address of the set.
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
	sub := f.objectSelection()
	if f.relation == nil && (sub == nil || !sub.needsObjects()) {
		return
	}
	f.slot = len(s.loadedFields)
	s.loadedFields = append(s.loadedFields, f)
	if f.kind != "" {
		s.addFollowUps(loader.BatchKey{Kind: f.kind, Level: f.batchLevel})
	}
	if sub != nil && sub.def.Name != "Team" { // which leads to other workspaces
		f.followUps = sub.followUps
		s.addFollowUps(f.followUps...)
	}
}

// follow adds batches that may follow the selection's objects.
func (s *selection) addFollowUps(keys ...loader.BatchKey) {
	for _, key := range keys {
		if !slices.Contains(s.followUps, key) {
			s.followUps = append(s.followUps, key)
		}
	}
}

// batched returns the kind of records that a relation loads in batches: all that are
// batched by their resolver, and single records that are given by an id.
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

// isSingle reports whether the relation is a single record that an argument names.
func (f *field) isLookup() bool {
	return f.relation != nil && !f.relation.Batch && !strings.HasSuffix(f.Definition.Type.Name(), "Connection")
}

// singles returns the level of the batches for single records below the field.
func (f *field) lookupLevel() int {
	if f.isLookup() {
		return f.batchLevel
	}
	return f.level
}

// concrete returns the selection of the field's objects, nil if it has none or if its type
// is abstract.
func (f *field) objectSelection() *selection {
	of := f.planner.schema.Types[f.Definition.Type.Name()]
	if of.Kind != ast.Object || f.Name == "__typename" || strings.HasPrefix(of.Name, "__") {
		return nil
	}
	return f.selectionFor(of.Name)
}

// sub returns the selection of the field's objects of a type.
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

// keeps reports whether objects of the selection keep results until they are written, or
// may have deferred fragments.
func (s *selection) needsObjects() bool { return len(s.loadedFields) > 0 || len(s.deferred) > 0 }

// lists returns the number of the lists that a connection is asked for.
func (s *selection) listCount() (n int) {
	for _, f := range s.fields {
		if f.Name == "nodes" || f.Name == "edges" {
			n++
		}
	}
	return n
}
