package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/funnelgraph/funnelgraph/internal/configfile"
)

// file is the path of the configuration file; empty if there is none.
type file string

// fileError is an error in the configuration file: one line that names the file.
type fileError string

func (e fileError) Error() string { return string(e) }

// maxFile and maxKey are the maximum sizes of a configuration file and of a key, in bytes.
const (
	maxFile = 1 << 20
	maxKey  = 100
)

// BeforeResolve reads the file. kong calls it once it knows the path, before it resolves the
// flags that the command line does not set.
func (f file) BeforeResolve(ctx *kong.Context, path *kong.Path, into *values) error {
	name, _ := ctx.FlagValue(path.Flag).(file)
	if name == "" {
		return nil
	}
	text, err := configfile.Read(string(name), maxFile)
	if err != nil {
		return fileError(fmt.Sprintf("the file of --config or FUNNELGRAPH_CONFIG cannot be read: %v", err))
	}
	if err := into.read(text, ctx.Model.Flags); err != nil {
		return fileError(fmt.Sprintf("%s: %v", name, err))
	}
	ctx.AddResolver(into)
	return nil
}

// values are the values of the configuration file. It is a [kong.Resolver], which kong calls for
// flags that the command line does not set.
type values struct{ byFlag map[*kong.Flag]any }

// Validate implements [kong.Resolver]. [values.read] has already validated the file.
func (v *values) Validate(*kong.Application) error { return nil }

// Resolve implements [kong.Resolver].
func (v *values) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if inEnvironment(flag) { // kong has already read the variable, which overrides the file
		return nil, nil //nolint:nilnil // this is how a resolver says that it has none
	}
	return v.byFlag[flag], nil
}

// secret reports whether any of the values contains a secret.
func (v *values) secret() bool {
	for flag, value := range v.byFlag {
		if _, secret := redacted(flag, value); secret {
			return true
		}
	}
	return false
}

func inEnvironment(flag *kong.Flag) bool {
	return slices.ContainsFunc(flag.Envs, func(name string) bool {
		_, there := os.LookupEnv(name)
		return there
	})
}

// read parses and validates a configuration file. Its errors name lines and keys, but no values.
func (v *values) read(text []byte, flags []*kong.Flag) error {
	var document yaml.Node
	if err := configfile.YAML(text, &document); err != nil {
		return err
	}
	v.byFlag = make(map[*kong.Flag]any)
	if document.Kind == 0 || document.Content[0].ShortTag() == "!!null" {
		return nil
	}
	keys := document.Content[0]
	if keys.Kind != yaml.MappingNode {
		return fmt.Errorf("it must consist of keys and values, such as listen: %q", ":8080")
	}
	lines := make(map[*kong.Flag]int)
	for i := 0; i < len(keys.Content); i += 2 {
		key, value := keys.Content[i], keys.Content[i+1]
		flag, err := flagForKey(key.Value, flags)
		if err != nil {
			return fmt.Errorf("line %d: %w", key.Line, err)
		}
		if first := lines[flag]; first != 0 {
			return fmt.Errorf("line %d: %s appears twice, first on line %d", key.Line, flag.Name, first)
		}
		lines[flag] = key.Line
		if v.byFlag[flag], err = decodeValue(value, flag); err != nil {
			return fmt.Errorf("line %d: %s must be %w", value.Line, flag.Name, err)
		}
	}
	return nil
}

