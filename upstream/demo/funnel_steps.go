package demo

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// The lists of the steps of funnels.
const (
	splitTestList        = "funnels/*/split_test_steps"
	conditionalSplitList = "funnels/*/conditional_split_steps"
)

// prepareSteps completes the tables of the steps of funnels.
func (r *fixtures) prepareSteps() {
	tests, conditions := r.derived[splitTestList], r.derived[conditionalSplitList]
	tests.writes.required, tests.writes.applied, tests.writes.changed = nil, []string{"variants", "show_page_step_id"}, r.setVariants
	tests.complete = func(step row) row {
		funnel, _ := r.funnels.find(fmt.Sprint(step["funnel_id"]))
		step = with(maps.Clone(step), row{"funnel": only(funnel, "id", "public_id", "name")})
		delete(step, "funnel_id")
		return step
	}
	conditions.writes.attributes = append(conditions.writes.attributes, "condition")
	conditions.writes.applied, conditions.writes.changed = []string{"condition", "branches", "show_page_step_id"}, r.setCondition
	conditions.expand = map[string]func(row) any{"filter": func(step row) any {
		filter, _ := r.derived["refine_filters"].find(fmt.Sprint(step["condition"].(row)["filter_id"]))
		return filter
	}}
	conditions.complete = func(step row) row {
		filter, isExpanded := step["filter"]
		if isExpanded {
			step = with(maps.Clone(step), row{"condition": with(maps.Clone(step["condition"].(row)), row{"filter": filter})})
			delete(step, "filter")
		}
		return step
	}
}

// branch returns a branch of a step, with the page that it shows or nil.
func branch(page row) row {
	if page == nil {
		return row{"page": nil, "show_page_step": nil}
	}
	id := page.id() + 500_000
	return row{
		"page":           only(page, "id", "public_id", "name"),
		"show_page_step": row{"id": id, "public_id": publicID(id), "name": page["name"], "current_path": page["current_path"]},
	}
}

// pagesOf returns the pages of a funnel.
func pagesOf(funnel row, pages []row) []row {
	return filtered(pages, func(page row) bool {
		within, ok := page["funnel"].(row)
		return ok && within.id() == funnel.id()
	})
}

func splitTestStep(r *fixtures, funnel row, n int) row {
	pages := pagesOf(funnel, r.pages.rows)
	if n == 1 {
		return row{"variants": []row{with(branch(pages[0]), row{"weight": 100}), with(branch(nil), row{"weight": 0})}}
	}
	return row{"variants": []row{with(branch(pages[0]), row{"weight": 60}), with(branch(pages[1]), row{"weight": 40})}}
}

func conditionalSplitStep(r *fixtures, funnel row, _ int) row {
	return row{"condition": row{"filter_id": nil, "is_setup": false}, "branches": []row{branch(pagesOf(funnel, r.pages.rows)[0]), branch(nil)}}
}

// addConditions gives the first step of each funnel a filter.
func (r *fixtures) addConditions() {
	filters, steps := r.derived["refine_filters"], r.derived[conditionalSplitList]
	for _, funnel := range r.funnels.rows {
		filter := filters.children[funnel["workspace_id"]][0]
		steps.children[funnel.id()][0]["condition"] = row{"filter_id": filter["public_id"], "is_setup": true}
	}
}

// setVariants sets the branches of a split test step.
func (r *fixtures) setVariants(step row, given map[string]any) string {
	variants, _ := given["variants"].([]any)
	known, exists := step["variants"].([]row)
	if len(variants) == 0 || len(variants) > 2 || exists && len(variants) != 2 {
		return "split_test_step.variants must list the branches"
	}
	made := []row{with(branch(nil), row{"weight": 100}), with(branch(nil), row{"weight": 0})}
	if exists {
		made = slices.Clone(known)
	}
	sum, weights := 0, 0
	for i, each := range variants {
		variant, _ := each.(map[string]any)
		weight := made[i]["weight"]
		if given, ok := variant["weight"].(float64); ok {
			sum, weights, weight = sum+int(given), weights+1, int(given)
		}
		attached, refusal := r.attached(step, made[i], variant["page_id"])
		if refusal != "" {
			return fmt.Sprintf("split_test_step.variants[%d].page_id %s", i, refusal)
		}
		made[i] = with(attached, row{"weight": weight})
	}
	if weights > 0 && (weights != len(variants) || sum != 100) {
		return "split_test_step.variants weights must be given for all and sum to 100"
	}
	step["variants"] = made
	return ""
}

