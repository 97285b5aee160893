package loader

import (
	"fmt"
	"testing"

	"github.com/funnelgraph/funnelgraph/internal/apitest"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// begin returns the loaders of a new operation.
func begin(t *testing.T, a *apitest.API) *Loaders {
	t.Helper()
	return New(t.Context(), a.Client)
}

// in returns the ref of a workspace's record.
func in(workspace string, kind upstream.Kind, id any) upstream.Ref {
	return upstream.Ref{Kind: kind, Parent: workspace, ID: fmt.Sprint(id)}
}

// workspaceRef returns the ref of a workspace.
func workspaceRef(id string) upstream.Ref {
	return upstream.Ref{Kind: upstream.KindWorkspace, ID: id}
}

// contactRefs returns the refs of contacts of the workspace 101 of the example data.
func contactRefs(from, to int) []upstream.Ref {
	return refs("101", 3_000_000_000+from, 3_000_000_000+to)
}

// loadNodes loads records of any kinds as [Loaders.RequestNodes] and [Loaders.Node] do for a
// query's list of ids.
func loadNodes(l *Loaders, refs ...upstream.Ref) error {
	l.RequestNodes(refs)
	for _, ref := range refs {
		node, err := l.Node(ref)
		if err != nil {
			return err
		}
		if got := node.Ref(); got.Kind != ref.Kind || upstream.IsRawID(ref.ID) && got.ID != ref.ID {
			return fmt.Errorf("loaded %+v in place of %+v", got, ref)
		}
	}
	return nil
}
