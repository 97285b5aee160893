package graph

import (
	"context"
	"maps"
	"strings"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// contactActionBody completes the body of an action on many contacts. Bodies name all records by
// their public ids (clickfunnels-api.md §1).
func contactActionBody(ctx context.Context, workspace string, body map[string]any) error {
	targets, _ := body["targets"].(map[string]any)
	delete(body, "targets")
	if !namesTargets(targets) {
		return aboutField("targets", badInput("Give exactly one of contactIds, storedFilterId, stableId and all, which must be true."))
	}
	maps.DeleteFunc(targets, func(_ string, value any) bool { return isNull(value) })
	err := completions(
		publicRecordIDs("contactIds", "target_ids", loader.Contacts, upstream.KindContact),
		publicID("storedFilterId", "stored_filter_id", loader.RefineFilters, upstream.KindRefineFilter),
		renamed("all", "target_all"),
	)(ctx, workspace, targets)
	if err != nil {
		return aboutField("targets", err)
	}
	maps.Copy(body, targets)
	return completions(
		publicRecordIDs("tagIds", "tag_ids", loader.ContactTags, upstream.KindContactTag),
		publicRecordIDs("courseIds", "course_ids", loader.Courses, upstream.KindCourse),
		publicRecordIDs("sectionIds", "section_ids", loader.CourseSections, upstream.KindCourseSection),
	)(ctx, workspace, body)
}

// namesTargets reports whether targets names contacts in exactly one way. An empty list names none:
// ClickFunnels does not document whether it would take one for all contacts.
func namesTargets(targets map[string]any) bool {
	ways := 0
	for _, value := range targets {
		if isNull(value) {
			continue
		}
		ways++
		switch given := value.(type) {
		case []string:
			if len(given) == 0 {
				return false
			}
		case *string:
			if strings.TrimSpace(*given) == "" {
				return false
			}
		case *bool:
			if !*given {
				return false
			}
		}
	}
	return ways == 1
}

// isNull reports whether a field of an input is null.
func isNull(value any) bool {
	switch given := value.(type) {
	case nil:
		return true
	case *string:
		return given == nil
	case *bool:
		return given == nil
	}
	return false
}
