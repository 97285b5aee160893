package webhooks

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/funnelgraph/funnelgraph/upstream"
)

const (
	// walkInterval is the time between two walks over the events of a workspace.
	walkInterval = 5 * time.Minute
	// webhookTime is how long an event is left to its webhook.
	webhookTime = 15 * time.Second
	// maxPages limits the pages of a walk. The next one goes on from there.
	maxPages = 100
	// walkTimeout limits a walk. A lock lasts as long.
	walkTimeout = time.Minute
)

// Missed finds events that no webhook has brought, in the list of events at ClickFunnels. One replica
// walks it every five minutes, and after Redis was down.
type Missed struct {
	Feed *Feed
	// Hooks returns a webhook of each workspace.
	Hooks func() []Webhook
	// Client is the REST client.
	Client *upstream.Client
	// Handle processes an event, like [Receiver.Handle].
	Handle func(ctx context.Context, hook Webhook, e Event) error

	// walked is when this replica last looked after each workspace, and known its last cursor of each.
	// Without shared state, it is the only one; else it helps if that state is lost.
	walked map[string]time.Time
	known  map[string]cursor
}

// cursor is the progress of the walks over the events of a workspace, by their raw ids. Each walk begins
// where the one before began to find new ones, so that an event whose id became visible late is found.
type cursor struct {
	Walked time.Time `json:"walked"`
	From   string    `json:"from"`
	To     string    `json:"to"`
}

// Run walks until the context ends.
func (m *Missed) Run(ctx context.Context) {
	const pause = 5 * time.Second
	m.walked, m.known = make(map[string]time.Time), make(map[string]cursor)
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		m.walkAll(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// walkAll walks the workspaces whose turn it is.
func (m *Missed) walkAll(ctx context.Context) {
	for _, hook := range m.Hooks() {
		now := time.Now()
		due, left := now.Add(-walkInterval), webhookTime
		if recovered := m.Feed.recovered(); recovered.After(m.walked[hook.Workspace]) {
			due, left = recovered, 0 // what webhooks brought meanwhile is not on other replicas
		}
		if m.walked[hook.Workspace].After(due) {
			continue
		}
		m.walked[hook.Workspace] = now
		if err := m.walk(ctx, hook, due, left); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "the list of events could not be read: it is tried again later", "webhook", hook.Name, "error", err)
		}
	}
}

// walk walks the events of a workspace that are older than left, unless a replica has done so since due
// or does so now.
func (m *Missed) walk(ctx context.Context, hook Webhook, due time.Time, left time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, walkTimeout)
	defer cancel()
	c := m.known[hook.Workspace]
	unlock := func() {}
	if shared := m.Feed.shared; shared != nil {
		text, ok, err := shared.Lock(ctx, hook.Workspace)
		if err != nil || !ok {
			return nil // replicas cannot agree on who walks
		}
		var others cursor
		if text != "" && json.Unmarshal([]byte(text), &others) == nil && others.Walked.After(c.Walked) {
			c = others
		}
		unlock = func() {
			if text, err := json.Marshal(c); err == nil {
				_ = shared.Unlock(context.WithoutCancel(ctx), hook.Workspace, string(text))
			}
		}
	}
	var err error
	if !c.Walked.After(due) {
		err = m.walkFrom(ctx, hook, &c, left)
	}
	m.known[hook.Workspace] = c
	unlock()
	return err
}

// events are the listed events of a webhook's workspace.
type events struct {
	client *upstream.Client
	place  upstream.Place
}

// eventsOf returns the listed events of a webhook's workspace.
func (m *Missed) eventsOf(ctx context.Context, hook Webhook) (*events, error) {
	e := &events{client: m.Client.WithToken(hook.Token)}
	var known bool
	if e.place, known = e.client.Locate(upstream.Place{WorkspaceID: hook.Workspace}); known {
		return e, nil
	}
	workspace, err := e.client.Workspace(ctx, hook.Workspace)
	if err != nil {
		return nil, err
	}
	e.place, err = e.client.PlaceOf(workspace)
	return e, err
}

