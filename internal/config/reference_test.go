package config

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write the table of docs/configuration.md")

const (
	page  = "../../docs/configuration.md"
	begin = "<!-- Made by \"go generate ./internal/config\". -->\n"
	end   = "<!-- End of what is made. -->\n"
)

// reference returns the tables of all settings, in Markdown.
func reference(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	flags := model(t).Flags
	for _, group := range append([]kong.Group{{Title: "What to do:"}}, groups...) {
		fmt.Fprintf(&b, "\n### %s\n\n| flag | variable | file | default | |\n|---|---|---|---|---|\n", strings.TrimSuffix(group.Title, ":"))
		for _, flag := range flags {
			if flag.Group == nil && group.Key != "" || flag.Group != nil && flag.Group.Key != group.Key || flag.Name == "help" {
				continue
			}
			name := "`--" + flag.Name + "`"
			if flag.Negated || flag.Tag.Negatable != "" {
				name += ", `--no-" + flag.Name + "`"
			}
			variable, key, value := "", "", ""
			if len(flag.Envs) != 0 {
				variable, value = "`"+flag.Envs[0]+"`", "none"
			}
			if settable(flag) {
				key = "`" + flag.Name + "`: " + kindOf(flag)
			}
			switch {
			case flag.HasDefault:
				value = "`" + strings.Replace(flag.Default, Version(), "<version>", 1) + "`"
			case flag.IsBool() && settable(flag):
				value = "`false`"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, variable, key, value, strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(flag.Help))
		}
	}
	return b.String() + "\n"
}

// kindOf describes the type of a key's value.
func kindOf(flag *kong.Flag) string {
	if flag.IsSlice() {
		return "list"
	}
	says, _, _ := strings.Cut(expected(flag, flag.Target.Type()).says, " with ")
	says, _, _ = strings.Cut(says, " (")
	return strings.TrimPrefix(says, "a ")
}

// TestReference checks that docs/configuration.md lists the current settings.
func TestReference(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), begin)
	old, after, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatalf("%s has no lines %s and %s", page, begin, end)
	}
	fresh := reference(t)
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+fresh+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != fresh {
		t.Errorf("the table of docs/configuration.md is not what the flags are: run \"go generate ./internal/config\"")
	}
}

// TestExamples loads the example files of docs/configuration.md.
func TestExamples(t *testing.T) {
	clean(t)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml[^\n]*\n(# funnelgraph.yaml\n.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(examples) == 0 {
		t.Error("there are none")
	}
	for _, example := range examples {
		if cfg, err := Parse([]string{"--config", write(t, example[1])}, nil); err != nil || cfg.Listen != ":8080" || cfg.CacheTTL == 0 {
			t.Errorf("%v %v", cfg, err)
		}
	}
}