// setCondition sets the filter and the branches of a conditional split step.
func (r *fixtures) setCondition(step row, given map[string]any) string {
	if _, exists := step["branches"].([]row); !exists {
		step["condition"], step["branches"] = row{"filter_id": nil, "is_setup": false}, []row{branch(nil), branch(nil)}
	}
	if condition, ok := given["condition"].(map[string]any); ok {
		id, _ := condition["filter_id"].(string)
		filters := r.derived["refine_filters"]
		filter, found := filters.find(id)
		if !found || filter["public_id"] != id || filters.subdomain(filter) != r.derived[conditionalSplitList].subdomain(step) {
			return "conditional_split_step.condition.filter_id must be the public id of a filter"
		}
		step["condition"] = row{"filter_id": id, "is_setup": true}
	}
	branches, _ := given["branches"].([]any)
	if len(branches) > 2 {
		return "conditional_split_step.branches must have 2 entries"
	}
	made := slices.Clone(step["branches"].([]row))
	for i, each := range branches {
		branch, _ := each.(map[string]any)
		page, pages := branch["page_id"], branch["page_ids"]
		if page != nil && pages != nil {
			return "conditional_split_step.branches page_id and page_ids exclude each other"
		}
		if list, _ := pages.([]any); len(list) > 0 && made[i]["page"] == nil {
			page = list[0]
		}
		var refusal string
		if made[i], refusal = r.attached(step, made[i], page); refusal != "" {
			return fmt.Sprintf("conditional_split_step.branches[%d].page_id %s", i, refusal)
		}
	}
	step["branches"] = made
	return ""
}

// attached returns a branch of a step with another page, or the same without one.
func (r *fixtures) attached(step, branchOf row, id any) (made row, refusal string) {
	if id == nil {
		return maps.Clone(branchOf), ""
	}
	page, ok := r.pages.find(idText(id))
	if !ok || r.pages.subdomain(page) != r.derived[splitTestList].subdomain(step) {
		return nil, "does not belong to this workspace"
	}
	return branch(page), ""
}

// deleteStep serves the deletion of a step, or of a branch of it. The branches are the values of the
// parameter. isPair reports whether a step cannot have one branch only.
func deleteStep(list string, isPair bool, branches ...string) func(*Server, http.ResponseWriter, *http.Request, string, []string) {
	return func(s *Server, w http.ResponseWriter, r *http.Request, subdomain string, ids []string) {
		steps := s.table(list)
		id, _ := steps.memberAt(fmt.Sprintf("funnels/%s/%s/%s", ids[0], list[len("funnels/*/"):], ids[1]))
		step, ok := s.on(w, list, id, subdomain)
		if !ok {
			return
		}
		name := r.URL.Query().Get("branch")
		at := slices.Index(branches, name)
		if at < 0 && name != "" && name != "both" {
			fail(w, http.StatusUnprocessableEntity, "Request unprocessable: branch is not included in the list")
			return
		}
		i := slices.IndexFunc(steps.rows, func(other row) bool { return other.id() == step.id() })
		if at >= 0 && !isPair {
			left := slices.Clone(step["branches"].([]row))
			left[at] = branch(nil)
			steps.rows[i] = with(maps.Clone(step), row{"branches": left})
		} else {
			steps.rows = slices.Delete(steps.rows, i, i+1)
		}
		steps.index()
		w.WriteHeader(http.StatusNoContent)
	}
}
