package test

import (
	"fmt"
	"strings"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// nested asks for all teams, their workspaces and the first contacts of each: 16 REST calls in
// the demo.
const nested = `{ teams { nodes { name workspaces { nodes { name subdomain contacts(first: 5) { nodes { emailAddress } } } } } } }`

// ids returns the raw ids of the first n contacts that lists of workspace 101 show.
func ids(n int) []string {
	var all []string
	for i := 0; len(all) < n; i++ {
		if i == 0 || i%40 != 0 {
			all = append(all, fmt.Sprint(3_000_000_001+i))
		}
	}
	return all
}

// contactIDs returns the global ids of the contacts that [ids] returns.
func contactIDs(n int) []string {
	all := ids(n)
	for i, id := range all {
		all[i] = model.GlobalID(upstream.Ref{Kind: upstream.KindContact, Parent: "101", ID: id})
	}
	return all
}

// contactAliases asks for the first n contacts, each under an alias. format is a field with a
// %s for the raw id.
func contactAliases(n int, format string) string {
	var b strings.Builder
	for i, id := range ids(n) {
		fmt.Fprintf(&b, " c%d: ", i)
		fmt.Fprintf(&b, format, id)
	}
	return b.String()
}

// public101 is the public id of workspace 101.
const public101 = "njtPHL"

// contactID returns the global id of a contact.
func contactID(workspace, id string) string {
	return model.GlobalID(upstream.Ref{Kind: upstream.KindContact, Parent: workspace, ID: id})
}
