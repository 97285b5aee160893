package graph

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/graph/exec"
	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// An operation is answered in two steps: load, then write.
//
// Load goes down the plan. It calls the resolver of each selected relation and attaches the
// results to the objects. A batch resolver gets all objects of a selection that were loaded
// together; any other resolver is called once per object. Calls run concurrently, and the results
// of one start the next level at once.
//
// Only batches wait. Each call announces the batches that it will join and the ones that may follow
// it. The loaders send a batch when none of its announced loads is outstanding.
//
// Write (write.go) then produces the JSON from memory. gqlgen's executor would do both steps for
// each object, with a goroutine per row and a context per field.

// execution is one operation, or one deferred fragment of it. Its methods are safe for concurrent
// use, except that write comes after load.
type execution struct {
	ctx             context.Context //nolint:containedctx // the operation's
	op              *graphql.OperationContext
	schema          graphql.ExecutableSchema
	relations       exec.Relations
	loaders         *loader.Loaders
	objects         *objectCount
	spans           *spans // nil if the operation is not traced
	hasNullVariable bool   // whether any variable is null
	loads           sync.WaitGroup

	// isDeferred says that this is a deferred fragment. Its calls are held until it is released.
	isDeferred bool
	parent     *execution // of a deferred fragment: what contains it
	mu         sync.Mutex
	released   bool
	held       []*resolverCall
}

// object is a record in the response, with the results of its selection's loads.
type object struct {
	record    any
	selection *selection
	results   []result
	// workspaces are the ids by which the record's workspace is known.
	workspaces []string
	// chain is the number of sequential REST calls that it took to load the record. It is counted
	// only if [loader.Loaders.Chained].
	chain int
	// deferred holds one object for each deferred fragment of the selection, in their order.
	deferred []*object
}

// result is the result of a load for one object. The value is nil, an *object, or an []*object
// whose elements may be nil.
type result struct {
	value any
	err   error
}

// list is a list of n records. The function at may return nil.
type list struct {
	n  int
	at func(i int) any
}

// edge is an edge of a connection: a row and its cursor.
type edge struct {
	rows  model.Rows
	index int
}

// newObject returns an object for a record. It inherits the workspaces of the object that it was
// loaded from, which may be nil.
func (s *selection) newObject(record any, from *object, chain int) *object {
	o := &object{record: record, selection: s, chain: chain}
	if n := len(s.loadedFields); n > 0 {
		o.results = make([]result, n)
	}
	if from != nil {
		o.workspaces, o.chain = from.workspaces, max(from.chain, chain)
	}
	if node, ok := record.(model.Node); ok && s.needsObjects() {
		if id := loader.WorkspaceOf(node.Ref()); id != "" && !slices.Contains(o.workspaces, id) {
			o.workspaces = append(slices.Clip(o.workspaces), id)
		}
	}
	return o
}

// resolverCall is one call of a resolver, for one or more objects of a selection.
type resolverCall struct {
	*field
	*execution

	objs       []*object
	workspaces []string // of the objects
	// ownBatches are the batches that the call is expected to join, and followUpBatches the
	// batches that may follow it.
	ownBatches, followUpBatches []loader.BatchKey
	ownAnnounced                bool // whether ownBatches are announced
}

// start announces the batches of calls and starts the calls. All are announced before any starts,
// so that none sends a batch too early. The last call runs on the caller's goroutine, unless it
// belongs to a deferred fragment.
func (x *execution) start(calls []*resolverCall) {
	for _, c := range calls {
		c.announce()
	}
	x.begin(calls)
}

// begin starts calls that are already announced.
func (x *execution) begin(calls []*resolverCall) {
	for i, c := range calls {
		if i == len(calls)-1 && c.execution == x {
			c.run()
			continue
		}
		c.loads.Go(c.run)
	}
}

// nextCalls returns the calls that the given objects need. Each group holds objects of one
// selection.
func (x *execution) nextCalls(groups [][]*object) []*resolverCall {
	var calls []*resolverCall
	for _, objs := range groups {
		if len(objs) == 0 {
			continue
		}
		s := objs[0].selection
		calls = append(calls, x.prepareDeferred(s.deferred, objs)...)
		for _, f := range s.loadedFields {
			switch {
			case s.def == x.schema.Schema().Query:
				calls = append(calls, x.newRootCall(f, objs[0]))
			case f.relation == nil:
				calls = append(calls, x.nextCalls(x.attachMembers(f, objs))...)
			case f.relation.Batch:
				calls = append(calls, x.newCall(f, objs))
			default:
				for i := range objs {
					calls = append(calls, x.newCall(f, objs[i:i+1]))
				}
			}
		}
	}
	return calls
}

