package upstream

import "context"

type freshKey struct{}

// Fresh returns a context whose calls are not answered from the cache.
func Fresh(ctx context.Context) context.Context { return context.WithValue(ctx, freshKey{}, true) }

func isFresh(ctx context.Context) bool { return ctx.Value(freshKey{}) != nil }
