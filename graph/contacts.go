package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Mutations of contacts that the description in schema/ names as hand-written.

// contactAttributes converts the ids of tags and the custom attributes in a contact's body to the
// form that REST takes.
func contactAttributes(ctx context.Context, workspace string, body map[string]any) error {
	// Null clears, as for any other field. ClickFunnels documents only that the empty list
	// removes all tags (clickfunnels-api.md §8, trap 15). An upsert ignores both.
	switch ids, given := body["tag_ids"]; ids := ids.(type) {
	case []string:
		raw, err := rawIDs(ctx, loader.ContactTags, upstream.KindContactTag, workspace, ids)
		if err != nil {
			return aboutField("tagIds", err)
		}
		body["tag_ids"] = raw
	default:
		if given {
			body["tag_ids"] = []string{}
		}
	}
	if given, ok := body["custom_attributes"].([]map[string]any); ok {
		free := make(map[string]*string, len(given))
		for _, attribute := range given {
			free[attribute["key"].(string)] = optional(attribute, "value")
		}
		if body["custom_attributes"] = free; given == nil {
			body["custom_attributes"] = nil
		}
	}
	return nil
}

func upsertContact(ctx context.Context, input map[string]any) (*model.UpsertContactPayload, error) {
	var created *bool
	done, err := create(ctx, input, loader.Contacts, func(c *upstream.Client, ctx context.Context, p upstream.Place, body any) (row *upstream.Contact, err error) {
		row, created, err = c.UpsertContact(ctx, p, body)
		return row, err
	}, contactAttributes)
	if err != nil {
		return nil, err
	}
	return &model.UpsertContactPayload{Contact: done.Record, Created: created, UserErrors: done.UserErrors}, nil
}

func redactContact(ctx context.Context, input map[string]any) (*model.RedactContactPayload, error) {
	var id *string
	err := aboutField("confirm", badInput("Set confirm to true: redacting cannot be undone."))
	if input["confirm"] == true {
		id, err = deleteRecord(loader.From(ctx), input, loader.Contacts, upstream.KindContact, (*upstream.Client).RedactContact)
	}
	refusals, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.RedactContactPayload{RedactedContactID: id, UserErrors: refusals}, nil
}

func applyContactTag(ctx context.Context, input map[string]any) (*model.ApplyContactTagPayload, error) {
	l := loader.From(ctx)
	contact, tag, err := contactAndTag(ctx, l, input)
	var applied *upstream.AppliedContactTag
	if err == nil {
		applied, err = loader.Write(l, loader.AppliedContactTags, contact.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*upstream.AppliedContactTag, error) {
			return c.ApplyContactTag(ctx, p, contact.ID, tag)
		})
	}
	refusals, err := userErrors(ctx, err)
	if err != nil || applied == nil {
		return &model.ApplyContactTagPayload{UserErrors: refusals}, err
	}
	return &model.ApplyContactTagPayload{AppliedContactTag: applied, Contact: payloadContact(ctx, l, contact), UserErrors: refusals}, nil
}

func removeContactTag(ctx context.Context, input map[string]any) (*model.RemoveContactTagPayload, error) {
	l := loader.From(ctx)
	contact, tag, err := contactAndTag(ctx, l, input)
	var applied *upstream.AppliedContactTag
	if err == nil {
		applied, err = appliedTag(ctx, contact, tag)
	}
	if err == nil {
		_, err = loader.Write(l, loader.AppliedContactTags, contact.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*upstream.AppliedContactTag, error) {
			return nil, c.RemoveAppliedContactTag(ctx, p, applied.Key())
		})
	}
	failed := err != nil
	refusals, err := userErrors(ctx, err)
	if err != nil || failed {
		return &model.RemoveContactTagPayload{UserErrors: refusals}, err
	}
	return &model.RemoveContactTagPayload{RemovedAppliedContactTagID: globalID(applied.Ref()), Contact: payloadContact(ctx, l, contact), UserErrors: refusals}, nil
}

// appliedTag returns the record that joins a contact and a tag. Its error is about the field
// tagId if the contact does not carry the tag.
func appliedTag(ctx context.Context, contact upstream.Ref, tag string) (*upstream.AppliedContactTag, error) {
	filter, err := upstream.Filter("").With("tag_id", tag)
	if err != nil {
		return nil, err
	}
	found, err := loader.AppliedContactTagList.From(ctx).Load(contact, upstream.Query{Filter: filter}, upstream.Window{Limit: 1})
	if err != nil {
		return nil, err
	}
	// ClickFunnels ignores a filter that it does not know (clickfunnels-api.md §3.3).
	i := slices.IndexFunc(found.Rows, func(t *upstream.AppliedContactTag) bool { return t.TagID() == tag })
	if i < 0 {
		return nil, aboutField("tagId", upstream.NewError(upstream.NotFound, "The contact does not carry this tag."))
	}
	return found.Rows[i], nil
}

// contactAndTag returns the ref of a contact and the raw id of a tag of its workspace.
func contactAndTag(ctx context.Context, l *loader.Loaders, input map[string]any) (contact upstream.Ref, tag string, err error) {
	if contact, err = refIn(l, upstream.KindContact, optional(input, "workspaceId"), input["contactId"].(string)); err != nil {
		return contact, "", err
	}
	raw, err := rawIDs(ctx, loader.ContactTags, upstream.KindContactTag, contact.Parent, []string{input["tagId"].(string)})
	if err != nil {
		return contact, "", aboutField("tagId", err)
	}
	return contact, string(raw[0]), nil
}

// payloadContact returns the contact for a payload, as it is after the change, or nil if it is
// not selected. If it cannot be loaded, only that field fails, since the change was made.
func payloadContact(ctx context.Context, l *loader.Loaders, ref upstream.Ref) *upstream.Contact {
	op := graphql.GetOperationContext(ctx)
	for _, field := range graphql.CollectFields(op, graphql.GetFieldContext(ctx).Field.Selections, nil) {
		if field.Name != "contact" {
			continue
		}
		if only, _ := contactRefFields.coverage(op, field); only && upstream.IsRawID(ref.ID) {
			return upstream.NewRecord[upstream.Contact](ref)
		}
		contact, err := loader.Contacts.Of(l).Load(ref)
		if err != nil {
			graphql.AddError(graphql.WithPathContext(ctx, graphql.NewPathWithField(field.Alias)), err)
		}
		return contact
	}
	return nil
}
