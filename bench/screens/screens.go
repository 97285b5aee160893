// Package screens loads eight screens of an application in two ways: with the REST calls of a
// careful client, and with one GraphQL operation. It measures both on a simulated mobile
// connection. docs/screens.md has the results.
package screens

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Screen is a screen, and the two ways to load it.
type Screen struct {
	Name string
	// Query is the operation, as printed in docs/screens.md, and Variables are its variables.
	Query     string
	Variables map[string]any
	// rest loads the screen by REST, and show reads the response to Query. Both return the texts
	// that the screen shows.
	rest func(ctx context.Context, c *client) ([]string, error)
	show func(d data) []string
}

// Ids and texts of the demo's records that the screens show.
const (
	workspaceID = "101"
	subdomain   = "acme-academy"
	contactID   = "3000000001"
	searched    = "ada.becker.276@example.com"
)

// Screens are the screens, in the order of the table.
var Screens = []Screen{
	{
		Name: "workspace switcher",
		Query: `query Switcher {
  teams { nodes { id name workspaces { nodes { id rawId name subdomain } } } }
}
`,
		rest: func(ctx context.Context, c *client) (shown []string, err error) {
			teams, err := list[team](ctx, c, accounts, "/teams")
			if err != nil {
				return nil, err
			}
			workspaces, err := each(teams, func(t team) ([]workspace, error) {
				return list[workspace](ctx, c, accounts, fmt.Sprintf("/teams/%d/workspaces", t.ID))
			})
			for i, t := range teams {
				for _, w := range workspaces[i] {
					shown = append(shown, t.Name+" / "+w.Name+" "+w.Subdomain)
				}
			}
			return shown, err
		},
		show: func(d data) (shown []string) {
			for _, t := range d.Teams.Nodes {
				for _, w := range t.Workspaces.Nodes {
					shown = append(shown, t.Name+" / "+w.Name+" "+w.Subdomain)
				}
			}
			return shown
		},
	},
	{
		Name: "contact list",
		Query: `query Contacts($workspace: ID!, $subdomain: String, $after: String) {
  workspace(id: $workspace, subdomain: $subdomain) {
    contacts(first: 20, after: $after) {
      nodes { id firstName lastName emailAddress tags { name color } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
`,
		Variables: map[string]any{"workspace": workspaceID, "subdomain": subdomain},
		rest: func(ctx context.Context, c *client) (shown []string, err error) {
			contacts, more, err := page[contact](ctx, c, subdomain, "/workspaces/"+workspaceID+"/contacts")
			for _, c := range contacts {
				shown = append(shown, c.FirstName+" "+c.LastName+" "+c.EmailAddress+" "+names(c.Tags))
			}
			return append(shown, strconv.FormatBool(more)), err
		},
		show: func(d data) (shown []string) {
			for _, c := range d.Workspace.Contacts.Nodes {
				shown = append(shown, c.FirstName+" "+c.LastName+" "+c.EmailAddress+" "+names(c.Tags))
			}
			return append(shown, strconv.FormatBool(d.Workspace.Contacts.PageInfo.HasNextPage))
		},
	},
	{
		Name: "contact detail",
		Query: `query Contact($workspace: ID!, $subdomain: String, $contact: ID!) {
  workspace(id: $workspace, subdomain: $subdomain) {
    contact(id: $contact) {
      id firstName lastName emailAddress phoneNumber
      tags { name color }
      customAttributes { key value }
      orders(first: 20) { nodes { id orderNumber totalAmount { amount currency } } }
      opportunities(first: 20) { nodes { id name value stage { name } } }
      enrollments(first: 20) { nodes { id course { title } } }
    }
  }
}
`,
		Variables: map[string]any{"workspace": workspaceID, "subdomain": subdomain, "contact": contactID},
		rest:      contactDetail,
		show: func(d data) []string {
			c := d.Workspace.Contact
			shown := []string{c.FirstName + " " + c.LastName + " " + c.EmailAddress + " " + c.PhoneNumber, names(c.Tags)}
			for _, attribute := range c.CustomAttributes {
				shown = append(shown, attribute.Key+" "+attribute.Value)
			}
			for _, o := range c.Orders.Nodes {
				shown = append(shown, o.OrderNumber+" "+o.TotalAmount.Amount+" "+o.TotalAmount.Currency)
			}
			for _, o := range c.Opportunities.Nodes {
				shown = append(shown, o.Name+" "+o.Value+" "+o.Stage.Name)
			}
			for _, e := range c.Enrollments.Nodes {
				shown = append(shown, e.Course.Title)
			}
			return shown
		},
	},
	{
		Name: "search by e-mail",
		Query: `query Search($email: String!) {
  teams {
    nodes {
      name
      workspaces {
        nodes {
          id name
          contacts(first: 1, filter: { emailAddresses: [$email] }) { nodes { id firstName lastName } }
        }
      }
    }
  }
}
`,
		Variables: map[string]any{"email": searched},
		rest:      search,
		show: func(d data) (shown []string) {
			for _, t := range d.Teams.Nodes {
				for _, w := range t.Workspaces.Nodes {
					for _, c := range w.Contacts.Nodes {
						shown = append(shown, t.Name+" / "+w.Name+": "+c.FirstName+" "+c.LastName)
					}
				}
			}
			return shown
		},
	},
	{
		Name: "tag picker",
		Query: `query TagPicker($workspace: ID!, $subdomain: String, $contact: ID!) {
  workspace(id: $workspace, subdomain: $subdomain) {
    contactTags(first: 20) { nodes { id name color } pageInfo { hasNextPage endCursor } }
    contact(id: $contact) { id tags { id name } }
  }
}
`,
		Variables: map[string]any{"workspace": workspaceID, "subdomain": subdomain, "contact": contactID},
		rest: func(ctx context.Context, c *client) (shown []string, err error) {
			var tags []tag
			var of contact
			err = together(
				func() (err error) {
					tags, _, err = page[tag](ctx, c, subdomain, "/workspaces/"+workspaceID+"/contacts/tags")
					return err
				},
				func() error { return c.get(ctx, subdomain, "/contacts/"+contactID, &of, nil) },
			)
			return []string{names(tags), names(of.Tags)}, err
		},
		show: func(d data) []string {
			return []string{names(d.Workspace.ContactTags.Nodes), names(d.Workspace.Contact.Tags)}
		},
	},
	courseProgress,
	fulfillmentDesk,
	formResults,
}

