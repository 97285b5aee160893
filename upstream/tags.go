package upstream

import (
	"context"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// The cache compares tags of responses with tags of changes. A record's tag is its raw id, regardless of
// its kind: an id that two kinds share evicts a little more. A list's tag is the kind of its rows.

// content is what a response holds.
type content struct {
	typ *RowType // nil if it is no record
	// listOf finds the list of rows in the response; nil for one record.
	listOf func(body []byte) []byte
	// dependsOnAll reports that every change can change it, such as for the rows of a stored filter.
	dependsOnAll bool
}

// tags returns a function that returns the tags of a response: of all records in it, embedded ones
// included, and of its list. It is nil for a response that every change evicts.
func (o content) tags() func(body []byte) []string {
	if o.typ == nil || o.typ.kind == "" || o.dependsOnAll {
		return nil
	}
	return func(body []byte) []string {
		isList := o.listOf != nil
		if isList {
			body = o.listOf(body)
		}
		var rows []*Row
		if _, err := decode(body, o.typ.all, nil, isList, func() *Row { rows = append(rows, new(Row)); return rows[len(rows)-1] }); err != nil {
			return nil
		}
		tags := make([]string, 0, len(rows)+1)
		if isList {
			tags = append(tags, string(o.typ.kind))
		}
		for _, row := range rows {
			tags = row.addTags(tags)
		}
		slices.Sort(tags)
		return slices.Clip(slices.Compact(tags))
	}
}

// addTags adds the tags of a row and its children.
func (r *Row) addTags(tags []string) []string {
	if id := r.Key(); id != "" {
		tags = append(tags, strings.Clone(id))
	}
	for _, child := range r.children {
		tags = child.addTags(tags)
	}
	return tags
}

// tagList adds the tags of a response to those of the client request, except for the tags of its records:
// see [tagRecords].
func tagList(ctx context.Context, c *Client, subdomain string, of content) {
	a := transport.AllowanceOf(ctx)
	if a == nil || a.CacheTags == nil {
		return
	}
	if of.typ == nil || of.typ.kind == "" || of.dependsOnAll {
		a.CacheTags.Add(subdomain, transport.AnyChange)
		return
	}
	if of.listOf != nil {
		a.CacheTags.Add(subdomain, of.typ.kind.Plural())
	}
	if c.Scoped() && !of.typ.isChecked(of.typ.naming) { // also without rows, which can be hidden
		a.CacheTags.Add(subdomain, transport.AnyChange)
	}
}

// isChecked reports whether rows of the type name their workspace or team, so that the check of the scope is
// certain. n is how a row names it.
func (t *RowType) isChecked(n naming) bool {
	return n == namedAlways || t.kind == KindTeam || t.kind == KindWorkspace
}

// tagRecords adds the tags of records to those of the client request.
func tagRecords[T any, P keyed[T]](ctx context.Context, c *Client, subdomain string, records ...*T) {
	a := transport.AllowanceOf(ctx)
	if a == nil || a.CacheTags == nil {
		return
	}
	var tags []string
	for _, record := range records {
		tags = P(record).row().addCacheTags(tags, TypeOf[T]().naming, c.Scoped())
	}
	a.CacheTags.Add(subdomain, tags...)
}

// addCacheTags adds the cache tags of a row and its children. A scoped client gets [transport.AnyChange] in place
// of the id of a record that does not name its workspace or team, because the record can turn out to be hidden.
func (r *Row) addCacheTags(tags []string, n naming, scoped bool) []string {
	t, id := r.layout.typ, r.RawID()
	switch {
	case t.kind == "": // a part of a record
	case !isTag(id), scoped && !t.isChecked(n):
		tags = append(tags, transport.AnyChange)
	default:
		tags = append(tags, id)
	}
	for position, k := range r.layout.keys {
		if !k.isRow() {
			continue
		}
		for _, child := range r.childrenAt(position) {
			tags = child.addCacheTags(tags, k.childNaming(), scoped)
		}
	}
	return tags
}

// exact are the kinds whose changes reach only the responses that [Change] describes. Others change, for
// example, the totals of other records, or what these embed without an id. Their changes evict everything.
var exact = map[Kind]bool{
	KindContact: true, KindAppliedContactTag: true, KindFormSubmission: true, KindCourseEnrollment: true, KindOrder: true, KindScheduledEvent: true,
}

// Change is a change of a record of a workspace.
type Change struct {
	// Kind is the kind of the record; empty if it is unknown. Everything can have changed then.
	Kind Kind
	// ID is the raw id of the record.
	ID string
	// IsUpdate reports that the record existed before and after the change.
	IsUpdate bool
	// IsDeletion reports that the record does not exist any more. Records below it may be gone, too.
	IsDeletion bool
	// Data is the record as a JSON object. It names the records that it belongs to.
	Data jsontext.Value
}

// tags returns the tags of the responses that a change can have changed, nil for all. An update changes
// the responses with the record, and the lists of its kind. A new record also changes the records that
// it belongs to, which may embed or count it, and the lists of their kinds, which may be filtered by it.
func (c Change) tags() []string {
	if !exact[c.Kind] || !isTag(c.ID) || c.IsDeletion {
		return nil
	}
	tags := []string{c.ID, string(c.Kind)}
	if c.IsUpdate {
		return tags
	}
	for name, value := range membersOf(c.Data) {
		kind, isID := strings.CutSuffix(name, "_id")
		if !isID || kind == "workspace" {
			continue
		}
		if id := strings.Trim(string(value), `"`); isTag(id) {
			tags = append(tags, id, kind)
		}
	}
	if len(tags) > maxChangeTags {
		return nil
	}
	return tags
}

// maxChangeTags limits the tags of a change. A record with more of them belongs to nothing that is known.
const maxChangeTags = 200

// isTag reports whether an id can be a tag: a raw id of a usual length.
func isTag(id string) bool { return IsRawID(id) && len(id) <= maxSegmentBytes }

// changeOf returns a function that returns the tags of a write whose response is a record of the type.
func changeOf(t *RowType, isUpdate bool, segments []string) func(body []byte) []string {
	if !exact[t.kind] {
		return nil
	}
	return func(body []byte) []string {
		id := strings.Trim(string(membersOf(body)["id"]), `"`)
		tags := Change{Kind: t.kind, ID: id, IsUpdate: isUpdate, Data: body}.tags()
		if tags == nil {
			return nil
		}
		for i, segment := range segments { // the records above it
			if IsRawID(segment) && segments[i-1] != "workspaces" {
				tags = append(tags, segment)
			}
		}
		return tags
	}
}
