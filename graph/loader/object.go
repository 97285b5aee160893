package loader

import (
	"context"
	"sync"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// objectKey identifies an object of a workspace. which is comparable.
type objectKey struct {
	workspace string
	which     any
}

// Me loads what the token belongs to and is bound to. An operation loads it once.
func Me(l *Loaders) (*upstream.Me, error) {
	load := getOrCreate(l, "me", func() func() (*upstream.Me, error) {
		return sync.OnceValues(func() (*upstream.Me, error) { return l.client.Me(l.ctx) })
	})
	return load()
}

// Object loads an object without an id from a workspace's host, such as its settings.
// which names it. An operation loads it once.
func Object[T any](l *Loaders, workspace string, which any, fetch func(*upstream.Client, context.Context, upstream.Place) (*T, error)) (*T, error) {
	load := getOrCreate(l, objectKey{workspace, which}, func() func() (*T, error) {
		return sync.OnceValues(func() (*T, error) {
			p, err := l.host(workspace)
			if err != nil {
				return nil, err
			}
			return fetch(l.client, l.ctx, p)
		})
	})
	return load()
}

// ObjectOf loads an object of a workspace's record, as [Object] does. A scoped client gets it only if it
// may see the record.
func ObjectOf[T any](l *Loaders, of upstream.Ref, which any, fetch func(*upstream.Client, context.Context, upstream.Place) (*T, error)) (*T, error) {
	type key struct{ of, which any }
	if _, err := l.verifiedOwner(of); err != nil {
		return nil, err
	}
	return Object(l, of.Parent, key{of, which}, fetch)
}
