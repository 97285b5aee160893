package upstream

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// decodeList reads a list of records. p, which may be nil, says which keys are
// needed.
func decodeList[T any](body []byte, p *Projection) ([]*T, error) {
	if p != nil {
		if rows, err := decodeOnly[T](body, false, p); err == nil {
			return rows, nil
		}
	}
	var rows []*T
	if err := decode(body, &rows); err != nil {
		return nil, err
	}
	if rows == nil {
		return nil, unreadable(errors.New("null for a list"))
	}
	return rows, nil
}

// decodeOne reads a record, as [decodeList] does; nil is a null.
func decodeOne[T any](body []byte, p *Projection) (*T, error) {
	if p != nil {
		if rows, err := decodeOnly[T](body, true, p); err == nil {
			return rows[0], nil
		}
	}
	var row *T
	err := decode(body, &row)
	return row, err
}

// decode reads an answer into records. Types in the wild differ from what is
// declared (API.md §8, traps 9–12): a number may come as a string and a string
// as a number, a null where none is declared, a key that nobody described. None
// of these fails; a value that makes no sense at all in its place is taken for
// null. Only text that is not JSON, or a whole of the wrong shape, is an error.
func decode(body []byte, into any) error {
	err := json.Unmarshal(body, into, lenient)
	if _, ok := errors.AsType[*json.SemanticError](err); ok {
		reflect.ValueOf(into).Elem().SetZero()
		err = json.Unmarshal(body, into, forgiving)
	}
	if err != nil {
		return unreadable(withoutValues(err))
	}
	return nil
}

func unreadable(cause error) error {
	return &Error{Code: Unavailable, Message: "ClickFunnels sent an answer that cannot be read.", Retryable: true, cause: cause}
}

// withoutNulls takes nulls out of a list of records, where they mean nothing.
func withoutNulls[T any](rows []*T) []*T {
	return slices.DeleteFunc(rows, func(row *T) bool { return row == nil })
}

// withoutValues keeps of a decoding error where it happened and drops what
// stood there, which may be personal data.
func withoutValues(err error) error {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		return errors.New("unexpected value at " + string(semantic.JSONPointer))
	}
	return errors.New("malformed JSON")
}

var lenientTypes = json.JoinUnmarshalers(
	json.UnmarshalFromFunc(decodeText),
	json.UnmarshalFromFunc(decodeTexts),
	json.UnmarshalFromFunc(nullable(parseInt)),
	json.UnmarshalFromFunc(orZero(parseInt)),
	json.UnmarshalFromFunc(nullable(parseBool)),
	json.UnmarshalFromFunc(nullable(parseTime)),
)

// lenient reads the Go types that records are made of. Pointers are the fields
// that may be null, and become nil for what makes no sense.
var lenient = json.JoinOptions(
	json.WithUnmarshalers(lenientTypes),
	jsontext.AllowDuplicateNames(true),
	jsontext.AllowInvalidUTF8(true),
)

// forgiving takes for null, too, what has another shape than its place, such as
// an object for a list. It looks at every value, so it is the second try.
var forgiving = json.JoinOptions(lenient, json.WithUnmarshalers(json.JoinUnmarshalers(
	lenientTypes,
	json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v any) error {
		var want jsontext.Kind
		switch target := reflect.TypeOf(v).Elem(); {
		case target.Kind() == reflect.Struct || target.Kind() == reflect.Pointer && target.Elem().Kind() == reflect.Struct:
			want = '{'
		case target.Kind() == reflect.Slice:
			want = '['
		}
		_, own := v.(json.UnmarshalerFrom)
		_, raw := v.(*jsontext.Value)
		if want == 0 || own || raw || dec.StackDepth() == 0 || dec.PeekKind() == want {
			return errors.ErrUnsupported
		}
		reflect.ValueOf(v).Elem().SetZero()
		return dec.SkipValue()
	}),
)))

// decodeText leaves what is a string, nearly always, to the library.
func decodeText(dec *jsontext.Decoder, s *string) error {
	if dec.PeekKind() == '"' {
		return errors.ErrUnsupported
	}
	text, err := readText(dec)
	*s = text
	return err
}

// decodeTexts leaves nulls and blanks out of a list of ids or words, where they mean
// nothing.
func decodeTexts(dec *jsontext.Decoder, all *[]string) error {
	if dec.PeekKind() != '[' {
		return errors.ErrUnsupported
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	*all = []string{}
	for dec.PeekKind() != ']' {
		text, err := readText(dec)
		if err != nil {
			return err
		}
		if text != "" {
			*all = append(*all, text)
		}
	}
	_, err := dec.ReadToken()
	return err
}

// nullable returns a decoder for *T that sets nil where parse does not accept
// the value's text.
func nullable[T any](parse func(string) (T, bool)) func(*jsontext.Decoder, **T) error {
	return func(dec *jsontext.Decoder, p **T) error {
		*p = nil
		text, err := readText(dec)
		if err != nil {
			return err
		}
		if v, ok := parse(text); ok {
			*p = &v
		}
		return nil
	}
}

// orZero returns a decoder for T that sets the zero value where parse does not
// accept the value's text.
func orZero[T any](parse func(string) (T, bool)) func(*jsontext.Decoder, *T) error {
	return func(dec *jsontext.Decoder, p *T) error {
		text, err := readText(dec)
		*p, _ = parse(text)
		return err
	}
}

// readText reads any value as text: a string's content, a number or boolean as
// it stands, nothing for null, and JSON for an object or an array.
func readText(dec *jsontext.Decoder) (string, error) {
	value, err := dec.ReadValue()
	if err != nil {
		return "", err
	}
	if value.Kind() == 'n' {
		return "", nil
	}
	if value.Kind() == '"' {
		unquoted, _ := jsontext.AppendUnquote(nil, value) // only broken UTF-8 fails, and is mended
		return string(unquoted), nil
	}
	return strings.ToValidUTF8(string(value), "\uFFFD"), nil
}

// readNullableText is [readText] with nil for null.
func readNullableText(dec *jsontext.Decoder) (*string, error) {
	if dec.PeekKind() == 'n' {
		return nil, dec.SkipValue()
	}
	text, err := readText(dec)
	return &text, err
}

// parseInt also accepts a decimal without a fraction, such as "3.0".
func parseInt(text string) (int, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	if strings.Trim(fraction, "0") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(whole)
	return n, err == nil
}

func parseBool(text string) (bool, bool) {
	b, err := strconv.ParseBool(text)
	return b, err == nil
}

// parseTime accepts ISO 8601 as the API sends it (API.md §5); the result is in
// UTC.
func parseTime(text string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, text)
	return t.UTC(), err == nil
}
