package upstream

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// appendValue appends a value to b in the form of a GraphQL response. It appends nothing for null
// or for a value that cannot be interpreted. It returns false for text that is not JSON.
func (k *key) appendValue(b []byte, kind byte, raw []byte) (out []byte, ok bool) {
	switch k.shape { //nolint:exhaustive // see below
	case asTexts:
		return k.appendTexts(b, kind, raw)
	case asPresence:
		if kind != 'n' {
			b = append(b, `""`...)
		}
		return b, true
	case asMembers, asJSON:
		if kind == 'n' || k.shape == asMembers && kind != '{' {
			return b, true
		}
		text, ok := wellFormed(kind, raw)
		return append(b, text...), ok
	}
	if k.shape == asText && (!k.isID || !isDecimal(kind, raw)) { // nearly always
		if kind == kindNumber {
			return append(append(append(b, '"'), raw...), '"'), true
		} else if kind == '"' && isPlain(raw[1:len(raw)-1]) {
			return append(b, raw...), true
		}
	}
	text, ok := textOf(kind, raw)
	if !ok || kind == 'n' {
		return b, ok
	}
	return k.appendScalar(b, kind, text), true
}

// appendScalar appends a value that is given as text, and nothing if it makes no sense.
func (k *key) appendScalar(b []byte, kind byte, text []byte) []byte {
	switch k.shape { //nolint:exhaustive // see appendValue
	case asInt:
		if n, ok := parseInt(string(text)); ok {
			b = strconv.AppendInt(b, int64(n), 10)
		}
	case asBoolean:
		if is, ok := parseBool(string(text)); ok {
			b = strconv.AppendBool(b, is)
		}
	case asTime:
		if isCanonicalTime(text) {
			return append(append(append(b, '"'), text...), '"')
		}
		if t, ok := ParseTime(string(text)); ok {
			b = AppendTime(b, t)
		}
	case asAmount:
		if text = bytes.TrimSpace(text); len(text) > 0 {
			b = appendQuoted(b, twoDecimals(string(text)))
		}
	case asCode:
		if text = bytes.TrimSpace(text); len(text) > 0 {
			b = appendQuoted(b, strings.ToUpper(string(text)))
		}
	default:
		b = appendQuoted(b, integerIn(k.isID, kind, text))
	}
	return b
}

