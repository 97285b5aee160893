package graph

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// change carries out a mutation. What ClickFunnels has refused becomes the payload's
// user errors, for the fields of the input; any other error is the mutation's own.
func change[I, T, P any](ctx context.Context, input I, do func(context.Context, *loader.Loaders, I) (T, error), payload func(T, []*model.UserError) *P) (*P, error) {
	done, err := do(ctx, loader.From(ctx), input)
	refusals, err := refused(input, err)
	if err != nil {
		return nil, err
	}
	return payload(done, refusals), nil
}

// inputError is an error about one field of an input.
type inputError struct {
	field string
	error
}

// Unwrap returns what is wrong.
func (e *inputError) Unwrap() error { return e.error }

// aboutField says which field of the input an error is about. Which record or workspace
// is meant is no such field: one that is not there is an error as it is for reads.
func aboutField(field string, err error) error {
	if err == nil {
		return nil
	}
	return &inputError{field, err}
}

// refused returns ClickFunnels' reasons for refusing an input. It returns any other error
// as it is, such as the error of a call that prepares the change.
func refused(input any, err error) ([]*model.UserError, error) {
	failed, ok := errors.AsType[*upstream.Error](err)
	if err == nil || !ok || failed.Unknown {
		return []*model.UserError{}, err
	}
	if about, ok := errors.AsType[*inputError](err); ok {
		switch {
		case failed.Code == upstream.NotFound:
			return []*model.UserError{{Field: &about.field, Message: failed.Message, Code: model.UserErrorCodeNotFound}}, nil
		case failed.Code == upstream.BadUserInput && failed.Status == 0: // no look-up failed
			return []*model.UserError{{Field: &about.field, Message: failed.Message, Code: model.UserErrorCodeInvalid}}, nil
		}
		return nil, err
	}
	if !failed.Refused {
		return nil, err
	}
	code := model.UserErrorCodeInvalid
	switch failed.Status {
	case http.StatusConflict, http.StatusLocked:
		code = model.UserErrorCodeConflict
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
	default:
		return nil, err
	}
	var all []*model.UserError
	for _, message := range failed.Messages() {
		all = append(all, &model.UserError{Field: fieldOf(input, message), Message: message, Code: code})
	}
	return all, nil
}

// fieldOf returns the input's field that a message begins with, as ClickFunnels writes
// it: "Email address can't be blank", "email_address is taken".
func fieldOf(input any, message string) *string {
	var found string
	message = strings.ToLower(strings.ReplaceAll(message, "_", " "))
	t := reflect.TypeOf(input)
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		spoken := strings.ReplaceAll(snakeCase(name), "_", " ")
		if rest, ok := strings.CutPrefix(message, spoken); ok && (rest == "" || rest[0] == ' ') && len(name) > len(found) {
			found = name
		}
	}
	if found == "" {
		return nil
	}
	return &found
}

// attributes returns what an input says of a record's fields, by the API's own names: what
// was left out stays out, and null is null. Fields that say which record it is are left
// away.
func attributes(input any, which ...string) map[string]any {
	body := make(map[string]any)
	v := reflect.ValueOf(input)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if slices.Contains(which, name) {
			continue
		}
		value := v.Field(i).Interface()
		if omittable, ok := value.(interface{ IsSet() bool }); ok {
			if !omittable.IsSet() {
				continue
			}
			value = v.Field(i).MethodByName("Value").Call(nil)[0].Interface()
		}
		body[snakeCase(name)] = value
	}
	return body
}

// contactAttributes are the attributes of a contact of a workspace, given by its raw id.
func contactAttributes(ctx context.Context, workspace string, input any) (map[string]any, error) {
	body := attributes(input, "id", "workspaceId")
	if ids, ok := body["tag_ids"].([]string); ok && ids != nil {
		raw, err := rawIDs(ctx, loader.ContactTags, upstream.KindContactTag, workspace, ids)
		if err != nil {
			return nil, aboutField("tagIds", err)
		}
		body["tag_ids"] = raw
	}
	if given, ok := body["custom_attributes"].([]*model.CustomAttributeInput); ok && given != nil {
		free := make(map[string]*string, len(given))
		for _, attribute := range given {
			free[attribute.Key] = attribute.Value.Value()
		}
		body["custom_attributes"] = free
	}
	// Null clears, as for any other field. ClickFunnels says of the empty list only that it takes
	// all tags (API.md §8, trap 15). An upsert passes over both.
	if ids, ok := body["tag_ids"].([]string); ok && ids == nil {
		body["tag_ids"] = []string{}
	}
	if given, ok := body["custom_attributes"].([]*model.CustomAttributeInput); ok && given == nil {
		body["custom_attributes"] = nil
	}
	return body, nil
}

