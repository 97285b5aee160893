package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator/core"

	"github.com/funnelgraph/funnelgraph/graph/model"
)

// gqlparser coerces variables less strictly than the specification. It takes numbers for String,
// numeric strings for Int, and enum values in any case; it refuses 1.0 as an Int. Its errors
// carry no variable name, and a path that is no response path
// (https://github.com/vektah/gqlparser/pull/77).
//
// Operations therefore reach gqlparser without their variable definitions (see newDocument), and
// this file coerces the variables. The messages are those of graphql-js, which developers know.

// coercion is the gqlgen extension that coerces variables.
type coercion struct {
	schema      *ast.Schema
	suggestions bool // whether errors suggest names of the schema
}

// rawVariables is the key of an operation's variables as they were sent.
const rawVariables = "variables"

// maxVariableErrors is how many errors are reported for the variables of an operation.
const maxVariableErrors = 10

// ExtensionName implements [graphql.HandlerExtension].
func (coercion) ExtensionName() string { return "Coercion" }

// Validate implements [graphql.HandlerExtension].
func (coercion) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters implements [graphql.OperationParameterMutator].
func (coercion) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	graphql.GetOperationContext(ctx).Stats.SetExtension(rawVariables, params.Variables)
	return nil
}

// MutateOperationContext implements [graphql.OperationContextMutator]. It returns several errors
// as one that wraps a [gqlerror.List].
func (x coercion) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	given, _ := op.Stats.GetExtension(rawVariables).(map[string]any)
	c := coercer{coercion: x}
	op.Variables = c.variables(documentOf(op).variables[op.Operation], given)
	switch len(c.errs) {
	case 0:
		return nullDirective(op)
	case 1:
		return c.errs[0]
	}
	return &gqlerror.Error{Err: c.errs, Message: c.errs[0].Message}
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationParameterMutator
	graphql.OperationContextMutator
} = coercion{}

// coercer coerces the variables of one operation.
type coercer struct {
	coercion
	variable *ast.VariableDefinition
	path     ast.Path // within the variable's value
	errs     gqlerror.List
}

// variables implements CoerceVariableValues of the specification.
func (c *coercer) variables(definitions ast.VariableDefinitionList, given map[string]any) map[string]any {
	coerced := make(map[string]any, len(definitions))
	for _, c.variable = range definitions {
		name, t := c.variable.Variable, c.variable.Type
		v, ok := given[name]
		switch {
		case !ok && c.variable.DefaultValue != nil:
			coerced[name], _ = c.variable.DefaultValue.Value(nil) // already validated
		case !ok && t.NonNull:
			c.add(fmt.Sprintf(`Variable "$%s" of required type "%s" was not provided.`, name, t))
		case !ok:
		case v == nil && t.NonNull:
			c.add(fmt.Sprintf(`Variable "$%s" of non-null type "%s" must not be null.`, name, t))
		default:
			coerced[name] = c.coerce(t, v)
		}
	}
	return coerced
}

// coerce returns a value as a variable of the type. It may change lists and objects in place.
func (c *coercer) coerce(t *ast.Type, v any) any {
	if v == nil {
		if t.NonNull {
			c.refuse(v, fmt.Sprintf(`Expected non-nullable type "%s" not to be null.`, t))
		}
		return nil
	}
	if t.Elem != nil {
		list, ok := v.([]any)
		if !ok {
			return []any{c.coerce(t.Elem, v)}
		}
		for i := range list {
			list[i] = c.member(ast.PathIndex(i), t.Elem, list[i])
		}
		return list
	}
	def := c.schema.Types[t.NamedType]
	if def.Kind == ast.InputObject {
		return c.object(def, v)
	}
	leaf, message := coerceLeaf(def, v)
	if message != "" {
		c.refuse(v, message, c.suggestNames("the enum value", v, def)...)
	}
	return leaf
}

