package demo

import (
	"fmt"
	"maps"
)

var stageNames = []string{"New", "Talking", "Won"}

// sales holds the tables of pipelines and opportunities.
type sales struct{ pipelines, stages, opportunities *table }

func (s sales) tables() []*table { return []*table{s.stages, s.pipelines, s.opportunities} }

func (r *fixtures) newSales() sales {
	s := sales{
		pipelines:     r.workspaceTable("sales/pipelines", keys("id")),
		opportunities: r.workspaceTable("sales/opportunities", keys("id", "pipelines_stage_id", "primary_contact_id", "assignee_id")),
	}
	s.stages = childTable(s.pipelines, "pipeline_id", "sales/pipelines/*/stages", "sales/pipelines/stages", keys("id"))
	s.pipelines.complete = func(pipeline row) row {
		stages := []row{}
		for _, stage := range s.stages.children[pipeline.id()] {
			stages = append(stages, only(stage, "id", "public_id", "workspace_id", "pipeline_id", "name", "sort_order", "close_probability", "opportunity_ids", "total_value", "weighted_value"))
		}
		return with(maps.Clone(pipeline), row{"stages": stages})
	}
	s.opportunities.filters["pipeline_id"] = func(r row, values []string) bool {
		stage, _ := s.stages.find(fmt.Sprint(r["pipelines_stage_id"]))
		return oneOf("pipeline_id")(stage, values)
	}
	s.opportunities.complete = func(o row) row {
		contact, _ := r.contacts.find(fmt.Sprint(o["primary_contact_id"]))
		notes := []row{}
		for _, note := range r.derived["sales/opportunities/notes"].children[o.id()] {
			notes = append(notes, only(note, "id", "public_id", "content", "created_by_id", "created_at", "updated_at"))
		}
		stage, _ := s.stages.find(fmt.Sprint(o["pipelines_stage_id"]))
		pipeline, _ := s.pipelines.find(fmt.Sprint(stage["pipeline_id"]))
		return with(maps.Clone(o), row{
			"primary_contact": contact, "notes": notes,
			"pipeline": only(pipeline, "id", "public_id", "name"), "pipelines_stage": only(stage, "id", "public_id", "name"),
		})
	}
	return s
}

// addPipeline adds a workspace's pipeline and returns its stages.
func (r *fixtures) addPipeline(workspace row) []row {
	pipeline := r.pipelines.appendRow(r.pipelines.nextRow(90_001, 140), row{"workspace_id": workspace.id(), "name": "Coaching", "total_value": 0})
	all := make([]row, len(stageNames))
	for i, name := range stageNames {
		all[i] = r.addStage(pipeline, i, name, 50*i)
	}
	return all
}

func (r *fixtures) addStage(pipeline row, place int, name string, probability any) row {
	return r.stages.appendRow(r.stages.nextRow(90_501, 141), row{
		"workspace_id": pipeline["workspace_id"], "pipeline_id": pipeline.id(), "name": name, "sort_order": place, "close_probability": probability,
		"opportunity_ids": []int64{}, "total_value": 0, "weighted_value": 0,
	})
}

// addOpportunity adds an opportunity with a note for a contact.
func (r *fixtures) addOpportunity(workspace, contact row, stages []row, i int) {
	stage := stages[i%len(stages)]
	o := r.opportunities.nextRow(91_001, int64(400+i))
	stage["opportunity_ids"] = append(stage["opportunity_ids"].([]int64), o.id())
	r.addExample(r.derived["sales/opportunities/notes"], o, 92_001, row{"content": "Call on Monday"})
	r.opportunities.appendRow(o, row{
		"workspace_id": workspace.id(), "name": fmt.Sprintf("Coaching for %s", contact["first_name"]), "pipeline_id": nil, "pipelines_stage_id": stage.id(),
		"primary_contact_id": contact.id(), "value": fmt.Sprintf("%d.0", 100*(1+i%5)), "closed_at": nil, "assignee_id": nil, "sort_order": i,
	})
}
