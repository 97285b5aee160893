package upstream

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// RowType describes the rows of one type of the graph. The types are generated from the
// description in schema/.
type RowType struct {
	name string
	kind Kind // empty for a part of a record
	// parent is the key that names the workspace or team; empty if there is none.
	parent string
	naming naming
	keys   []key // by slot
	// composed says that the objects are made of keys of the row around them.
	composed bool

	fields    map[string]*RowField
	all, stub *layout
	// hook completes a row before its children are looked at. It may be nil.
	hook func(*Row)
}

// naming says whether rows name the workspace or team that they belong to.
type naming byte

const (
	namedAlways naming = 1 + iota
	// namedSometimes is for rows that mostly do not name it.
	namedSometimes
	// namedIgnored is for rows whose own word is not believed.
	namedIgnored
)

// shape is how the value of a key is read.
type shape byte

const (
	asText shape = iota
	asTexts
	asInt
	asBoolean
	asTime
	asJSON
	asMembers
	asRow
	asRows
	// asAmount is a decimal, which gets at least two decimals.
	asAmount
	// asCode is a text in upper case.
	asCode
	// asPresence keeps only whether there is a value.
	asPresence
)

// key is one key of a row.
type key struct {
	name  string
	shape shape
	of    string // name of the type of rows below
	// field is the graph's field with the value, and raw the one with the API's own word
	// of an enum; empty if there is none.
	field, raw string
	required   bool
	words      []string // of the enum
	// also are further fields that the key is needed for, by their names as keys.
	also []string
	// expand says that the key is sent only when asked for (API.md §3.5).
	expand bool
	// id is the key that holds the id of the record below.
	id string
	// around is the key of the row around a composed object that holds the value; a star in
	// it stands for the key of the object.
	around string
	// naming overrides the naming of the type below.
	naming naming

	isID bool
	typ  *RowType
}

// isAlwaysWanted reports whether the client itself needs a key.
func (k *key) isAlwaysWanted() bool {
	return k.name == "id" || k.name == "subdomain" || strings.HasSuffix(k.name, "_id") || strings.HasSuffix(k.name, "_ids")
}

// isRow reports whether the key holds rows.
func (k *key) isRow() bool { return k.shape == asRow || k.shape == asRows }

// namingBelow returns whether the rows below name the workspace that they belong to.
func (k *key) childNaming() naming {
	if k.naming != 0 {
		return k.naming
	}
	return k.typ.naming
}

var typesByName = make(map[string]*RowType, len(types))

func init() { //nolint:gochecknoinits // types refer to each other
	for _, t := range types {
		typesByName[t.name] = t
	}
	for _, t := range types {
		t.hook = hooks[t.name]
		t.fields = make(map[string]*RowField, len(t.keys))
		for slot := range t.keys {
			k := &t.keys[slot]
			k.isID, k.typ = isIDKey(k.name), typesByName[k.of]
			if k.field != "" {
				t.fields[k.field] = &RowField{typ: t, key: k, slot: slot, words: k.words}
			}
			if k.raw != "" {
				t.fields[k.raw] = &RowField{typ: t, key: k, slot: slot}
			}
		}
		t.all = t.layout(func(*key) bool { return true })
		t.all.expand = nil
		t.stub = t.layout(func(*key) bool { return false })
	}
}

// TypeByName returns the type of the graph with the name; nil if its objects are no rows.
func TypeByName(name string) *RowType { return typesByName[name] }

// TypeOf returns the type of the records T, such as [Contact]. It panics for other types.
func TypeOf[T any]() *RowType { return any((*T)(nil)).(typed).describe() }

// Name returns the name of the type in the graph.
func (t *RowType) Name() string { return t.name }

// Kind returns the kind of the type's records; empty for parts, which have no address.
func (t *RowType) Kind() Kind { return t.kind }

// NamesWorkspace reports whether records say which workspace they belong to.
func (t *RowType) NamesWorkspace() bool { return t.parent != "" && t.naming == namedAlways }

// Field returns a field of the graph's type that a row holds the value of; nil for
// relations, lists of other records and `id`.
func (t *RowType) Field(name string) *RowField { return t.fields[name] }

// layout is which keys of a type are wanted. Rows hold the values of no others.
type layout struct {
	typ       *RowType
	keys      []*key // by position
	positions map[string]int
	bySlot    []int // positions; -1 if the key is not wanted
	parts     map[string]part
	expand    []string
}

// part is a composed object: it is made of keys of the row around it.
type part struct {
	typ       *RowType
	positions []int // of its keys in the row around
}

// presence is the key of members of a part that are not wanted, but decide whether it is
// null; see [Row.part].
var presenceKey = &key{shape: asPresence}

func (t *RowType) layout(want func(*key) bool) *layout {
	l := &layout{typ: t, positions: make(map[string]int), bySlot: make([]int, len(t.keys)), parts: make(map[string]part)}
	for slot := range t.keys {
		k := &t.keys[slot]
		if l.bySlot[slot] = -1; !k.isAlwaysWanted() && !want(k) {
			continue
		}
		if k.typ != nil && k.typ.composed {
			l.addPart(k, want)
			continue
		}
		l.bySlot[slot] = l.add(k.name, k)
		if k.expand {
			l.expand = append(l.expand, k.name)
		}
	}
	slices.Sort(l.expand)
	return l
}

