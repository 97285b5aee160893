package graph

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// rulesOf returns the validation rules for documents. introspection says whether documents may
// query the schema; only then do errors suggest names from it.
func rulesOf(introspection bool) *rules.Rules {
	all := rules.NewDefaultRules()
	all.ReplaceRule(rules.ValuesOfCorrectTypeRule.Name, literals(introspection))
	if introspection {
		return all
	}
	for name, rule := range map[string]core.Rule{ // SetDisableSuggestion covers the other rules
		rules.KnownArgumentNamesRule.Name: rules.KnownArgumentNamesRuleWithoutSuggestions,
		rules.KnownTypeNamesRule.Name:     rules.KnownTypeNamesRuleWithoutSuggestions,
	} {
		all.ReplaceRule(name, rule.RuleFunc)
	}
	all.AddRule("NoSchemaIntrospection", noIntrospection)
	return all
}

// noIntrospection refuses documents that query the schema.
func noIntrospection(observers *core.Events, addError core.AddErrFunc) {
	observers.OnField(func(_ *core.Walker, field *ast.Field) {
		if field.Name == "__schema" || field.Name == "__type" {
			addError(core.Message(`GraphQL introspection is disabled here, but the document asks for "%s".`, field.Name), core.At(field.Position))
		}
	})
}

// literals returns the rule ValuesOfCorrectType of the specification. gqlparser's own rule
// accepts {} for every scalar and enum, accepts any 64-bit integer for Int, and refuses larger
// ones for ID. The rule also corrects literals that gqlparser or gqlgen read wrongly.
func literals(suggestions bool) core.RuleFunc {
	return func(observers *core.Events, addError core.AddErrFunc) {
		var blocks blockStrings
		observers.OnValue(func(_ *core.Walker, value *ast.Value) {
			if value.Kind == ast.BlockValue {
				blocks.correct(value)
			}
			if value.Definition != nil && value.ExpectedType != nil && value.Kind != ast.Variable {
				(&literal{value, suggestions, addError}).check()
			}
		})
	}
}

// literal checks a value that is not a variable.
type literal struct {
	*ast.Value

	suggestions bool
	addError    core.AddErrFunc
}

func (l *literal) check() {
	switch t := l.ExpectedType; {
	case l.Kind == ast.NullValue:
		if t.NonNull {
			l.refuse(fmt.Sprintf(`Expected value of type "%s", found null.`, t))
		}
	case l.Kind == ast.ListValue && t.Elem != nil: // the walker visits its elements, too
	case l.Definition.Kind == ast.InputObject:
		l.checkObject()
	case l.Definition.Kind == ast.Enum:
		l.checkEnum()
	default:
		if message := scalarLiteral(l.Definition, l.Value); message != "" {
			l.refuse(message)
		}
	}
}

func (l *literal) checkObject() {
	def := l.Definition
	if l.Kind != ast.ObjectValue {
		l.refuse(fmt.Sprintf(`Expected value of type "%s", found %s.`, l.ExpectedType, abbreviate(l.String())))
		return
	}
	for _, field := range def.Fields {
		if field.Type.NonNull && field.DefaultValue == nil && l.Children.ForName(field.Name) == nil {
			l.refuse(fmt.Sprintf(`Field "%s.%s" of required type "%s" was not provided.`, def.Name, field.Name, field.Type))
		}
	}
	for _, child := range l.Children {
		if def.Fields.ForName(child.Name) == nil {
			l.refuse(fmt.Sprintf(`Field "%s" is not defined by type "%s".`, child.Name, def.Name), l.suggest("", child.Name)...)
		}
	}
}

func (l *literal) checkEnum() {
	if l.Kind != ast.EnumValue {
		l.refuse(fmt.Sprintf(`Enum "%s" cannot represent non-enum value: %s.`, l.Definition.Name, abbreviate(l.String())), l.suggest("the enum value", l.Raw)...)
	} else if l.Definition.EnumValues.ForName(l.Raw) == nil {
		l.refuse(fmt.Sprintf(`Value "%s" does not exist in "%s" enum.`, abbreviate(l.Raw), l.Definition.Name), l.suggest("the enum value", l.Raw)...)
	}
}

