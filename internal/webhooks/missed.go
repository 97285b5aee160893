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
	// knownTime is how long a replica that knows no cursor leaves the walk after an outage to the others.
	// Redis may have lost the cursor.
	knownTime = 2 * walkPause
	// walkPause is the time between two looks for workspaces whose turn it is.
	walkPause = 5 * time.Second
	// maxPages and maxWalk limit a walk. The next one goes on from there, soon.
	maxPages = 100
	maxWalk  = 30 * time.Second
	// walkTimeout ends a walk. A lock lasts as long.
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
	m.walked, m.known = make(map[string]time.Time), make(map[string]cursor)
	ticker := time.NewTicker(walkPause)
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
		done, err := m.walk(ctx, hook, due, left)
		if done || err != nil {
			m.walked[hook.Workspace] = now
		}
		if err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "the list of events could not be read: it is tried again later", "webhook", hook.Name, "error", err)
		}
	}
}

// walk walks the events of a workspace that are older than left, unless a replica has done so since due.
// It is not done, and tried again soon, while another replica does so.
func (m *Missed) walk(ctx context.Context, hook Webhook, due time.Time, left time.Duration) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, walkTimeout)
	defer cancel()
	c := m.known[hook.Workspace]
	if c.Walked.IsZero() && left == 0 && time.Since(due) < knownTime {
		return false, nil // without the lock, so that the others get it
	}
	unlock := func() {}
	if shared := m.Feed.shared; shared != nil {
		text, ok, err := shared.Lock(ctx, hook.Workspace)
		if err != nil || !ok {
			return false, nil // replicas cannot agree on who walks
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
	if !c.Walked.After(due) {
		err = m.walkFrom(ctx, hook, &c, left)
	}
	m.known[hook.Workspace] = c
	unlock()
	return c.Walked.After(due), err
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
// walk only finds the end. A walk that is cut off moves the cursor as well, and is not complete: the next
// one goes on soon.
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
	w := walk{Missed: m, hook: hook, began: began, left: left, to: c.To}
	whole, err := w.run(ctx, events, c.From)
	switch {
	case whole:
		*c = cursor{Walked: began, From: c.To, To: w.to}
	case w.pages > 0: // this is progress for other replicas, too
		*c = cursor{Walked: c.Walked.Add(1), From: w.to, To: w.to}
	case errors.Is(err, upstream.BadUserInput) && c.From != c.To: // its event was deleted
		c.From = c.To
	case errors.Is(err, upstream.BadUserInput):
		*c = cursor{}
	}
	return err
}

// walk is one walk over the events of a workspace.
type walk struct {
	*Missed

	hook  Webhook
	began time.Time
	left  time.Duration
	pages int    // that are processed
	to    string // the raw id of the last processed event
}

// run processes the events after one. It reports whether it has reached the end, or events that are too new.
func (w *walk) run(ctx context.Context, events *events, from string) (whole bool, err error) {
	q := upstream.Query{After: from}
	pager := upstream.Pager[upstream.WebhookEvent]{Cursor: from}
	for w.pages < maxPages && time.Since(w.began) < maxWalk {
		page, err := pager.Next(ctx, q, events.page)
		if err != nil {
			return false, err
		}
		for _, row := range page.Rows {
			if created := row.CreatedAt(); created != nil && w.began.Sub(*created) < w.left {
				return true, nil
			}
			if err := w.process(ctx, w.hook, row, w.left == 0); err != nil {
				return false, err
			}
			w.to = row.RawID()
		}
		w.pages++
		if q.After = page.Next; q.After == "" {
			return true, nil
		}
	}
	return false, nil
}

// process processes an event of the list, unless it is known or so old that it can have been forgotten.
// After Redis was down, it also shares a known one, which other replicas may not have read before.
func (m *Missed) process(ctx context.Context, hook Webhook, row *upstream.WebhookEvent, wasDown bool) error {
	e, err := eventOfRow(row, hook.Workspace)
	if err != nil || time.Since(e.OccurredAt) > retention {
		return nil //nolint:nilerr // a row that is no event
	}
	e.Late = true
	switch known := m.Feed.knows(e.Workspace, e.ID); {
	case !known:
		return m.Handle(ctx, hook, e)
	case wasDown:
		return m.Feed.Publish(ctx, e)
	}
	return nil
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
