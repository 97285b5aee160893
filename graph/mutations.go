package graph

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/funnelgraph/funnelgraph/graph/exec"
	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// inputError is an error about one field of an input.
type inputError struct {
	field string
	error
}

// Unwrap returns the error without its field.
func (e *inputError) Unwrap() error { return e.error }

// aboutField attaches the input field that an error is about. It is not used for the field that
// names the record or workspace to change: if that is not found, the mutation fails as a query
// does.
func aboutField(field string, err error) error {
	if err == nil {
		return nil
	}
	return &inputError{field, err}
}

// userErrors returns ClickFunnels' reasons for refusing an input as user errors. It returns any
// other error unchanged, such as the error of a call that prepares the change.
func userErrors(ctx context.Context, err error) ([]*model.UserError, error) {
	failed, ok := errors.AsType[*upstream.Error](err)
	if err == nil || !ok || failed.Unknown {
		return []*model.UserError{}, err
	}
	if about, ok := errors.AsType[*inputError](err); ok {
		switch {
		case failed.Code == upstream.NotFound:
			return []*model.UserError{{Field: &about.field, Message: failed.Message, Code: model.UserErrorCodeNotFound}}, nil
		case failed.Code == upstream.BadUserInput && failed.Status == 0: // no failed call
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
		all = append(all, &model.UserError{Field: fieldOf(ctx, message), Message: message, Code: code})
	}
	return all, nil
}

// fieldOf returns the input field that a message of ClickFunnels begins with, nil if none.
// Messages look like "Email address can't be blank" or "email_address is taken".
func fieldOf(ctx context.Context, message string) *string {
	input := graphql.GetFieldContext(ctx).Field.Definition.Arguments.ForName("input").Type.Name()
	var found string
	message = strings.ToLower(strings.ReplaceAll(message, "_", " "))
	for _, field := range exec.NewExecutableSchema(exec.Config{}).Schema().Types[input].Fields {
		spoken := strings.ReplaceAll(snakeCase(field.Name), "_", " ")
		if rest, ok := strings.CutPrefix(message, spoken); ok && (rest == "" || rest[0] == ' ') && len(field.Name) > len(found) {
			found = field.Name
		}
	}
	if found == "" {
		return nil
	}
	return &found
}

// attributes returns an input as the body of a REST call, with ClickFunnels' names. Absent fields
// stay absent, and null stays null. The fields in which name the record, and are left out.
func attributes(input map[string]any, which ...string) map[string]any {
	body := make(map[string]any, len(input))
	for name, value := range input {
		switch given := value.(type) {
		case map[string]any:
			if value = nil; given != nil {
				value = attributes(given)
			}
		case []string:
			if given == nil {
				value = nil // JSON would write an empty list
			}
		case []map[string]any:
			if value = nil; given != nil {
				value = attributesOfAll(given)
			}
		}
		if !slices.Contains(which, name) {
			body[snakeCase(name)] = value
		}
	}
	return body
}

// attributesOfAll returns the inputs of a list as [attributes] does.
func attributesOfAll(inputs []map[string]any) []map[string]any {
	all := make([]map[string]any, len(inputs))
	for i, input := range inputs {
		all[i] = attributes(input)
	}
	return all
}

// optional returns a field of an input that may be absent or null.
func optional(input map[string]any, name string) *string {
	text, _ := input[name].(*string)
	return text
}

// completion completes the body of a write in place. workspace is a raw id.
type completion func(ctx context.Context, workspace string, body map[string]any) error

// bodyOf returns the completed body for an input, without the fields in which, which name the
// record.
func bodyOf(ctx context.Context, workspace string, input map[string]any, complete completion, which ...string) (map[string]any, error) {
	body := attributes(input, which...)
	if complete == nil {
		return body, nil
	}
	return body, complete(ctx, workspace, body)
}

// completions returns a completion that runs others in their order.
func completions(all ...completion) completion {
	return func(ctx context.Context, workspace string, body map[string]any) error {
		for _, complete := range all {
			if err := complete(ctx, workspace, body); err != nil {
				return err
			}
		}
		return nil
	}
}

// renamed returns a completion that gives an input's field the key that the body has for it.
func renamed(field, key string) completion {
	return func(_ context.Context, _ string, body map[string]any) error {
		if value, given := body[snakeCase(field)]; given {
			delete(body, snakeCase(field))
			body[key] = value
		}
		return nil
	}
}

// asNumber returns a completion that turns the text of a decimal into a JSON number.
func asNumber(field string) completion {
	return func(_ context.Context, _ string, body map[string]any) error {
		key := snakeCase(field)
		var text string
		switch given := body[key].(type) {
		case string:
			text = given
		case *string:
			if given == nil {
				return nil
			}
			text = *given
		default:
			return nil
		}
		value := jsontext.Value(text)
		if value.Kind() != '0' || !value.IsValid() {
			return aboutField(field, badInput("%s must be a number, such as 12.5.", field))
		}
		body[key] = value
		return nil
	}
}

// asText returns a completion that turns the raw id under a key into a JSON string.
func asText(key string) completion {
	return func(_ context.Context, _ string, body map[string]any) error {
		if id, ok := body[key].(jsontext.Value); ok {
			body[key] = string(id)
		}
		return nil
	}
}

// within returns a completion that completes the object in a field, or each object of a list.
func within(field string, complete completion) completion {
	return func(ctx context.Context, workspace string, body map[string]any) error {
		objects, ok := body[snakeCase(field)].([]map[string]any)
		if object, single := body[snakeCase(field)].(map[string]any); single {
			objects, ok = []map[string]any{object}, true
		}
		if !ok {
			return nil
		}
		if len(objects) > maxInputIDs {
			return aboutField(field, badInput("There are %d objects; there can be %d.", len(objects), maxInputIDs))
		}
		errs := make([]error, len(objects))
		var wg sync.WaitGroup
		for i, object := range objects { // side by side, as their ids can need calls
			wg.Go(func() { errs[i] = complete(ctx, workspace, object) })
		}
		wg.Wait()
		return aboutField(field, cmp.Or(errs...))
	}
}

// spread returns a completion that replaces the object in a field by keys of the body, such as
// shipping_address_city. Null clears all keys of the object.
func spread(field string, keys ...string) completion {
	return func(_ context.Context, _ string, body map[string]any) error {
		prefix := snakeCase(field)
		value, given := body[prefix]
		if !given {
			return nil
		}
		object, _ := value.(map[string]any)
		for _, key := range keys {
			if part, given := object[key]; given || object == nil {
				body[prefix+"_"+key] = part
			}
		}
		delete(body, prefix)
		return nil
	}
}

// recordID returns a completion for a field that names a record of the workspace by an id in any
// form. The body holds its raw id under the key.
func recordID[T any, P keyed[T]](field, key string, records *loader.Resource[T], kind upstream.Kind) completion {
	return namedRecord(field, key, records, kind, rawIDs[T, P])
}

// recordIDs is [recordID] for a field that names several records.
func recordIDs[T any, P keyed[T]](field, key string, records *loader.Resource[T], kind upstream.Kind) completion {
	return namedRecords(field, key, records, kind, rawIDs[T, P])
}

// publicID is [recordID] for a key that holds the record's public id.
func publicID[T any, P publicKeyed[T]](field, key string, records *loader.Resource[T], kind upstream.Kind) completion {
	return namedRecord(field, key, records, kind, publicIDs[T, P])
}

// publicRecordIDs is [publicID] for a field that names several records.
func publicRecordIDs[T any, P publicKeyed[T]](field, key string, records *loader.Resource[T], kind upstream.Kind) completion {
	return namedRecords(field, key, records, kind, publicIDs[T, P])
}

// idForm returns the ids of a workspace's records in the form that bodies take.
type idForm[T any] func(ctx context.Context, records *loader.Resource[T], kind upstream.Kind, workspace string, ids []string) ([]jsontext.Value, error)

// namedRecord is [recordID] with a form of the id.
func namedRecord[T any](field, key string, records *loader.Resource[T], kind upstream.Kind, form idForm[T]) completion {
	return func(ctx context.Context, workspace string, body map[string]any) error {
		var id *string
		switch given := body[snakeCase(field)].(type) {
		case string:
			id = &given
		case *string:
			id = given
		}
		if id == nil {
			return renamed(field, key)(ctx, workspace, body)
		}
		formed, err := form(ctx, records, kind, workspace, []string{*id})
		if err != nil {
			return aboutField(field, err)
		}
		delete(body, snakeCase(field))
		body[key] = formed[0]
		return nil
	}
}

// namedRecords is [recordIDs] with a form of the ids.
func namedRecords[T any](field, key string, records *loader.Resource[T], kind upstream.Kind, form idForm[T]) completion {
	return func(ctx context.Context, workspace string, body map[string]any) error {
		ids, ok := body[snakeCase(field)].([]string)
		if !ok {
			return renamed(field, key)(ctx, workspace, body)
		}
		formed, err := form(ctx, records, kind, workspace, ids)
		if err != nil {
			return aboutField(field, err)
		}
		delete(body, snakeCase(field))
		body[key] = formed
		return nil
	}
}

// rawAttributes returns a completion that replaces ids by raw ids, which bodies take
// (clickfunnels-api.md §1). Only memberships are given by global ids here; see [recordID] for records
// that the loaders find. A field can be the path of an id within the input, such as
// `lineItems.invoicesLineItemId`.
func rawAttributes(fields ...string) completion {
	return func(_ context.Context, _ string, body map[string]any) error {
		for _, field := range fields {
			if err := replaceIDs(body, field); err != nil {
				top, _, _ := strings.Cut(field, ".")
				return aboutField(top, err)
			}
		}
		return nil
	}
}

// replaceIDs replaces the ids at a path of a body by raw ids.
func replaceIDs(body map[string]any, path string) error {
	field, below, _ := strings.Cut(path, ".")
	key := snakeCase(field)
	switch given := body[key].(type) {
	case map[string]any:
		return replaceIDs(given, below)
	case []map[string]any:
		for _, object := range given {
			if err := replaceIDs(object, below); err != nil {
				return err
			}
		}
	case string:
		return setRawIDs(body, key, field, []string{given}, func(raw []jsontext.Value) any { return raw[0] })
	case *string:
		if given != nil {
			return setRawIDs(body, key, field, []string{*given}, func(raw []jsontext.Value) any { return raw[0] })
		}
	case []string:
		return setRawIDs(body, key, field, given, func(raw []jsontext.Value) any { return raw })
	}
	return nil
}

// setRawIDs sets a key of a body to the raw ids of the given ones, in the form that as returns.
func setRawIDs(body map[string]any, key, field string, ids []string, as func([]jsontext.Value) any) error {
	raw := make([]jsontext.Value, len(ids))
	for i, id := range ids {
		if ref, ok := model.ParseGlobalID(id); ok && ref.Kind == upstream.KindMembership {
			id = ref.ID
		}
		if !upstream.IsRawID(id) {
			return badInput("Give %s as a rawId, which is a number.", field)
		}
		raw[i] = jsontext.Value(id)
	}
	body[key] = as(raw)
	return nil
}

// maxInputIDs is how many records or objects one field of an input can hold.
const maxInputIDs = 500

// rawIDs returns the raw ids of a workspace's records, given in any form. Bodies take raw ids
// only (clickfunnels-api.md §1). A record that the caller may not see is not found.
func rawIDs[T any, P keyed[T]](ctx context.Context, records *loader.Resource[T], kind upstream.Kind, workspace string, ids []string) ([]jsontext.Value, error) {
	found, err := formedIDs(ctx, records, kind, workspace, ids, upstream.IsRawID, func(row *T) string { return P(row).Key() })
	if err != nil {
		return nil, err
	}
	raw := make([]jsontext.Value, len(ids))
	for i, id := range found {
		if !upstream.IsRawID(id) {
			return nil, upstream.NewError(upstream.Unavailable, "ClickFunnels sent no raw id of a record that the input names: give its rawId.")
		}
		raw[i] = jsontext.Value(id)
	}
	return raw, nil
}

// publicKeyed is the constraint for records with a public id.
type publicKeyed[T any] interface {
	*T
	PublicID() *string
}

// publicIDs is [rawIDs] for bodies that take public ids, such as those of pages.
func publicIDs[T any, P publicKeyed[T]](ctx context.Context, records *loader.Resource[T], kind upstream.Kind, workspace string, ids []string) ([]jsontext.Value, error) {
	isPublic := func(id string) bool { return !upstream.IsRawID(id) }
	found, err := formedIDs(ctx, records, kind, workspace, ids, isPublic, func(row *T) string {
		if id := P(row).PublicID(); id != nil {
			return *id
		}
		return ""
	})
	if err != nil {
		return nil, err
	}
	public := make([]jsontext.Value, len(ids))
	for i, id := range found {
		if id == "" {
			return nil, upstream.NewError(upstream.Unavailable, "ClickFunnels sent no public id of a record that the input names: give its publicId.")
		}
		if public[i], err = jsontext.AppendQuote(nil, id); err != nil {
			return nil, err
		}
	}
	return public, nil
}

// formedIDs returns the ids of a workspace's records in one form. It loads the records whose given
// ids have another form, and for scoped callers all records.
func formedIDs[T any](ctx context.Context, records *loader.Resource[T], kind upstream.Kind, workspace string, ids []string, hasForm func(string) bool, formOf func(*T) string) ([]string, error) {
	if len(ids) > maxInputIDs {
		return nil, badInput("There are %d ids; there can be %d.", len(ids), maxInputIDs)
	}
	formed := make([]string, len(ids))
	l := loader.From(ctx)
	var unsure []int
	var asked []upstream.Ref
	for i, id := range ids {
		ref, err := model.ParseID(kind, workspace, id)
		if err != nil {
			return nil, err
		}
		if formed[i] = ref.ID; !hasForm(ref.ID) || l.Scoped() {
			unsure, asked = append(unsure, i), append(asked, ref)
		}
	}
	rows, errs := records.Of(l).LoadAll(asked)
	for k, i := range unsure {
		if errs[k] != nil {
			return nil, errs[k]
		}
		formed[i] = formOf(rows[k])
	}
	return formed, nil
}

// refIn returns the ref of a workspace's record, given by ids in any form. workspace may be nil
// if the record's id is global.
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

// rawWorkspace returns the raw id of a workspace, given by its id in any form.
func rawWorkspace(l *loader.Loaders, id string) (string, error) {
	ref, err := model.ParseID(upstream.KindWorkspace, "", id)
	if err != nil {
		return "", err
	}
	return l.WorkspaceID(ref.ID)
}

// canonical returns a record's ref with its raw id, which global ids are made of. It loads the
// record if necessary.
func canonical[T any, P interface {
	*T
	model.Node
}](l *loader.Loaders, records *loader.Resource[T], ref upstream.Ref) (upstream.Ref, error) {
	if ref.IsRaw() {
		return ref, nil
	}
	row, err := records.Of(l).Load(ref)
	if err != nil {
		return ref, err
	}
	return P(row).Ref(), nil
}

// globalID returns a record's global id, nil if the ref is empty.
func globalID(ref upstream.Ref) *string {
	if ref.ID == "" {
		return nil
	}
	id := model.GlobalID(ref)
	return &id
}

// writeResult runs a write and returns the payload of its mutation. Refusals of ClickFunnels
// become user errors; any other error fails the mutation.
func writeResult[T any](ctx context.Context, do func(*loader.Loaders) (*T, error)) (*model.Written[T], error) {
	row, err := do(loader.From(ctx))
	refusals, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.Written[T]{Record: row, UserErrors: refusals}, nil
}

// create creates a record of a workspace.
func create[T any](ctx context.Context, input map[string]any, records *loader.Resource[T], by func(*upstream.Client, context.Context, upstream.Place, any) (*T, error), complete completion) (*model.Written[T], error) {
	return writeResult(ctx, func(l *loader.Loaders) (*T, error) {
		workspace, err := rawWorkspace(l, input["workspaceId"].(string))
		if err != nil {
			return nil, err
		}
		body, err := bodyOf(ctx, workspace, input, complete, "workspaceId")
		if err != nil {
			return nil, err
		}
		return loader.Write(l, records, workspace, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*T, error) {
			return by(c, ctx, p, body)
		})
	})
}

