package graph

import (
	"context"

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
		body["custom_attributes"] = free
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
