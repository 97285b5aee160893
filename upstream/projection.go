package upstream

import (
	"errors"
	"reflect"
	"strings"
	"sync"
)

// Only returns a client that decodes of each record the keys that want accepts,
// and passes over the others: a contact has nearly thirty, and most callers
// look at a few. Ids and subdomains are always decoded. Records may have more
// fields set than were wanted, never fewer. want is asked once for each key of
// each kind of record, by several goroutines.
func (c *Client) Only(want func(key string) bool) *Client {
	only := *c
	only.projection = &projection{want: want}
	return &only
}

// projection is which keys of records are decoded; nil is all, decoded in the
// patient way.
type projection struct {
	want  func(key string) bool
	types sync.Map // of columns, by the record's type
}

// columns are where the keys of a record are decoded to: the index of the field
// within the struct, as [reflect.Value.FieldByIndex] takes it.
type columns = map[string][]int

var allColumns sync.Map // of columns, by the record's type

// Columns returns where the keys of a record of the type are found: the index of
// the struct's field, as [reflect.Value.FieldByIndex] takes it. It must not be
// modified.
func Columns(t reflect.Type) map[string][]int {
	if known, ok := allColumns.Load(t); ok {
		return known.(columns)
	}
	all := make(columns)
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			all[name] = field.Index
		}
	}
	allColumns.Store(t, all)
	return all
}

// columns returns the columns of a record's type that are worth decoding.
func (p *projection) columns(t reflect.Type) columns {
	if known, ok := p.types.Load(t); ok {
		return known.(columns)
	}
	all := Columns(t)
	some := make(columns, len(all))
	for key, index := range all {
		if key == "id" || key == "subdomain" || strings.HasSuffix(key, "_id") || p.want(key) {
			some[key] = index
		}
	}
	p.types.Store(t, some)
	return some
}

// errNotPlain says that an answer has not its usual shape. It is read again,
// with more patience.
var errNotPlain = errors.New("not of the usual shape")

// decodeOnly decodes a list of records, or a single one, of the usual shape; the
// keys that are not wanted are passed over. Any oddity is an error. Nothing of
// the body is kept.
func decodeOnly[T any](body []byte, single bool, p *projection) ([]*T, error) {
	r := readers.Get().(*reader)
	defer r.free()
	r.scanner = scanner{text: body}
	rows := r.rows(reflect.TypeFor[T](), p.columns)
	if single {
		row := new(T)
		if !r.row(reflect.ValueOf(row).Elem(), rows) || !r.ended() {
			return nil, errNotPlain
		}
		return []*T{row}, nil
	}
	all := make([]*T, 0, PageSize)
	var block []T // rows are made many at a time
	if !r.list(func() bool {
		if len(block) == 0 {
			block = make([]T, PageSize)
		}
		row := &block[0]
		block, all = block[1:], append(all, row)
		return r.row(reflect.ValueOf(row).Elem(), rows)
	}) || !r.ended() {
		return nil, errNotPlain
	}
	return all, nil
}