var (
	// secretKeys match keys under which someone might put a secret into the file.
	secretKeys = []struct {
		noun, variable string
		pattern        *regexp.Regexp
	}{
		{"the ClickFunnels token", "CLICKFUNNELS_API_TOKEN", regexp.MustCompile(`^(clickfunnels-)?((api|access)-)?token(-file)?$`)},
		{"the client secret", "CLICKFUNNELS_OAUTH_CLIENT_SECRET", regexp.MustCompile(`^(clickfunnels-)?(oauth-)?(client-)?secret(-file)?$`)},
		{"a session key", "FUNNELGRAPH_SESSION_KEYS", regexp.MustCompile(`^(funnelgraph-)?session-keys?(-file)?$`)},
	}
	// plainKey matches keys that an error may repeat; a secret is longer.
	plainKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,23}$`)
)

// flagForKey returns the flag that a key sets.
func flagForKey(key string, flags []*kong.Flag) (*kong.Flag, error) {
	if len(key) > maxKey {
		return nil, errors.New("this key is too long: keys are the names of flags, which --help lists")
	}
	plain := strings.ReplaceAll(strings.ToLower(key), "_", "-")
	for _, secret := range secretKeys {
		if secret.pattern.MatchString(plain) {
			return nil, fmt.Errorf("%[1]s is not allowed in this file: set %[2]s, or set %[2]s_FILE to the path of a file that contains only it", secret.noun, secret.variable)
		}
	}
	plain = strings.TrimPrefix(plain, "funnelgraph-")
	var near *kong.Flag
	distance := func(flag *kong.Flag) int { return levenshtein.ComputeDistance(plain, flag.Name) }
	for _, flag := range flags {
		switch {
		case flag.Name == key && settable(flag):
			return flag, nil
		case flag.Name == key:
			return nil, fmt.Errorf("%s is allowed on the command line only", key)
		case slices.Contains(flag.Envs, key):
			return nil, fmt.Errorf("%s is an environment variable: its key is %s", key, flag.Name)
		case settable(flag) && (near == nil || distance(flag) < distance(near)):
			near = flag
		}
	}
	said := "this key"
	if plainKey.MatchString(key) {
		said = fmt.Sprintf("%q", key)
	}
	if near != nil && distance(near) <= max(2, len(near.Name)/4) {
		return nil, fmt.Errorf("%s is not known: did you mean %s?", said, near.Name)
	}
	return nil, fmt.Errorf("%s is not known: keys are the names of flags, which --help lists", said)
}

// settable reports whether the file can set a flag. It cannot set flags that select an action or
// the file itself.
func settable(flag *kong.Flag) bool {
	return len(flag.Envs) != 0 && flag.Target.Type() != reflect.TypeFor[file]()
}

// decodeValue returns a value in the form that kong expects from a resolver. The error describes
// which values are valid.
func decodeValue(node *yaml.Node, flag *kong.Flag) (any, error) {
	var value any
	if flag.IsSlice() {
		must := expected(flag, flag.Target.Type().Elem())
		if node.Kind != yaml.SequenceNode {
			return nil, fmt.Errorf("a list, such as [first, second], each item %s", must.description)
		}
		list := make([]any, len(node.Content))
		for i, each := range node.Content {
			if !slices.Contains(must.tags, each.ShortTag()) || each.Kind != yaml.ScalarNode || each.Decode(&list[i]) != nil {
				return nil, fmt.Errorf("a list, each item %s", must.description)
			}
		}
		value = list
	} else {
		must := expected(flag, flag.Target.Type())
		if node.Kind != yaml.ScalarNode || !slices.Contains(must.tags, node.ShortTag()) ||
			flag.Enum != "" && !slices.Contains(flag.EnumSlice(), node.Value) {
			return nil, must
		}
		value = node.Value
	}
	// Decode the value here first, because kong's own errors repeat it.
	scan := kong.Scan().PushTyped(value, kong.FlagValueToken)
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, reflect.New(flag.Target.Type()).Elem()); err != nil {
		return nil, expected(flag, flag.Target.Type())
	}
	return value, nil
}

// kind is the YAML tags that a type accepts, and their description for errors.
type kind struct {
	description string
	tags        []string
}

func (k kind) Error() string { return k.description }

func expected(flag *kong.Flag, of reflect.Type) kind {
	switch {
	case flag.Enum != "":
		return kind{"one of: " + strings.Join(flag.EnumSlice(), ", "), []string{"!!str"}}
	case of == reflect.TypeFor[time.Duration]():
		return kind{"a time with its unit, such as 30s", []string{"!!str", "!!int"}} // 0 needs none
	case of == reflect.TypeFor[CacheTTL]():
		return kind{"a time with its unit, such as 30s, or times by type, such as contacts=5m,30s", []string{"!!str", "!!int"}}
	case of.Kind() == reflect.Bool:
		return kind{"true or false", []string{"!!bool"}}
	case reflect.Zero(of).CanFloat():
		return kind{"a number", []string{"!!float", "!!int"}}
	case (reflect.Zero(of).CanInt() || reflect.Zero(of).CanUint()) && of.PkgPath() == "":
		return kind{"a whole number", []string{"!!int"}}
	}
	return kind{"text (quoted, if YAML reads it as another type)", []string{"!!str"}}
}

// origin is the source of a value.
type origin string

const (
	fromFlag        origin = "flag"
	fromEnvironment origin = "environment"
	fromFile        origin = "file"
	fromDefault     origin = "default"
)

// setting is a flag with the source of its value.
type setting struct {
	*kong.Flag

	from origin
	file file
}

// String names the setting in errors: the flag, variable or key that the user has to change.
func (s setting) String() string {
	switch s.from {
	case fromEnvironment:
		return s.Envs[0]
	case fromFile:
		return fmt.Sprintf("%s: %s", s.file, s.Name)
	case fromFlag, fromDefault:
	}
	return "--" + s.Name
}

// group returns the index of the setting's group in [groups], -1 if it has none.
func (s setting) group() int {
	return slices.IndexFunc(groups, func(g kong.Group) bool { return s.Group != nil && g.Key == s.Group.Key })
}

// settings returns all settings in the order of --help.
func settings(ctx *kong.Context, in file) []setting {
	from := make(map[*kong.Flag]origin)
	for _, path := range ctx.Path {
		if path.Flag != nil {
			from[path.Flag] = cmp.Or(from[path.Flag], map[bool]origin{true: fromFile, false: fromFlag}[path.Resolved])
		}
	}
	var all []setting
	for _, flag := range ctx.Model.Flags {
		if !settable(flag) {
			continue
		}
		s := setting{Flag: flag, from: cmp.Or(from[flag], fromDefault), file: in}
		if s.from == fromDefault && inEnvironment(flag) {
			s.from = fromEnvironment
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b setting) int { return a.group() - b.group() })
	return all
}
