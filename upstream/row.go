package upstream

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Row is a record or a part of one. It holds the values of the wanted keys as JSON text, ready to
// be written to a response. Values are decoded on access. The zero Row has no values. Rows are safe
// for concurrent use.
type Row struct {
	layout   *layout
	block    string // values of all rows of a page
	values   []span // by position in the layout
	children []*Record
	parent   string // see Ref
	chain    int    // see Chain
}

// Record is a record of any type. A *Record converts to and from a pointer to its record type, such
// as *[Contact].
type Record struct{ Row }

// span is a range of the block. For child rows, it is a range of children, with one added to both
// ends. The zero span is null.
type span struct{ begin, end uint32 }

// typed is implemented by all record types.
type typed interface{ describe() *RowType }

// NewRecord returns a record that has only an address.
func NewRecord[T any](ref Ref) *T {
	record := new(T)
	row := any(record).(interface{ row() *Row }).row()
	stub := TypeOf[T]().stub
	*row = Row{layout: stub, values: make([]span, len(stub.keys)), parent: ref.Parent}
	switch {
	case IsRawID(ref.ID):
		row.set("id", ref.ID)
	case ref.ID != "":
		row.set("public_id", ref.ID)
	}
	return record
}

// ParseRecord decodes a record with all of its keys from a JSON object, for example in a test.
// parent is the raw id of its workspace or team, used if the object does not name it. It fails if
// the object cannot be decoded.
func ParseRecord[T any](parent, object string) (*T, error) {
	record := new(T)
	row := any(record).(interface{ row() *Row }).row()
	layout := TypeOf[T]().all
	if _, err := decode([]byte(object), layout, nil, false, func() *Row { return row }); err != nil {
		return nil, err
	}
	row.setWorkspace(parent, layout.typ.naming)
	return record, nil
}

func (r *Row) row() *Row { return r }

// Ref returns the record's address.
func (r *Row) Ref() Ref {
	return Ref{Kind: r.layout.typ.kind, Parent: r.parent, ID: r.nested(r.Key())}
}

// nested returns the id in a ref for one of the record's own ids.
func (r *Row) nested(id string) string {
	if above := r.layout.typ.above; above != "" && id != "" {
		return r.text(above) + nestedBy + id
	}
	return id
}

// RawID returns ClickFunnels' numeric id as text, because it can exceed 2³¹.
func (r *Row) RawID() string { return r.text("id") }

// PublicID returns the short obfuscated id; nil if ClickFunnels sent none.
func (r *Row) PublicID() *string { return r.textOrNil("public_id") }

// CreatedAt returns the time of creation; nil if unknown.
func (r *Row) CreatedAt() *time.Time { return r.time("created_at") }

// UpdatedAt returns the time of the last change; nil if unknown.
func (r *Row) UpdatedAt() *time.Time { return r.time("updated_at") }

// Key returns the id for use in paths: the raw id, or the public id without one.
func (r *Row) Key() string {
	if id := r.RawID(); id != "" {
		return id
	}
	return r.text("public_id")
}

// Cursor returns the cursor of the rows after this one. It is the raw id in every sort order
// (clickfunnels-api.md §3.1).
func (r *Row) Cursor() string { return r.RawID() }

// IDs returns all ids by which the record can be requested.
func (r *Row) IDs() []string {
	if public := r.text("public_id"); public != "" {
		return []string{r.nested(r.RawID()), r.nested(public)}
	}
	return []string{r.nested(r.RawID())}
}

// position returns the position of a key's value. It returns false if the key was not wanted.
func (r *Row) position(key string) (int, bool) {
	if r.layout == nil {
		return 0, false
	}
	position, ok := r.layout.positions[key]
	return position, ok
}

// json returns the value of a key as JSON text, empty for null.
func (r *Row) json(key string) string {
	if position, ok := r.position(key); ok {
		at := r.values[position]
		return r.block[at.begin:at.end]
	}
	return ""
}

// set sets the value of a key to an id.
func (r *Row) set(key, id string) {
	if position, ok := r.position(key); ok {
		begin := len(r.block)
		r.block += string(appendQuoted(nil, id))
		r.values[position] = span{uint32(begin), uint32(len(r.block))} //nolint:gosec // bounded by [Config.MaxBody]
	}
}

// share sets the value of a key, if it is null, to the value in another row of the same response.
// That value must be as it was decoded.
func (r *Row) share(key string, of *Row) {
	to, wanted := r.position(key)
	if from, ok := of.position(key); ok && wanted && r.values[to] == (span{}) {
		r.values[to] = of.values[from]
	}
}

