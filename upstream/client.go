package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// Config configures a [Client]. The zero value uses the real API.
type Config struct {
	// URLTemplate is the API's base URL, by default [DefaultURLTemplate].
	URLTemplate string
	// UserAgent is the distinct name that ClickFunnels requires of every client (clickfunnels-api.md §2), by
	// default "funnelgraph".
	UserAgent string
	// Transport configures retries, limits and the cache of responses.
	Transport transport.Config
	// Observer is notified of calls.
	Observer Observer
}

// Client calls the API with one token. It is safe for concurrent use. Make one with [New], and a
// cheap copy for each token with [Client.WithToken].
type Client struct {
	*common
	token      Token
	scope      *Scope
	held       bool // see [Client.Held]
	credential transport.Credential
	account    transport.Credential // of the token alone, regardless of the scope
	header     http.Header          // of every call; must not be modified
	projection *Projection
}

// common is what the clients of all tokens share.
type common struct {
	transport      *transport.Transport
	template       urlTemplate
	userAgent      string
	workspaceHosts workspaceHosts
	readable       readable
	observer       Observer
}

// New returns a client without a token. It returns a one-line error if the configuration is
// invalid.
func New(cfg Config) (*Client, error) {
	template, err := parseTemplate(cmp.Or(cfg.URLTemplate, DefaultURLTemplate))
	if err != nil {
		return nil, err
	}
	agent := cmp.Or(cfg.UserAgent, "funnelgraph")
	if strings.TrimSpace(agent) == "" || strings.ContainsFunc(agent, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, fmt.Errorf("user agent %q must be printable ASCII and not blank", agent)
	}
	return &Client{common: &common{
		transport:      transport.New(cfg.Transport, cfg.Observer.Attempted),
		template:       template,
		userAgent:      agent,
		workspaceHosts: newWorkspaceHosts(maxWorkspaceHosts),
		readable:       newReadable(),
		observer:       cfg.Observer,
	}}, nil
}

// WithToken returns a client that calls with the token. It shares everything else with c, including
// connections.
func (c *Client) WithToken(t Token) *Client {
	return &Client{common: c.common, token: t, scope: c.scope, held: c.held, credential: c.scope.credential(t), account: t.credential(), projection: c.projection, header: http.Header{
		"Authorization": {t.authorization()},
		"User-Agent":    {c.userAgent},
		"Accept":        {"application/json"},
	}}
}

// Held returns a client whose token belongs to the server and not to the caller. It ignores a
// workspace subdomain that the caller names, because the caller would then decide where the token
// is sent.
func (c *Client) Held() *Client {
	held := *c
	held.held = true
	return &held
}

// TrustsCaller reports whether the client may call a subdomain that the caller names.
func (c *Client) TrustsCaller() bool { return !c.held && !c.Scoped() }

// get makes one GET call on a host of the template, and passes the response body to read, which
// must not keep it. get returns the cursor of the next page.
//
// A response that cannot be read is requested once more, from the network. Every failure is an
// [*Error], except for the caller's own cancellation.
func (c *Client) get(ctx context.Context, subdomain string, segments []string, q Query, of content, read func(body []byte) error) (next string, err error) {
	var expand []string // the keys that ClickFunnels sends only on request (clickfunnels-api.md §3.5)
	r := &request{
		Request:   transport.Request{Method: http.MethodGet, Filtered: q.Filter != "" || q.Params != "", Stored: q.Stored, Idempotent: true, Fresh: ctx.Value(freshKey{}) != nil},
		subdomain: subdomain, segments: segments,
	}
	if of.typ != nil {
		expand, r.Kind, r.Tags = c.expanded(of.typ), string(of.typ.kind), of.tags()
	}
	r.query = q.encode(expand)
	parse := func(a transport.Response) error {
		if next = integerID(c.token.without(a.Header.Get(transport.NextHeader))); len(next) > maxSegmentBytes {
			return unreadable(errors.New("the cursor is not an id"))
		}
		return read(a.Body)
	}
	err = c.call(ctx, r, parse)
	if errors.Is(err, errUnreadable) && c.transport.AllowRetry(&r.Request) {
		r.Fresh = true
		if again := c.call(ctx, r, parse); !errors.Is(again, OverBudget) {
			err = again
		}
	}
	if err != nil {
		transport.AllowanceOf(ctx).Failed(errors.Is(err, NotFound))
		return next, err
	}
	tagList(ctx, c, subdomain, of)
	return next, nil
}

