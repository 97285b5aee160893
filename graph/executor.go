package graph

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
	"go.opentelemetry.io/otel/trace"

	"github.com/funnelgraph/funnelgraph/graph/exec"
	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Session is what an operation is run with.
type Session struct {
	// Client is the REST client of the operation's caller, and Calls the context
	// for the calls that it makes.
	Client *upstream.Client
	Calls  context.Context //nolint:containedctx // the operation's
	// Objects is how many objects the lists of the answer may have together; 0 is
	// any number. Records that were fetched once can be asked for again and
	// again, so that the calls are no bound.
	Objects int
	// Exceeded, if not nil, is called when there are more, which are then let.
	Exceeded func()
}

// NewExecutor returns what answers operations, each with the session that its context
// means. introspection says whether they may
// ask for the schema; errors suggest names from it only then.
func NewExecutor(session func(context.Context) Session, introspection bool) *executor.Executor {
	e := newExecutor(session, true)
	if introspection {
		e.Use(extension.Introspection{})
		return e
	}
	e.SetDisableSuggestion(true)
	e.SetDefaultRulesFn(func() *rules.Rules { // those that the former leaves out
		quiet := rules.NewDefaultRules()
		for name, rule := range map[string]core.Rule{
			rules.ValuesOfCorrectTypeRule.Name: rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
			rules.KnownArgumentNamesRule.Name:  rules.KnownArgumentNamesRuleWithoutSuggestions,
			rules.KnownTypeNamesRule.Name:      rules.KnownTypeNamesRuleWithoutSuggestions,
		} {
			quiet.ReplaceRule(name, rule.RuleFunc)
		}
		return quiet
	})
	return e
}

// public returns the schema as clients see it: the directive that tells gqlgen how to
// resolve a field is none of theirs, and @defer is described.
func public() *ast.Schema {
	schema := *exec.NewExecutableSchema(exec.Config{}).Schema()
	schema.Directives = maps.Clone(schema.Directives)
	delete(schema.Directives, "goField")
	schema.Directives["defer"] = described(*schema.Directives["defer"])
	return &schema
}

// SDL returns the schema as clients see it, as text: what introspection tells of it,
// types in the order of their names.
func SDL() string {
	schema := public()
	root := &ast.SchemaDefinition{Description: schema.Description}
	for _, def := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		if def != nil {
			root.OperationTypes = append(root.OperationTypes, &ast.OperationTypeDefinition{Operation: ast.Operation(strings.ToLower(def.Name)), Type: def.Name})
		}
	}
	doc := &ast.SchemaDocument{Schema: ast.SchemaDefinitionList{root}}
	for _, name := range slices.Sorted(maps.Keys(schema.Directives)) {
		switch name {
		case "deprecated", "include", "oneOf", "skip", "specifiedBy": // every tool has them
		default:
			directive := *schema.Directives[name]
			directive.Position = nil // @defer would be left out as built-in
			doc.Directives = append(doc.Directives, &directive)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Types)) {
		def := *schema.Types[name]
		def.Fields = slices.Clone(def.Fields)
		for i, field := range def.Fields {
			shown := *field
			shown.Directives = slices.DeleteFunc(slices.Clone(field.Directives), func(d *ast.Directive) bool { return schema.Directives[d.Name] == nil })
			def.Fields[i] = &shown
		}
		doc.Definitions = append(doc.Definitions, &def)
	}
	var text strings.Builder
	formatter.NewFormatter(&text, formatter.WithIndent("  ")).FormatSchemaDocument(doc)
	return text.String()
}

// described returns @defer as clients know it.
func described(directive ast.DirectiveDefinition) *ast.DirectiveDefinition {
	directive.Description = "Sends what the fragment asks for later, so that the rest can be shown first. " +
		"The request has to accept `multipart/mixed` or `text/event-stream`; otherwise all comes together."
	directive.Arguments = ast.ArgumentDefinitionList{
		{
			Name: "if", Description: "Whether to.", Type: ast.NonNullNamedType("Boolean", directive.Position),
			DefaultValue: &ast.Value{Kind: ast.BooleanValue, Raw: "true", Position: directive.Position}, Position: directive.Position,
		},
		{Name: "label", Description: "A name that the part has.", Type: ast.NamedType("String", directive.Position), Position: directive.Position},
	}
	return &directive
}

// newExecutor is [NewExecutor], with or without the short way of plain rows.
func newExecutor(session func(context.Context) Session, short bool) *executor.Executor {
	schema := exec.NewExecutableSchema(exec.Config{Resolvers: &Resolver{}, Schema: public()})
	e := executor.New(partly{schema})
	known := newDocuments()
	e.SetQueryCache(known)
	e.SetErrorPresenter(present)
	e.SetRecoverFunc(recovered)
	e.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		op := graphql.GetOperationContext(ctx)
		doc := known.of(ctx, op)
		with := session(ctx)
		l := loader.New(with.Calls, with.Client.Only(doc.projection)) //nolint:contextcheck // made of ctx
		if op.Operation.Operation == ast.Query {
			prefetch(op, doc, l)
		}
		// In the place of all field extensions, of which there are none:
		// AroundFields makes two closures for every field.
		op.ResolverMiddleware = (&planner{schema: schema.Schema(), kept: doc.plans, short: short, traced: trace.SpanFromContext(ctx).IsRecording(), objects: objects{Session: &with}}).resolve
		return next(loader.With(ctx, l))
	})
	return e
}