func (e *events) page(ctx context.Context, q upstream.Query) (*upstream.Page[upstream.WebhookEvent], error) {
	return e.client.WebhookEvents(upstream.Fresh(ctx), e.place, q)
}

// end returns the raw id of the last event, "" without one.
func (e *events) end(ctx context.Context) (string, error) {
	page, err := e.page(ctx, upstream.Query{Descending: true})
	if err != nil || len(page.Rows) == 0 {
		return "", err
	}
	return page.Rows[0].RawID(), nil
}

// walkFrom processes the unknown events after a cursor that are older than left, and moves it. The first
// walk only finds the end.
func (m *Missed) walkFrom(ctx context.Context, hook Webhook, c *cursor, left time.Duration) error {
	began := time.Now()
	events, err := m.eventsOf(ctx, hook)
	if err != nil {
		return err
	}
	if c.Walked.IsZero() {
		end, err := events.end(ctx)
		if err == nil {
			*c = cursor{Walked: began, From: end, To: end}
		}
		return err
	}
	walked := cursor{Walked: began, From: c.To, To: c.To}
	q := upstream.Query{After: c.From}
	pager := upstream.Pager[upstream.WebhookEvent]{Cursor: q.After}
	for n := 1; ; n++ {
		page, err := pager.Next(ctx, q, events.page)
		if failed, ok := errors.AsType[*upstream.Error](err); ok && failed.Code == upstream.BadUserInput {
			*c = cursor{} // its event was deleted: the next walk begins at the end
		}
		if err != nil {
			return err
		}
		whole, err := m.processAll(ctx, hook, page.Rows, began.Add(-left), &walked.To)
		if err != nil {
			return err
		}
		if q.After = page.Next; q.After == "" || !whole {
			break
		}
		if n == maxPages {
			walked.From = walked.To // without an overlap, so that the next walk gets further
			break
		}
	}
	*c = walked
	return nil
}

// processAll processes the events of a page up to the first one that is newer than until. It sets last to
// the raw id of the last one, and reports whether these were all.
func (m *Missed) processAll(ctx context.Context, hook Webhook, rows []*upstream.WebhookEvent, until time.Time, last *string) (whole bool, err error) {
	for _, row := range rows {
		if created := row.CreatedAt(); created != nil && created.After(until) {
			return false, nil
		}
		if err := m.process(ctx, hook, row); err != nil {
			return false, err
		}
		*last = row.RawID()
	}
	return true, nil
}

// process processes an event of the list, unless it is known or so old that it can have been forgotten.
func (m *Missed) process(ctx context.Context, hook Webhook, row *upstream.WebhookEvent) error {
	e, err := eventOfRow(row, hook.Workspace)
	if err != nil || time.Since(e.OccurredAt) > retention || m.Feed.knows(e.Workspace, e.ID) {
		return nil //nolint:nilerr // a row that is no event
	}
	e.Late = true
	return m.Handle(ctx, hook, e)
}

// eventOfRow returns the event of a row of the list.
func eventOfRow(row *upstream.WebhookEvent, workspace string) (Event, error) {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	d := delivery{Data: row.Data(), EventID: text(row.UUID()), EventType: text(row.EventTypeID()), SubjectType: text(row.SubjectType())}
	if id := row.SubjectID(); id != nil {
		d.SubjectID = jsontext.Value(strconv.Quote(*id))
	}
	if version := row.ApiVersion(); version != nil {
		d.APIVersion = jsontext.Value(strconv.Itoa(*version))
	}
	if at := row.CreatedAt(); at != nil {
		d.CreatedAt = jsontext.Value(strconv.Quote(at.Format(time.RFC3339Nano)))
	}
	return d.event(workspace)
}