func (l *literal) refuse(message string, options ...core.ErrorOption) {
	l.addError(append(append([]core.ErrorOption{core.Message("%s", message)}, options...), core.At(l.Position))...)
}

// suggest returns the names that are similar to a misspelt one.
func (l *literal) suggest(what, typed string) (options []core.ErrorOption) {
	if l.suggestions && typed == abbreviate(typed) { // comparing long names is slow
		options = append(options, core.SuggestListQuoted(strings.TrimSpace("Did you mean "+what), typed, namesOf(l.Definition)))
	}
	return options
}

// scalarLiteral returns what is wrong with a literal for a scalar, or "" if it is right.
func scalarLiteral(def *ast.Definition, value *ast.Value) (message string) {
	var v any
	switch value.Kind { //nolint:exhaustive // null and variables are checked elsewhere
	case ast.IntValue:
		v = json.Number(value.Raw)
	case ast.FloatValue:
		v = json.Number(value.Raw)
		if def.Name == "Int" || def.Name == "ID" {
			v = float(value.Raw) // 1.0 is an integer only as a variable
		}
	case ast.StringValue, ast.BlockValue:
		v = value.Raw
	case ast.BooleanValue:
		v = value.Raw == "true"
	case ast.EnumValue:
		v = enumLiteral(value.Raw)
	case ast.ListValue:
		v = []any(nil)
	case ast.ObjectValue:
		v = map[string]any(nil)
	}
	_, message = coerceLeaf(def, v)
	if value.Kind == ast.IntValue && message == "" && def.Name != "Int" && def.Name != "Float" {
		// gqlgen cannot read integers of more than 64 bits.
		if _, err := strconv.ParseInt(value.Raw, 10, 64); err != nil {
			value.Kind = ast.StringValue
		}
	}
	return message
}

// float and enumLiteral are literals that no variable can be.
type (
	float       string
	enumLiteral string
)

// blockStrings corrects the block strings of one document. gqlparser wrongly includes the first
// line in the common indentation.
type blockStrings struct {
	source []rune // as runes, which positions count
	done   map[*ast.Value]bool
}

func (b *blockStrings) correct(value *ast.Value) {
	if b.done[value] { // its fragment is spread more than once
		return
	}
	if b.done == nil {
		b.source, b.done = []rune(value.Position.Src.Input), make(map[*ast.Value]bool)
	}
	b.done[value] = true
	rest := b.source[min(value.Position.Start+len(quotes), len(b.source)):]
	end := 0
	for !startsWith(rest[end:], quotes) || startsWith(rest[end:], quotes+`"`) {
		if startsWith(rest[end:], `\`+quotes) {
			end += len(quotes)
		}
		if end++; end >= len(rest) {
			return // a value from elsewhere, such as a default of the schema
		}
	}
	value.Raw = blockString(string(rest[:end]))
}

const quotes = `"""`

func startsWith(text []rune, prefix string) bool {
	return len(text) >= len(prefix) && string(text[:len(prefix)]) == prefix
}

// blockString implements BlockStringValue of the specification.
func blockString(raw string) string {
	raw = strings.NewReplacer("\r\n", "\n", "\r", "\n", `\`+quotes, quotes).Replace(raw)
	lines := strings.Split(raw, "\n")
	indent := func(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }
	blank := func(line string) bool { return indent(line) == len(line) }
	common := -1
	for _, line := range lines[1:] {
		if !blank(line) && (common < 0 || indent(line) < common) {
			common = indent(line)
		}
	}
	for i := range lines[1:] {
		lines[i+1] = lines[i+1][min(max(common, 0), len(lines[i+1])):]
	}
	for len(lines) > 0 && blank(lines[0]) {
		lines = lines[1:]
	}
	for len(lines) > 0 && blank(lines[len(lines)-1]) {
		lines = lines[:len(lines)-1]
	}
	return strings.Join(lines, "\n")
}