// addPart adds the keys of the object that a key stands for.
func (l *layout) addPart(k *key, want func(*key) bool) {
	p := part{typ: k.typ}
	for slot := range k.typ.keys {
		member := &k.typ.keys[slot]
		name := strings.ReplaceAll(member.around, "*", k.name)
		if !want(member) {
			member = presenceKey
		}
		p.positions = append(p.positions, l.add(name, member))
	}
	l.parts[k.name] = p
}

// add returns the position of a key, which several parts can share.
func (l *layout) add(name string, k *key) int {
	position, known := l.positions[name]
	switch {
	case !known:
		position = len(l.keys)
		l.positions[name], l.keys = position, append(l.keys, k)
	case k != presenceKey:
		l.keys[position] = k
	}
	return position
}

// Projection is which keys of records are wanted: a contact has nearly thirty, and most
// callers look at a few. It is made once for many calls, and safe for concurrent use.
type Projection struct {
	want    func(key string) bool
	layouts sync.Map // of *layout, by *RowType
}

// NewProjection returns the projection to the keys that want accepts. want is asked once
// or a few times for each key of each type of record, by several goroutines.
func NewProjection(want func(key string) bool) *Projection { return &Projection{want: want} }

// Only returns a client that decodes the wanted keys of each record and passes over the
// others. Ids and subdomains are always decoded. Keys that are sent only when asked
// for (API.md §3.5) are asked for if they are wanted, and never without a projection.
func (c *Client) Only(p *Projection) *Client {
	only := *c
	only.projection = p
	return &only
}

// layout returns the layout of a type's rows; with a nil Projection, of all keys.
func (p *Projection) layout(t *RowType) *layout {
	if p == nil {
		return t.all
	}
	if known, ok := p.layouts.Load(t); ok {
		return known.(*layout)
	}
	l := t.layout(func(k *key) bool { return p.want(k.name) || slices.ContainsFunc(k.also, p.want) })
	p.layouts.Store(t, l)
	return l
}

// RowField is a field of the graph whose value is part of a row. It is safe for concurrent
// use.
type RowField struct {
	typ   *RowType
	key   *key
	slot  int
	words []string // of an enum
}

// Of returns the type of the rows that the field holds; nil for scalars and enums.
func (f *RowField) Of() *RowType { return f.key.typ }

// IsList reports whether the field holds a list of rows.
func (f *RowField) IsList() bool { return f.key.shape == asRows }

// HasMembers reports whether the field holds the members of a free object; see
// [Row.Members].
func (f *RowField) HasMembers() bool { return f.key.shape == asMembers }

// find returns where the field's value is in a row, which may be of another type that has
// the same key.
func (f *RowField) find(r *Row) (int, bool) {
	if r.layout != nil && r.layout.typ == f.typ {
		position := r.layout.bySlot[f.slot]
		return position, position >= 0
	}
	return r.position(f.key.name)
}

// unknownWord is the value of an enum for words that are newer than it.
const unknownWord = `"UNKNOWN"`

// AppendField appends the value of a scalar field, an enum or a list of scalars to b, as
// it stands in an answer. Nothing is appended for null; a String that is never null is
// empty where ClickFunnels sent none. It fails for an Int that does not fit into 32 bits.
func (r *Row) AppendField(b []byte, f *RowField) (out []byte, null bool, err error) {
	var value string
	if position, ok := f.find(r); ok {
		at := r.values[position]
		value = r.block[at.begin:at.end]
	}
	switch {
	case value == "" && f.key.required && f.key.shape == asText:
		return append(b, `""`...), false, nil
	case value == "":
		return b, true, nil
	case f.words != nil:
		if word := value[1 : len(value)-1]; slices.Contains(f.words, word) {
			return append(append(append(b, '"'), strings.ToUpper(word)...), '"'), false, nil
		}
		return append(b, unknownWord...), false, nil
	case f.key.shape == asInt:
		n, _ := strconv.Atoi(value) // which was written as one
		b, err = AppendInt(b, n)
		return b, err != nil, err
	}
	return append(b, value...), false, nil
}

// Child returns the row that a field holds; nil for null.
func (r *Row) Child(f *RowField) *Record {
	if f.key.typ.composed {
		return r.part(f.key.name)
	}
	for _, child := range r.Children(f) {
		return child
	}
	return nil
}

// Children returns the rows that a field holds; nil for null. They must not be modified.
func (r *Row) Children(f *RowField) []*Record {
	if position, ok := f.find(r); ok {
		return r.childrenAt(position)
	}
	return nil
}

// Members returns the members of the free object that a field holds, in the order in which
// they were sent: those with the names given, or all if these are nil.
func (r *Row) Members(f *RowField, names []string) []*CustomAttribute {
	return r.members(f.key.name, names)
}
