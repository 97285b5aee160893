package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// decodeList decodes a list of records. p, which may be nil, selects the needed keys. Elements that
// are not objects are skipped.
func decodeList[T any, P keyed[T]](body []byte, p *Projection) ([]*T, error) {
	rows, block := make([]*T, 0, PageSize), []T(nil)
	_, err := decode(body, p.layout(TypeOf[T]()), p, true, func() *Row {
		if len(block) == 0 {
			block = make([]T, PageSize)
		}
		row := &block[0]
		rows, block = append(rows, row), block[1:]
		return P(row).row()
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// valueAt returns a member of an object, or null.
func valueAt(body []byte, name string) []byte {
	if value := membersOf(body)[name]; value != nil {
		return value
	}
	return []byte("null")
}

// membersOf returns the members of an object. It is empty if the body cannot be read.
func membersOf(body []byte) map[string]jsontext.Value {
	members := make(map[string]jsontext.Value)
	_ = json.Unmarshal(withoutBOM(body), &members, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return members
}

// decodeOne decodes one record as [decodeList] does. It returns nil for null.
func decodeOne[T any, P keyed[T]](body []byte, p *Projection) (*T, error) {
	row := new(T)
	n, err := decode(body, p.layout(TypeOf[T]()), p, false, P(row).row)
	if n == 0 || err != nil {
		return nil, err
	}
	return row, nil
}

// decode decodes rows from a list or a single record, and returns their number. next allocates each
// row.
//
// Actual types differ from the declared ones (clickfunnels-api.md §8, traps 9–12): numbers arrive as strings and
// strings as numbers, undeclared nulls and unknown keys occur. None of these is an error. A value
// that cannot be interpreted becomes null. Only text that is not JSON, or a body that is not a list
// or record as expected, is an error. Rows do not refer to the body.
func decode(body []byte, l *layout, p *Projection, list bool, next func() *Row) (n int, err error) {
	body = withoutBOM(body)
	if err := checkSize(body); err != nil {
		return 0, err
	}
	r := readers.Get().(*reader)
	defer r.free()
	r.scanner, r.projection = scanner{text: body}, p
	one := func() bool {
		if r.next() != '{' {
			_, ok := r.value()
			return ok
		}
		n++
		return r.row(next(), l)
	}
	values := 0
	whole := func() bool {
		if list {
			return r.list(func() bool { values++; return one() })
		}
		return one()
	}
	isWhole := list && r.next() == '[' || !list && (r.next() == '{' || r.next() == 'n')
	switch {
	case !isWhole:
		return 0, unreadable(errors.New("unexpected JSON type"))
	case !whole() || !r.ended():
		return 0, unreadable(errors.New("malformed JSON"))
	case values > maxRows:
		return 0, tooLarge(fmt.Sprintf("%d rows", maxRows), errDecodeLimits)
	}
	r.finish()
	return n, nil
}

// errUnreadable is wrapped by every error of a response that cannot be read.
var errUnreadable = errors.New("unreadable response")

func unreadable(cause error) error {
	return &Error{Code: Unavailable, Message: "ClickFunnels sent a response that cannot be read.", Retryable: true, cause: fmt.Errorf("%w: %w", errUnreadable, cause)}
}

// reader decodes rows. The rows own their values; the reader's memory is reused for the next
// response.
type reader struct {
	scanner
	projection *Projection
	block      []byte // values of all rows
	values     []span // of all rows
	rows       []pendingRow
	records    []Record // allocated for child rows
	known      map[*layout]*[]member
}

// pendingRow is a row whose values are still in the reader, from the index first.
type pendingRow struct {
	row   *Row
	first int
}

var readers = sync.Pool{New: func() any { return &reader{known: make(map[*layout]*[]member)} }}

const (
	// maxPooled is the largest block that a reader keeps for the next response, in bytes.
	maxPooled = 1 << 20
	// maxLayouts is the largest number of layouts that a reader remembers.
	maxLayouts = 100
)

func (r *reader) free() {
	if cap(r.block) > maxPooled {
		return
	}
	clear(r.rows)
	if len(r.known) > maxLayouts {
		clear(r.known)
	}
	for _, known := range r.known {
		clear(*known)
		*known = (*known)[:0]
	}
	*r = reader{block: r.block[:0], values: r.values[:0], rows: r.rows[:0], known: r.known}
	readers.Put(r)
}

// finish moves the values into the rows. All rows share one block of memory.
func (r *reader) finish() {
	block, values := string(r.block), slices.Clone(r.values)
	for _, u := range r.rows {
		end := u.first + len(u.row.layout.keys)
		u.row.block, u.row.values = block, values[u.first:end:end]
	}
}

// member caches a key at one position of the rows of a layout. Most rows have the same keys in the
// same order.
type member struct {
	text        []byte // with its quotes and the colon
	key         *key   // nil if the value is skipped
	position    int
	childLayout *layout
}

// row decodes an object.
func (r *reader) row(row *Row, l *layout) bool {
	row.layout = l
	known := r.known[l]
	if known == nil {
		known = new([]member)
		r.known[l] = known
	}
	first := len(r.values)
	r.rows = append(r.rows, pendingRow{row, first})
	r.values = append(r.values, make([]span, len(l.keys))...)
	if !r.take('{') {
		return false
	}
	if r.take('}') {
		return true
	}
	for n := 0; ; n++ {
		m, ok := r.member(l, known, n)
		switch {
		case !ok:
			return false
		case m.key == nil:
			_, ok = r.value()
		case m.childLayout != nil:
			ok = r.readChildren(row, first+m.position, m.key, m.childLayout)
		default:
			ok = r.keep(first+m.position, m.key)
		}
		if !ok {
			return false
		}
		if more, ok := r.more('}'); !more {
			return ok
		}
	}
}

// member skips the nth key of a row and returns its member. known holds the members of the previous
// rows.
func (r *reader) member(l *layout, known *[]member, n int) (m member, ok bool) {
	r.next()
	if n < len(*known) {
		if m = (*known)[n]; bytes.HasPrefix(r.text[r.at:], m.text) {
			r.at += len(m.text)
			return m, true
		}
	}
	begin := r.at
	if !r.key() {
		return m, false
	}
	m = member{text: r.text[begin:r.at]}
	s := scanner{text: m.text}
	_, name, _ := s.raw()
	name, _ = textOf('"', name)
	if m.position, ok = l.positions[string(name)]; ok {
		if m.key = l.keys[m.position]; m.key.isRow() {
			m.childLayout = r.projection.layout(m.key.typ)
		}
	}
	if n < len(*known) {
		(*known)[n] = m
	} else {
		*known = append(*known, m)
	}
	return m, true
}

// readChildren decodes the child rows in the value of a key.
func (r *reader) readChildren(row *Row, i int, k *key, l *layout) bool {
	first := len(row.children)
	r.values[i] = span{}
	child := func() bool {
		if r.next() != '{' { // nulls in lists are skipped
			_, ok := r.value()
			return ok
		}
		if len(r.records) == 0 {
			r.records = make([]Record, 16)
		}
		child := &r.records[0]
		r.records, row.children = r.records[1:], append(row.children, child)
		return r.row(&child.Row, l)
	}
	want := byte('{')
	read := child
	if k.shape == asRows {
		want, read = '[', func() bool { return r.list(child) }
	}
	if r.next() != want {
		_, ok := r.value()
		return ok
	}
	if !read() {
		return false
	}
	r.values[i] = span{uint32(first) + 1, uint32(len(row.children)) + 1} //nolint:gosec // bounded by maxObjects
	return true
}

// keep stores the value of a key.
func (r *reader) keep(i int, k *key) bool {
	kind, raw, ok := r.raw()
	if !ok {
		return false
	}
	begin := len(r.block)
	r.block, ok = k.appendValue(r.block, kind, raw)
	r.values[i] = span{}
	if end := len(r.block); end > begin {
		r.values[i] = span{uint32(begin), uint32(end)} //nolint:gosec // bounded by [Config.MaxBody]
	}
	return ok
}
