package upstream

import (
	"errors"
	"fmt"
	"math"
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
	body = withoutBOM(body)
	if err := checkSize(body); err != nil {
		return nil, err
	}
	if p != nil {
		if rows, err := decodeOnly[T](body, false, p); err == nil {
			return rows, checkRows(rows)
		}
	}
	var rows []*T
	if err := decode(body, &rows); err != nil {
		return nil, err
	}
	if rows == nil {
		return nil, unreadable(errors.New("null for a list"))
	}
	return rows, checkRows(rows)
}

// decodeOne reads a record, as [decodeList] does; nil is a null.
func decodeOne[T any](body []byte, p *Projection) (*T, error) {
	body = withoutBOM(body)
	if err := checkSize(body); err != nil {
		return nil, err
	}
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

// errUnreadable is what every error of an answer that cannot be read wraps.
var errUnreadable = errors.New("unreadable answer")

func unreadable(cause error) error {
	return &Error{Code: Unavailable, Message: "ClickFunnels sent an answer that cannot be read.", Retryable: true, cause: fmt.Errorf("%w: %w", errUnreadable, cause)}
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

// decodeText reads any value as text.
func decodeText(dec *jsontext.Decoder, s *string) error {
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

// readText reads any value as text: a string's content, a number or boolean as
// it stands, nothing for null, and JSON for an object or an array. An id that is
// formatted as a decimal is the integer.
func readText(dec *jsontext.Decoder) (string, error) {
	value, err := dec.ReadValue()
	if err != nil {
		return "", err
	}
	if value.Kind() == 'n' {
		return "", nil
	}
	if isDecimal(byte(value.Kind()), value) && isIDKey(memberOf(dec.StackPointer())) {
		return integerID(strings.Trim(string(value), `"`)), nil
	}
	if value.Kind() == '"' {
		if inner := value[1 : len(value)-1]; isPlain(inner) {
			return string(inner), nil
		}
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

// NotInt is what a field has whose value is no whole number, such as 1.5 or "1,000".
const NotInt = math.MinInt

// parseInt returns [NotInt] for text that is no whole number, and false for blank text.
// It accepts a decimal without a fraction, such as "3.0" or "3e2".
func parseInt(text string) (int, bool) {
	if text == "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		whole, ok := wholeNumber(text)
		if n, err = strconv.Atoi(whole); !ok || err != nil {
			n = NotInt
		}
	}
	return n, true
}

func parseBool(text string) (bool, bool) {
	b, err := strconv.ParseBool(text)
	return b, err == nil
}

// layouts are the formats of times, after [parseTime] has put a T between date and time.
var layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05", time.DateOnly}

// parseTime accepts ISO 8601 as the API sends it (API.md §5), and what other servers make
// of it: an offset without a colon, a space before time and zone, the zone "UTC", no zone,
// which is UTC, or a date only. The result is in UTC.
func parseTime(text string) (time.Time, bool) {
	if text == "" {
		return time.Time{}, false
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil { // nearly always
		return utc(t)
	}
	text = strings.TrimSpace(text)
	if zoneless, ok := strings.CutSuffix(text, "UTC"); ok {
		text = strings.TrimSpace(zoneless)
	}
	if date := len(time.DateOnly); len(text) > date && text[date] == ' ' {
		text = text[:date] + "T" + strings.ReplaceAll(text[date+1:], " ", "")
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return utc(t)
		}
	}
	return time.Time{}, false
}

// utc returns a time in UTC, and false if its year there has not four digits.
func utc(t time.Time) (time.Time, bool) {
	t = t.UTC()
	return t, t.Year() >= 0 && t.Year() <= 9999
}
