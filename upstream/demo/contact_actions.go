package demo

import (
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
)

// contactActions are the last words of the paths of actions on many contacts, below contacts.
var contactActions = []string{"tag_actions", "enroll_actions", "run_workflow_actions", "unsubscribe_actions", "export_actions"}

// actionRecords are the types of the records that bodies of these actions name, by their key.
var actionRecords = map[string]string{"tag_ids": "ContactTag", "course_ids": "Course", "section_ids": "CourseSection", "target_ids": "Contact"}

// prepareActions completes the tables of actions on many contacts. The simulated API counts the
// contacts and reports progress, but changes no contact.
func (r *fixtures) prepareActions() {
	for _, word := range contactActions {
		actions := r.derived["contacts/"+word]
		w := actions.writes
		w.required = nil
		w.attributes = append(w.attributes, "target_ids", "target_all", "stored_filter_id", "stable_id", "course_ids", "section_ids")
		w.applied = w.attributes
		w.changed = func(action row, given map[string]any) string { return r.setAction(actions, action, given) }
		actions.volatile = true
		actions.complete = progress
	}
}

// contactAction is an action on the first contacts of a workspace that is complete.
func contactAction(r *fixtures, workspace row, n int) row {
	contacts := r.contacts.children[workspace.id()]
	ids := make([]int64, min(n, len(contacts)))
	for i := range ids {
		ids[i] = contacts[i].id()
	}
	return row{
		"target_ids": ids, "target_all": len(ids) == 0, "filter_id": nil, "target_count": len(ids), "performed_count": len(ids), "created_by_id": 8110,
		"scheduled_for": nil, "started_at": at(1), "completed_at": at(2),
	}
}

// setAction sets the attributes of a new action.
func (r *fixtures) setAction(actions *table, action row, given map[string]any) string {
	ways := 0
	for _, key := range []string{"stable_id", "stored_filter_id", "target_ids", "target_all"} {
		if list, isList := given[key].([]any); given[key] != nil && (!isList || len(list) > 0) {
			ways++
		}
	}
	if ways != 1 {
		return "provide a selection: stable_id, stored_filter_id, target_ids, or target_all"
	}
	maps.Copy(action, row{
		"target_all": given["target_all"] == true, "target_ids": []any{}, "filter_id": nil, "target_count": nil, "performed_count": 0, "created_by_id": 8110,
		"scheduled_for": given["scheduled_for"], "started_at": nil, "completed_at": nil, "polls": new(atomic.Int32), "targets": r.contacts.children[action["workspace_id"]],
	})
	for key, typeName := range actionRecords {
		list, isList := given[key].([]any)
		if !isList {
			continue
		}
		found := make([]row, len(list))
		for i, id := range list {
			record, ok := r.tables[typeName].find(fmt.Sprint(id))
			if !ok || r.tables[typeName].subdomain(record) != actions.subdomain(action) || record["public_id"] != id {
				return humanized(key) + " must exist"
			}
			found[i] = record
		}
		ids := make([]int64, len(found))
		for i, record := range found {
			ids[i] = record.id()
		}
		if action[key] = ids; key == "target_ids" {
			action["targets"] = found
		}
	}
	if _, isExport := action["file_url"]; isExport {
		action["file_url"] = nil
	}
	if id := filterID(given); id != "" {
		filter, found := r.tables["RefineFilter"].find(id)
		if !found || r.tables["RefineFilter"].subdomain(filter) != actions.subdomain(action) || filter["filter_class"] != "ContactsFilter" {
			return "Filter not found"
		}
		action["filter_id"] = filter.id()
		action["targets"] = filtered(action["targets"].([]row), func(contact row) bool { return meets(contact, filter) })
	}
	for _, f := range actions.resource.Fields {
		if value, isGiven := given[f.Key]; isGiven && action[f.Key] == nil {
			action[f.Key] = value
		}
	}
	for _, f := range actions.resource.Fields {
		if f.Create == "REQUIRED" && f.Key != "targets" && (action[f.Key] == nil || strings.TrimSpace(fmt.Sprint(action[f.Key])) == "") {
			return humanized(f.Key) + " can't be blank"
		}
	}
	return ""
}

// filterID returns the id of the stored filter that selects the targets, "" if none does. See
// [Server.stored] for stable ids.
func filterID(given map[string]any) string {
	if stable, ok := given["stable_id"].(string); ok {
		return strings.TrimPrefix(stable, "stable-")
	}
	if id, ok := given["stored_filter_id"]; ok {
		return idText(id)
	}
	return ""
}

// progress returns an action as it is after another poll. It is running after the first one, and
// complete after the second one.
func progress(action row) row {
	polls, isNew := action["polls"].(*atomic.Int32)
	if !isNew {
		return action
	}
	action = maps.Clone(action)
	n := len(action["targets"].([]row))
	delete(action, "polls")
	delete(action, "targets")
	switch polls.Add(1) {
	case 1: // the response of the call that creates it
	case 2:
		maps.Copy(action, row{"target_count": n, "performed_count": n / 2, "started_at": now()})
	default:
		maps.Copy(action, row{"target_count": n, "performed_count": n, "started_at": now(), "completed_at": now()})
		if _, isExport := action["fields"]; isExport {
			action["file_url"] = fmt.Sprintf("https://assets.example.com/exports/contacts-%d.csv", action.id())
		}
	}
	return action
}
