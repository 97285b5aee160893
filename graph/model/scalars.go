package model

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// dateTime is ISO 8601 in UTC with milliseconds, as the API sends it
// (API.md §5).
const dateTime = "2006-01-02T15:04:05.000Z"

// AppendDateTime writes a time as the scalar DateTime. What is finer than a
// millisecond is kept.
func AppendDateTime(b []byte, t time.Time) []byte {
	layout := dateTime
	if t = t.UTC(); t.Nanosecond()%int(time.Millisecond) != 0 {
		layout = time.RFC3339Nano
	}
	b = t.AppendFormat(append(b, '"'), layout)
	return append(b, '"')
}

// MarshalDateTime is [AppendDateTime] for gqlgen.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(AppendDateTime(nil, t)) })
}

// UnmarshalDateTime reads an argument of the type DateTime.
func UnmarshalDateTime(v any) (time.Time, error) {
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, errors.New("a DateTime is ISO 8601 text, such as 2025-01-31T09:30:00.000Z")
	}
	return t.UTC(), nil
}

// AppendJSON writes a value of the scalar JSON as it was received, but for broken
// UTF-8, which would break the whole answer.
func AppendJSON(b []byte, v jsontext.Value) []byte {
	if len(v) == 0 {
		return append(b, "null"...)
	}
	return append(b, bytes.ToValidUTF8(v, []byte("\uFFFD"))...)
}

// MarshalJSON is [AppendJSON] for gqlgen.
func MarshalJSON(v jsontext.Value) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(AppendJSON(nil, v)) })
}

// UnmarshalJSON exists since gqlgen wants both directions; no argument has the
// type JSON.
func UnmarshalJSON(any) (jsontext.Value, error) {
	return nil, errors.New("JSON is not accepted as an argument")
}

// MarshalInt writes a number that ClickFunnels has sent as the scalar Int, which has 32
// bits. Any other is null with an error.
func MarshalInt(n int) graphql.ContextMarshaler {
	return graphql.ContextWriterFunc(func(_ context.Context, w io.Writer) error {
		if n < math.MinInt32 || n > math.MaxInt32 {
			return upstream.NewError(upstream.Unavailable, "ClickFunnels sent a value that is no whole number of 32 bits.")
		}
		_, err := io.WriteString(w, strconv.Itoa(n))
		return err
	})
}

// UnmarshalInt reads an argument of the type Int.
func UnmarshalInt(_ context.Context, v any) (int, error) { return graphql.UnmarshalInt(v) }
