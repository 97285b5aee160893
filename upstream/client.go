package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Config is what a [Client] is made from; the zero value reaches the real API.
type Config struct {
	// URLTemplate is the API's base, by default [DefaultURLTemplate].
	URLTemplate string
	// UserAgent is the distinct name that ClickFunnels demands of every caller
	// (API.md §2), by default "funnelgraph".
	UserAgent string
	// CallTimeout bounds each attempt at a REST call, by default 30 s.
	CallTimeout time.Duration
	// Attempts is how often a call is made at most, where that is safe and may help,
	// by default [DefaultAttempts].
	Attempts int
	// FilteredReads is how many filtered reads a token may have under way in a
	// workspace, by default [DefaultFilteredReads]; negative is any number.
	FilteredReads int
	// MaxBody bounds each answer's body in bytes, by default 16 MiB.
	MaxBody int64
	// CacheTTL is how long answers may be given again to the same credential; 0
	// is never. See [Fresh].
	CacheTTL time.Duration
	// CacheSize bounds the memory for that in bytes, by default 64 MiB.
	CacheSize uint64
	// Replicas, if not nil, is what this and other servers know together.
	Replicas Replicas
	// Transport carries the calls, by default [NewTransport]. It has to tell a
	// [httptrace.ClientTrace] of connections, as net/http's does: a write that fails
	// before there is one has certainly not been carried out.
	Transport http.RoundTripper
	// Observer is told what the client does.
	Observer Observer
}

// Client calls the API with one token. It is safe for concurrent use; make one
// with [New] and a cheap copy for each token with [Client.WithToken].
type Client struct {
	*common
	token      Token
	scope      *Scope
	held       bool // see [Client.Held]
	credential credential
	account    credential  // of the token alone, whatever the scope
	header     http.Header // of every call; not to be modified
	projection *Projection
}

// shared is what the clients of all tokens have in common.
type common struct {
	// send makes the calls: through the cache, if there is one, and the coalescer. There is
	// no [http.Client] in between: it would follow redirects, which carry the token to a
	// place that the template does not give.
	send           func(context.Context, *request) (response, error)
	template       urlTemplate
	userAgent      string
	workspaceHosts workspaceHosts

	observer Observer
	retrier  *retrier
	cache    *cache // nil if there is none
}

// New returns a client without a token. It fails when the configuration cannot
// be used, with an error of one line.
func New(cfg Config) (*Client, error) {
	template, err := parseTemplate(cmp.Or(cfg.URLTemplate, DefaultURLTemplate))
	if err != nil {
		return nil, err
	}
	agent := cmp.Or(cfg.UserAgent, "funnelgraph")
	if strings.TrimSpace(agent) == "" || strings.ContainsFunc(agent, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, fmt.Errorf("user agent %q must be printable ASCII and not blank", agent)
	}
	next := cfg.Transport
	if next == nil {
		next = NewTransport()
	}
	retrier := newRetrier(next, cfg)
	coalescer := &coalescer{retrier: retrier}
	all := &common{
		send:           coalescer.do,
		template:       template,
		userAgent:      agent,
		workspaceHosts: newWorkspaceHosts(maxWorkspaceHosts),
		observer:       cfg.Observer,
		retrier:        retrier,
	}
	if cfg.CacheTTL > 0 {
		all.cache = newCache(coalescer, cfg.CacheTTL, cmp.Or(cfg.CacheSize, 64<<20), cfg.Replicas)
		all.send = all.cache.do
	}
	return &Client{common: all}, nil
}

// WithToken returns a client that calls with the token and shares all else,
// connections included, with this one.
func (c *Client) WithToken(t Token) *Client {
	return &Client{common: c.common, token: t, scope: c.scope, held: c.held, credential: c.scope.credential(t), account: t.credential(), projection: c.projection, header: http.Header{
		"Authorization": {t.authorization()},
		"User-Agent":    {c.userAgent},
		"Accept":        {"application/json"},
	}}
}

