package upstream

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Projection is which keys of records are wanted: a contact has nearly thirty, and
// most callers look at a few. It is made once for many calls, and safe for
// concurrent use.
type Projection struct {
	want  func(key string) bool
	types sync.Map // of *wanted, by the record's type
}

// NewProjection returns the projection to the keys that want accepts. want is
// asked once or a few times for each key of each kind of record, by several
// goroutines.
func NewProjection(want func(key string) bool) *Projection { return &Projection{want: want} }

// Only returns a client that decodes the wanted keys of each record and passes
// over the others. Ids and subdomains are always decoded. What is sent only when
// asked for (API.md §3.5) is asked for if it is wanted; a client without a
// projection never does. Records may have more fields set than were wanted, never
// fewer.
func (c *Client) Only(p *Projection) *Client {
	only := *c
	only.projection = p
	return &only
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

// wanted is what a projection leaves of a kind of record.
type wanted struct {
	columns columns
	expand  []string // the keys that are sent only when asked for
}

func (p *Projection) of(t reflect.Type) *wanted {
	if known, ok := p.types.Load(t); ok {
		return known.(*wanted)
	}
	all := Columns(t)
	w := &wanted{columns: make(columns, len(all))}
	for key, index := range all {
		tag := t.FieldByIndex(index).Tag
		if key == "id" || key == "subdomain" || strings.HasSuffix(key, "_id") || strings.HasSuffix(key, "_ids") || p.want(key) || p.wantAny(tag.Get("for")) {
			w.columns[key] = index
			if tag.Get("expand") != "" {
				w.expand = append(w.expand, key)
			}
		}
	}
	slices.Sort(w.expand)
	p.types.Store(t, w)
	return w
}

// wantAny reports whether any of the names is wanted that a field of a record says it
// is needed for as well, by a tag such as `for:"taggings,applied_tags"`.
func (p *Projection) wantAny(names string) bool {
	return names != "" && slices.ContainsFunc(strings.Split(names, ","), p.want)
}

// columns returns the columns of a record's type that are worth decoding.
func (p *Projection) columns(t reflect.Type) columns { return p.of(t).columns }

// expand returns the keys of a record's type that have to be asked for.
func (p *Projection) expand(t reflect.Type) []string {
	if p == nil {
		return nil
	}
	return p.of(t).expand
}

// errNotPlain says that an answer has not its usual shape. It is read again,
// with more patience.
var errNotPlain = errors.New("not of the usual shape")

// decodeOnly decodes a list of records, or a single one, of the usual shape; the
// keys that are not wanted are passed over. Any oddity is an error. Nothing of
// the body is kept.
func decodeOnly[T any](body []byte, single bool, p *Projection) ([]*T, error) {
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