// createBelow creates a record below another one, whose id is in the input field parent.
func createBelow[O, T any](ctx context.Context, input map[string]any, parents *loader.Resource[O], kind upstream.Kind, parent string, records *loader.Resource[T], by func(*upstream.Client, context.Context, upstream.Place, string, any) (*T, error), complete completion) (*model.Written[T], error) {
	return writeResult(ctx, func(l *loader.Loaders) (*T, error) {
		ref, err := target(l, parents, kind, optional(input, "workspaceId"), input[parent].(string))
		if err != nil {
			return nil, err
		}
		body, err := bodyOf(ctx, ref.Parent, input, complete, parent, "workspaceId")
		if err != nil {
			return nil, err
		}
		return loader.Write(l, records, ref.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*T, error) {
			return by(c, ctx, p, ref.ID, body)
		})
	})
}

// update changes a record of a workspace.
func update[T any](ctx context.Context, input map[string]any, records *loader.Resource[T], kind upstream.Kind, by func(*upstream.Client, context.Context, upstream.Place, string, any) (*T, error), complete completion) (*model.Written[T], error) {
	return writeResult(ctx, func(l *loader.Loaders) (*T, error) {
		ref, err := target(l, records, kind, optional(input, "workspaceId"), input["id"].(string))
		if err != nil {
			return nil, err
		}
		body, err := bodyOf(ctx, ref.Parent, input, complete, "id", "workspaceId")
		if err != nil {
			return nil, err
		}
		return loader.Write(l, records, ref.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*T, error) {
			return by(c, ctx, p, ref.ID, body)
		})
	})
}