// maxInputIDs is how many records a field of an input can name.
const maxInputIDs = 500

// rawIDs returns the raw ids, which bodies take (API.md §1), of a workspace's records
// that are given in any form. Those that a caller may not see are not found.
func rawIDs[T any, P keyed[T]](ctx context.Context, records *loader.Resource[T], kind upstream.Kind, workspace string, ids []string) ([]jsontext.Value, error) {
	if len(ids) > maxInputIDs {
		return nil, badInput("There are %d ids; there can be %d.", len(ids), maxInputIDs)
	}
	refs := make([]upstream.Ref, len(ids))
	l := loader.From(ctx)
	var unsure []int
	for i, id := range ids {
		var err error
		if refs[i], err = model.ParseID(kind, workspace, id); err != nil {
			return nil, err
		}
		if !upstream.IsRawID(refs[i].ID) || l.Scoped() {
			unsure = append(unsure, i)
		}
	}
	asked := make([]upstream.Ref, len(unsure))
	for k, i := range unsure {
		asked[k] = refs[i]
	}
	rows, errs := records.Of(l).LoadAll(asked)
	for k, i := range unsure {
		if errs[k] != nil {
			return nil, errs[k]
		}
		refs[i].ID = P(rows[k]).Key()
	}
	raw := make([]jsontext.Value, len(ids))
	for i, ref := range refs {
		if !upstream.IsRawID(ref.ID) {
			return nil, upstream.NewError(upstream.Unavailable, "ClickFunnels sent no raw id of a record that the input names: give its rawId.")
		}
		raw[i] = jsontext.Value(ref.ID)
	}
	return raw, nil
}

// refIn returns the address of a record of a workspace, given by its id in any form and
// that of its workspace, nil if only the record's id can tell.
func refIn(l *loader.Loaders, kind upstream.Kind, workspace *string, id string) (upstream.Ref, error) {
	parent := ""
	if workspace != nil {
		var err error
		if parent, err = rawWorkspace(l, *workspace); err != nil {
			return upstream.Ref{}, err
		}
	}
	ref, err := model.ParseID(kind, parent, id)
	if err != nil {
		return upstream.Ref{}, err
	}
	if ref.Parent == "" {
		return upstream.Ref{}, badInput("Give workspaceId as well: a raw or public id does not tell the workspace.")
	}
	ref.Parent, err = l.WorkspaceID(ref.Parent)
	return ref, err
}

// rawWorkspace returns the raw id of a workspace that is given by its id in any form.
func rawWorkspace(l *loader.Loaders, id string) (string, error) {
	ref, err := model.ParseID(upstream.KindWorkspace, "", id)
	if err != nil {
		return "", err
	}
	return l.WorkspaceID(ref.ID)
}

// canonical returns the address of a record by its raw id, which is what clients know it
// by.
func canonical[T any, P interface {
	*T
	model.Node
}](l *loader.Loaders, records *loader.Resource[T], ref upstream.Ref) (upstream.Ref, error) {
	if upstream.IsRawID(ref.ID) {
		return ref, nil
	}
	row, err := records.Of(l).Load(ref)
	if err != nil {
		return ref, err
	}
	return P(row).Ref(), nil
}

// globalID returns the id of a record, nil if there is none.
func globalID(ref upstream.Ref) *string {
	if ref.ID == "" {
		return nil
	}
	id := model.GlobalID(ref)
	return &id
}

// globalIDOf is [globalID] of a record, which may be nil.
func globalIDOf(applied *upstream.AppliedContactTag) *string {
	if applied == nil {
		return nil
	}
	return globalID(applied.Ref())
}

