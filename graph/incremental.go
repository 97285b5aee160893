package graph

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// An operation with @defer is executed without what is deferred, and then once more for
// each deferred fragment: the way to it, and the fragment. All of these have the
// operation's loaders, so that the way costs no call again, and its limits.
//
// gqlgen's own deferral does not do: it sends null in the place of what is to come, also
// where null must not be, defers nothing at the root, in a mutation, or of a field that is
// asked for outside of the fragment as well, and waits for ever when the client has gone.

// maxParts is how many deferred fragments are sent in parts of their own; more come with
// what is around them. It bounds the work of walking to them.
const maxParts = 20

// piece is what is sent of an operation at a time: the first part, or a deferred fragment,
// of all objects that it is asked of.
type piece struct {
	op    *graphql.OperationContext
	label string
	// within is the part that the fragment is in, nil for the first one, and inner those
	// that are in it.
	within *piece
	inner  []*piece
	// way has the keys that lead to the fragment's objects.
	way []string
	// probe asks for the type's name in the place of each of the fragment's fields. It finds
	// out, without a call, which of the objects the fragment is of; nil if it is of all.
	probe *piece
	// failed has the paths of objects of which a field is null and must not be.
	failed sync.Map
	// sent is the answer, once it is there, as far as it leads to fragments.
	sent *tree
}

// step leads from the root to a fragment: a field, or a fragment around it.
type step struct {
	selection ast.Selection
	from      *step
}

// fields returns the fields among the steps, the outermost first.
func (s *step) fields() (fields []*ast.Field) {
	for ; s != nil; s = s.from {
		if field, ok := s.selection.(*ast.Field); ok {
			fields = append(fields, field)
		}
	}
	slices.Reverse(fields)
	return fields
}

// splitter splits an operation.
type splitter struct {
	op    *graphql.OperationContext
	parts int
}

// split returns the first part of an operation, with the others in it.
func split(op *graphql.OperationContext) *piece {
	s := &splitter{op: op}
	first := new(piece)
	set, _ := s.cut(op.Operation.SelectionSet, first, nil)
	first.op = s.operation(set)
	return first
}

// operation returns the operation with another selection.
func (s *splitter) operation(set ast.SelectionSet) *graphql.OperationContext {
	definition := *s.op.Operation
	definition.SelectionSet = set
	return &graphql.OperationContext{
		RawQuery: s.op.RawQuery, Variables: s.op.Variables, OperationName: s.op.OperationName, Doc: s.op.Doc,
		Extensions: s.op.Extensions, Headers: s.op.Headers, Operation: &definition,
		DisableIntrospection: s.op.DisableIntrospection, RecoverFunc: s.op.RecoverFunc,
		ResolverMiddleware: s.op.ResolverMiddleware, RootResolverMiddleware: s.op.RootResolverMiddleware, Stats: s.op.Stats,
	}
}

// cut returns a selection in which what is deferred is skipped, and reports whether there
// is anything. It becomes parts in p.
func (s *splitter) cut(set ast.SelectionSet, p *piece, from *step) (left ast.SelectionSet, cut bool) {
	left = make(ast.SelectionSet, 0, len(set))
	for _, selection := range set {
		switch sel := selection.(type) {
		case *ast.Field:
			if !s.included(sel.Directives) {
				break
			}
			if inner, found := s.cut(sel.SelectionSet, p, &step{sel, from}); found {
				field := *sel
				field.SelectionSet = inner
				selection, cut = &field, true
			}
		case *ast.InlineFragment:
			fragment, found := s.fragment(sel, p, from)
			selection, cut = fragment, cut || found
		case *ast.FragmentSpread:
			fragment, found := s.fragment(&ast.InlineFragment{
				TypeCondition: sel.Definition.TypeCondition, Directives: sel.Directives, SelectionSet: sel.Definition.SelectionSet,
				ObjectDefinition: sel.ObjectDefinition, Position: sel.Position,
			}, p, from)
			if found {
				selection, cut = fragment, true
			}
		}
		left = append(left, selection)
	}
	return left, cut
}