// updateOnAccounts changes a record of the accounts host.
func updateOnAccounts[T any](ctx context.Context, input map[string]any, records *loader.Resource[T], kind upstream.Kind, by func(*upstream.Client, context.Context, string, any) (*T, error)) (*model.Written[T], error) {
	return writeResult(ctx, func(l *loader.Loaders) (*T, error) {
		ref, err := model.ParseID(kind, "", input["id"].(string))
		if err != nil {
			return nil, err
		}
		return loader.Write(l, records, "", func(ctx context.Context, c *upstream.Client, _ upstream.Place) (*T, error) {
			return by(c, ctx, ref.ID, attributes(input, "id"))
		})
	})
}

// target returns the ref of the record to write. If the record does not name its workspace, a
// scoped caller must be able to load it.
func target[T any](l *loader.Loaders, records *loader.Resource[T], kind upstream.Kind, workspace *string, id string) (upstream.Ref, error) {
	ref, err := refIn(l, kind, workspace, id)
	if err == nil && l.Scoped() && records.Owned() {
		_, err = records.Of(l).Load(ref)
	}
	return ref, err
}

// act carries out an action on a record of a workspace.
func act[T any](ctx context.Context, input map[string]any, records *loader.Resource[T], kind upstream.Kind, by func(*upstream.Client, context.Context, upstream.Place, string) (*T, error)) (*model.Written[T], error) {
	return update(ctx, input, records, kind, func(c *upstream.Client, ctx context.Context, p upstream.Place, id string, _ any) (*T, error) {
		return by(c, ctx, p, id)
	}, nil)
}

