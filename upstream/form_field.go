package upstream

import (
	"context"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ReorderFormFields sets the order of the fields of a field set, given by its raw or public id. ids
// are the raw ids of all its fields. It returns the raw ids in their new order.
func (c *Client) ReorderFormFields(ctx context.Context, p Place, fieldSet string, ids []jsontext.Value) ([]string, error) {
	p, err := c.locateForWrite(ctx, p, func(p Place) error {
		_, err := c.FormFieldSet(ctx, p, fieldSet)
		return err
	})
	if err != nil {
		return nil, err
	}
	path := []string{"forms", "field_sets", fieldSet, "fields", "reorder"}
	return onWorkspaceHost(ctx, c, p, func(p Place) (ordered []string, err error) {
		err = c.write(ctx, http.MethodPost, p.Subdomain, path, "", map[string]any{"ids_in_order": ids}, true, nil, func(_ int, _ bool, body []byte) error {
			var answer struct {
				OrderedFieldIDs []jsontext.Value `json:"ordered_field_ids"`
			}
			if err := json.Unmarshal(body, &answer); err != nil {
				return unreadable(err)
			}
			ordered = make([]string, len(answer.OrderedFieldIDs))
			for i, id := range answer.OrderedFieldIDs { // numbers or texts (clickfunnels-api.md §5)
				ordered[i] = integerID(strings.Trim(id.String(), `"`))
			}
			return nil
		})
		return ordered, err
	})
}
