package upstream

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// RowType describes the rows of one GraphQL type. The types are generated from the description in
// schema/.
type RowType struct {
	name string
	kind Kind // empty for parts of records
	// parent is the key of the workspace's or team's id; empty without one.
	parent string
	naming naming
	// above is the key of the owner's id if paths contain it; see [Kind.Nested].
	above string
	keys  []key // by slot
	// composed reports whether the type's objects consist of keys of the surrounding row.
	composed bool

	fields    map[string]*RowField
	all, stub *layout
	// hook fixes a row before its child rows are processed. It may be nil.
	hook func(*Row)
}

// naming reports whether rows name the workspace or team that they belong to.
type naming byte

const (
	namedAlways naming = 1 + iota
	// namedSometimes is for rows that mostly omit it.
	namedSometimes
	// namedIgnored is for rows whose value is not trusted.
	namedIgnored
)

// shape is the way in which a key's value is decoded.
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
	// asAmount is a decimal, written with at least two decimals. A blank text is null.
	asAmount
	// asCode is a text, written in upper case. A blank text is null.
	asCode
	// asPresence keeps only whether the value is null.
	asPresence
)

// key describes one key of a row.
type key struct {
	name  string
	shape shape
	of    string // name of the child rows' type
	// field is the GraphQL field with the value. raw is the field with the API's own word for an
	// enum. Either may be empty.
	field, raw string
	// member is the GraphQL field with the value of one member of a free-form object. It may be empty.
	member   string
	required bool
	words    []string // values of the enum
	// also lists other fields that need the key, in snake case.
	also []string
	// expand marks keys that are sent only on request (clickfunnels-api.md §3.5).
	expand bool
	// id is the key with the id of the embedded record.
	id string
	// parts are the keys of the row that hold the values of a composed object, in the order of its
	// type's keys.
	parts []string
	// naming overrides the naming of the child rows' type.
	naming naming

	isID bool
	typ  *RowType
}

// isAlwaysWanted reports whether the client itself needs the key.
func (k *key) isAlwaysWanted() bool {
	return k.name == "id" || k.name == "subdomain" || strings.HasSuffix(k.name, "_id") || strings.HasSuffix(k.name, "_ids")
}

// isRow reports whether the value consists of rows.
func (k *key) isRow() bool { return k.shape == asRow || k.shape == asRows }

// childNaming returns whether the child rows name their workspace.
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
			if k.member != "" {
				t.fields[k.member] = &RowField{typ: t, key: k, slot: slot, isMember: true}
			}
		}
		t.all = t.layout(func(*key) bool { return true })
		t.all.expand = nil
		t.stub = t.layout(func(*key) bool { return false })
	}
}

// TypeByName returns the GraphQL type with the name; nil if its objects are not rows.
func TypeByName(name string) *RowType { return typesByName[name] }

// TypeOf returns the type of a record type T, such as [Contact]. It panics for other types.
func TypeOf[T any]() *RowType { return any((*T)(nil)).(typed).describe() }

// Name returns the type's name in the GraphQL schema.
func (t *RowType) Name() string { return t.name }

// Kind returns the kind of the type's records. It is empty for parts of records, which have no
// address.
func (t *RowType) Kind() Kind { return t.kind }

// NamesWorkspace reports whether records always name their workspace or team.
func (t *RowType) NamesWorkspace() bool { return t.parent != "" && t.naming == namedAlways }

// Field returns a GraphQL field whose value a row holds. It returns nil for relations, lists of
// other records and `id`.
func (t *RowType) Field(name string) *RowField { return t.fields[name] }

// layout is the set of wanted keys of a type. Rows hold only their values.
type layout struct {
	typ       *RowType
	keys      []*key // by position
	positions map[string]int
	bySlot    []int // positions; -1 for unwanted keys
	parts     map[string]part
	expand    []string
}

// part is a composed object, which consists of keys of the surrounding row.
type part struct {
	typ       *RowType
	positions []int // of its keys in the surrounding row
}

// presenceKey replaces the unwanted members of a part that may be null. Whether they are null
// decides whether the part is null; see [Row.part].
var presenceKey = &key{shape: asPresence}

