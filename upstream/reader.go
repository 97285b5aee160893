package upstream

import (
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

// reader decodes what a scanner comes across.
type reader struct {
	scanner
	strings slots[string]
	times   slots[time.Time]
	bools   slots[bool]
	ints    slots[int]
	inner   map[reflect.Type]*rows // of the types within the record's own
}

// slots hold values that records point to, many in one piece of memory.
type slots[T any] struct{ free []T }

func (s *slots[T]) hold(v T) *T {
	if len(s.free) == 0 {
		s.free = make([]T, 2*PageSize)
	}
	p := &s.free[0]
	*p, s.free = v, s.free[1:]
	return p
}

// rows are records of one type, which mostly have the same keys in the same
// order.
type rows struct {
	columns columns
	// members are those of the rows before, in the order in which they stood.
	members []member
}

// member is what is known of a key.
type member struct {
	text  string // with its quotes and the colon behind them
	index []int  // nil if it is passed over
}

// list calls value for each value of an array.
func (r *reader) list(value func() bool) bool {
	if !r.take('[') {
		return false
	}
	for first := true; ; first = false {
		if r.take(']') {
			return true
		}
		if !first && !r.take(',') || !value() {
			return false
		}
	}
}

// row decodes an object.
func (r *reader) row(v reflect.Value, rows *rows) bool {
	if !r.take('{') {
		return false
	}
	for n := 0; ; n++ {
		if r.take('}') {
			return true
		}
		if n > 0 && !r.take(',') {
			return false
		}
		index, ok := r.member(rows, n)
		if !ok {
			return false
		}
		if index == nil {
			_, ok = r.value()
		} else {
			ok = r.field(v.FieldByIndex(index))
		}
		if !ok {
			return false
		}
	}
}

// member passes over the nth key of a row and returns its column.
func (r *reader) member(rows *rows, n int) (index []int, ok bool) {
	r.next()
	if n < len(rows.members) {
		if known := &rows.members[n]; strings.HasPrefix(r.text[r.at:], known.text) {
			r.at += len(known.text)
			return known.index, true
		}
	}
	begin := r.at
	if !r.key() {
		return nil, false
	}
	text := r.text[begin:r.at]
	// A key with an escape in it is none of the API's.
	index = rows.columns[text[1:1+strings.IndexByte(text[1:], '"')]]
	if n < len(rows.members) {
		rows.members[n] = member{text, index}
	} else {
		rows.members = append(rows.members, member{text, index})
	}
	return index, true
}

// field decodes a value into a record's field. What is not plain is left to the
// patient way of reading.
func (r *reader) field(v reflect.Value) bool {
	switch c := r.next(); {
	case c == '{' && isRow(v.Type()):
		return r.record(v)
	case c == '[' && v.Kind() == reflect.Slice && isRow(v.Type().Elem()) && !isOwn(v.Type()):
		all := reflect.MakeSlice(v.Type(), 0, 4)
		ok := r.list(func() bool {
			row := reflect.New(v.Type().Elem()).Elem()
			all = reflect.Append(all, row)
			return r.next() == '{' && r.record(all.Index(all.Len()-1))
		})
		v.Set(all)
		return ok
	}
	begin := r.at
	kind, ok := r.value()
	if !ok {
		return false
	}
	raw := r.text[begin:r.at]
	target := v.Addr().Interface()
	if text, plain := plainText(kind, raw); plain && r.set(target, text, kind == 'n') {
		return true
	}
	return json.Unmarshal([]byte(raw), target, lenient) == nil
}

// isRow reports whether the type is a pointer to a record or to a part of one.
func isRow(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct && t.Elem() != reflect.TypeFor[time.Time]() && !isOwn(t)
}

// isOwn reports whether the type knows itself how it is decoded.
func isOwn(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.UnmarshalerFrom]())
}

// record decodes an object to where v shall point.
func (r *reader) record(v reflect.Value) bool {
	t := v.Type().Elem()
	inner := r.inner[t]
	if inner == nil {
		if r.inner == nil {
			r.inner = make(map[reflect.Type]*rows)
		}
		inner = &rows{columns: Columns(t)}
		r.inner[t] = inner
	}
	if v.IsNil() {
		v.Set(reflect.New(t))
	}
	return r.row(v.Elem(), inner)
}

// plainText returns what [readText] does for a value, where that is what stands
// there.
func plainText(kind byte, raw string) (text string, plain bool) {
	switch kind {
	case '"':
		text = raw[1 : len(raw)-1]
		return text, isPlain(text)
	case kindNumber, 't', 'f':
		return raw, true
	case 'n':
		return "", true
	}
	return "", false
}

// isPlain reports whether a string without escapes is UTF-8 and has no control
// characters.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' {
			return false
		} else if c >= utf8.RuneSelf {
			return utf8.ValidString(text) && !strings.ContainsFunc(text[i:], func(r rune) bool { return r < ' ' })
		}
	}
	return true
}

// set does for a value's text what [lenient] does, and returns false for types
// that are not made of a text.
func (r *reader) set(target any, text string, null bool) bool {
	switch p := target.(type) {
	case *string:
		*p = text
	case **string:
		*p = nil
		if !null {
			*p = r.strings.hold(text)
		}
	case *int:
		*p, _ = parseInt(text)
	case **int:
		*p = held(&r.ints, parseInt, text)
	case **bool:
		*p = held(&r.bools, parseBool, text)
	case **time.Time:
		*p = held(&r.times, parseTime, text)
	default:
		return false
	}
	return true
}

func held[T any](s *slots[T], parse func(string) (T, bool), text string) *T {
	v, ok := parse(text)
	if !ok {
		return nil
	}
	return s.hold(v)
}
