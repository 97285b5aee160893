package graph

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// childrenOf returns a connection for each object: a window of the children whose parent the
// function of returns. Errors are a [graphql.BatchErrorList], one for each object or nil.
func childrenOf[O, T any](ctx context.Context, objs []*O, children *loader.Children[T], of func(*O) loader.Parent, q upstream.Query, first *int, after *string, last *int, before *string) ([]*model.Connection[T], error) {
	w, err := window(first, after, last, before)
	if err != nil {
		return nil, err
	}
	exact, nothing := selects(ctx, "pageInfo"), onlyTypename(ctx)
	found, errs := make([]*model.Connection[T], len(objs)), make(graphql.BatchErrorList, len(objs))
	var parents []loader.Parent
	var at []int
	for i, obj := range objs {
		switch parent := of(obj); {
		case nothing:
			found[i] = model.NewConnection(upstream.Slice[T]{}, w)
		case !upstream.IsRawID(parent.ID):
			errs[i] = upstream.NewError(upstream.Unavailable, "ClickFunnels sent no id by which this could be found.")
		default:
			parents, at = append(parents, parent), append(at, i)
		}
	}
	rows, failed := children.Of(ctx, parents, q, w, exact)
	for k, i := range at {
		if errs[i] = failed[k]; errs[i] == nil {
			found[i] = model.NewConnection(rows[k], w)
		}
	}
	return found, errs
}

// related returns one record for each object, given by its ref. If fields covers the selection,
// stub makes the record from the ref alone; it returns nil if it cannot. Other records are loaded
// in one batch. The record of a ref with an empty ID is nil.
func related[O, T any](ctx context.Context, objs []*O, records *loader.Records[T], ref func(*O) upstream.Ref, fields fieldSet, stub func(upstream.Ref) *T) ([]*T, error) {
	if stub == nil || !fields.covers(ctx) {
		return loadMissing(objs, records, ref, func(*O) *T { return nil })
	}
	return loadMissing(objs, records, ref, func(o *O) *T { return stub(ref(o)) })
}

// loadMissing returns one record for each object: what available returns, or else the loaded
// record. All are loaded in one batch. The record of a ref with an empty ID is nil.
func loadMissing[O, T any](objs []*O, records *loader.Records[T], ref func(*O) upstream.Ref, available func(*O) *T) ([]*T, error) {
	rows, errs := make([]*T, len(objs)), make(graphql.BatchErrorList, len(objs))
	var refs []upstream.Ref
	var at []int
	for i, obj := range objs {
		r := ref(obj)
		if r.ID == "" {
			continue
		}
		if rows[i] = available(obj); rows[i] == nil {
			refs, at = append(refs, r), append(at, i)
		}
	}
	found, failed := records.LoadAll(refs)
	for k, i := range at {
		rows[i], errs[i] = found[k], failed[k]
	}
	return rows, errs
}

func teamsOf[O any](ctx context.Context, objs []*O, id func(*O) string) ([]*upstream.Team, error) {
	l := loader.From(ctx)
	return related(ctx, objs, loader.Teams.Of(l), func(o *O) upstream.Ref {
		return upstream.Ref{Kind: upstream.KindTeam, ID: id(o)}
	}, teamRefFields, func(ref upstream.Ref) *upstream.Team {
		if !l.SeesTeam(ref.ID) {
			return nil // loads it, which fails as if it did not exist
		}
		return upstream.NewRecord[upstream.Team](ref)
	})
}

func workspacesOf[O any](ctx context.Context, objs []*O, id func(*O) string) ([]*upstream.Workspace, error) {
	return related(ctx, objs, loader.Workspaces.From(ctx), func(o *O) upstream.Ref {
		return upstream.Ref{Kind: upstream.KindWorkspace, ID: id(o)}
	}, workspaceRefFields, upstream.NewRecord[upstream.Workspace])
}

// embeddedOrStub returns an embedded record, or else a record that has only its ref.
func embeddedOrStub[T any](embedded *T, ref upstream.Ref) *T {
	if embedded != nil {
		return embedded
	}
	return upstream.NewRecord[T](ref)
}