// call makes one call, and passes a successful response to read.
func (c *Client) call(ctx context.Context, r *request, read func(transport.Response) error) (err error) {
	if c.token == "" {
		return NewError(Unauthenticated, "This needs a ClickFunnels API token: send the header \"Authorization: Bearer <token>\".")
	}
	if !c.token.Valid() {
		return NewError(Unauthenticated, "The ClickFunnels API token contains invalid characters.")
	}
	if r.URL, err = c.template.url(r.subdomain, r.segments, r.query); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	r.Host = c.template.host(r.subdomain)
	r.Credential, r.Header, r.Allowance, r.NoRetry = c.account, c.header, transport.AllowanceOf(ctx), ctx.Value(withoutRetriesKey{}) != nil
	if r.Body != nil {
		r.Header = c.header.Clone()
		r.Header.Set("Content-Type", "application/json")
	}
	a, err := c.observe(ctx, r)
	defer a.Free()
	r.uncertain = a.Uncertain
	if err != nil {
		return callError(ctx, err)
	}
	a.Body = c.token.redact(a.Body)
	if a.Status < 200 || a.Status > 299 {
		failed := c.responseError(a)
		if c.Scoped() && failed.Code == NotFound {
			failed = RecordNotFound()
		}
		return failed
	}
	if err := read(a); err != nil {
		return err
	}
	a.Decoded()
	return nil
}

// keyed is implemented by pointers to records.
type keyed[T any] interface {
	*T
	row() *Row
}

// onAccounts is the host of the records that belong to no workspace.
var onAccounts = Place{Subdomain: Accounts}

// fetchRecord fetches a record.
func fetchRecord[T any, P keyed[T]](ctx context.Context, c *Client, at Place, segments ...string) (*T, error) {
	record, err := fetchSubject[T, P](ctx, c, at, segments, func() (record *T, err error) {
		_, err = c.get(ctx, at.Subdomain, segments, Query{}, content{typ: TypeOf[T]()}, func(body []byte) (err error) {
			record, err = decodeRecord[T, P](body, c.projection)
			return err
		})
		return record, err
	})
	if err != nil {
		return nil, c.ConcealRefusal(err)
	}
	if n, _ := ChainOf(ctx); !c.checkScopeAndSetWorkspace(P(record).row(), at, n) {
		transport.AllowanceOf(ctx).Failed(true)
		return nil, RecordNotFound()
	}
	tagRecords[T, P](ctx, c, at.Subdomain, record)
	return record, nil
}

// decodeRecord decodes a record. It fails if the record has no id.
func decodeRecord[T any, P keyed[T]](body []byte, p *Projection) (*T, error) {
	record, err := decodeOne[T, P](body, p)
	if err == nil && (record == nil || !pathSegment(P(record).row().Key())) {
		err = unreadable(errors.New("not a record"))
	}
	return record, err
}

// expanded returns the keys of a type that must be requested explicitly.
func (c *Client) expanded(t *RowType) []string { return c.projection.layout(t).expand }

// fetchPage fetches a page of records.
func fetchPage[T any, P keyed[T]](ctx context.Context, c *Client, at Place, q Query, segments ...string) (*Page[T], error) {
	return fetchList[T, P](ctx, c, at, q, func(body []byte) []byte { return body }, segments...)
}

// fetchList is [fetchPage] for a response in which listOf finds the list.
func fetchList[T any, P keyed[T]](ctx context.Context, c *Client, at Place, q Query, listOf func(body []byte) []byte, segments ...string) (*Page[T], error) {
	var rows []*T
	next, err := c.get(ctx, at.Subdomain, segments, q, content{typ: TypeOf[T](), listOf: listOf, dependsOnAll: q.Stored}, func(body []byte) (err error) {
		rows, err = decodeList[T, P](listOf(body), c.projection)
		return err
	})
	if failed, ok := errors.AsType[*Error](err); ok && q.After != "" && (failed.Code == NotFound || failed.Status == http.StatusUnprocessableEntity && !q.Stored) {
		failed.cause = errors.Join(errCursorRejected, failed.cause)
	}
	if err != nil {
		return nil, err
	}
	// Rows without an id are not records: they could not be refetched or told apart.
	rows = slices.DeleteFunc(rows, func(record *T) bool { return !pathSegment(P(record).row().Key()) })
	if len(rows) == 0 {
		next = "" // regardless of the header (clickfunnels-api.md §3.1)
	}
	page := &Page[T]{Rows: rows, Next: next}
	page.Chain, _ = ChainOf(ctx)
	page.Keep(func(record *T) bool { return c.checkScopeAndSetWorkspace(P(record).row(), at, page.Chain) })
	tagRecords[T, P](ctx, c, at.Subdomain, page.Rows...)
	return page, nil
}

// thisWorkspace is the placeholder in paths for the raw id of the call's workspace.
const thisWorkspace = "{workspace_id}"

// segments replaces the placeholder in a path with the workspace's id.
func (p Place) segments(segments []string) []string {
	for i, segment := range segments {
		if segment == thisWorkspace {
			segments[i] = p.WorkspaceID
		}
	}
	return segments
}

