// Package documents lets clients send the id or the hash of a document instead of its text.
// Trusted documents come from a manifest that is generated when the clients are built. With
// automatic persisted queries a client sends the text once, and then only its hash.
package documents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/funnelgraph/funnelgraph/internal/configfile"
	"github.com/funnelgraph/funnelgraph/internal/lru"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// IDKey is the key of the document's id in the extensions of a request.
const IDKey = "documentId"

// Trusted are the documents of a manifest. It is safe for concurrent use.
type Trusted struct {
	byID, byHash map[string]string
	texts        map[string]bool
}

// maxManifest is the maximum size of a manifest, in bytes.
const maxManifest = 64 << 20

// Load reads a manifest: a JSON object of texts by id, as graphql-codegen and the Relay compiler
// write it, or Apollo's format. Clients may name a document by its id or by the SHA-256 hash of
// its text. An error is one line.
func Load(name string) (*Trusted, error) {
	text, err := configfile.Read(name, maxManifest)
	if err != nil {
		return nil, fmt.Errorf("the trusted documents cannot be read: %s: %w", name, err)
	}
	t, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// Len returns the number of different documents.
func (t *Trusted) Len() int { return len(t.texts) }

func parse(text []byte) (*Trusted, error) {
	var apollo struct {
		Format     string `json:"format"`
		Operations []struct {
			ID   string `json:"id"`
			Body string `json:"body"`
		} `json:"operations"`
	}
	byID := make(map[string]string)
	if json.Unmarshal(text, &apollo) == nil && apollo.Format != "" {
		if apollo.Format != "apollo-persisted-query-manifest" {
			return nil, fmt.Errorf("the manifest format %q is not supported", apollo.Format)
		}
		for _, op := range apollo.Operations {
			byID[op.ID] = op.Body
		}
	} else if err := json.Unmarshal(text, &byID); err != nil {
		return nil, errors.New("it is not a manifest: it must be a JSON object of documents by id, or have Apollo's format")
	}
	t := &Trusted{byID: byID, byHash: make(map[string]string, len(byID)), texts: make(map[string]bool, len(byID))}
	for id, document := range byID {
		if id == "" {
			return nil, errors.New("a document has no id")
		}
		if _, err := parser.ParseQuery(&ast.Source{Input: document}); err != nil {
			return nil, fmt.Errorf("document %s: %w", id, err)
		}
		t.texts[document] = true
		t.byHash[hash(document)] = document
	}
	return t, nil
}

func hash(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

// find returns the document with an id or a hash. A nil t has no documents.
func (t *Trusted) find(id string) (string, bool) {
	if t == nil {
		return "", false
	}
	if document, ok := t.byID[id]; ok {
		return document, true
	}
	document, ok := t.byHash[strings.TrimPrefix(id, "sha256:")]
	return document, ok
}

// Apply makes an executor run documents that requests name by id or hash. trusted may be nil. If
// only is true, the executor runs trusted documents only. Otherwise clients can also register
// automatic persisted queries, which are stored in kept.
func Apply(e *executor.Executor, trusted *Trusted, only bool, kept graphql.Cache[string]) {
	e.Use(trustedDocuments{trusted, only})
	if !only {
		e.Use(extension.AutomaticPersistedQuery{Cache: kept})
	}
}

// trustedDocuments is the gqlgen extension that finds documents in the manifest.
type trustedDocuments struct {
	trusted *Trusted
	only    bool
}

// ExtensionName implements [graphql.HandlerExtension].
func (trustedDocuments) ExtensionName() string { return "TrustedDocuments" }

// Validate implements [graphql.HandlerExtension].
func (trustedDocuments) Validate(graphql.ExecutableSchema) error { return nil }

// persistedQueryKey is the extension in which Apollo's clients send the hash of a document.
const persistedQueryKey = "persistedQuery"

// MutateOperationParameters implements [graphql.OperationParameterMutator].
func (n trustedDocuments) MutateOperationParameters(_ context.Context, params *graphql.RawParams) *gqlerror.Error {
	id, asked := params.Extensions[IDKey].(string)
	automatic := false
	if about, ok := params.Extensions[persistedQueryKey].(map[string]any); ok && !asked {
		id, asked = about["sha256Hash"].(string)
		automatic = true
	}
	if !asked {
		if n.only && !n.trusted.texts[params.Query] {
			return badInput("This server runs trusted documents only, and this document is not one of them.")
		}
		return nil
	}
	document, known := n.trusted.find(id)
	switch {
	case known && params.Query != "" && params.Query != document:
		return badInput("The document's text does not match its id.")
	case known:
		params.Query = document
		delete(params.Extensions, persistedQueryKey)
		return nil
	case automatic && !n.only:
		return nil // it may be an automatic persisted query
	}
	return newError(NotFound, "There is no trusted document with this id: the application and the server's manifest have different versions.")
}

// NotFound is the error code for an id that is not in the manifest. It differs from the code of
// automatic persisted queries, after which clients would send the text in vain.
const NotFound upstream.Code = "DOCUMENT_NOT_FOUND"

func badInput(message string) *gqlerror.Error { return newError(upstream.BadUserInput, message) }

func newError(code upstream.Code, message string) *gqlerror.Error {
	return &gqlerror.Error{Err: upstream.NewError(code, message), Message: message}
}

const (
	// persistedCacheBytes is the maximum memory for automatic persisted queries, and
	// maxPersistedBytes the maximum size of one, both in bytes.
	persistedCacheBytes = 16 << 20
	maxPersistedBytes   = 64 << 10
)

// persistedCache is the document cache: automatic persisted queries by hash. The caller has
// verified the hash of each.
type persistedCache struct{ documents *lru.Cache[string, string] }

// NewCache returns a document cache for automatic persisted queries. Its memory is bounded.
func NewCache() graphql.Cache[string] {
	return persistedCache{lru.New(persistedCacheBytes, func(hash, document string) int { return len(hash) + len(document) + 100 })}
}

// Get implements [graphql.Cache].
func (k persistedCache) Get(_ context.Context, hash string) (string, bool) {
	return k.documents.Get(hash)
}

// Add implements [graphql.Cache].
func (k persistedCache) Add(_ context.Context, hash, document string) {
	if len(document) <= maxPersistedBytes {
		k.documents.Set(hash, document)
	}
}