// newCall returns a call of a relation's resolver for objects.
func (x *execution) newCall(f *field, objs []*object) *resolverCall {
	c := &resolverCall{field: f, execution: x, objs: objs}
	for _, obj := range objs {
		for _, id := range obj.workspaces {
			if !slices.Contains(c.workspaces, id) {
				c.workspaces = append(c.workspaces, id)
			}
		}
	}
	for _, id := range c.workspaces {
		if f.kind != "" {
			c.ownBatches = append(c.ownBatches, loader.BatchKey{Workspace: id, Kind: f.kind, Level: f.batchLevel})
		}
		c.addFollowUps(id, f.followUps)
	}
	return c
}

// announce announces the batches that the call will join, and the ones that may follow it.
func (c *resolverCall) announce() {
	if !c.ownAnnounced {
		c.loaders.Expect(c.ownBatches...)
	}
	c.loaders.Expect(c.followUpBatches...)
}

// addFollowUps adds batches of a workspace that may follow the call.
func (c *resolverCall) addFollowUps(workspace string, next []loader.BatchKey) {
	for _, key := range next {
		key.Workspace, key.Deferred = workspace, key.Deferred || c.isDeferred
		c.followUpBatches = append(c.followUpBatches, key)
	}
}

// attachMembers attaches the value of an object field that needs no resolver but has loaded
// fields below it. It returns the new objects as one group.
func (x *execution) attachMembers(f *field, objs []*object) [][]*object {
	sub := f.objectSelection
	var group []*object
	for _, obj := range objs {
		r := &obj.results[f.slot]
		value, err := f.readObject(x, obj.record)
		if err != nil {
			r.err = err
			continue
		}
		switch value := value.(type) {
		case nil:
		case list:
			members := make([]*object, value.n)
			for i := range members {
				if record := value.at(i); record != nil {
					members[i] = sub.newObject(record, obj, 0)
					group = append(group, members[i])
				}
			}
			r.value = members
		default:
			member := sub.newObject(value, obj, chainOf(value))
			r.value, group = member, append(group, member)
		}
	}
	return [][]*object{group}
}

// run calls the resolver, attaches its results to the objects and starts the calls that these
// need.
func (c *resolverCall) run() {
	next := c.hold(c.perform())
	for _, n := range next {
		n.announce()
	}
	c.loaders.Settle(c.followUpBatches...)
	c.begin(next)
}

// perform calls the resolver and attaches the results. It turns a panic into an error of each
// object.
func (c *resolverCall) perform() (next []*resolverCall) {
	loaders := c.loaders.ForResolver(c.batchLevel, c.workspaces, c.ownBatches, c.isDeferred)
	defer loaders.SettleCall()
	defer func() {
		if v := recover(); v != nil {
			c.fail(recovered(c.ctx, v))
		}
	}()
	values, errs := c.resolve(loaders)
	return c.nextCalls(c.attach(values, errs))
}

func (c *resolverCall) fail(err error) {
	for _, obj := range c.objs {
		obj.results[c.slot] = result{err: err}
	}
}

// resolve calls the resolver. errs is nil, or has one entry per object, which may be nil.
func (c *resolverCall) resolve(loaders *loader.Loaders) (values []any, errs []error) {
	ctx, err := c.arguments()
	if err != nil {
		return nil, repeatError(err, len(c.objs))
	}
	if c.spans != nil {
		span := c.spans.forField(graphql.GetFieldContext(ctx))
		loaders = loaders.WithFieldSpan(span)
		defer span.Resolved()
	}
	chain := 0
	objs := make([]any, len(c.objs))
	for i, obj := range c.objs {
		objs[i], chain = obj.record, max(chain, obj.chain)
	}
	if loaders.Chained() {
		loaders = loaders.After(chain)
	}
	values, err = c.relations.Resolve(loader.With(ctx, loaders), c.relation, objs)
	if list, ok := err.(graphql.BatchErrorList); ok { //nolint:errorlint // as batched resolvers return it
		return values, list
	}
	if err != nil {
		return nil, repeatError(err, len(c.objs))
	}
	return values, nil
}

// arguments returns the context for the resolver, which carries the arguments of its field.
func (c *resolverCall) arguments() (context.Context, error) {
	if c.hasNullVariable {
		if err := nullArgument(c.Arguments, c.op.Variables); err != nil {
			return nil, err
		}
	}
	ctx := graphql.WithFreshResponseContext(c.ctx) // gqlgen adds argument errors to it, without the field's path
	field, err := c.relations.Context(ctx, c.relation, c.CollectedField)
	if err == nil {
		return graphql.WithFieldContext(c.ctx, field), nil
	}
	if reported := graphql.GetErrors(ctx); len(reported) > 0 {
		return nil, reported[0]
	}
	return nil, err
}