func createContact(ctx context.Context, l *loader.Loaders, input model.CreateContactInput) (*upstream.Contact, error) {
	workspace, err := rawWorkspace(l, input.WorkspaceID)
	if err != nil {
		return nil, err
	}
	body, err := contactAttributes(ctx, workspace, input)
	if err != nil {
		return nil, err
	}
	return loader.Write(l, loader.Contacts, workspace, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*upstream.Contact, error) {
		return c.CreateContact(ctx, p, body)
	})
}

// upserted is a contact and whether it was created; nil if that is unknown.
type upserted struct {
	contact *upstream.Contact
	created *bool
}

func upsertContact(ctx context.Context, l *loader.Loaders, input model.UpsertContactInput) (done upserted, err error) {
	workspace, err := rawWorkspace(l, input.WorkspaceID)
	if err != nil {
		return done, err
	}
	body, err := contactAttributes(ctx, workspace, input)
	if err != nil {
		return done, err
	}
	done.contact, err = loader.Write(l, loader.Contacts, workspace, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*upstream.Contact, error) {
		var contact *upstream.Contact
		contact, done.created, err = c.UpsertContact(ctx, p, body)
		return contact, err
	})
	return done, err
}

func updateContact(ctx context.Context, l *loader.Loaders, input model.UpdateContactInput) (*upstream.Contact, error) {
	ref, err := refIn(l, upstream.KindContact, input.WorkspaceID.Value(), input.ID)
	if err != nil {
		return nil, err
	}
	body, err := contactAttributes(ctx, ref.Parent, input)
	if err != nil {
		return nil, err
	}
	return loader.Write(l, loader.Contacts, ref.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*upstream.Contact, error) {
		return c.UpdateContact(ctx, p, ref.ID, body)
	})
}

// removal is how a record of a workspace goes.
type removal func(*upstream.Client, context.Context, upstream.Place, string) error

// remove deletes a record of a workspace, and returns its address.
func remove[T any, P interface {
	*T
	model.Node
}](l *loader.Loaders, records *loader.Resource[T], kind upstream.Kind, workspace *string, id string, by removal) (upstream.Ref, error) {
	ref, err := refIn(l, kind, workspace, id)
	if err == nil {
		ref, err = canonical[T, P](l, records, ref)
	}
	if err != nil {
		return upstream.Ref{}, err
	}
	_, err = loader.Write(l, records, ref.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*T, error) {
		return nil, by(c, ctx, p, ref.ID)
	})
	if err != nil {
		return upstream.Ref{}, err
	}
	return ref, nil
}

func deleteContact(_ context.Context, l *loader.Loaders, input model.DeleteContactInput) (upstream.Ref, error) {
	return remove(l, loader.Contacts, upstream.KindContact, input.WorkspaceID.Value(), input.ID, (*upstream.Client).DeleteContact)
}

func redactContact(_ context.Context, l *loader.Loaders, input model.RedactContactInput) (upstream.Ref, error) {
	if !input.Confirm {
		return upstream.Ref{}, aboutField("confirm", badInput("Set confirm to true: redacting cannot be undone."))
	}
	return remove(l, loader.Contacts, upstream.KindContact, input.WorkspaceID.Value(), input.ID, (*upstream.Client).RedactContact)
}

func createContactTag(_ context.Context, l *loader.Loaders, input model.CreateContactTagInput) (*upstream.ContactTag, error) {
	workspace, err := rawWorkspace(l, input.WorkspaceID)
	if err != nil {
		return nil, err
	}
	return loader.Write(l, loader.ContactTags, workspace, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*upstream.ContactTag, error) {
		return c.CreateContactTag(ctx, p, attributes(input, "workspaceId"))
	})
}

func updateContactTag(_ context.Context, l *loader.Loaders, input model.UpdateContactTagInput) (*upstream.ContactTag, error) {
	ref, err := refIn(l, upstream.KindContactTag, input.WorkspaceID.Value(), input.ID)
	if err != nil {
		return nil, err
	}
	return loader.Write(l, loader.ContactTags, ref.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*upstream.ContactTag, error) {
		return c.UpdateContactTag(ctx, p, ref.ID, attributes(input, "id", "workspaceId"))
	})
}

func deleteContactTag(_ context.Context, l *loader.Loaders, input model.DeleteContactTagInput) (upstream.Ref, error) {
	return remove(l, loader.ContactTags, upstream.KindContactTag, input.WorkspaceID.Value(), input.ID, (*upstream.Client).DeleteContactTag)
}