// skipped is left of what is deferred, for those who have to know what is to come.
var skipped = &ast.Directive{Name: "skip", Arguments: ast.ArgumentList{{Name: "if", Value: &ast.Value{Kind: ast.BooleanValue, Raw: "true"}}}}

// onTheWay marks the fields that lead to a fragment that was deferred: their objects have
// been sent.
var onTheWay = &ast.Directive{Name: "way"}

// wasSent reports whether a field's object has been sent with an earlier part.
func wasSent(field *ast.Field) bool {
	return len(field.Directives) > 0 && field.Directives[0] == onTheWay
}

// toCome calls yield for the fragments of a selection that are to come in later parts, until
// it returns false.
func toCome(set ast.SelectionSet, yield func(*ast.InlineFragment) bool) bool {
	for _, selection := range set {
		fragment, ok := selection.(*ast.InlineFragment)
		if !ok {
			continue
		}
		if len(fragment.Directives) > 0 && fragment.Directives[0] == skipped {
			if !yield(fragment) {
				return false
			}
		} else if !toCome(fragment.SelectionSet, yield) {
			return false
		}
	}
	return true
}

// fragment is [splitter.cut] for a fragment.
func (s *splitter) fragment(fragment *ast.InlineFragment, p *piece, from *step) (left *ast.InlineFragment, cut bool) {
	if !s.included(fragment.Directives) {
		return fragment, false
	}
	directive := fragment.Directives.ForName(deferDirective)
	fields := from.fields()
	// The root of a mutation has to be carried out in its order.
	if directive != nil && s.on(directive) && s.parts < maxParts && s.asks(fragment.SelectionSet) && (len(fields) > 0 || s.op.Operation.Operation == ast.Query) {
		s.parts++
		s.later(fragment, directive, p, from, fields)
		whole := *fragment
		whole.Directives = append(ast.DirectiveList{skipped}, fragment.Directives...)
		return &whole, true
	}
	inner, cut := s.cut(fragment.SelectionSet, p, &step{fragment, from})
	if cut {
		whole := *fragment
		whole.SelectionSet = inner
		fragment = &whole
	}
	return fragment, cut
}

// later makes a part of a fragment.
func (s *splitter) later(fragment *ast.InlineFragment, directive *ast.Directive, within *piece, from *step, fields []*ast.Field) {
	p := &piece{within: within}
	within.inner = append(within.inner, p)
	p.label, _ = s.argument(directive, "label").(string)
	for _, field := range fields {
		p.way = append(p.way, field.Alias)
	}
	whole := *fragment
	whole.SelectionSet, _ = s.cut(fragment.SelectionSet, p, &step{fragment, from})
	p.op = s.operation(ast.SelectionSet{from.around(&whole)})
	if !branches(ast.SelectionSet{fragment}) && !from.abstract() {
		return
	}
	names := *fragment
	names.SelectionSet = typeNames(fragment.SelectionSet)
	p.probe = &piece{within: within, way: p.way, op: s.operation(ast.SelectionSet{from.around(&names)})}
}

// typeNames returns a selection with __typename in the place of each field.
func typeNames(set ast.SelectionSet) ast.SelectionSet {
	names := make(ast.SelectionSet, 0, len(set))
	for _, selection := range set {
		switch sel := selection.(type) {
		case *ast.Field:
			names = append(names, &ast.Field{Alias: "__typename", Name: "__typename", Directives: sel.Directives, ObjectDefinition: sel.ObjectDefinition, Position: sel.Position})
		case *ast.InlineFragment:
			inner := *sel
			inner.SelectionSet = typeNames(sel.SelectionSet)
			names = append(names, &inner)
		case *ast.FragmentSpread:
			names = append(names, &ast.InlineFragment{
				TypeCondition: sel.Definition.TypeCondition, Directives: sel.Directives, SelectionSet: typeNames(sel.Definition.SelectionSet),
				ObjectDefinition: sel.ObjectDefinition, Position: sel.Position,
			})
		}
	}
	return names
}