// memberCall is a client's method that deletes a record of a workspace, or makes another call for it
// whose response has no record.
type memberCall func(*upstream.Client, context.Context, upstream.Place, string) error

// remove deletes a record of a workspace and returns the payload of its mutation.
func remove[T any, P interface {
	*T
	model.Node
}](ctx context.Context, input map[string]any, records *loader.Resource[T], kind upstream.Kind, by memberCall) (*model.Deleted, error) {
	id, err := deleteRecord[T, P](loader.From(ctx), input, records, kind, by)
	refusals, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.Deleted{ID: id, UserErrors: refusals}, nil
}

// deleteRecord deletes a record of a workspace and returns its global id.
func deleteRecord[T any, P interface {
	*T
	model.Node
}](l *loader.Loaders, input map[string]any, records *loader.Resource[T], kind upstream.Kind, by memberCall) (*string, error) {
	ref, err := target(l, records, kind, optional(input, "workspaceId"), input["id"].(string))
	if err == nil {
		ref, err = canonical[T, P](l, records, ref)
	}
	if err != nil {
		return nil, err
	}
	if _, err = loader.Write(l, records, ref.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*T, error) {
		return nil, by(c, ctx, p, ref.ID)
	}); err != nil {
		return nil, err
	}
	return globalID(ref), nil
}
