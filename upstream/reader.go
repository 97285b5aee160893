package upstream

import (
	"bytes"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

// reader decodes what a scanner comes across.
type reader struct {
	scanner
	texts   texts
	strings slots[string]
	times   slots[time.Time]
	bools   slots[bool]
	ints    slots[int]
	types   map[reflect.Type]*rows
}

var readers = sync.Pool{New: func() any { return &reader{types: make(map[reflect.Type]*rows)} }}

// free gives the reader back. What it has decoded is the records' own; what is
// left of its pieces of memory serves the next ones.
func (r *reader) free() {
	r.scanner = scanner{}
	for _, rows := range r.types {
		clear(rows.members)
		rows.columns, rows.members = nil, rows.members[:0]
	}
	readers.Put(r)
}

// texts are copies of what stands in a body, many in one piece of memory.
type texts struct{ strings.Builder }

const textsBytes = 1 << 10

func (t *texts) hold(b []byte) string {
	if t.Cap()-t.Len() < len(b) {
		t.Builder = strings.Builder{}
		t.Grow(max(textsBytes, len(b)))
	}
	begin := t.Len()
	_, _ = t.Write(b) // never fails, and moves nothing: there is room
	return t.String()[begin:]
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

// holdIf is hold, or nil if the value is none.
func (s *slots[T]) holdIf(ok bool, v T) *T {
	if !ok {
		return nil
	}
	return s.hold(v)
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
	text  []byte // with its quotes and the colon behind them
	index []int  // nil if it is passed over
	id    bool   // whether it holds ids
}

// rows returns what is known of a type's rows in this body.
func (r *reader) rows(t reflect.Type, of func(reflect.Type) columns) *rows {
	known := r.types[t]
	if known == nil {
		known = new(rows)
		r.types[t] = known
	}
	if known.columns == nil {
		known.columns = of(t)
	}
	return known
}

// list calls value for each value of an array.
func (r *reader) list(value func() bool) bool {
	if !r.take('[') {
		return false
	}
	if r.take(']') {
		return true
	}
	for {
		if !value() {
			return false
		}
		if more, ok := r.more(']'); !more {
			return ok
		}
	}
}

// row decodes an object.
func (r *reader) row(v reflect.Value, rows *rows) bool {
	if !r.take('{') {
		return false
	}
	if r.take('}') {
		return true
	}
	for n := 0; ; n++ {
		known, ok := r.member(rows, n)
		if !ok {
			return false
		}
		if known.index == nil {
			_, ok = r.value()
		} else {
			ok = r.field(v.FieldByIndex(known.index), known.id)
		}
		if !ok {
			return false
		}
		if more, ok := r.more('}'); !more {
			return ok
		}
	}
}

// member passes over the nth key of a row and returns what is known of it.
func (r *reader) member(rows *rows, n int) (known member, ok bool) {
	r.next()
	if n < len(rows.members) {
		if known = rows.members[n]; bytes.HasPrefix(r.text[r.at:], known.text) {
			r.at += len(known.text)
			return known, true
		}
	}
	begin := r.at
	if !r.key() {
		return known, false
	}
	text := r.text[begin:r.at]
	if bytes.IndexByte(text, '\\') >= 0 { // none of the API's keys
		return known, false
	}
	key := string(text[1 : 1+bytes.IndexByte(text[1:], '"')])
	known = member{text, rows.columns[key], isIDKey(key)}
	if n < len(rows.members) {
		rows.members[n] = known
	} else {
		rows.members = append(rows.members, known)
	}
	return known, true
}

// field decodes a value into a record's field, which may hold ids. What is not plain is
// left to the patient way of reading.
func (r *reader) field(v reflect.Value, id bool) bool {
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
	if id && kind == '[' && bytes.ContainsAny(raw, ".eE") {
		return false
	}
	target := v.Addr().Interface()
	text, plain := plainText(kind, raw)
	if id && plain && isDecimal(kind, text) {
		text = []byte(integerID(string(text)))
	}
	if plain && r.set(target, text, kind == 'n') {
		return true
	}
	return json.Unmarshal(raw, target, lenient) == nil
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
	if v.IsNil() {
		v.Set(reflect.New(t))
	}
	return r.row(v.Elem(), r.rows(t, Columns))
}

// plainText returns what [readText] does for a value, where that is what stands
// there.
func plainText(kind byte, raw []byte) (text []byte, plain bool) {
	switch kind {
	case '"':
		text = raw[1 : len(raw)-1]
		return text, isPlain(text)
	case kindNumber, 't', 'f':
		return raw, true
	case 'n':
		return nil, true
	}
	return nil, false
}

// isPlain reports whether a string means what stands there: UTF-8 without
// escapes or control characters.
func isPlain(text []byte) bool {
	for i, c := range text {
		if c < ' ' || c == '\\' {
			return false
		} else if c >= utf8.RuneSelf {
			return utf8.Valid(text) && !bytes.ContainsFunc(text[i:], func(r rune) bool { return r < ' ' || r == '\\' })
		}
	}
	return true
}

// set does for a value's text what [lenient] does, and returns false for types
// that are not made of a text.
func (r *reader) set(target any, text []byte, null bool) bool {
	switch p := target.(type) {
	case *string:
		*p = r.texts.hold(text)
	case **string:
		*p = nil
		if !null {
			*p = r.strings.hold(r.texts.hold(text))
		}
	case **int:
		n, ok := parseInt(string(text))
		*p = r.ints.holdIf(ok, n)
	case **bool:
		b, ok := parseBool(string(text))
		*p = r.bools.holdIf(ok, b)
	case **time.Time:
		t, ok := parseTime(string(text))
		*p = r.times.holdIf(ok, t)
	default:
		return false
	}
	return true
}