// branches reports whether what a selection asks for depends on the type of its object.
func branches(set ast.SelectionSet) bool {
	return slices.ContainsFunc(set, func(selection ast.Selection) bool {
		switch sel := selection.(type) {
		case *ast.InlineFragment:
			return sel.ObjectDefinition.IsAbstractType() || branches(sel.SelectionSet)
		case *ast.FragmentSpread:
			return sel.ObjectDefinition.IsAbstractType() || branches(sel.Definition.SelectionSet)
		}
		return false
	})
}

// asks reports whether a selection asks for any field.
func (s *splitter) asks(set ast.SelectionSet) bool {
	return slices.ContainsFunc(set, func(selection ast.Selection) bool {
		switch sel := selection.(type) {
		case *ast.Field:
			return s.included(sel.Directives)
		case *ast.InlineFragment:
			return s.included(sel.Directives) && s.asks(sel.SelectionSet)
		case *ast.FragmentSpread:
			return s.included(sel.Directives) && s.asks(sel.Definition.SelectionSet)
		}
		return false
	})
}

// included reports whether neither @skip nor @include leaves a selection out.
func (s *splitter) included(directives ast.DirectiveList) bool {
	for _, directive := range directives {
		if on, ok := s.argument(directive, "if").(bool); ok && (directive.Name == "skip" && on || directive.Name == "include" && !on) {
			return false
		}
	}
	return true
}

// abstract reports whether the way leads by an interface, whose objects have different types.
func (s *step) abstract() bool {
	for ; s != nil; s = s.from {
		switch sel := s.selection.(type) {
		case *ast.Field:
			if sel.ObjectDefinition.IsAbstractType() {
				return true
			}
		case *ast.InlineFragment:
			if sel.ObjectDefinition.IsAbstractType() {
				return true
			}
		}
	}
	return false
}

// around returns a selection with the way to it around it.
func (s *step) around(at ast.Selection) ast.Selection {
	for from := s; from != nil; from = from.from {
		switch outer := from.selection.(type) {
		case *ast.Field:
			field := *outer
			field.SelectionSet = ast.SelectionSet{at}
			field.Directives = append(ast.DirectiveList{onTheWay}, outer.Directives...)
			at = &field
		case *ast.InlineFragment:
			around := *outer
			around.SelectionSet = ast.SelectionSet{at}
			at = &around
		}
	}
	return at
}

// on reports whether @defer asks for what it says: its argument "if" is not false.
func (s *splitter) on(directive *ast.Directive) bool {
	on, given := s.argument(directive, "if").(bool)
	return on || !given
}

func (s *splitter) argument(directive *ast.Directive, name string) any {
	if argument := directive.Arguments.ForName(name); argument != nil {
		if value, err := argument.Value.Value(s.op.Variables); err == nil {
			return value
		}
	}
	return nil
}

type inPartsKey struct{}

// InParts returns a context in which an operation is executed in parts, if anything in it
// is marked by @defer. Where nothing is deferred after all, there is one response as ever.
// Several have what gqlgen's have: HasNext, and behind the
// first one the path and the label of what they bring.
func InParts(ctx context.Context, op *graphql.OperationContext) (context.Context, bool) {
	if !slices.ContainsFunc(op.Operation.SelectionSet, isDeferred) &&
		!slices.ContainsFunc(op.Doc.Fragments, func(f *ast.FragmentDefinition) bool { return slices.ContainsFunc(f.SelectionSet, isDeferred) }) {
		return ctx, false
	}
	return context.WithValue(ctx, inPartsKey{}, true), true
}

// partly executes operations in parts where their context says so.
type partly struct{ graphql.ExecutableSchema }

