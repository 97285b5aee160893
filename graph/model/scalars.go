package model

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// MarshalDateTime writes a time as the scalar DateTime.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(upstream.AppendTime(nil, t)) })
}

// UnmarshalDateTime reads an argument of the type DateTime. The result is in UTC.
func UnmarshalDateTime(v any) (time.Time, error) {
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, errors.New("a DateTime is ISO 8601 text, such as 2025-01-31T09:30:00.000Z")
	}
	return t.UTC(), nil
}

// MarshalJSON writes a value of the scalar JSON as ClickFunnels sent it.
func MarshalJSON(v jsontext.Value) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		if len(v) == 0 {
			v = jsontext.Value("null")
		}
		_, _ = w.Write(v)
	})
}

// UnmarshalJSON reads an argument of the scalar JSON.
func UnmarshalJSON(v any) (jsontext.Value, error) { return json.Marshal(v, json.Deterministic(true)) }

// MarshalInt writes a number from ClickFunnels as the scalar Int. A number of more than 32 bits
// becomes null with an error.
func MarshalInt(n int) graphql.ContextMarshaler {
	return graphql.ContextWriterFunc(func(_ context.Context, w io.Writer) error {
		text, err := upstream.AppendInt(nil, n)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	})
}

// UnmarshalInt reads an argument of the type Int.
func UnmarshalInt(_ context.Context, v any) (int, error) { return graphql.UnmarshalInt(v) }
