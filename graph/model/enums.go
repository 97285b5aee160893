package model

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
)

// enum is a closed set of words that ClickFunnels may extend, in its own spelling (API.md
// §5). A word that is newer than the schema is UNKNOWN, and stands as it came in a field of
// its own, so that it breaks no query.
type enum []string

const unknown = "UNKNOWN"

func (e enum) marshal(value string) graphql.Marshaler {
	name := unknown
	if slices.Contains(e, value) {
		name = strings.ToUpper(value)
	}
	return graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote(name)) })
}

// unmarshal reads an argument, which has been held against the schema. ClickFunnels has no
// word for UNKNOWN.
func (enum) unmarshal(v any) (string, error) {
	name, _ := v.(string)
	if name == unknown {
		return "", errors.New("UNKNOWN is no value to filter by: it stands for any that is newer than the schema")
	}
	return strings.ToLower(name), nil
}