// twoDecimals returns a decimal with at least two decimals. It never rounds. Other texts are
// unchanged.
func twoDecimals(text string) string {
	if integer, ok := wholeNumber(text); ok { // of any form, such as 1e3 or -0.0
		return integer + ".00"
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if digits := strings.TrimPrefix(whole, "-"); digits == "" || strings.Trim(digits+fraction, "0123456789") != "" {
		return text
	}
	fraction = strings.TrimRight(fraction, "0")
	return whole + "." + fraction + strings.Repeat("0", max(0, 2-len(fraction)))
}

// appendTexts appends a list of ids or words. Nulls and blanks are omitted.
func (k *key) appendTexts(b []byte, kind byte, raw []byte) (out []byte, ok bool) {
	if kind != '[' {
		return b, true
	}
	b = append(b, '[')
	first := len(b)
	s := scanner{text: raw}
	ok = s.list(func() bool {
		kind, raw, _ := s.raw()
		text, ok := textOf(kind, raw)
		if len(text) > 0 {
			if len(b) > first {
				b = append(b, ',')
			}
			b = appendQuoted(b, integerIn(k.isID, kind, text))
		}
		return ok
	})
	return append(b, ']'), ok
}

// textOf returns a value as text: the content of a string, numbers and booleans as they are,
// nothing for null, and JSON for objects and arrays. It repairs invalid UTF-8. It returns false for
// text that is not JSON.
func textOf(kind byte, raw []byte) (text []byte, ok bool) {
	switch kind {
	case 'n':
		return nil, true
	case '"':
		if inner := raw[1 : len(raw)-1]; isPlain(inner) {
			return inner, true
		}
		if !isJSON(raw) {
			return nil, false
		}
		text, _ = jsontext.AppendUnquote(nil, raw) // fails only for invalid UTF-8, which it repairs
		return text, true
	}
	return wellFormed(kind, raw)
}

// wellFormed returns the text of a skipped value with its UTF-8 repaired, and whether its strings
// are valid.
func wellFormed(kind byte, raw []byte) ([]byte, bool) {
	if kind == kindNumber || kind == 't' || kind == 'f' || isPlain(raw) {
		return raw, true
	}
	return bytes.ToValidUTF8(raw, []byte("\uFFFD")), isJSON(raw)
}

func isJSON(raw []byte) bool {
	return jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// isPlain reports whether text is valid UTF-8 without escapes or control characters.
func isPlain(text []byte) bool {
	ascii := true
	for _, c := range text {
		if c < ' ' || c == '\\' {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.Valid(text)
}

// integerIn returns the text of a value, with a decimal id as an integer.
func integerIn(isID bool, kind byte, text []byte) string {
	if isID && isDecimal(kind, text) {
		return integerID(string(text))
	}
	return string(text)
}

const hexDigits = "0123456789ABCDEF"

// AppendQuoted appends a string to b as JSON, with the same escapes as gqlgen.
func AppendQuoted(b []byte, s string) []byte { return appendQuoted(b, s) }

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		if escape := strings.IndexByte("\t\r\n\"\\", c); escape >= 0 {
			b = append(b, '\\', `trn"\`[escape])
		} else {
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
	}
	return append(append(b, s[start:]...), '"')
}

// NotInt marks a value that is not a whole number, such as 1.5 or "1,000".
const NotInt = math.MinInt

// parseInt parses a whole number, including decimals without a fraction such as "3.0" or "3e2". It
// returns [NotInt] for other text, and false for blank text.
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

// AppendInt appends a number to b. It fails with the code Unavailable if the number does not fit
// into the 32 bits of a GraphQL Int, as [NotInt] does not.
func AppendInt(b []byte, n int) ([]byte, error) {
	if n < math.MinInt32 || n > math.MaxInt32 {
		return b, NewError(Unavailable, "ClickFunnels sent a value that is not a 32-bit integer.")
	}
	return strconv.AppendInt(b, int64(n), 10), nil
}

func parseBool(text string) (bool, bool) {
	b, err := strconv.ParseBool(text)
	return b, err == nil
}

// canonicalTime is ISO 8601 in UTC with milliseconds, as the API sends it (clickfunnels-api.md §5).
const canonicalTime = "2006-01-02T15:04:05.000Z"

// AppendTime appends a time to b as a JSON string, in the API's own format. It keeps fractions
// finer than a millisecond.
func AppendTime(b []byte, t time.Time) []byte {
	layout := canonicalTime
	if t = t.UTC(); t.Nanosecond()%int(time.Millisecond) != 0 {
		layout = time.RFC3339Nano
	}
	return append(t.AppendFormat(append(b, '"'), layout), '"')
}

// isCanonicalTime reports whether a text is certainly in the format of [AppendTime]. It returns
// false for days after the 28th, whose validity depends on the month.
func isCanonicalTime(text []byte) bool {
	if len(text) != len(canonicalTime) {
		return false
	}
	for i, c := range text {
		if want := canonicalTime[i]; want >= '0' && want <= '9' {
			if c < '0' || c > '9' {
				return false
			}
		} else if c != want {
			return false
		}
	}
	two := func(i int) int { return int(text[i]-'0')*10 + int(text[i+1]-'0') }
	month, day := two(5), two(8)
	return month >= 1 && month <= 12 && day >= 1 && day <= 28 && two(11) < 24 && two(14) < 60 && two(17) < 60
}

// layouts are the accepted time formats, after [parseTime] has put a T between date and time.
var layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05", time.DateOnly}

// ParseTime parses ISO 8601 as the API sends it (clickfunnels-api.md §5), and variants of other servers: an
// offset without a colon, a space before time and zone, the zone "UTC", no zone (taken as UTC), or
// a date only. The result is in UTC.
func ParseTime(text string) (time.Time, bool) {
	if text == "" {
		return time.Time{}, false
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil { // nearly always
		return inUTC(t)
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
			return inUTC(t)
		}
	}
	return time.Time{}, false
}

// inUTC converts a time to UTC. It returns false if its year then does not have four digits.
func inUTC(t time.Time) (time.Time, bool) {
	t = t.UTC()
	return t, t.Year() >= 0 && t.Year() <= 9999
}