// embeddedRecord is a record, possibly with only the fields that another record embeds.
type embeddedRecord[T any] interface {
	*T
	Ref() upstream.Ref
}

// embeddedRecords returns one record for each object. If reference covers the selection, that is
// the embedded record or one with only its ref. If fields covers it, that is the embedded record
// if there is one. Other records are loaded in one batch.
func embeddedRecords[O, T any](ctx context.Context, objs []*O, records *loader.Resource[T], embedded func(*O) *T, ref func(*O) upstream.Ref, fields, reference fieldSet) ([]*T, error) {
	always, mostly := reference.covers(ctx), fields.covers(ctx)
	return loadMissing(objs, records.From(ctx), ref, func(o *O) *T {
		switch {
		case always:
			return embeddedOrStub(embedded(o), ref(o))
		case mostly:
			return embedded(o)
		}
		return nil
	})
}

// orderWorkspaces returns the workspaces of orders, which embed them.
func orderWorkspaces(ctx context.Context, objs []*upstream.Order) ([]*upstream.Workspace, error) {
	id := func(o *upstream.Order) string { return o.WorkspaceID() }
	if workspaceRefFields.covers(ctx) {
		return workspacesOf(ctx, objs, id)
	}
	return loadMissing(objs, loader.Workspaces.From(ctx), func(o *upstream.Order) upstream.Ref {
		return upstream.Ref{Kind: upstream.KindWorkspace, ID: id(o)}
	}, func(o *upstream.Order) *upstream.Workspace { return o.Workspace() })
}

// invoiceContacts returns the contacts who pay invoices. The invoices embed their orders, which
// embed the contacts. It loads orders that are not embedded.
func invoiceContacts(ctx context.Context, objs []*upstream.OrderInvoice) ([]*upstream.Contact, error) {
	var missing []upstream.Ref
	for _, invoice := range objs {
		if invoice.Order() == nil && invoice.OrderID() != "" {
			missing = append(missing, invoice.Owner())
		}
	}
	found, failed := loader.Orders.From(ctx).LoadAll(missing)
	orders, errs := make([]*upstream.Order, len(objs)), make(graphql.BatchErrorList, len(objs))
	for i, invoice := range objs {
		switch {
		case invoice.Order() != nil:
			orders[i] = invoice.Order()
		case invoice.OrderID() != "":
			orders[i], errs[i] = found[0], failed[0]
			found, failed = found[1:], failed[1:]
		}
		if orders[i] == nil {
			orders[i] = new(upstream.Order) // without a contact
		}
	}
	contacts, err := embeddedRecords(ctx, orders, loader.Contacts, (*upstream.Order).Contact, (*upstream.Order).ContactRef, embeddedOrderContact, contactRefFields)
	if list, ok := err.(graphql.BatchErrorList); ok { //nolint:errorlint // as loaded returns it
		for i := range errs {
			errs[i] = cmp.Or(errs[i], list[i])
		}
	}
	return contacts, errs
}

// listsOf returns several records for each object, given by their refs. It leaves out records
// that no longer exist. All are loaded in one batch.
func listsOf[O, T any](ctx context.Context, objs []*O, records *loader.Resource[T], refs func(*O) []upstream.Ref) ([][]*T, error) {
	var all []upstream.Ref
	for _, obj := range objs {
		all = append(all, refs(obj)...)
	}
	rows, failed := records.From(ctx).LoadAll(all)
	lists, errs := make([][]*T, len(objs)), make(graphql.BatchErrorList, len(objs))
	for i, obj := range objs {
		lists[i] = []*T{}
		for range refs(obj) {
			switch {
			case failed[0] == nil:
				lists[i] = append(lists[i], rows[0])
			case !errors.Is(failed[0], upstream.NotFound):
				errs[i] = failed[0]
			}
			rows, failed = rows[1:], failed[1:]
		}
		if errs[i] != nil {
			lists[i] = nil
		}
	}
	return lists, errs
}