// tagging is what has come of a contact's tag.
type tagging struct {
	applied *upstream.AppliedContactTag
	contact *upstream.Contact
}

func applyContactTag(ctx context.Context, l *loader.Loaders, input model.ApplyContactTagInput) (done tagging, err error) {
	contact, tag, err := contactAndTag(ctx, l, input.WorkspaceID.Value(), input.ContactID, input.TagID)
	if err != nil {
		return done, err
	}
	done.applied, err = loader.Write(l, loader.AppliedContactTags, contact.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*upstream.AppliedContactTag, error) {
		return c.ApplyContactTag(ctx, p, contact.ID, tag)
	})
	if err != nil {
		return done, err
	}
	done.contact = payloadContact(ctx, l, contact)
	return done, nil
}

func removeContactTag(ctx context.Context, l *loader.Loaders, input model.RemoveContactTagInput) (done tagging, err error) {
	contact, tag, err := contactAndTag(ctx, l, input.WorkspaceID.Value(), input.ContactID, input.TagID)
	if err != nil {
		return done, err
	}
	filter, err := upstream.Filter("").With("tag_id", tag)
	if err != nil {
		return done, err
	}
	found, err := loader.AppliedContactTagList.Of(l).Load(contact, upstream.Query{Filter: filter}, upstream.Window{Limit: 1})
	if err != nil {
		return done, err
	}
	// A filter that is not understood is passed over (API.md §3.3).
	i := slices.IndexFunc(found.Rows, func(t *upstream.AppliedContactTag) bool { return t.TagID() == tag })
	if i < 0 {
		return done, aboutField("tagId", upstream.NewError(upstream.NotFound, "The contact does not carry this tag."))
	}
	_, err = loader.Write(l, loader.AppliedContactTags, contact.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*upstream.AppliedContactTag, error) {
		return nil, c.RemoveAppliedContactTag(ctx, p, found.Rows[i].Key())
	})
	if err != nil {
		return done, err
	}
	return tagging{found.Rows[i], payloadContact(ctx, l, contact)}, nil
}

// contactAndTag returns the address of a contact and the raw id of a tag of its
// workspace.
func contactAndTag(ctx context.Context, l *loader.Loaders, workspace *string, contactID, tagID string) (contact upstream.Ref, tag string, err error) {
	if contact, err = refIn(l, upstream.KindContact, workspace, contactID); err != nil {
		return contact, "", err
	}
	raw, err := rawIDs(ctx, loader.ContactTags, upstream.KindContactTag, contact.Parent, []string{tagID})
	if err != nil {
		return contact, "", aboutField("tagId", err)
	}
	return contact, string(raw[0]), nil
}

// payloadContact returns the contact that a payload is asked for, as it is after the
// change. That it cannot be had is no failure of the change.
func payloadContact(ctx context.Context, l *loader.Loaders, ref upstream.Ref) *upstream.Contact {
	op := graphql.GetOperationContext(ctx)
	for _, field := range graphql.CollectFields(op, graphql.GetFieldContext(ctx).Field.Selections, nil) {
		if field.Name != "contact" {
			continue
		}
		if only, _ := lightContact.selection(op, field); only && upstream.IsRawID(ref.ID) {
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

func updateTeam(_ context.Context, l *loader.Loaders, input model.UpdateTeamInput) (*upstream.Team, error) {
	ref, err := model.ParseID(upstream.KindTeam, "", input.ID)
	if err != nil {
		return nil, err
	}
	return loader.Write(l, loader.Teams, "", func(ctx context.Context, c *upstream.Client, _ upstream.Place) (*upstream.Team, error) {
		return c.UpdateTeam(ctx, ref.ID, attributes(input, "id"))
	})
}

func updateWorkspace(_ context.Context, l *loader.Loaders, input model.UpdateWorkspaceInput) (*upstream.Workspace, error) {
	ref, err := model.ParseID(upstream.KindWorkspace, "", input.ID)
	if err != nil {
		return nil, err
	}
	return loader.Write(l, loader.Workspaces, "", func(ctx context.Context, c *upstream.Client, _ upstream.Place) (*upstream.Workspace, error) {
		return c.UpdateWorkspace(ctx, ref.ID, attributes(input, "id"))
	})
}
