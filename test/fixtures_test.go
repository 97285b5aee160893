package test

import (
	"fmt"
	"strings"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

const nested = `{ teams { nodes { name workspaces { nodes { name subdomain contacts(first: 5) { nodes { emailAddress } } } } } } }`

// ids returns the raw ids of the first n contacts of workspace 101 that lists
// show.
func ids(n int) []string {
	var all []string
	for i := 0; len(all) < n; i++ {
		if i == 0 || i%40 != 0 {
			all = append(all, fmt.Sprint(3_000_000_001+i))
		}
	}
	return all
}

func contactIDs(n int) []string {
	all := ids(n)
	for i, id := range all {
		all[i] = model.GlobalID(upstream.Ref{Kind: upstream.KindContact, Parent: "101", ID: id})
	}
	return all
}

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

func contactID(workspace, id string) string {
	return model.GlobalID(upstream.Ref{Kind: upstream.KindContact, Parent: workspace, ID: id})
}

func tagID(workspace, id string) string {
	return model.GlobalID(upstream.Ref{Kind: upstream.KindContactTag, Parent: workspace, ID: id})
}

func workspaceID(id string) string {
	return model.GlobalID(upstream.Ref{Kind: upstream.KindWorkspace, ID: id})
}