// oneIn is [fetchRecord] on a workspace's host.
func oneIn[T any, P keyed[T]](ctx context.Context, c *Client, p Place, segments ...string) (*T, error) {
	return onWorkspaceHost(ctx, c, p, func(p Place) (*T, error) {
		record, err := fetchRecord[T, P](ctx, c, p, segments...)
		// A host can return records of other workspaces (clickfunnels-api.md §9, 3). Records outside the
		// requested workspace count as not found.
		if err == nil && IsRawID(p.WorkspaceID) && P(record).row().parent != p.WorkspaceID {
			return nil, RecordNotFound()
		}
		return record, err
	})
}

// listIn is [fetchPage] on a workspace's host.
func listIn[T any, P keyed[T]](ctx context.Context, c *Client, p Place, q Query, segments ...string) (*Page[T], error) {
	return onWorkspaceHost(ctx, c, p, func(p Place) (*Page[T], error) {
		return fetchPage[T, P](ctx, c, p, q, p.segments(segments)...)
	})
}

// wholeIn is [listIn] for a list without pages. It is a member of an object, under the last word of
// its path (clickfunnels-api.md §3.1).
func wholeIn[T any, P keyed[T]](ctx context.Context, c *Client, p Place, q Query, segments ...string) (*Page[T], error) {
	return onWorkspaceHost(ctx, c, p, func(p Place) (*Page[T], error) {
		listOf := func(body []byte) []byte { return valueAt(body, segments[len(segments)-1]) }
		return fetchList[T, P](ctx, c, p, q, listOf, p.segments(segments)...)
	})
}

// onlyIn returns the page of a list whose path returns its only record, such as the site of a workspace.
func onlyIn[T any, P keyed[T]](ctx context.Context, c *Client, p Place, segments ...string) (*Page[T], error) {
	record, err := onWorkspaceHost(ctx, c, p, func(p Place) (*T, error) {
		return fetchRecord[T, P](ctx, c, p, p.segments(segments)...)
	})
	if err != nil {
		return nil, err
	}
	return &Page[T]{Rows: []*T{record}, Chain: P(record).row().chain}, nil
}

// setAbove returns a function that sets the id of the record above the rows of a page, unless it is
// a public id.
func setAbove[T any, P keyed[T]](key, id string) func(*Page[T], error) (*Page[T], error) {
	return func(page *Page[T], err error) (*Page[T], error) {
		if err == nil && IsRawID(id) {
			for _, record := range page.Rows {
				P(record).row().set(key, id)
			}
		}
		return page, err
	}
}

// ended returns the error of a call whose caller's context has ended.
func ended(caller context.Context) error {
	if errors.Is(caller.Err(), context.Canceled) {
		return context.Canceled
	}
	return timedOut(caller.Err())
}

func timedOut(cause error) *Error {
	return &Error{Code: Timeout, Message: "ClickFunnels did not answer in time.", Retryable: true, cause: cause}
}

// callError converts the error of a call that got no complete response.
func callError(caller context.Context, err error) error {
	switch {
	case caller.Err() != nil:
		return ended(caller)
	case errors.Is(err, context.DeadlineExceeded):
		return timedOut(err)
	case errors.Is(err, transport.ErrOverBudget):
		return &Error{Code: OverBudget, Message: "This request has used up its budget of REST calls: ask for less at a time.", cause: err}
	case errors.Is(err, transport.ErrInvalidRequest):
		return notMade(err)
	}
	if refused, ok := errors.AsType[*transport.RefusedError](err); ok {
		return refusalError(refused)
	}
	if long, ok := errors.AsType[*transport.BodyTooLargeError](err); ok {
		return tooLarge(bytesText(long.Max), err)
	}
	return &Error{Code: Unavailable, Message: "ClickFunnels could not be reached.", Retryable: true, cause: err}
}

// notMade is the error of a call that cannot be written as a request.
func notMade(cause error) *Error {
	return &Error{Code: Internal, Message: "The REST call could not be made.", cause: cause}
}

// refusalError converts the error of a call that was not made because it would fail.
func refusalError(refused *transport.RefusedError) *Error {
	e := &Error{Code: RateLimited, Retryable: true, RetryAfter: refused.RetryAfter}
	switch refused.Reason {
	case transport.HostDown:
		e.Code, e.Message = Unavailable, "ClickFunnels is not responding: try again in a few seconds."
	case transport.QueueFull:
		e.Message = "Too many calls are already waiting for ClickFunnels: try again later, or ask for less at a time."
	case transport.HostPaused:
		e.Message = "ClickFunnels has asked to wait before the next call: try again then."
	}
	return e
}