func repeatError(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// attach attaches results to the objects of a call. It returns the new objects, one group per
// selection.
func (c *resolverCall) attach(values []any, errs []error) [][]*object {
	if errs == nil && len(values) != len(c.objs) {
		c.fail(fmt.Errorf("a resolver of %d objects returned %d values", len(c.objs), len(values)))
		return nil
	}
	a := attachment{resolverCall: c}
	for i, obj := range c.objs {
		r := &obj.results[c.slot]
		if errs != nil && errs[i] != nil {
			r.err = errs[i]
			continue
		}
		if values[i] != nil { //nolint:gosec // see above
			r.value, r.err = a.value(values[i], obj) //nolint:gosec // see above
		}
	}
	return a.groups
}

// attachment makes objects of the results of a call.
type attachment struct {
	*resolverCall

	groups [][]*object
}

func (a *attachment) value(v any, from *object) (any, error) {
	switch v := v.(type) {
	case model.Rows:
		sub := a.objectSelection
		return a.object(v, from), a.objects.add(v.Len() * max(1, sub.listCount()))
	case []any:
		list := make([]*object, len(v))
		for i, record := range v {
			if record != nil {
				list[i] = a.object(record, from)
			}
		}
		return list, a.objects.add(len(v))
	}
	return a.object(v, from), nil
}

func (a *attachment) object(record any, from *object) *object {
	sub := a.objectSelection
	if sub == nil { // the field's type is an interface
		sub = a.selectionFor(typeNameOf(record.(model.Node).Ref().Kind))
	}
	chain := 0
	if a.loaders.Chained() {
		chain = chainOf(record)
	}
	o := sub.newObject(record, from, chain)
	a.group(sub, o)
	return o
}

// group adds an object to the group of its selection.
func (a *attachment) group(sub *selection, o *object) {
	if !sub.needsObjects() {
		return
	}
	for i, group := range a.groups {
		if group[0].selection == sub {
			a.groups[i] = append(group, o)
			return
		}
	}
	a.groups = append(a.groups, []*object{o})
}

// chainOf returns the number of sequential REST calls that brought a record; for a connection,
// the largest number of its rows.
func chainOf(record any) int {
	longest := 0
	switch r := record.(type) {
	case upstream.Chained:
		longest = r.Chain()
	case model.Rows:
		for i := range r.Len() {
			longest = max(longest, chainOf(r.Row(i)))
		}
	}
	return longest
}

// typeNameOf returns the GraphQL type of a kind: the kind in upper camel case.
func typeNameOf(kind upstream.Kind) string {
	var name []byte
	upper := true
	for i := range len(kind) {
		c := kind[i]
		switch {
		case c == '_':
			upper = true
			continue
		case upper:
			c -= 'a' - 'A'
			upper = false
		}
		name = append(name, c)
	}
	return string(name)
}

// loadRoot loads a query or a mutation, except for its deferred fragments. It returns the root
// object when all is loaded. The fields of a mutation run one after another.
func (x *execution) loadRoot(plan *selection) *object {
	root := plan.newObject(nil, nil, 0)
	if x.op.Operation.Operation == ast.Mutation {
		for _, f := range plan.loadedFields { // one after another
			x.start([]*resolverCall{x.newCall(f, []*object{root})})
			x.loads.Wait()
		}
		return root
	}
	x.start(x.nextCalls([][]*object{{root}}))
	x.loads.Wait()
	return root
}

// newRootCall is [execution.newCall] for a field of Query. Its arguments say in which workspaces
// its objects are.
func (x *execution) newRootCall(f *field, root *object) *resolverCall {
	from := *root // shares root's results
	c := &resolverCall{field: f, execution: x, objs: []*object{&from}}
	args := f.ArgumentMap(x.op.Variables)
	if f.Name == "workspace" {
		giveSubdomain(x.loaders, args)
	}
	for name, value := range args {
		values, isList := value.([]any)
		if !isList {
			values = []any{value}
		}
		for _, v := range values {
			c.expectArgument(name, idText(v))
		}
	}
	from.workspaces = c.workspaces
	return c
}

// expectArgument adds the batches for the records that an argument names.
func (c *resolverCall) expectArgument(name, value string) {
	ref, ok := model.ParseGlobalID(value)
	switch {
	case ok && c.objectSelection == nil:
		c.addBatch(loader.WorkspaceOf(ref), ref.Kind, c.selectionFor(typeNameOf(ref.Kind)).followUps)
	case ok:
		c.addBatch(loader.WorkspaceOf(ref), c.kind, c.followUps)
	case name == "workspaceId" || name == "id" && c.Definition.Type.Name() == "Workspace":
		c.addBatch(value, c.kind, c.followUps)
	}
}

func (c *resolverCall) addBatch(workspace string, kind upstream.Kind, next []loader.BatchKey) {
	if workspace == "" {
		return
	}
	if !slices.Contains(c.workspaces, workspace) {
		c.workspaces = append(c.workspaces, workspace)
	}
	if own := (loader.BatchKey{Workspace: workspace, Kind: kind, Level: c.batchLevel}); loader.Batches(kind) && !slices.Contains(c.ownBatches, own) {
		c.ownBatches = append(c.ownBatches, own)
	}
	c.addFollowUps(workspace, next)
}
