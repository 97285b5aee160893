package upstream

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	lru "github.com/hashicorp/golang-lru/v2"
)

// subjects are the kinds of the records that webhooks are about, by ClickFunnels' names for them
// (clickfunnels-api.md §7), with the list of all records of a workspace, if there is one.
var subjects = map[string]struct {
	kind Kind
	list []string
}{
	"Appointments::ScheduledEvent": {KindScheduledEvent, []string{"appointments", "scheduled_events"}},
	"Blogs::Post":                  {KindBlogPost, nil},
	"Contact":                      {KindContact, []string{"contacts"}},
	"Contacts::AppliedTag":         {KindAppliedContactTag, nil},
	"Course":                       {KindCourse, []string{"courses"}},
	"Courses::Enrollment":          {KindCourseEnrollment, nil},
	"Courses::Lesson":              {KindCourseLesson, nil},
	"Courses::Section":             {KindCourseSection, nil},
	"FormSubmission":               {KindFormSubmission, []string{"form_submissions"}},
	"Fulfillment":                  {KindFulfillment, []string{"fulfillments"}},
	"Order":                        {KindOrder, []string{"orders"}},
	"Orders::Invoice":              {KindOrderInvoice, []string{"orders", "invoices"}},
	"Orders::Invoices::Restock":    {KindOrderInvoiceRestock, []string{"orders", "invoices", "restocks"}},
	"Orders::Transaction":          {KindOrderTransaction, nil},
	"Product":                      {KindProduct, []string{"products"}},
	"Products::Variant":            {KindProductVariant, nil},
	"Sales::Opportunity":           {KindSalesOpportunity, []string{"sales", "opportunities"}},
}

// KindOfSubject returns the kind of the record that a webhook is about, by ClickFunnels' name for it.
func KindOfSubject(name string) (kind Kind, ok bool) {
	subject, ok := subjects[name]
	return subject.kind, ok
}

// subject is a record in a webhook.
type subject struct {
	ref  Ref
	body jsontext.Value
}

type subjectKey struct{}

// WithSubject returns a context in which a record is known from a webhook: body has the format of a
// response with the record. Clients that can read records of its kind need no call for it. A client's
// first call shows that, for five minutes. The ids of the record and of its workspace are raw.
func WithSubject(ctx context.Context, ref Ref, body jsontext.Value) context.Context {
	return context.WithValue(ctx, subjectKey{}, subject{ref, body})
}

// subjectOf returns the record that a request is for, if the context knows it.
func subjectOf(ctx context.Context, t *RowType, at Place, segments []string) (body jsontext.Value, ok bool) {
	s, ok := ctx.Value(subjectKey{}).(subject)
	ok = ok && strings.Trim(string(membersOf(s.body)["id"]), `"`) == s.ref.ID
	return s.body, ok && s.ref.Kind == t.kind && s.ref.Parent == at.WorkspaceID && len(segments) > 0 && segments[len(segments)-1] == s.ref.ID
}

// hasKeys reports whether an object has all keys of a layout. The workspace may be left out.
func (l *layout) hasKeys(body jsontext.Value) bool {
	members := membersOf(body)
	for name := range l.positions {
		if members[name] == nil && name != l.typ.parent {
			return false
		}
	}
	return true
}

// readable remembers the kinds of records that clients have read, for each workspace. It is safe for
// concurrent use.
type readable struct {
	known *lru.Cache[readableKey, time.Time]
}

type readableKey struct {
	of   workspaceHostKey
	kind Kind
}

const (
	// maxReadable is the number of remembered kinds, of all clients and workspaces.
	maxReadable = 50_000
	// readableTTL is how long a call shows that a client can read records of a kind.
	readableTTL = 5 * time.Minute
)

func newReadable() readable {
	known, err := lru.New[readableKey, time.Time](maxReadable)
	if err != nil {
		panic(err) // only a size below 1 is an error
	}
	return readable{known}
}

// mayRead reports whether the client has read records of a kind in a workspace lately.
func (c *Client) mayRead(workspace string, k Kind) bool {
	at, ok := c.readable.known.Get(readableKey{workspaceHostKey{c.credential, workspace}, k})
	return ok && time.Since(at) < readableTTL
}

// hasRead remembers that the client has read records of a kind.
func (c *Client) hasRead(workspace string, k Kind) {
	c.readable.known.Add(readableKey{workspaceHostKey{c.credential, workspace}, k}, time.Now())
}

// lists reports whether the client can list the records of a type. It is for a record that is gone.
func (c *Client) lists(ctx context.Context, at Place, t *RowType) bool {
	for _, s := range subjects {
		if s.kind == t.kind && s.list != nil {
			_, err := c.get(ctx, at.Subdomain, append([]string{"workspaces", at.WorkspaceID}, s.list...), Query{}, content{typ: t, listOf: func(body []byte) []byte { return body }}, func([]byte) error { return nil })
			return err == nil
		}
	}
	return false
}

// fetchSubject returns the record that a request is for from its webhook. ok is false if the context does
// not know it, if it lacks a key that is needed, or if the client may not read records of its kind. fetch
// fetches the record.
func fetchSubject[T any, P keyed[T]](ctx context.Context, c *Client, at Place, segments []string, fetch func() (*T, error)) (*T, error) {
	t := TypeOf[T]()
	body, ok := subjectOf(ctx, t, at, segments)
	if !ok {
		return fetch()
	}
	complete := c.projection.layout(t).hasKeys(body)
	if !complete || !c.mayRead(at.WorkspaceID, t.kind) {
		record, err := fetch()
		if !complete || !errors.Is(err, NotFound) || !c.lists(ctx, at, t) {
			if err == nil {
				c.hasRead(at.WorkspaceID, t.kind)
			}
			return record, err
		}
		c.hasRead(at.WorkspaceID, t.kind)
	}
	return decodeRecord[T, P](c.token.redact(body), c.projection)
}