// object coerces an input object. It leaves defaults to gqlgen.
func (c *coercer) object(def *ast.Definition, v any) any {
	object, ok := v.(map[string]any)
	if !ok {
		c.refuse(v, fmt.Sprintf(`Expected type "%s" to be an object.`, def.Name))
		return nil
	}
	for _, field := range def.Fields {
		if value, ok := object[field.Name]; ok {
			object[field.Name] = c.member(ast.PathName(field.Name), field.Type, value)
		} else if field.Type.NonNull && field.DefaultValue == nil {
			c.refuse(v, fmt.Sprintf(`Field "%s" of required type "%s" was not provided.`, field.Name, field.Type))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if def.Fields.ForName(name) == nil {
			c.refuse(v, fmt.Sprintf(`Field "%s" is not defined by type "%s".`, abbreviate(name), def.Name), c.suggestNames("", name, def)...)
		}
	}
	return object
}

// member coerces a member of a list or an object.
func (c *coercer) member(at ast.PathElement, t *ast.Type, v any) any {
	c.path = append(c.path, at)
	defer func() { c.path = c.path[:len(c.path)-1] }()
	return c.coerce(t, v)
}

// suggestNames returns an option that suggests names similar to v, if v is a short string.
func (c *coercer) suggestNames(what string, v any, def *ast.Definition) []core.ErrorOption {
	typed, ok := v.(string)
	if !ok || !c.suggestions || typed != abbreviate(typed) {
		return nil // comparing long names is slow
	}
	return []core.ErrorOption{core.SuggestListQuoted(strings.TrimSpace("Did you mean "+what), typed, namesOf(def))}
}

// namesOf returns the names of an input object's fields, or of an enum's values.
func namesOf(def *ast.Definition) (names []string) {
	for _, field := range def.Fields {
		names = append(names, field.Name)
	}
	for _, value := range def.EnumValues {
		names = append(names, value.Name)
	}
	return names
}

// refuse adds an error about a value at the current path.
func (c *coercer) refuse(v any, message string, suggestions ...core.ErrorOption) {
	at := ""
	if len(c.path) > 0 {
		at = c.variable.Variable + "." + c.path.String()
		at = ` at "` + strings.ReplaceAll(at, ".[", "[") + `"`
	}
	c.add(fmt.Sprintf(`Variable "$%s" got invalid value %s%s; %s`, c.variable.Variable, display(v), at, message), suggestions...)
}

// add adds an error about the current variable.
func (c *coercer) add(message string, suggestions ...core.ErrorOption) {
	if len(c.errs) == maxVariableErrors {
		return
	}
	err := &gqlerror.Error{Message: message}
	for _, option := range append(suggestions, core.At(c.variable.Position)) {
		option(err)
	}
	c.errs = append(c.errs, err)
}

// coerceLeaf coerces a non-null value to a scalar or an enum. If it cannot, it returns a message
// with the reason. Numbers in v are [json.Number].
func coerceLeaf(def *ast.Definition, v any) (coerced any, message string) {
	text, isText := v.(string)
	if def.Kind == ast.Enum {
		switch {
		case !isText:
			return nil, fmt.Sprintf(`Enum "%s" cannot represent non-string value: %s.`, def.Name, display(v))
		case def.EnumValues.ForName(text) == nil:
			return nil, fmt.Sprintf(`Value %s does not exist in "%s" enum.`, display(v), def.Name)
		}
		return v, ""
	}
	switch def.Name {
	case "Int", "Float", "ID", "Decimal":
		return coerceNumber(def.Name, v)
	case "String":
		if !isText {
			return nil, "String cannot represent a non string value: " + display(v)
		}
	case "Boolean":
		if _, ok := v.(bool); !ok {
			return nil, "Boolean cannot represent a non boolean value: " + display(v)
		}
	case "DateTime":
		if _, err := model.UnmarshalDateTime(v); err != nil {
			return nil, `Expected type "DateTime". ` + err.Error()
		}
	}
	return v, "" // also for JSON
}

// coerceNumber coerces a value to a scalar that accepts numbers: Int, Float, ID or Decimal.
func coerceNumber(scalar string, v any) (coerced any, message string) {
	text, isText := v.(string)
	number, isNumber := v.(json.Number)
	float, err := strconv.ParseFloat(string(number), 64)
	isFloat := isNumber && err == nil
	isInteger := isFloat && float == math.Trunc(float)
	switch {
	case scalar == "Float" && isFloat:
		return float, ""
	case scalar == "Float":
		return nil, "Float cannot represent non numeric value: " + display(v)
	case scalar == "Int" && !isInteger:
		return nil, "Int cannot represent non-integer value: " + display(v)
	case scalar == "Int" && (float < math.MinInt32 || float > math.MaxInt32):
		return nil, "Int cannot represent non 32-bit signed integer value: " + display(v)
	case scalar == "Int":
		return int64(float), ""
	case scalar == "ID" && isInteger && strings.ContainsAny(string(number), ".eE"):
		return strconv.FormatFloat(float, 'f', -1, 64), ""
	case scalar == "ID" && isInteger:
		return string(number), "" // keeps all digits
	case scalar == "ID" && !isText:
		return nil, "ID cannot represent value: " + display(v)
	case scalar == "ID":
		return v, ""
	}
	if isNumber {
		text = string(number) // keeps all digits
	}
	if !json.Valid([]byte(text)) || strings.Trim(text, "-.0123456789eE") != "" {
		return nil, "Decimal cannot represent a non decimal value: " + display(v)
	}
	return text, ""
}

// abbreviate shortens text for errors: it can be long, or a secret.
func abbreviate(text string) string {
	const longest, left = 40, 8
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:left], "") + "…"
}