// contactDetail makes all independent calls in parallel. The enrollments follow the courses, which
// they need.
func contactDetail(ctx context.Context, c *client) ([]string, error) {
	var (
		of            contact
		orders        []order
		opportunities []opportunity
		courses       []course
		enrollments   [][]enrollment
	)
	below := "/workspaces/" + workspaceID
	err := together(
		func() error { return c.get(ctx, subdomain, "/contacts/"+contactID, &of, nil) },
		func() (err error) {
			orders, _, err = page[order](ctx, c, subdomain, below+"/orders?filter[contact_id]="+contactID)
			return err
		},
		func() (err error) {
			opportunities, _, err = page[opportunity](ctx, c, subdomain, below+"/sales/opportunities?filter[primary_contact_id]="+contactID)
			return err
		},
		func() (err error) {
			if courses, err = list[course](ctx, c, subdomain, below+"/courses"); err != nil {
				return err
			}
			enrollments, err = each(courses, func(in course) ([]enrollment, error) {
				return list[enrollment](ctx, c, subdomain, fmt.Sprintf("/courses/%d/enrollments?filter[contact_id]=%s", in.ID, contactID))
			})
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	shown := []string{of.FirstName + " " + of.LastName + " " + of.EmailAddress + " " + of.PhoneNumber, names(of.Tags)}
	for _, key := range sortedKeys(of.CustomAttributes) {
		shown = append(shown, key+" "+of.CustomAttributes[key])
	}
	for _, o := range orders {
		shown = append(shown, o.OrderNumber+" "+o.TotalAmount+" "+strings.ToUpper(o.Currency))
	}
	for _, o := range opportunities {
		shown = append(shown, o.Name+" "+o.Value+" "+o.Stage.Name)
	}
	for i, in := range courses {
		for range enrollments[i] {
			shown = append(shown, in.Title)
		}
	}
	return shown, nil
}

// search searches all workspaces of all teams.
func search(ctx context.Context, c *client) (shown []string, err error) {
	teams, err := list[team](ctx, c, accounts, "/teams")
	if err != nil {
		return nil, err
	}
	found, err := each(teams, func(t team) ([]string, error) {
		workspaces, err := list[workspace](ctx, c, accounts, fmt.Sprintf("/teams/%d/workspaces", t.ID))
		if err != nil {
			return nil, err
		}
		found, err := each(workspaces, func(w workspace) (shown []string, err error) {
			contacts, _, err := page[contact](ctx, c, w.Subdomain, fmt.Sprintf("/workspaces/%d/contacts?filter[email_address]=%s", w.ID, searched))
			for _, c := range contacts {
				shown = append(shown, t.Name+" / "+w.Name+": "+c.FirstName+" "+c.LastName)
			}
			return shown, err
		})
		return flat(found), err
	})
	return flat(found), err
}

// names returns the names of tags on one line.
func names(tags []tag) string {
	all := make([]string, len(tags))
	for i, t := range tags {
		all[i] = t.Name
	}
	return strings.Join(all, ", ")
}

func flat(all [][]string) (one []string) {
	for _, some := range all {
		one = append(one, some...)
	}
	return one
}
