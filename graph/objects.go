package graph

import (
	"reflect"
	"sync/atomic"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// objectCount counts the elements of a response's lists against [Session.Objects]. It is safe for
// concurrent use.
type objectCount struct {
	*Session
	n atomic.Int64
}

// count counts a field's value if it is a list. An error means that the field's objects must be
// left out.
func (o *objectCount) count(v any) error {
	if list := reflect.ValueOf(v); list.Kind() == reflect.Slice && list.Type().Elem().Kind() != reflect.Uint8 {
		return o.add(list.Len())
	}
	return nil
}

func (o *objectCount) add(n int) error {
	now := o.n.Add(int64(n))
	if o.Objects == 0 || now <= int64(o.Objects) {
		return nil
	}
	if o.Exceeded == nil {
		const message = "The answer has more objects than it may have: ask for less at a time."
		return &gqlerror.Error{Err: upstream.NewError(upstream.BadUserInput, message), Message: message, Extensions: map[string]any{"limit": "objects", "max": o.Objects}}
	}
	if now-int64(n) <= int64(o.Objects) {
		o.Exceeded()
	}
	return nil
}
