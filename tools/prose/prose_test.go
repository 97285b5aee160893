package prose

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	gql "github.com/vektah/gqlparser/v2/ast"
	gqlparser "github.com/vektah/gqlparser/v2/parser"
)

// proseRule is a rule of rules.txt.
type proseRule struct {
	name, advice string
	pattern      *regexp.Regexp
}

func proseRules(t *testing.T) []proseRule {
	t.Helper()
	text, err := os.ReadFile("rules.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rules []proseRule
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		columns := regexp.MustCompile(`\s{2,}`).Split(line, -1)
		if len(columns) != 3 {
			t.Fatalf("a rule has a name, a pattern and an advice, with two spaces between: %q", line)
		}
		rules = append(rules, proseRule{columns[0], columns[2], regexp.MustCompile(columns[1])})
	}
	return rules
}

// flaw returns the first rule that a sentence breaks, or nil.
func flaw(rules []proseRule, sentence string) *proseRule {
	for i := range rules {
		if rules[i].pattern.MatchString(sentence) {
			return &rules[i]
		}
	}
	return nil
}

var sentenceEnd = regexp.MustCompile(`([.!?])\s+`)

// sentences splits a text.
func sentences(text string) []string {
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return nil
	}
	return strings.Split(sentenceEnd.ReplaceAllString(text, "$1\n"), "\n")
}

// goSentences returns the sentences of the comments of a Go file. Generated files and
// indented lines, which are code, have none.
func goSentences(t *testing.T, name string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if ast.IsGenerated(file) {
		return nil
	}
	var all []string
	for _, group := range file.Comments {
		var paragraph strings.Builder
		for line := range strings.Lines(group.Text() + "\n") {
			if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "  ") {
				all = append(all, sentences(paragraph.String())...)
				paragraph.Reset()
				continue
			}
			paragraph.WriteString(line)
		}
		all = append(all, sentences(paragraph.String())...)
	}
	return all
}

// markdownSentences returns the sentences of a page, its table cells among them.
func markdownSentences(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	var paragraph strings.Builder
	inCode := false
	for line := range strings.Lines(string(text) + "\n\n") {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") {
			inCode = !inCode
		}
		item := strings.TrimLeft(trimmed, "-*#>0123456789. ")
		switch {
		case inCode || trimmed == "" || strings.HasPrefix(trimmed, "```"), strings.HasPrefix(trimmed, "|"), item != trimmed:
			all = append(all, sentences(paragraph.String())...)
			paragraph.Reset()
		}
		switch {
		case inCode:
		case strings.HasPrefix(trimmed, "|"):
			for cell := range strings.SplitSeq(trimmed, "|") {
				all = append(all, sentences(cell)...)
			}
		default:
			paragraph.WriteString(item + " ")
		}
	}
	return all
}

// schemaSentences returns the sentences of the descriptions of a schema file.
func schemaSentences(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	document, parseErr := gqlparser.ParseSchema(&gql.Source{Name: name, Input: string(text)})
	if parseErr != nil {
		t.Fatal(parseErr)
	}
	var all []string
	for _, definition := range append(document.Definitions, document.Extensions...) {
		all = append(all, sentences(definition.Description)...)
		for _, f := range definition.Fields {
			all = append(all, sentences(f.Description)...)
			for _, argument := range f.Arguments {
				all = append(all, sentences(argument.Description)...)
			}
		}
		for _, value := range definition.EnumValues {
			all = append(all, sentences(value.Description)...)
		}
	}
	return all
}

// TestProseIsPlain applies the rules to docs, comments and schema descriptions.
func TestProseIsPlain(t *testing.T) {
	rules := proseRules(t)
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == "node_modules" || name == "testdata" || path != "../.." && strings.HasPrefix(name, ".")) {
			return fs.SkipDir
		}
		var all []string
		switch filepath.Ext(path) {
		case ".go":
			all = goSentences(t, path)
		case ".md":
			all = markdownSentences(t, path)
		case ".graphqls":
			all = schemaSentences(t, path)
		}
		for _, sentence := range all {
			if rule := flaw(rules, sentence); rule != nil {
				t.Errorf("%s: %q (%s): %s", path, sentence, rule.name, rule.advice)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestProseRulesFindBadSentences applies the rules to sentences that have been bad.
func TestProseRulesFindBadSentences(t *testing.T) {
	rules := proseRules(t)
	bad, err := os.ReadFile("testdata/bad.txt")
	if err != nil {
		t.Fatal(err)
	}
	for sentence := range strings.SplitSeq(strings.TrimSpace(string(bad)), "\n") {
		if flaw(rules, sentence) == nil {
			t.Errorf("no rule flags %q", sentence)
		}
	}
}

// TestProseRulesAcceptPlainSentences applies the rules to comments of the standard library:
// they flag at most 2 % of them.
func TestProseRulesAcceptPlainSentences(t *testing.T) {
	rules := proseRules(t)
	var all []string
	for _, name := range []string{"net/http/client.go", "net/http/server.go", "context/context.go", "sync/mutex.go", "io/io.go", "bufio/bufio.go", "time/time.go"} {
		all = append(all, goSentences(t, filepath.Join(runtime.GOROOT(), "src", name))...) //nolint:staticcheck // the sources of the Go that runs the test
	}
	var flagged []string
	const n = 200
	for i := range n {
		if sentence := all[i*len(all)/n]; flaw(rules, sentence) != nil {
			flagged = append(flagged, sentence)
		}
	}
	if len(flagged) > n*2/100 {
		t.Errorf("%d of %d sentences are flagged: %q", len(flagged), n, flagged)
	}
}
