package model

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"
)

// dateTime is ISO 8601 in UTC with milliseconds, as the API sends it
// (API.md §5).
const dateTime = "2006-01-02T15:04:05.000Z"

// MarshalDateTime writes a time as the scalar DateTime. What is finer than a
// millisecond is kept.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		b := make([]byte, 0, len(dateTime)+12)
		b = append(b, '"')
		if t = t.UTC(); t.Nanosecond()%int(time.Millisecond) == 0 {
			b = t.AppendFormat(b, dateTime)
		} else {
			b = t.AppendFormat(b, time.RFC3339Nano)
		}
		_, _ = w.Write(append(b, '"'))
	})
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

// MarshalJSON writes a value of the scalar JSON as it was received, but for
// broken UTF-8, which would break the whole answer.
func MarshalJSON(v jsontext.Value) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		if len(v) == 0 {
			v = jsontext.Value("null")
		}
		_, _ = w.Write(bytes.ToValidUTF8(v, []byte("\uFFFD")))
	})
}

// UnmarshalJSON exists since gqlgen wants both directions; no argument has the
// type JSON.
func UnmarshalJSON(any) (jsontext.Value, error) {
	return nil, errors.New("JSON is not accepted as an argument")
}
