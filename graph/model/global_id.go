// Package model holds the types that only GraphQL has: global ids, connections, scalars, payloads
// and inputs.
package model

import (
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Node is an object with a global id.
type Node interface{ Ref() upstream.Ref }

// Tag is a tag of any kind of record.
type Tag interface {
	Node
	Name() string
	Color() string
}

// ContactAction is an action on many contacts.
type ContactAction interface {
	Node
	TargetCount() *int
	PerformedCount() *int
	CompletedAt() *time.Time
}

// idVersion begins every global id. A future format can then coexist with the ids that clients
// keep.
const idVersion = "1"

// kinds are the kinds with global ids. The value says whether the id names a parent: the
// workspace on whose subdomain the record is, or the team that embeds it.
var kinds = func() map[upstream.Kind]bool {
	all := maps.Clone(resourceKinds)
	all[upstream.KindMembership], all[upstream.KindSubscription] = true, true
	return all
}()

// appendID appends a record's global id: the Base64 of, for example, "1:contact:42:99".
func appendID(b []byte, ref upstream.Ref) []byte {
	text := make([]byte, 0, 128) // on the stack
	text = append(text, idVersion+":"...)
	text = append(text, ref.Kind...)
	if kinds[ref.Kind] {
		text = append(append(text, ':'), ref.Parent...)
	}
	text = append(append(text, ':'), ref.ID...)
	return base64.RawURLEncoding.AppendEncode(b, text)
}

// GlobalID returns a record's global id. It is opaque to clients and never changes.
func GlobalID(ref upstream.Ref) string { return string(appendID(nil, ref)) }

// AppendGlobalID appends a record's global id as a JSON string. Base64 needs no escaping.
func AppendGlobalID(b []byte, ref upstream.Ref) []byte {
	return append(appendID(append(b, '"'), ref), '"')
}

// ParseGlobalID returns the ref that a global id stands for, and false for any other text. No raw
// or public id can be mistaken for a global one.
func ParseGlobalID(id string) (upstream.Ref, bool) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(id)
	if err != nil || strings.ContainsAny(id, "\r\n") { // which the decoder ignores
		return upstream.Ref{}, false
	}
	parts := strings.Split(string(text), ":")
	if len(parts) < 3 || parts[0] != idVersion {
		return upstream.Ref{}, false
	}
	ref := upstream.Ref{Kind: upstream.Kind(parts[1]), ID: parts[len(parts)-1]}
	hasParent, known := kinds[ref.Kind]
	want := 3
	if hasParent {
		want, ref.Parent = 4, parts[2]
	}
	if !known || len(parts) != want || ref.Kind.Nested() && !ref.HasOwner() || slices.ContainsFunc(parts[2:], func(part string) bool { return !isPlainID(part) }) {
		return upstream.Ref{}, false
	}
	return ref, true
}

// ParseID reads an argument that names a record of a kind by its global, raw or public id. parent
// is the record's workspace, or empty if the field does not name it.
//
// The error is NOT_FOUND if a global id names another workspace, and BAD_USER_INPUT if the text
// is no id of this kind.
func ParseID(kind upstream.Kind, parent, id string) (upstream.Ref, error) {
	if ref, ok := ParseGlobalID(id); ok {
		switch {
		case ref.Kind != kind:
			return upstream.Ref{}, upstream.NewError(upstream.BadUserInput,
				"This is the id of a "+nounOf(ref.Kind)+", where the id of a "+nounOf(kind)+" is expected.")
		case parent != "" && ref.Parent != "" && ref.Parent != parent && upstream.IsRawID(parent):
			return upstream.Ref{}, upstream.NewError(upstream.NotFound, "There is no such "+nounOf(kind)+" in this workspace.")
		}
		return ref, nil
	}
	if kind.Nested() {
		return upstream.Ref{}, upstream.NewError(upstream.BadUserInput,
			"This is not the global id of a "+nounOf(kind)+". A raw or public id does not tell the record that it belongs to.")
	}
	if !isPlainID(id) {
		return upstream.Ref{}, upstream.NewError(upstream.BadUserInput,
			"This is not the id of a "+nounOf(kind)+": give its id, rawId or publicId.")
	}
	return upstream.Ref{Kind: kind, Parent: parent, ID: id}, nil
}

// maxIDBytes is far above the length of any raw or public id.
const maxIDBytes = 64

// isPlainID reports whether the text can be a raw or public id.
func isPlainID(id string) bool {
	return id != "" && len(id) <= maxIDBytes && !strings.ContainsFunc(id, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
	})
}

func nounOf(kind upstream.Kind) string { return strings.ReplaceAll(string(kind), "_", " ") }

// MarshalGlobalID is [AppendGlobalID] for gqlgen.
func MarshalGlobalID(ref upstream.Ref) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(AppendGlobalID(nil, ref)) })
}

// UnmarshalGlobalID exists because gqlgen needs both directions. Arguments are read as text, by
// [ParseID].
func UnmarshalGlobalID(v any) (upstream.Ref, error) {
	if s, ok := v.(string); ok {
		if ref, ok := ParseGlobalID(s); ok {
			return ref, nil
		}
	}
	return upstream.Ref{}, errors.New("not a global id")
}
