package graph

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

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
func userErrors(ctx context.Context, err error) ([]*model.UserError, error) {
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
		all = append(all, &model.UserError{Field: fieldOf(ctx, message), Message: message, Code: code})
	}
	return all, nil
}

// fieldOf returns the field of the mutation's input that a message begins with, as
// ClickFunnels writes it: "Email address can't be blank", "email_address is taken".
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

// attributes returns what an input says of a record's fields, by the API's own names: what
// was left out stays out, and null is null. Fields that say which record it is are left
// away.
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
				value = nil // which JSON would write as an empty list
			}
		}
		if !slices.Contains(which, name) {
			body[snakeCase(name)] = value
		}
	}
	return body
}

// optional returns a field of an input that may be absent or null.
func optional(input map[string]any, name string) *string {
	text, _ := input[name].(*string)
	return text
}

// completion completes the attributes of a write to a workspace, given by its raw id.
type completion func(ctx context.Context, workspace string, body map[string]any) error

// completed returns the attributes of an input that do not say which record it is.
func bodyOf(ctx context.Context, workspace string, input map[string]any, complete completion, which ...string) (map[string]any, error) {
	body := attributes(input, which...)
	if complete == nil {
		return body, nil
	}
	return body, complete(ctx, workspace, body)
}

// rawAttributes replaces ids in attributes by the raw ones, which bodies take (API.md §1).
func rawAttributes(fields ...string) completion {
	return func(_ context.Context, _ string, body map[string]any) error {
		for _, field := range fields {
			key := snakeCase(field)
			id, _ := body[key].(*string)
			if id == nil {
				continue
			}
			raw := *id
			if ref, ok := model.ParseGlobalID(raw); ok {
				raw = ref.ID
			}
			if !upstream.IsRawID(raw) {
				return aboutField(field, badInput("Give %s as an id or a rawId.", field))
			}
			body[key] = jsontext.Value(raw)
		}
		return nil
	}
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

// written answers a mutation with the record that do returns. Refusals of ClickFunnels
// become user errors about fields of the input; any other error is the mutation's own.
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

// createBelow creates a record of another one, which the input's field parent names.
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

// updateOnAccounts changes a record that belongs to no workspace.
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

// target returns the address of a record that is to be written to. A caller who may not see
// everything has to see a record that does not name its workspace.
func target[T any](l *loader.Loaders, records *loader.Resource[T], kind upstream.Kind, workspace *string, id string) (upstream.Ref, error) {
	ref, err := refIn(l, kind, workspace, id)
	if err == nil && l.Scoped() && records.Owned() {
		_, err = records.Of(l).Load(ref)
	}
	return ref, err
}

// removal is how a record of a workspace goes.
type removal func(*upstream.Client, context.Context, upstream.Place, string) error

// remove deletes a record of a workspace.
func remove[T any, P interface {
	*T
	model.Node
}](ctx context.Context, input map[string]any, records *loader.Resource[T], kind upstream.Kind, by removal) (*model.Deleted, error) {
	id, err := deleteRecord[T, P](loader.From(ctx), input, records, kind, by)
	refusals, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.Deleted{ID: id, UserErrors: refusals}, nil
}

// removed deletes a record of a workspace, and returns its global id.
func deleteRecord[T any, P interface {
	*T
	model.Node
}](l *loader.Loaders, input map[string]any, records *loader.Resource[T], kind upstream.Kind, by removal) (*string, error) {
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