// Held returns a client whose token is not its caller's own. It does not believe the
// subdomain that a caller names for a workspace: the token would go where the caller says.
func (c *Client) Held() *Client {
	held := *c
	held.held = true
	return &held
}

// BelievesCaller reports whether a subdomain that the caller names may be called.
func (c *Client) BelievesCaller() bool { return !c.held && !c.Scoped() }

// nextHeader is set when rows follow: to the cursor of the next page
// (API.md §3.1).
const nextHeader = "Pagination-Next"

// get makes one GET call on a host of the template, and passes the answer's body to read, which
// must not keep it. expand are the keys that are sent only when asked for (API.md §3.5). It
// returns the cursor of the next page. An answer that cannot be read is asked for once more, over
// the network. Every failure is an [*Error], but for the caller's own cancellation.
func (c *Client) get(ctx context.Context, subdomain string, segments []string, q Query, expand []string, read func(body []byte) error) (next string, err error) {
	r := &request{method: http.MethodGet, subdomain: subdomain, segments: segments, query: q.encode(expand), filtered: q.Filter != "", idempotent: true, fresh: ctx.Value(freshKey{}) != nil}
	parse := func(a response) error {
		if next = integerID(c.token.without(a.header.Get(nextHeader))); len(next) > maxSegmentBytes {
			return unreadable(errors.New("a cursor that is no id"))
		}
		return read(a.body)
	}
	err = c.call(ctx, r, parse)
	if errors.Is(err, errUnreadable) && c.retrier.allowRetry(r) {
		r.fresh = true
		if again := c.call(ctx, r, parse); !errors.Is(again, OverBudget) {
			err = again
		}
	}
	return next, err
}

// call makes one call, and has the answer read if it is a success.
func (c *Client) call(ctx context.Context, r *request, read func(response) error) (err error) {
	if c.token == "" {
		return NewError(Unauthenticated, "This needs a ClickFunnels API token: send the header \"Authorization: Bearer <token>\".")
	}
	if !c.token.Valid() {
		return NewError(Unauthenticated, "The ClickFunnels API token holds characters that no token has.")
	}
	if r.url, err = c.template.url(r.subdomain, r.segments, r.query); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if c.template.perWorkspace {
		r.host = r.subdomain
	}
	r.credential, r.header, r.allowance, r.noRetry = c.account, c.header, allowanceOf(ctx), ctx.Value(withoutRetriesKey{}) != nil
	if r.body != nil {
		r.header = c.header.Clone()
		r.header.Set("Content-Type", "application/json")
	}
	a, err := c.observe(ctx, r)
	defer a.free()
	r.uncertain = a.uncertain
	if err != nil {
		return c.callError(ctx, err)
	}
	a.body = c.token.redact(a.body)
	if a.status < 200 || a.status > 299 {
		failed := c.responseError(a)
		if c.Scoped() && failed.Code == NotFound {
			failed = NotThere()
		}
		return failed
	}
	if err := read(a); err != nil {
		return err
	}
	if a.decoded != nil {
		a.decoded()
	}
	return nil
}

// keyed is what every record is.
type keyed[T any] interface {
	*T
	row() *Row
}

// onAccounts is where the records are found that belong to no workspace.
var onAccounts = Place{Subdomain: accounts}

// one fetches a record.
func fetchRecord[T any, P keyed[T]](ctx context.Context, c *Client, at Place, segments ...string) (*T, error) {
	var record *T
	_, err := c.get(ctx, at.Subdomain, segments, Query{}, c.expanded(TypeOf[T]()), func(body []byte) (err error) {
		record, err = decodeRecord[T, P](body, c.projection)
		return err
	})
	if err != nil {
		return nil, c.Missing(err)
	}
	if n, _ := ChainOf(ctx); !c.checkScopeAndSetWorkspace(P(record).row(), at, n) {
		return nil, NotThere()
	}
	return record, nil
}

// whole reads a record, which has to have an id.
func decodeRecord[T any, P keyed[T]](body []byte, p *Projection) (*T, error) {
	record, err := decodeOne[T, P](body, p)
	if err == nil && (record == nil || !pathSegment(P(record).row().Key())) {
		err = unreadable(errors.New("no record"))
	}
	return record, err
}

