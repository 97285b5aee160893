package model

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
)

// enum lists the values of an enum that ClickFunnels may extend, in ClickFunnels' spelling
// (clickfunnels-api.md §5). A value that is newer than the schema becomes UNKNOWN, so that it breaks no query.
// A `raw…` field returns it as it came.
type enum []string

const unknown = "UNKNOWN"

func (e enum) marshal(value string) graphql.Marshaler {
	name := unknown
	if slices.Contains(e, value) {
		name = strings.ToUpper(value)
	}
	return graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote(name)) })
}

// unmarshal reads an argument that was validated against the schema. It refuses UNKNOWN, for
// which ClickFunnels has no value.
func (enum) unmarshal(v any) (string, error) {
	name, _ := v.(string)
	if name == unknown {
		return "", errors.New("UNKNOWN is no value for an input: it stands for values that are newer than the schema")
	}
	return strings.ToLower(name), nil
}
