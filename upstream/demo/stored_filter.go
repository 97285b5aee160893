package demo

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// storedFilterLists are the lists that a stored filter can narrow, by the class of the filter.
var storedFilterLists = map[string]string{"ContactsFilter": "workspaces/*/contacts", "OrdersFilter": "workspaces/*/orders"}

// stored returns the rows that meet the stored filter of a query. If it is unknown, stored sends the
// response and returns false. The stable id of a filter is "stable-" and its public id.
func (s *Server) stored(w http.ResponseWriter, query url.Values, t *table, workspace string, rows []row) ([]row, bool) {
	id := query.Get("stored_filter_id")
	if stable := query.Get("stable_id"); stable != "" { // takes precedence
		id, _ = strings.CutPrefix(stable, "stable-")
	}
	if id == "" || !slices.Contains(slices.Collect(maps.Values(storedFilterLists)), t.list) {
		return rows, true // unknown parameters are ignored (clickfunnels-api.md §3.3)
	}
	owner, _ := t.parents.find(workspace)
	filter, ok := s.table("workspaces/*/refine_filters").find(id)
	if !ok || filter["workspace_id"] != owner.id() || storedFilterLists[filter["filter_class"].(string)] != t.list {
		fail(w, http.StatusUnprocessableEntity, "Request unprocessable: Filter not found")
		return nil, false
	}
	return filtered(rows, func(r row) bool { return meets(r, filter) }), true
}

// meets reports whether a row meets the criteria of a stored filter. The simulated API knows the
// clause eq only.
func meets(r, filter row) bool {
	var criteria []struct {
		Attribute, Clause string
		Value             any
	}
	if json.Unmarshal(encode(filter["criteria"]), &criteria) != nil {
		return false
	}
	isAny := filter["conjunction"] == "or"
	for _, c := range criteria {
		if met := c.Clause == "eq" && string(encode(r[c.Attribute])) == string(encode(c.Value)); met == isAny {
			return isAny
		}
	}
	return !isAny
}
