// Package explorer serves GraphiQL. The page, the assets and the examples are embedded in the
// binary, so that it works without a network and with a content security policy that allows no
// other source.
//
// The assets are the published browser files of GraphiQL 4. GraphiQL 5 uses an editor that is
// three times the size and does not support phones, and it needs a bundler. The files of version 4
// can be compared with the npm packages byte by byte. build/ documents how they are made.
package explorer

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/funnelgraph/funnelgraph/internal/contentcoding"
)

//go:embed assets page examples
var files embed.FS

// indexFile is the template of the page in the folder page.
const indexFile = "index.html"

// Example is an operation that the explorer opens in a tab.
type Example struct {
	// Name is the name of the file without its extension.
	Name string `json:"name"`
	// Query is the document.
	Query string `json:"query"`
	// Variables is a JSON object, or empty.
	Variables string `json:"variables"`
}

// Examples returns the examples in order, one for each feature of the schema. They run unchanged
// against the demo. The page replaces the values of variables of the type ID with ids of the
// caller's own records.
func Examples() []Example {
	documents, err := fs.Glob(files, "examples/*.graphql")
	if err != nil {
		panic(err) // the pattern is valid
	}
	var all []Example
	for _, name := range documents {
		e := Example{Name: strings.TrimSuffix(path.Base(name), ".graphql"), Query: string(read(name))}
		if variables, err := files.ReadFile(strings.TrimSuffix(name, "graphql") + "json"); err == nil {
			e.Variables = string(variables)
		}
		all = append(all, e)
	}
	return all
}

// policy is the content security policy, which allows only the page's own content. GraphiQL's
// editor sets style attributes, and its icons and fonts are data URLs.
const policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
	"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// file is a static file.
type file struct {
	media, etag string
	compressed  []byte        // gzip, which all browsers accept
	plain       func() []byte // uncompressed, for other clients
}

// Handler returns a handler that serves the explorer at "/". endpoint is the path of the GraphQL
// endpoint. signIn reports whether the server has the endpoints /auth/login, /auth/session and
// /auth/logout. Without them, the page asks for a token or key instead.
func Handler(endpoint string, signIn bool) http.Handler {
	site := maps.Clone(parts())
	site["/"] = newFile(indexFile, compress(index(endpoint, signIn)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := site[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "GraphiQL supports only GET and HEAD: send operations to "+endpoint+".", http.StatusMethodNotAllowed)
			return
		}
		f.serve(w, r)
	})
}

// parts returns the files of the page by their paths. They are compressed and hashed once.
var parts = sync.OnceValue(func() map[string]file {
	all := make(map[string]file)
	for _, name := range []string{
		"account.js", "answer.js", "calls.js", "dialog.js", "examples.js", "page.js", "share.js", "store.js", "tabs.js", "page.css",
	} {
		all["/"+name] = newFile(name, compress(read("page/"+name)))
	}
	entries, err := files.ReadDir("assets")
	if err != nil {
		panic(err) // embedded
	}
	for _, entry := range entries {
		name := strings.TrimSuffix(entry.Name(), ".gz")
		all["/assets/"+name] = newFile(name, read("assets/"+entry.Name()))
	}
	return all
})

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // browsers revalidate each time and get 304
	h.Add("Vary", "Accept-Encoding")
	h.Set("ETag", f.etag)
	if r.Header.Get("If-None-Match") == f.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.media)
	body := f.compressed
	if contentcoding.Gzip.Acceptable(r.Header["Accept-Encoding"]) {
		h.Set("Content-Encoding", "gzip")
	} else {
		body = f.plain()
	}
	_, _ = w.Write(body)
}

func newFile(name string, packed []byte) file {
	sum := sha256.Sum256(packed)
	media := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // the operating system's table of types can differ
	case ".js":
		media = "text/javascript; charset=utf-8"
	case ".css":
		media = "text/css; charset=utf-8"
	case ".html":
		media = "text/html; charset=utf-8"
	case ".txt":
		media = "text/plain; charset=utf-8"
	}
	return file{media, `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, packed, sync.OnceValue(func() []byte { return decompress(packed) })}
}

func index(endpoint string, signIn bool) []byte {
	examples, err := json.Marshal(Examples())
	if err != nil {
		panic(err) // plain strings
	}
	var page bytes.Buffer
	err = template.Must(template.New("index").Parse(string(read("page/"+indexFile)))).Execute(&page, map[string]any{
		"Endpoint": endpoint,
		"SignIn":   signIn,
		"Examples": template.JS(examples), //nolint:gosec // our own, and json.Marshal escapes "<"
	})
	if err != nil {
		panic(err) // the template and its values are ours
	}
	return page.Bytes()
}

func read(name string) []byte {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(err) // embedded
	}
	return b
}

func decompress(packed []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic(err) // embedded
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	return plain
}

func compress(plain []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(plain) // a buffer does not fail
	_ = w.Close()
	return b.Bytes()
}