// connectionsOf returns a connection for each object, whose rows are given by their raw ids. It
// loads the rows of all windows in one batch, and leaves out rows that no longer exist.
func connectionsOf[O, T any](ctx context.Context, objs []*O, records *loader.Resource[T], ids func(*O) (kind upstream.Kind, workspace string, ids []string), first *int, after *string, last *int, before *string) ([]*model.Connection[T], error) {
	w, err := window(first, after, last, before)
	if err != nil {
		return nil, err
	}
	refsOf := func(o *O) (of []upstream.Ref, more bool) {
		kind, workspace, all := ids(o)
		all, more = rowsOf(all, w, func(id string) string { return id })
		return refs(kind, workspace, all), more
	}
	lists, err := listsOf(ctx, objs, records, func(o *O) []upstream.Ref { of, _ := refsOf(o); return of })
	connections := make([]*model.Connection[T], len(objs))
	for i, rows := range lists {
		if rows == nil {
			continue
		}
		_, more := refsOf(objs[i])
		connections[i] = model.NewConnection(upstream.Slice[T]{Rows: rows, More: more}, w)
	}
	return connections, err
}

// rowsOf returns the rows of a list in a window, in the order of the list, and whether more follow in
// the direction of the window's walk.
func rowsOf[E any](all []E, w upstream.Window, id func(E) string) (rows []E, more bool) {
	i := -1
	if w.Cursor != "" {
		i = slices.IndexFunc(all, func(e E) bool { return id(e) == w.Cursor })
	}
	if w.Backward {
		if i >= 0 {
			all = all[:i]
		}
		return all[max(0, len(all)-w.Limit):], len(all) > w.Limit
	}
	all = all[i+1:]
	return all[:min(len(all), w.Limit)], len(all) > w.Limit
}

// refs returns the refs of a workspace's records, given by raw ids. It returns at most maxRows.
func refs(kind upstream.Kind, workspace string, ids []string) []upstream.Ref {
	var all []upstream.Ref
	for _, id := range ids[:min(len(ids), maxRows)] {
		if upstream.IsRawID(id) {
			all = append(all, upstream.Ref{Kind: kind, Parent: workspace, ID: id})
		}
	}
	return all
}

// inWorkspace returns the parent of children that the workspace lists.
func inWorkspace(workspace, id string) loader.Parent {
	return loader.Parent{List: upstream.Ref{Kind: upstream.KindWorkspace, ID: workspace}, ID: id}
}

// listedBelow is the way to records that REST lists for one parent at a time, with a filter for
// their ids.
type listedBelow[O, T any] struct {
	records  *loader.Resource[T]
	children *loader.Children[T]
	// ref returns the ref of an object's record, and list the parent that lists it. The parent's ID
	// is empty if unknown.
	ref, list func(*O) upstream.Ref
	fields    fieldSet // that need only the ref
}

// relatedBelow returns one record for each object. It finds records of one parent in one call per
// page, and records of unknown parents one by one.
func relatedBelow[O, T any](ctx context.Context, objs []*O, to listedBelow[O, T]) ([]*T, error) {
	records := to.records.From(ctx)
	var unknown []loader.Parent
	for _, obj := range objs {
		ref, list := to.ref(obj), to.list(obj)
		if _, cached, _ := records.Cached(ref); !cached && list.ID != "" && upstream.IsRawID(ref.ID) {
			unknown = append(unknown, loader.Parent{List: list, ID: ref.ID})
		}
	}
	if len(unknown) > 0 && !to.fields.covers(ctx) {
		to.children.Of(ctx, unknown, upstream.Query{}, upstream.Window{Limit: 1}, false) // caches them
	}
	return related(ctx, objs, records, to.ref, to.fields, upstream.NewRecord[T])
}

