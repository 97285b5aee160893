package graph

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Mutations that apply tags to records, and remove them.

// taggable says how the tags of a kind of record are applied and removed. O are the records, T their
// tags, and A the records that join them.
type taggable[O, T, A any] struct {
	kind, tagKind upstream.Kind
	noun          string
	filtered      bool // whether the list of applied tags can be filtered by tag
	records       *loader.Resource[O]
	tags          *loader.Resource[T]
	applied       *loader.Resource[A]
	list          *loader.List[A]
	tagID         func(*A) string
	apply         func(c *upstream.Client, ctx context.Context, p upstream.Place, record, tag string) (*A, error)
	remove        func(c *upstream.Client, ctx context.Context, p upstream.Place, applied string) error
	refFields     func() fieldSet
}

var contactTags = taggable[upstream.Contact, upstream.ContactTag, upstream.AppliedContactTag]{
	upstream.KindContact, upstream.KindContactTag, "contact", true, loader.Contacts, loader.ContactTags, loader.AppliedContactTags, loader.AppliedContactTagList,
	(*upstream.AppliedContactTag).TagID, (*upstream.Client).ApplyContactTag, (*upstream.Client).RemoveAppliedContactTag, func() fieldSet { return contactRefFields },
}

var orderTags = taggable[upstream.Order, upstream.OrderTag, upstream.AppliedOrderTag]{
	upstream.KindOrder, upstream.KindOrderTag, "order", false, loader.Orders, loader.OrderTags, loader.AppliedOrderTags, loader.AppliedOrderTagList,
	(*upstream.AppliedOrderTag).TagID, (*upstream.Client).ApplyOrderTag, (*upstream.Client).RemoveAppliedOrderTag, func() fieldSet { return orderRefFields },
}

func applyContactTag(ctx context.Context, input map[string]any) (*model.ApplyContactTagPayload, error) {
	applied, contact, refusals, err := applyTag(ctx, contactTags, input)
	return &model.ApplyContactTagPayload{AppliedContactTag: applied, Contact: contact, UserErrors: refusals}, err
}

func removeContactTag(ctx context.Context, input map[string]any) (*model.RemoveContactTagPayload, error) {
	id, contact, refusals, err := removeTag(ctx, contactTags, input)
	return &model.RemoveContactTagPayload{RemovedAppliedContactTagID: id, Contact: contact, UserErrors: refusals}, err
}

func applyOrderTag(ctx context.Context, input map[string]any) (*model.ApplyOrderTagPayload, error) {
	applied, order, refusals, err := applyTag(ctx, orderTags, input)
	return &model.ApplyOrderTagPayload{AppliedOrderTag: applied, Order: order, UserErrors: refusals}, err
}

func removeOrderTag(ctx context.Context, input map[string]any) (*model.RemoveOrderTagPayload, error) {
	id, order, refusals, err := removeTag(ctx, orderTags, input)
	return &model.RemoveOrderTagPayload{RemovedAppliedOrderTagID: id, Order: order, UserErrors: refusals}, err
}

// applyTag applies a tag. It returns the applied tag, and the record if the payload has it.
func applyTag[O, T, A any, PT keyed[T]](ctx context.Context, t taggable[O, T, A], input map[string]any) (applied *A, record *O, refusals []*model.UserError, err error) {
	l := loader.From(ctx)
	ref, tag, err := recordAndTag[O, T, A, PT](ctx, l, t, input)
	if err == nil {
		applied, err = loader.Write(l, t.applied, ref.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*A, error) {
			return t.apply(c, ctx, p, ref.ID, tag)
		})
	}
	refusals, err = userErrors(ctx, err)
	if err == nil && applied != nil {
		record = payloadRecord(ctx, l, t.noun, t.records, t.refFields(), ref)
	}
	return applied, record, refusals, err
}

// removeTag removes a tag. It returns the global id of the applied tag, and the record if the
// payload has it.
func removeTag[O, T, A any, PT keyed[T], PA interface {
	keyed[A]
	model.Node
}](ctx context.Context, t taggable[O, T, A], input map[string]any) (id *string, record *O, refusals []*model.UserError, err error) {
	l := loader.From(ctx)
	ref, tag, err := recordAndTag[O, T, A, PT](ctx, l, t, input)
	var applied *A
	if err == nil {
		applied, err = appliedTag(ctx, t, ref, tag)
	}
	if err == nil {
		_, err = loader.Write(l, t.applied, ref.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*A, error) {
			return nil, t.remove(c, ctx, p, PA(applied).Key())
		})
	}
	failed := err != nil
	if refusals, err = userErrors(ctx, err); failed {
		return nil, nil, refusals, err
	}
	return globalID(PA(applied).Ref()), payloadRecord(ctx, l, t.noun, t.records, t.refFields(), ref), refusals, nil
}

// appliedTag returns the record that joins a record and a tag. Its error is about the field tagId
// if the record does not have the tag.
func appliedTag[O, T, A any](ctx context.Context, t taggable[O, T, A], ref upstream.Ref, tag string) (*A, error) {
	q := upstream.Query{}
	if t.filtered {
		filter, err := upstream.Filter("").With("tag_id", tag)
		if err != nil {
			return nil, err
		}
		q.Filter = filter
	}
	found, err := t.list.From(ctx).Load(ref, q, upstream.Window{Limit: maxRows})
	if err != nil {
		return nil, err
	}
	// ClickFunnels ignores a filter that it does not know (clickfunnels-api.md §3.3).
	i := slices.IndexFunc(found.Rows, func(a *A) bool { return t.tagID(a) == tag })
	if i < 0 {
		return nil, aboutField("tagId", upstream.NewError(upstream.NotFound, "The "+t.noun+" does not have this tag."))
	}
	return found.Rows[i], nil
}

