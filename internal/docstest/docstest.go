// Package docstest parses the pages of the documentation for the tests that run their examples.
package docstest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// Page is a page of the documentation.
type Page struct {
	// Name is its path below the repository's root, with slashes.
	Name string
	// Blocks are its fenced code blocks, and Links the destinations of its links, in order.
	Blocks []Block
	Links  []string
	// Anchors are the anchors of its headings.
	Anchors map[string]bool
}

// Block is a fenced code block.
type Block struct {
	// Line is the number of its first line, from 1.
	Line int
	// Language is the first word after the fence, and Title the rest of that line.
	Language, Title string
	Text            string
}

// Read parses README.md, SECURITY.md and docs/*.md below the repository's root.
func Read(root string) ([]Page, error) {
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		return nil, err
	}
	var pages []Page
	for _, name := range append([]string{filepath.Join(root, "README.md"), filepath.Join(root, "SECURITY.md")}, names...) {
		source, err := os.ReadFile(name) //nolint:gosec // of the repository
		if err != nil {
			return nil, err
		}
		within, err := filepath.Rel(root, name)
		if err != nil {
			return nil, err
		}
		page, err := parse(source)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		page.Name = filepath.ToSlash(within)
		pages = append(pages, page)
	}
	return pages, nil
}

func parse(source []byte) (Page, error) {
	page := Page{Anchors: make(map[string]bool)}
	markdown := goldmark.New(goldmark.WithExtensions(extension.GFM))
	err := ast.Walk(markdown.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.FencedCodeBlock:
			block := Block{Text: string(n.Lines().Value(source))}
			if n.Info != nil {
				language, title, _ := strings.Cut(string(n.Info.Value(source)), " ")
				block.Language, block.Title = language, strings.TrimSpace(title)
			}
			if n.Lines().Len() > 0 {
				block.Line = 1 + bytes.Count(source[:n.Lines().At(0).Start], []byte("\n"))
			}
			page.Blocks = append(page.Blocks, block)
		case *ast.Link:
			page.Links = append(page.Links, string(n.Destination))
		case *ast.Image:
			page.Links = append(page.Links, string(n.Destination))
		case *ast.Heading:
			page.Anchors[anchor(string(n.Lines().Value(source)))] = true
		}
		return ast.WalkContinue, nil
	})
	return page, err
}

// anchor returns the anchor that GitHub gives a heading.
func anchor(heading string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return '-'
		case c == '-', c == '_', unicode.IsLetter(c), unicode.IsDigit(c):
			return unicode.ToLower(c)
		}
		return -1
	}, strings.TrimSpace(heading))
}
