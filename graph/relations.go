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

// childrenOf returns a connection for each object of a list: the window of what belongs
// to it, which of says.
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

// related returns one record for each object of a list, given by its ref. Where only
// light fields are asked for, stub makes it of the ref alone, or returns nil if it cannot;
// else it is loaded, all of them together. An empty id is no record.
func related[O, T any](ctx context.Context, objs []*O, records *loader.Records[T], ref func(*O) upstream.Ref, fields fieldSet, stub func(upstream.Ref) *T) ([]*T, error) {
	if stub == nil || !fields.covers(ctx) {
		return loadMissing(objs, records, ref, func(*O) *T { return nil })
	}
	return loadMissing(objs, records, ref, func(o *O) *T { return stub(ref(o)) })
}

// loaded returns one record for each object of a list: what known has of it, if that is
// enough, or else the record, all of these together. An empty id is no record.
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
			return nil // as if it did not exist
		}
		return upstream.NewRecord[upstream.Team](ref)
	})
}

func workspacesOf[O any](ctx context.Context, objs []*O, id func(*O) string) ([]*upstream.Workspace, error) {
	return related(ctx, objs, loader.Workspaces.From(ctx), func(o *O) upstream.Ref {
		return upstream.Ref{Kind: upstream.KindWorkspace, ID: id(o)}
	}, workspaceRefFields, upstream.NewRecord[upstream.Workspace])
}

// told returns the record that another one embeds, or else a record with its address
// alone.
func embeddedOrStub[T any](embedded *T, ref upstream.Ref) *T {
	if embedded != nil {
		return embedded
	}
	return upstream.NewRecord[T](ref)
}

// part is a record as far as another one carries it.
type embeddedRecord[T any] interface {
	*T
	Ref() upstream.Ref
}

// carried returns one record for each object, which may embed some of the record's fields:
// what it embeds if only these fields are asked for, the address alone if only fields of
// reference are, or else the record, all of them together.
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

// orderWorkspaces returns where was ordered: the workspaces come with the orders.
func orderWorkspaces(ctx context.Context, objs []*upstream.Order) ([]*upstream.Workspace, error) {
	id := func(o *upstream.Order) string { return o.WorkspaceID() }
	if workspaceRefFields.covers(ctx) {
		return workspacesOf(ctx, objs, id)
	}
	return loadMissing(objs, loader.Workspaces.From(ctx), func(o *upstream.Order) upstream.Ref {
		return upstream.Ref{Kind: upstream.KindWorkspace, ID: id(o)}
	}, func(o *upstream.Order) *upstream.Workspace { return o.Workspace() })
}

// invoiceContacts returns who pays invoices: the contacts come with the invoices' orders.
// An order that has not come is loaded for it.
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
			orders[i] = new(upstream.Order) // of nobody
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

// listsOf returns several records for each object, given by their refs. One that is not
// there any more is left out.
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

// slicesOf returns a connection for each object, whose rows are given by their raw ids: the
// window of them is loaded, all together. One that is not there any more is left out.
func connectionsOf[O, T any](ctx context.Context, objs []*O, records *loader.Resource[T], ids func(*O) (kind upstream.Kind, workspace string, ids []string), first *int, after *string, last *int, before *string) ([]*model.Connection[T], error) {
	w, err := window(first, after, last, before)
	if err != nil {
		return nil, err
	}
	windowOf := func(o *O) (of []upstream.Ref, more bool) {
		kind, workspace, all := ids(o)
		if w.Backward {
			all = slices.Clone(all)
			slices.Reverse(all)
		}
		if i := slices.Index(all, w.Cursor); w.Cursor != "" && i >= 0 {
			all = all[i+1:]
		}
		return refs(kind, workspace, all[:min(len(all), w.Limit)]), len(all) > w.Limit
	}
	lists, err := listsOf(ctx, objs, records, func(o *O) []upstream.Ref { of, _ := windowOf(o); return of })
	connections := make([]*model.Connection[T], len(objs))
	for i, rows := range lists {
		if rows == nil {
			continue
		}
		if w.Backward {
			rows = slices.Clone(rows) // others may have it, too
			slices.Reverse(rows)
		}
		_, more := windowOf(objs[i])
		connections[i] = model.NewConnection(upstream.Slice[T]{Rows: rows, More: more}, w)
	}
	return connections, err
}

// refs returns the addresses of records of a workspace, given by their raw ids: at most a
// hundred.
func refs(kind upstream.Kind, workspace string, ids []string) []upstream.Ref {
	var all []upstream.Ref
	for _, id := range ids[:min(len(ids), maxRows)] {
		if upstream.IsRawID(id) {
			all = append(all, upstream.Ref{Kind: kind, Parent: workspace, ID: id})
		}
	}
	return all
}

// inWorkspace returns a parent whose children its workspace lists.
func inWorkspace(workspace, id string) loader.Parent {
	return loader.Parent{List: upstream.Ref{Kind: upstream.KindWorkspace, ID: workspace}, ID: id}
}

// priceVariants returns the variants of prices. Those of one product are found together
// where the product is known, which the prices themselves do not say.
func priceVariants(ctx context.Context, objs []*upstream.ProductPrice) ([]*upstream.ProductVariant, error) {
	variants := loader.ProductVariants.From(ctx)
	var unknown []loader.Parent
	for _, price := range objs {
		if _, cached, _ := variants.Cached(price.Owner()); !cached && price.ProductID() != "" && upstream.IsRawID(price.VariantID()) {
			product := upstream.Ref{Kind: upstream.KindProduct, Parent: price.WorkspaceID(), ID: price.ProductID()}
			unknown = append(unknown, loader.Parent{List: product, ID: price.VariantID()})
		}
	}
	if len(unknown) > 0 && !productVariantRefFields.covers(ctx) {
		loader.ProductVariantsByID.Of(ctx, unknown, upstream.Query{}, upstream.Window{Limit: 1}, false) // which makes them known
	}
	return related(ctx, objs, variants, (*upstream.ProductPrice).Owner, productVariantRefFields, upstream.NewRecord[upstream.ProductVariant])
}

// stagesOf returns the stages of pipelines: they come with them, but for when they were
// made and changed, for which each pipeline's are listed.
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

// tagsOf returns the tags that objects embed: as embedded, or in full where a
// field is asked for that only the full record has.
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
		if tag.RawID() == "" { // nothing to find it by
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