func (t *RowType) layout(want func(*key) bool) *layout {
	l := &layout{typ: t, positions: make(map[string]int), bySlot: make([]int, len(t.keys)), parts: make(map[string]part)}
	for slot := range t.keys {
		k := &t.keys[slot]
		isOwner := t.above != "" && k.id == t.above // refs need it, even if only the embedded owner has the id
		if l.bySlot[slot] = -1; !k.isAlwaysWanted() && !isOwner && !want(k) {
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
		if k.isRow() && k.typ != nil && k.typ.kind == "" { // a part, whose keys the record expands
			l.expand = append(l.expand, k.typ.layout(want).expand...)
		}
	}
	slices.Sort(l.expand)
	return l
}

// addPart adds the keys of a composed object.
func (l *layout) addPart(k *key, want func(*key) bool) {
	p := part{typ: k.typ}
	for slot := range k.typ.keys {
		member := &k.typ.keys[slot]
		if !member.required && !want(member) {
			member = presenceKey
		}
		p.positions = append(p.positions, l.add(k.parts[slot], member))
	}
	l.parts[k.name] = p
}

// add returns the position of a key. Several parts can share it.
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

// Projection selects the wanted keys of records. A contact has nearly thirty keys, and most callers
// need a few. Make one for many calls. It is safe for concurrent use.
type Projection struct {
	want    func(key string) bool
	layouts sync.Map // *RowType → *layout
}

// NewProjection returns the projection to the keys for which want returns true. want is called a
// few times for each key of each record type, and must be safe for concurrent use.
func NewProjection(want func(key string) bool) *Projection { return &Projection{want: want} }

// WithProjection returns a client that decodes only the wanted keys of records. It always decodes
// ids and subdomains. Wanted keys that are sent only on request (clickfunnels-api.md §3.5) are requested.
// Without a projection, they never are.
func (c *Client) WithProjection(p *Projection) *Client {
	only := *c
	only.projection = p
	return &only
}

// layout returns the layout of a type's rows. A nil Projection selects all keys.
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

// RowField is a GraphQL field whose value a row holds. It is safe for concurrent use.
type RowField struct {
	typ   *RowType
	key   *key
	slot  int
	words []string // of an enum
	// isMember says that the value is one member of a free-form object.
	isMember bool
}

// Of returns the type of the field's rows; nil for scalars and enums.
func (f *RowField) Of() *RowType { return f.key.typ }

// IsList reports whether the field is a list of rows.
func (f *RowField) IsList() bool { return f.key.shape == asRows }

// HasMembers reports whether the field is a list of the members of a free-form object; see
// [Row.Members].
func (f *RowField) HasMembers() bool { return f.key.shape == asMembers && !f.isMember }

// IsMember reports whether the field is the value of one member of a free-form object; see
// [Row.Member].
func (f *RowField) IsMember() bool { return f.isMember }

// find returns the position of the field's value in a row. The row may be of another type that has
// the same key.
func (f *RowField) find(r *Row) (int, bool) {
	if r.layout != nil && r.layout.typ == f.typ {
		position := r.layout.bySlot[f.slot]
		return position, position >= 0
	}
	return r.position(f.key.name)
}

// unknownWord is the enum value for words that the schema does not know.
const unknownWord = `"UNKNOWN"`

// AppendField appends the JSON of a scalar, an enum or a list of scalars to b. null reports that
// the value is null and nothing was appended. A required String is empty if ClickFunnels sent none.
// AppendField fails for an Int that does not fit into 32 bits.
func (r *Row) AppendField(b []byte, f *RowField) (out []byte, null bool, err error) {
	var value string
	if position, ok := f.find(r); ok {
		at := r.values[position]
		value = r.block[at.begin:at.end]
	}
	switch {
	case value == "" && f.key.required && (f.key.shape == asText || f.key.shape == asCode):
		return append(b, `""`...), false, nil
	case value == "":
		return b, true, nil
	case f.words != nil:
		if word := value[1 : len(value)-1]; slices.Contains(f.words, word) {
			return append(append(append(b, '"'), strings.ToUpper(word)...), '"'), false, nil
		}
		return append(b, unknownWord...), false, nil
	case f.key.shape == asInt:
		n, _ := strconv.Atoi(value) // always valid, because appendValue wrote it
		b, err = AppendInt(b, n)
		return b, err != nil, err
	}
	return append(b, value...), false, nil
}

// Child returns the row of a field; nil for null.
func (r *Row) Child(f *RowField) *Record {
	if f.key.typ.composed {
		return r.part(f.key.name)
	}
	for _, child := range r.Children(f) {
		return child
	}
	return nil
}

// Children returns the rows of a field; nil for null. They must not be modified.
func (r *Row) Children(f *RowField) []*Record {
	if position, ok := f.find(r); ok {
		return r.childrenAt(position)
	}
	return nil
}

// Members returns the members of a free-form object in their original order. names selects some of
// them; nil selects all.
func (r *Row) Members(f *RowField, names []string) []*CustomAttribute {
	return r.members(f.key.name, names)
}

// Member returns the value of a member of a free-form object; nil for null or without such a member.
func (r *Row) Member(f *RowField, name string) *string { return r.member(f.key.name, name) }