// recordAndTag returns the ref of a record and the raw id of a tag of its workspace.
func recordAndTag[O, T, A any, PT keyed[T]](ctx context.Context, l *loader.Loaders, t taggable[O, T, A], input map[string]any) (ref upstream.Ref, tag string, err error) {
	if ref, err = refIn(l, t.kind, optional(input, "workspaceId"), input[t.noun+"Id"].(string)); err != nil {
		return ref, "", err
	}
	raw, err := rawIDs[T, PT](ctx, t.tags, t.tagKind, ref.Parent, []string{input["tagId"].(string)})
	if err != nil {
		return ref, "", aboutField("tagId", err)
	}
	return ref, string(raw[0]), nil
}

// payloadRecord returns the record for a field of a payload, as it is after the change, or nil if it
// is not selected. If it cannot be loaded, only that field fails, since the change was made.
// refFields are the fields that need only the ref.
func payloadRecord[T any](ctx context.Context, l *loader.Loaders, name string, records *loader.Resource[T], refFields fieldSet, ref upstream.Ref) *T {
	op := graphql.GetOperationContext(ctx)
	for _, field := range graphql.CollectFields(op, graphql.GetFieldContext(ctx).Field.Selections, nil) {
		if field.Name != name {
			continue
		}
		if only, _ := refFields.coverage(op, field); only && upstream.IsRawID(ref.ID) {
			return upstream.NewRecord[T](ref)
		}
		record, err := records.Of(l).Load(ref)
		if err != nil {
			graphql.AddError(graphql.WithPathContext(ctx, graphql.NewPathWithField(field.Alias)), err)
		}
		return record
	}
	return nil
}

// maxBulkCalls is how many REST calls a bulk mutation can make.
const maxBulkCalls = 500

// applyContactTags applies tags to contacts of one workspace. The transport's limiter decides how
// many calls run side by side.
func applyContactTags(ctx context.Context, input map[string]any) (*model.ApplyContactTagsPayload, error) {
	l := loader.From(ctx)
	contacts, tags, err := contactsAndTags(ctx, l, input)
	refusals, err := userErrors(ctx, err)
	if err != nil || len(refusals) > 0 {
		return &model.ApplyContactTagsPayload{AppliedContactTags: []*upstream.AppliedContactTag{}, UserErrors: refusals}, err
	}
	applied, errs := make([]*upstream.AppliedContactTag, len(contacts)*len(tags)), make([]error, len(contacts)*len(tags))
	_, err = loader.Write(l, loader.AppliedContactTags, contacts[0].Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*upstream.AppliedContactTag, error) {
		var wg sync.WaitGroup
		for i := range applied {
			wg.Go(func() {
				applied[i], errs[i] = c.ApplyContactTag(ctx, p, contacts[i/len(tags)].ID, tags[i%len(tags)])
			})
		}
		wg.Wait()
		return nil, nil //nolint:nilnil // several records
	})
	if err != nil {
		return nil, err
	}
	payload := &model.ApplyContactTagsPayload{AppliedContactTags: []*upstream.AppliedContactTag{}, UserErrors: []*model.UserError{}}
	for i, err := range errs {
		if err == nil {
			payload.AppliedContactTags = append(payload.AppliedContactTags, applied[i])
			continue
		}
		payload.UserErrors = append(payload.UserErrors, bulkErrors(ctx, err, "contactIds", i/len(tags))...)
	}
	return payload, nil
}

// contactsAndTags returns the contacts of an input, and the raw ids of its tags. It refuses more
// than [maxBulkCalls] pairs, and contacts of several workspaces.
func contactsAndTags(ctx context.Context, l *loader.Loaders, input map[string]any) (contacts []upstream.Ref, tags []string, err error) {
	ids, tagIDs := input["contactIds"].([]string), input["tagIds"].([]string)
	if n := len(ids) * len(tagIDs); n == 0 || n > maxBulkCalls {
		return nil, nil, aboutField("contactIds", badInput("The number of contacts times the number of tags is %d; it can be 1 to %d.", n, maxBulkCalls))
	}
	for _, id := range ids {
		ref, err := refIn(l, upstream.KindContact, optional(input, "workspaceId"), id)
		if err != nil {
			return nil, nil, err
		}
		if contacts = append(contacts, ref); ref.Parent != contacts[0].Parent {
			return nil, nil, aboutField("contactIds", badInput("All contacts must belong to one workspace."))
		}
	}
	raw, err := rawIDs(ctx, loader.ContactTags, upstream.KindContactTag, contacts[0].Parent, tagIDs)
	for _, id := range raw {
		tags = append(tags, string(id))
	}
	return contacts, tags, aboutField("tagIds", err)
}

// bulkErrors returns the error of one call of a bulk mutation as user errors about an element of a
// field.
func bulkErrors(ctx context.Context, err error, field string, index int) []*model.UserError {
	all, failed := userErrors(ctx, err)
	if failed != nil {
		all = []*model.UserError{{Message: messageOf(failed), Code: model.UserErrorCodeFailed}}
		if errors.Is(failed, upstream.NotFound) {
			all[0].Code = model.UserErrorCodeNotFound
		}
	}
	for _, each := range all {
		each.Field, each.Path = &field, []string{field, strconv.Itoa(index)}
	}
	return all
}

// messageOf returns the message of an error that callers may see.
func messageOf(err error) string {
	if failed, ok := errors.AsType[*upstream.Error](err); ok {
		return failed.Message
	}
	return "The REST call failed."
}
