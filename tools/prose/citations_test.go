package prose

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCitationsLeadToSections checks that each "clickfunnels-api.md §3.1" names a section of
// docs/clickfunnels-api.md.
func TestCitationsLeadToSections(t *testing.T) {
	const sheet = "../../docs/clickfunnels-api.md"
	facts, err := os.ReadFile(sheet)
	if err != nil {
		t.Fatal(err)
	}
	citation := regexp.MustCompile(`clickfunnels-api\.md §(\d+(?:\.\d+)?)`)
	cited := 0
	err = filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && (name == "node_modules" || path != "../.." && strings.HasPrefix(name, ".")):
			return fs.SkipDir
		case !strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, ".md") && !strings.HasSuffix(name, ".graphqls"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, match := range citation.FindAllSubmatch(text, -1) {
			cited++
			if section := regexp.MustCompile(`(?m)^##+ ` + regexp.QuoteMeta(string(match[1])) + `\.? `); !section.Match(facts) {
				t.Errorf("%s: %s has no section %s", path, sheet, match[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if cited < 50 {
		t.Errorf("%d citations, want at least 50: is the pattern still right?", cited)
	}
}