// priceVariants returns the variants of prices, which products list.
func priceVariants(ctx context.Context, objs []*upstream.ProductPrice) ([]*upstream.ProductVariant, error) {
	return relatedBelow(ctx, objs, listedBelow[upstream.ProductPrice, upstream.ProductVariant]{
		loader.ProductVariants, loader.ProductVariantsByID, (*upstream.ProductPrice).Owner, func(price *upstream.ProductPrice) upstream.Ref {
			return upstream.Ref{Kind: upstream.KindProduct, Parent: price.WorkspaceID(), ID: price.ProductID()}
		}, productVariantRefFields,
	})
}

// completionEnrollments returns the enrollments of lesson completions, which courses list.
func completionEnrollments(ctx context.Context, objs []*upstream.CourseLessonCompletion) ([]*upstream.CourseEnrollment, error) {
	return relatedBelow(ctx, objs, listedBelow[upstream.CourseLessonCompletion, upstream.CourseEnrollment]{
		loader.CourseEnrollments, loader.CourseEnrollmentsByID, (*upstream.CourseLessonCompletion).Owner, func(completion *upstream.CourseLessonCompletion) upstream.Ref {
			return upstream.Ref{Kind: upstream.KindCourse, Parent: completion.WorkspaceID(), ID: completion.CourseID()}
		}, courseEnrollmentRefFields,
	})
}

// stagesOf returns the stages of pipelines, which embed them except for the times of creation and
// change. If a time is selected, it lists the stages of each pipeline.
func stagesOf(ctx context.Context, objs []*upstream.SalesPipeline) ([][]*upstream.SalesPipelineStage, error) {
	if slices.ContainsFunc(fullStage, func(field string) bool { return selects(ctx, field) }) {
		var pipelines []upstream.Ref
		for _, pipeline := range objs {
			if len(pipeline.Stages()) > 0 {
				pipelines = append(pipelines, pipeline.Ref())
			}
		}
		loader.SalesPipelineStageList.From(ctx).Preload(pipelines)
		return listsOf(ctx, objs, loader.SalesPipelineStages, func(p *upstream.SalesPipeline) []upstream.Ref {
			all := make([]upstream.Ref, len(p.Stages()))
			for i, stage := range p.Stages() {
				all[i] = stage.Ref()
			}
			return all
		})
	}
	all := make([][]*upstream.SalesPipelineStage, len(objs))
	for i, pipeline := range objs {
		all[i] = pipeline.Stages()
	}
	return all, nil
}

// tagsOf returns the tags that objects embed. If a field is selected that only the full record
// has, it loads the full tags in one batch.
func tagsOf[O any](ctx context.Context, objs []*O, embedded func(*O) *upstream.ContactTag) ([]*upstream.ContactTag, error) {
	tags := make([]*upstream.ContactTag, len(objs))
	for i, obj := range objs {
		tags[i] = embedded(obj)
	}
	if embeddedTag.covers(ctx) {
		return tags, nil
	}
	full, err := related(ctx, tags, loader.ContactTags.From(ctx), (*upstream.ContactTag).Ref, fieldSet{}, nil)
	for i, tag := range tags {
		if tag.RawID() == "" { // no id to load it by
			full[i] = tag
		}
	}
	return full, err
}

// tagListsOf returns the tags of each contact.
func tagListsOf(ctx context.Context, objs []*upstream.Contact) ([][]*upstream.ContactTag, error) {
	var all []*upstream.ContactTag
	for _, contact := range objs {
		all = append(all, contact.Tags()...)
	}
	tags, err := tagsOf(ctx, all, func(t *upstream.ContactTag) *upstream.ContactTag { return t })
	failed, _ := err.(graphql.BatchErrorList) //nolint:errorlint // made just now, by related
	lists, errs := make([][]*upstream.ContactTag, len(objs)), make(graphql.BatchErrorList, len(objs))
	for i, contact := range objs {
		n := len(contact.Tags())
		if contact.Tags() != nil {
			lists[i], tags = tags[:n:n], tags[n:]
		}
		for k := range min(n, len(failed)) {
			if failed[k] != nil {
				lists[i], errs[i] = nil, failed[k]
			}
		}
		failed = failed[min(n, len(failed)):]
	}
	return lists, errs
}