// Exec implements [graphql.ExecutableSchema].
func (s partly) Exec(ctx context.Context) graphql.ResponseHandler {
	if ctx.Value(inPartsKey{}) == nil {
		return s.ExecutableSchema.Exec(ctx)
	}
	first := split(graphql.GetOperationContext(ctx))
	if len(first.inner) == 0 {
		return s.ExecutableSchema.Exec(ctx)
	}
	x := &execution{schema: s.ExecutableSchema, first: first, written: make(map[string]resolved), results: make(chan executed, maxParts)}
	x.prepare(first)
	return x.next
}

// execution is that of an operation in parts.
type execution struct {
	schema graphql.ExecutableSchema
	first  *piece
	begun  bool
	// written has the results of a mutation, by key: it is carried out with the first part.
	mu      sync.Mutex
	written map[string]resolved

	results chan executed // of each part, in the order in which they are there
	left    int           // of how many begun parts there are none yet
	ready   []*graphql.Response
}

// executed holds a part's responses so far, and how many parts in it have begun.
type executed struct {
	responses []*graphql.Response
	inner     int
}

type resolved struct {
	value any
	err   error
}

// prepare has the fields of a part, and of those in it, resolved as parts need it.
func (x *execution) prepare(p *piece) {
	resolve := p.op.ResolverMiddleware
	p.op.ResolverMiddleware = func(ctx context.Context, next graphql.Resolver) (any, error) {
		field := graphql.GetFieldContext(ctx)
		switch {
		case field.Object == "Mutation" && field.Field.Field != nil:
			return x.once(field.Field.Alias, p == x.first, func() (any, error) { return resolve(ctx, next) })
		case field.Field.Field != nil && wasSent(field.Field.Field):
			return next(ctx) // and count nothing twice
		}
		v, err := resolve(ctx, next)
		if p.within == nil || err == nil && v != nil || field.Field.Definition == nil || !field.Field.Definition.Type.NonNull || !p.at(field) {
			return v, err
		}
		// It takes the fragment with it, and nothing around that.
		if err != nil {
			graphql.AddError(ctx, graphql.AddFieldLocationToError(ctx, err))
		} else {
			graphql.AddInvalidNullError(ctx, "")
		}
		p.failed.Store(field.Parent.Path().String(), true)
		return nullMember, nil
	}
	for _, inner := range p.inner {
		x.prepare(inner)
		if inner.probe != nil {
			x.prepare(inner.probe)
		}
	}
}

// nullMember is a null that does not make null of what it is in.
var nullMember = graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, "null") })

// at reports whether a field is one of the part's fragment, and not below.
func (p *piece) at(field *graphql.FieldContext) bool {
	depth := 0
	for ; field != nil; field = field.Parent {
		if field.Index == nil && field.Field.Field != nil {
			depth++
		}
	}
	return depth == len(p.way)+1
}