// expanded returns the keys of a type that have to be asked for.
func (c *Client) expanded(t *RowType) []string { return c.projection.layout(t).expand }

// list fetches a page of records.
func fetchPage[T any, P keyed[T]](ctx context.Context, c *Client, at Place, q Query, segments ...string) (*Page[T], error) {
	var rows []*T
	next, err := c.get(ctx, at.Subdomain, segments, q, c.expanded(TypeOf[T]()), func(body []byte) (err error) {
		rows, err = decodeList[T, P](body, c.projection)
		return err
	})
	if failed, ok := errors.AsType[*Error](err); ok && q.After != "" && (failed.Code == NotFound || failed.Status == http.StatusUnprocessableEntity) {
		failed.cause = errors.Join(errCursorRejected, failed.cause)
	}
	if err != nil {
		return nil, err
	}
	// What has no id at all is no record: it could be neither found again nor
	// told from another.
	rows = slices.DeleteFunc(rows, func(record *T) bool { return !pathSegment(P(record).row().Key()) })
	if len(rows) == 0 {
		next = "" // whatever the header says (API.md §3.1)
	}
	page := &Page[T]{Rows: rows, Next: next}
	page.Chain, _ = ChainOf(ctx)
	page.Keep(func(record *T) bool { return c.checkScopeAndSetWorkspace(P(record).row(), at, page.Chain) })
	return page, nil
}

// thisWorkspace stands in a path for the raw id of the workspace that the call
// is for.
const thisWorkspace = "{workspace_id}"

// segments puts the place's workspace where it stands in a path.
func (p Place) segments(segments []string) []string {
	for i, segment := range segments {
		if segment == thisWorkspace {
			segments[i] = p.WorkspaceID
		}
	}
	return segments
}

// oneIn is [one] on the subdomain of a place.
func oneIn[T any, P keyed[T]](ctx context.Context, c *Client, p Place, segments ...string) (*T, error) {
	return onWorkspaceHost(ctx, c, p, func(p Place) (*T, error) {
		record, err := fetchRecord[T, P](ctx, c, p, segments...)
		// A host can know records of other workspaces (API.md §9, 3): what is not in
		// the workspace asked for is not found there.
		if err == nil && IsRawID(p.WorkspaceID) && P(record).row().parent != p.WorkspaceID {
			return nil, NotThere()
		}
		return record, err
	})
}

// listIn is [list] on the subdomain of a place.
func listIn[T any, P keyed[T]](ctx context.Context, c *Client, p Place, q Query, segments ...string) (*Page[T], error) {
	return onWorkspaceHost(ctx, c, p, func(p Place) (*Page[T], error) {
		return fetchPage[T, P](ctx, c, p, q, p.segments(segments)...)
	})
}

// ended is the error of a call whose caller's context has ended.
func ended(caller context.Context) error {
	if errors.Is(caller.Err(), context.Canceled) {
		return context.Canceled
	}
	return timedOut(caller.Err())
}

func timedOut(cause error) *Error {
	return &Error{Code: Timeout, Message: "ClickFunnels did not answer in time.", Retryable: true, cause: withoutURL(cause)}
}

// callError describes a call that brought no whole answer.
func (c *Client) callError(caller context.Context, err error) error {
	own, ours := errors.AsType[*Error](err)
	switch {
	case caller.Err() != nil:
		return ended(caller)
	case errors.Is(err, context.DeadlineExceeded):
		return timedOut(err)
	case ours:
		return own
	case errors.Is(err, errOverBudget):
		return &Error{Code: OverBudget, Message: "This request has made as many REST calls as it may: ask for less at a time.", cause: err}
	case errors.Is(err, errBodyTooLarge):
		return tooLarge(bytesText(c.retrier.maxBody), err)
	}
	return &Error{Code: Unavailable, Message: "ClickFunnels could not be reached.", Retryable: true, cause: withoutURL(err)}
}