// drop sets the value of a key to null.
func (r *Row) drop(key string) {
	if position, ok := r.position(key); ok {
		r.values[position] = span{}
	}
}

// Accessors of values by their shape. They return the zero value for null.

func (r *Row) text(key string) string {
	if value := r.json(key); value != "" {
		return unquote(value)
	}
	return ""
}

func (r *Row) textOrNil(key string) *string {
	value := r.json(key)
	if value == "" {
		return nil
	}
	text := unquote(value)
	return &text
}

func (r *Row) integer(key string) *int {
	n, err := strconv.Atoi(r.json(key))
	if err != nil {
		return nil
	}
	return &n
}

func (r *Row) boolean(key string) *bool {
	value := r.json(key)
	if value == "" {
		return nil
	}
	is := value == "true"
	return &is
}

func (r *Row) time(key string) *time.Time {
	value := r.json(key)
	if value == "" {
		return nil
	}
	t, _ := ParseTime(unquote(value))
	return &t
}

func (r *Row) texts(key string) []string {
	value := r.json(key)
	if value == "" {
		return nil
	}
	all := []string{}
	s := scanner{text: []byte(value)}
	s.list(func() bool {
		_, raw, ok := s.raw()
		all = append(all, unquote(string(raw)))
		return ok
	})
	return all
}

func (r *Row) any(key string) jsontext.Value { return jsontext.Value(r.json(key)) }

// child returns the row in the value of a key; nil without one.
func (r *Row) child(key string) *Record {
	if position, ok := r.position(key); ok {
		for _, child := range r.childrenAt(position) {
			return child
		}
	}
	return nil
}

// part returns the composed object for a key. It returns nil if all of its members are null, or if
// a required one is.
func (r *Row) part(key string) *Record {
	if r.layout == nil {
		return nil
	}
	p, ok := r.layout.parts[key]
	if !ok {
		return nil
	}
	values, isNull := make([]span, len(p.positions)), true
	for i, position := range p.positions {
		values[i] = r.values[position]
		switch {
		case values[i] != span{}:
			isNull = false
		case p.typ.keys[i].required:
			return nil
		}
	}
	if isNull {
		return nil
	}
	return &Record{Row{layout: p.typ.all, block: r.block, values: values, parent: r.parent, chain: r.chain}}
}

// childrenAt returns the child rows in a value. It returns nil only for null.
func (r *Row) childrenAt(position int) []*Record {
	at := r.values[position]
	switch at.end {
	case 0:
		return nil
	case at.begin:
		return []*Record{}
	}
	return r.children[at.begin-1 : at.end-1 : at.end-1]
}

// children returns the child rows in the value of a key, as records of their type.
func children[T any](r *Row, key string, as func(*Record) *T) []*T {
	position, ok := r.position(key)
	if !ok || r.values[position].end == 0 {
		return nil
	}
	all := make([]*T, 0, 4)
	for _, child := range r.childrenAt(position) {
		all = append(all, as(child))
	}
	return all
}

// related returns the id of a relation's record: the value of key, or else the id of the record
// embedded under the other key.
func (r *Row) related(key, embedded string) string {
	if id := r.text(key); id != "" || embedded == "" {
		return id
	}
	if child := r.child(embedded); child != nil {
		return child.RawID()
	}
	return ""
}

// CustomAttribute is a member of a free-form JSON object, such as a contact's custom attributes.
type CustomAttribute struct {
	Key   string
	Value *string
}

// members returns the members of the object in the value of a key, in their original order. names
// selects some of them; nil selects all.
func (r *Row) members(key string, names []string) []*CustomAttribute {
	all := []*CustomAttribute{}
	s := scanner{text: []byte(r.json(key))}
	s.object(func(name []byte) bool {
		kind, raw, ok := s.raw()
		text, _ := textOf('"', name)
		if names != nil && !slices.ContainsFunc(names, func(wanted string) bool { return wanted == string(text) }) {
			return ok
		}
		member := &CustomAttribute{Key: string(text)}
		if kind != 'n' {
			value, _ := textOf(kind, raw)
			id := integerIn(isIDKey(member.Key), kind, value)
			member.Value = &id
		}
		all = append(all, member)
		return ok
	})
	return all
}

// member returns the value of one member of the object in the value of a key; nil for null or
// without such a member.
func (r *Row) member(key, name string) *string {
	for _, member := range r.members(key, []string{name}) {
		return member.Value
	}
	return nil
}

// unquote decodes a JSON string.
func unquote(value string) string {
	inner := value[1 : len(value)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	text, _ := jsontext.AppendUnquote(nil, value) // always valid, because appendQuoted wrote it
	return string(text)
}