// once returns a mutation's result, which the first part carries out.
func (x *execution) once(key string, first bool, do func() (any, error)) (any, error) {
	if first {
		v, err := do()
		x.mu.Lock()
		defer x.mu.Unlock()
		x.written[key] = resolved{v, err}
		return v, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.written[key].value, x.written[key].err
}

// next is a [graphql.ResponseHandler].
func (x *execution) next(ctx context.Context) *graphql.Response {
	if !x.begun {
		x.begun = true
		response := x.run(ctx, x.first)
		if response == nil {
			return nil
		}
		x.first.read(response.Data)
		inner := x.wanted(ctx, x.first)
		if len(inner) == 0 {
			return response // the answer is whole
		}
		response.HasNext = new(true)
		x.left = len(inner)
		x.begin(ctx, inner)
		return response
	}
	for len(x.ready) == 0 {
		if x.left == 0 {
			return nil
		}
		select {
		case part := <-x.results:
			x.ready = part.responses
			x.left += part.inner - 1
		case <-ctx.Done():
			return nil
		}
		if len(x.ready) == 0 && x.left == 0 {
			return &graphql.Response{HasNext: new(false)}
		}
	}
	response := x.ready[0]
	x.ready = x.ready[1:]
	response.HasNext = new(len(x.ready) > 0 || x.left > 0)
	return response
}

// begin executes parts.
func (x *execution) begin(ctx context.Context, parts []*piece) {
	for _, p := range parts {
		go func() {
			response := x.run(graphql.WithFreshResponseContext(ctx), p)
			if response == nil {
				response = new(graphql.Response)
			}
			p.read(response.Data)
			inner := x.wanted(ctx, p)
			x.results <- executed{p.responses(response.Errors), len(inner)}
			x.begin(ctx, inner)
		}()
	}
}

// wanted returns the parts in one that is there that are of any of its objects.
func (x *execution) wanted(ctx context.Context, p *piece) []*piece {
	var wanted []*piece
	for _, inner := range p.inner {
		if len(inner.hosts()) == 0 {
			continue
		}
		if inner.probe != nil {
			response := x.run(graphql.WithFreshResponseContext(ctx), inner.probe)
			if response == nil {
				continue
			}
			inner.probe.read(response.Data)
			if inner.probe.sent == nil || len(inner.hosts()) == 0 {
				continue
			}
		}
		wanted = append(wanted, inner)
	}
	return wanted
}

// run executes a part.
func (x *execution) run(ctx context.Context, p *piece) (response *graphql.Response) {
	ctx = graphql.WithOperationContext(ctx, p.op)
	if p.within != nil { // gqlgen's executor does this for the first one
		defer func() {
			if v := recover(); v != nil {
				graphql.AddError(ctx, p.op.RecoverFunc(ctx, v))
				response = new(graphql.Response)
			}
			if response != nil {
				response.Errors = append(response.Errors, graphql.GetErrors(ctx)...)
			}
		}()
	}
	return x.schema.Exec(ctx)(ctx)
}

// host is one of the objects that a fragment is asked of.
type host struct {
	path ast.Path
	own  *tree // what the fragment says of it, nil if there is nothing
}

// hosts returns the objects that the client has been sent and the part is of.
func (p *piece) hosts() []host {
	w := walk{way: p.way}
	var sent []reach
	for inner := p; inner.within != nil; inner = inner.within {
		sent = append(sent, reach{inner.within.sent, len(inner.way)})
	}
	w.to(ast.Path{}, sent, p.sent)
	if p.probe == nil || p.probe.sent == nil {
		return w.found
	}
	of := make(map[string]bool)
	for _, host := range p.probe.hosts() {
		of[host.path.String()] = host.own != nil && string(host.own.text) != "{}"
	}
	return slices.DeleteFunc(w.found, func(h host) bool { return !of[h.path.String()] })
}

// tree is what of an answer leads to fragments: of a list its rows, and of an object those
// members that do. It is nil where there is null.
type tree struct {
	text    jsontext.Value
	isList  bool
	rows    []*tree
	members map[string]*tree
}

// ways are the keys that lead on from a place.
type ways map[string]ways

func (w ways) add(way []string) {
	for _, key := range way {
		if w[key] == nil {
			w[key] = make(ways)
		}
		w = w[key]
	}
}

// read reads the part's answer, once for all the fragments that it leads to.
func (p *piece) read(data []byte) {
	on := make(ways)
	on.add(p.way)
	for _, inner := range p.inner {
		on.add(inner.way)
	}
	r := reader{data, jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	if sent, err := r.tree(on); err == nil { // gqlgen has written it
		p.sent = sent
	}
}

type reader struct {
	data jsontext.Value
	*jsontext.Decoder
}

// tree reads the next value.
func (r reader) tree(on ways) (*tree, error) {
	switch kind := r.PeekKind(); {
	case kind == 'n':
		return nil, r.SkipValue()
	case kind == '[':
		t := &tree{isList: true}
		return t, r.each(func() error {
			row, err := r.tree(on)
			t.rows = append(t.rows, row)
			return err
		})
	case kind == '{' && len(on) > 0:
		t := &tree{members: make(map[string]*tree, len(on))}
		begin := r.InputOffset() // of it, or of what stands before
		err := r.each(func() error {
			name, err := r.ReadToken()
			if err != nil {
				return err
			}
			key := name.String()
			further, ok := on[key]
			if !ok {
				return r.SkipValue()
			}
			t.members[key], err = r.tree(further)
			return err
		})
		t.text = value(r.data[begin:r.InputOffset()])
		return t, err
	}
	begin := r.InputOffset()
	err := r.SkipValue()
	return &tree{text: value(r.data[begin:r.InputOffset()])}, err
}

// each reads a list or an object, of which read reads what is next.
func (r reader) each(read func() error) error {
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	for r.PeekKind() != ']' && r.PeekKind() != '}' {
		if err := read(); err != nil {
			return err
		}
	}
	_, err := r.ReadToken()
	return err
}

// value is a value without what stands before it.
func value(text jsontext.Value) jsontext.Value { return bytes.TrimLeft(text, ",: \t\r\n") }

// reach is what has been sent, as far as it leads.
type reach struct {
	*tree

	steps int // from the root
}

type walk struct {
	way   []string
	step  int
	found []host
}

// to goes from a path on, by what has been sent of it, of which the first leads the
// farthest. own is what the part has there.
func (w *walk) to(path ast.Path, sent []reach, own *tree) {
	sent = slices.DeleteFunc(slices.Clone(sent), func(r reach) bool { return r.steps < w.step })
	if slices.ContainsFunc(sent, func(r reach) bool { return r.tree == nil }) {
		return
	}
	if sent[0].isList {
		for i := range sent[0].rows {
			inner := slices.Clone(sent)
			for k := range inner {
				inner[k].tree = sent[k].row(i)
			}
			w.to(append(path[:len(path):len(path)], ast.PathIndex(i)), inner, own.row(i))
		}
		return
	}
	if w.step == len(w.way) {
		w.found = append(w.found, host{path, own})
		return
	}
	key := w.way[w.step]
	inner := slices.Clone(sent)
	for k := range inner {
		inner[k].tree = sent[k].member(key)
	}
	w.step++
	w.to(append(path[:len(path):len(path)], ast.PathName(key)), inner, own.member(key))
	w.step--
}

func (t *tree) row(i int) *tree {
	if t == nil || i >= len(t.rows) {
		return nil
	}
	return t.rows[i]
}

func (t *tree) member(key string) *tree {
	if t == nil {
		return nil
	}
	return t.members[key]
}

// responses returns what is sent of a part that is there: one response for each object,
// with the errors that are about it.
func (p *piece) responses(errs gqlerror.List) []*graphql.Response {
	var all []*graphql.Response
	byPath := make(map[string]*graphql.Response)
	for _, host := range p.hosts() {
		key, data := host.path.String(), []byte("null")
		if _, failed := p.failed.Load(key); !failed && host.own != nil {
			data = slices.Clip(host.own.text) // which is part of a longer one
		}
		if string(data) == "{}" {
			continue // all that is asked for is in parts of its own
		}
		response := &graphql.Response{Path: host.path, Label: p.label, Data: data}
		all = append(all, response)
		byPath[key] = response
	}
	for _, err := range errs {
		about := byPath[""]
		for n := len(err.Path); n > 0 && about == nil; n-- {
			about = byPath[err.Path[:n].String()]
		}
		if about == nil { // it may have cost objects on the way, and what was to be said of them
			way := err.Path.String()
			i := slices.IndexFunc(all, func(r *graphql.Response) bool {
				return string(r.Data) == "null" && strings.HasPrefix(r.Path.String(), way)
			})
			if i < 0 {
				continue // told with the first part
			}
			about = all[i]
		}
		about.Errors = append(about.Errors, err)
	}
	// Null without an error is what was given up; clients would take it for the object.
	return slices.DeleteFunc(all, func(r *graphql.Response) bool { return string(r.Data) == "null" && len(r.Errors) == 0 })
}
