package screens

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Ids of the form that the screen shows.
const (
	formID       = "200001"
	globalFormID = "MTpmb3JtOjEwMToyMDAwMDE"
)

// formResults shows the fields of a form, and the answers of its submissions.
var formResults = Screen{
	Name: "form results",
	Query: `query Results($form: ID!) {
  node(id: $form) {
    ... on Form {
      id name
      fieldSets(first: 20) { nodes { id title fields(first: 20) { nodes { id label } } } }
      submissions(first: 20) {
        nodes {
          id
          contact { id firstName lastName }
          answers(first: 20) { nodes { id entry field { id } } }
        }
      }
    }
  }
}
`,
	Variables: map[string]any{"form": globalFormID},
	rest:      results,
	show: func(d data) []string {
		shown, labels := []string{d.Node.Name}, make(map[string]string)
		for _, set := range d.Node.FieldSets.Nodes {
			shown = append(shown, set.Title)
			for _, field := range set.Fields.Nodes {
				shown, labels[field.ID] = append(shown, field.Label), field.Label
			}
		}
		for _, s := range d.Node.Submissions.Nodes {
			shown = append(shown, s.Contact.FirstName+" "+s.Contact.LastName)
			for _, answer := range s.Answers.Nodes {
				shown = append(shown, labels[answer.Field.ID]+": "+answer.Entry)
			}
		}
		return shown
	},
}

// results makes all independent calls in parallel. The contacts of all submissions take one call.
func results(ctx context.Context, c *client) (shown []string, err error) {
	var (
		form        restForm
		sets        []restFieldSet
		fields      [][]restField
		submissions []restSubmission
		answers     [][]restAnswer
		contacts    []restContact
	)
	below := "/forms/" + formID
	err = together(
		func() error { return c.get(ctx, subdomain, below, &form, nil) },
		func() (err error) {
			if sets, err = list[restFieldSet](ctx, c, subdomain, below+"/field_sets"); err != nil {
				return err
			}
			fields, err = each(sets, func(set restFieldSet) ([]restField, error) {
				return list[restField](ctx, c, subdomain, fmt.Sprintf("/forms/field_sets/%d/fields", set.ID))
			})
			return err
		},
		func() (err error) {
			if submissions, err = list[restSubmission](ctx, c, subdomain, below+"/submissions"); err != nil {
				return err
			}
			return together(
				func() (err error) {
					answers, err = each(submissions, func(s restSubmission) ([]restAnswer, error) {
						return list[restAnswer](ctx, c, subdomain, fmt.Sprintf("/forms/submissions/%d/answers", s.ID))
					})
					return err
				},
				func() (err error) {
					contacts, err = list[restContact](ctx, c, subdomain, "/workspaces/"+workspaceID+"/contacts?filter[id]="+contactsOf(submissions))
					return err
				},
			)
		},
	)
	if err != nil {
		return nil, err
	}
	shown = []string{form.Name}
	labels, names := make(map[int64]string), make(map[int64]string)
	for i, set := range sets {
		shown = append(shown, set.Title)
		for _, field := range fields[i] {
			shown, labels[field.ID] = append(shown, field.Label), field.Label
		}
	}
	for _, of := range contacts {
		names[of.ID] = of.FirstName + " " + of.LastName
	}
	for i, s := range submissions {
		shown = append(shown, names[s.ContactID])
		for _, answer := range answers[i] {
			shown = append(shown, labels[answer.FieldID]+": "+answer.Entry)
		}
	}
	return shown, nil
}

// contactsOf returns the distinct ids of the submissions' contacts, for a filter.
func contactsOf(submissions []restSubmission) string {
	var all []string
	for _, s := range submissions {
		all = append(all, strconv.FormatInt(s.ContactID, 10))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ",")
}

// The fields of REST responses that the screen shows.
type (
	restForm struct {
		Name string `json:"name"`
	}
	restFieldSet struct {
		ID    int64  `json:"id"`
		Title string `json:"title"`
	}
	restField struct {
		ID    int64  `json:"id"`
		Label string `json:"label"`
	}
	restSubmission struct {
		ID        int64 `json:"id"`
		ContactID int64 `json:"contact_id"`
	}
	restAnswer struct {
		FieldID int64  `json:"field_id"`
		Entry   string `json:"entry"`
	}
	restContact struct {
		ID int64 `json:"id"`
		contact
	}
)

// graphForm is a form in a GraphQL response.
type graphForm struct {
	Name      string `json:"name"`
	FieldSets rows[struct {
		Title  string `json:"title"`
		Fields rows[struct {
			ID    string `json:"id"`
			Label string `json:"label"`
		}] `json:"fields"`
	}] `json:"fieldSets"`
	Submissions rows[struct {
		Contact graphRow `json:"contact"`
		Answers rows[struct {
			Entry string    `json:"entry"`
			Field reference `json:"field"`
		}] `json:"answers"`
	}] `json:"submissions"`
}