// display returns a value as errors show it.
func display(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(abbreviate(v))
	case []any:
		return "[…]"
	case map[string]any:
		return "{…}"
	default:
		return abbreviate(fmt.Sprint(v))
	}
}

// nullArgument returns an error if a null variable is used for an argument, or within one, that
// must not be null (CoerceArgumentValues of the specification). Validation allows a nullable
// variable with a default there, but an explicit null overrides the default.
func nullArgument(arguments ast.ArgumentList, variables map[string]any) error {
	for _, argument := range arguments {
		switch null := nullIn(argument.Value, variables); null {
		case nil:
		case argument.Value:
			return badInput(`Argument "%s" of non-null type "%s" must not be null.`, argument.Name, null.ExpectedType)
		default:
			return badInput(`Argument "%s" has an invalid value: "$%s" of non-null type "%s" must not be null.`, argument.Name, null.Raw, null.ExpectedType)
		}
	}
	return nil
}

// nullIn returns the first variable in a value that is null but must not be.
func nullIn(value *ast.Value, variables map[string]any) *ast.Value {
	if value.Kind == ast.Variable {
		if given, ok := variables[value.Raw]; ok && given == nil && value.ExpectedType != nil && value.ExpectedType.NonNull {
			return value
		}
		return nil
	}
	for _, child := range value.Children {
		if null := nullIn(child.Value, variables); null != nil {
			return null
		}
	}
	return nil
}

// hasNull reports whether any variable is null.
func hasNull(variables map[string]any) bool {
	for _, v := range variables {
		if v == nil {
			return true
		}
	}
	return false
}

// nullDirective returns an error if a null variable is used for a non-null argument of a
// directive. gqlgen panics on a null for @skip or @include.
func nullDirective(op *graphql.OperationContext) *gqlerror.Error {
	if !hasNull(op.Variables) {
		return nil
	}
	var refused *gqlerror.Error
	seen := make(map[*ast.FragmentDefinition]bool)
	var walk func(ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		for _, selection := range set {
			var directives ast.DirectiveList
			switch s := selection.(type) {
			case *ast.Field:
				directives = s.Directives
				walk(s.SelectionSet)
			case *ast.InlineFragment:
				directives = s.Directives
				walk(s.SelectionSet)
			case *ast.FragmentSpread:
				directives = s.Directives
				if !seen[s.Definition] {
					seen[s.Definition] = true
					walk(s.Definition.SelectionSet)
				}
			}
			for _, directive := range directives {
				if err := nullArgument(directive.Arguments, op.Variables); err != nil && refused == nil {
					refused = &gqlerror.Error{Message: err.Error()}
					core.At(directive.Position)(refused)
				}
			}
		}
	}
	walk(op.Operation.SelectionSet)
	return refused
}
