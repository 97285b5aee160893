package graph

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// together has a relation be loaded at once for all rows that are known: those of the
// connection that the objects are rows of, and of the connections that came with it.
// gqlgen hands over those of one list where they are asked for by nodes, and each by
// itself by edges; the first to ask then does it for all, so that no call depends on
// which of them is quicker. load returns what belongs to each object in their order, and a
// [graphql.BatchErrorList] or nil.
func together[O, T any](ctx context.Context, objs []*O, load func([]*O) ([]T, error)) ([]T, error) {
	field := graphql.GetFieldContext(ctx)
	if connection := rowsOf[O](field); connection != nil {
		all, of := connection.All()
		return shared(ctx, field, objs, all, of, load)
	}
	return load(objs)
}

// ofParts is [together] for objects that are parts of the rows of a connection; parts
// returns those of a row.
func ofParts[P, O, T any](ctx context.Context, objs []*O, parts func(*P) []*O, load func([]*O) ([]T, error)) ([]T, error) {
	field := graphql.GetFieldContext(ctx)
	if part := field.Parent; part != nil && part.Index != nil && part.Parent != nil {
		if connection := rowsOf[P](part.Parent); connection != nil {
			rows, of := connection.All()
			var all []*O
			for _, row := range rows {
				all = append(all, parts(row)...)
			}
			return shared(ctx, field, objs, all, of, load)
		}
	}
	return load(objs)
}

// shared loads for all objects, once for a field of what stands for them, and returns
// what belongs to objs.
func shared[O, T any](ctx context.Context, field *graphql.FieldContext, objs, all []*O, of any, load func([]*O) ([]T, error)) ([]T, error) {
	if len(objs) == len(all) {
		return load(objs) // there are no others, or it is load that asks
	}
	type loaded struct {
		rows []T
		errs graphql.BatchErrorList
		at   map[*O]int
		err  error
	}
	type key struct {
		of   any
		path string
		op   *graphql.OperationContext // another one for each part, which asks for other fields
	}
	known := loader.From(ctx).Memo(key{of, position(field), graphql.GetOperationContext(ctx)}, func() any {
		rows, err := load(all)
		found := loaded{rows: rows, err: err, at: make(map[*O]int, len(all))}
		if errs, ok := err.(graphql.BatchErrorList); ok { //nolint:errorlint // as load returns it
			found.errs, found.err = errs, nil
		}
		for i, obj := range all {
			found.at[obj] = i
		}
		return found
	}).(loaded)
	if known.err != nil {
		return nil, known.err
	}
	rows, errs := make([]T, len(objs)), make(graphql.BatchErrorList, len(objs))
	for k, obj := range objs {
		i, ok := known.at[obj]
		if !ok {
			return load(objs)
		}
		rows[k] = known.rows[i]
		if known.errs != nil {
			errs[k] = known.errs[i]
		}
	}
	return rows, errs
}

// position returns where a field stands in the answer, whichever rows it is below.
func position(field *graphql.FieldContext) string {
	var path strings.Builder
	for ; field != nil; field = field.Parent {
		if field.Index == nil && field.Field.Field != nil {
			path.WriteString(field.Field.Alias)
			path.WriteByte('.')
		}
	}
	return path.String()
}

// rowsOf returns the connection of which the field's object is a row, by nodes or by
// edges; nil if it is none.
func rowsOf[O any](field *graphql.FieldContext) *model.Connection[O] {
	list := field.Parent
	if list != nil && list.Index == nil && list.Field.Field != nil && list.Field.Name == "node" {
		list = list.Parent
	}
	if list == nil || list.Index == nil || list.Parent == nil || list.Parent.Field.Field == nil || list.Parent.Parent == nil {
		return nil
	}
	if name := list.Parent.Field.Name; name != "nodes" && name != "edges" {
		return nil
	}
	connection, _ := list.Parent.Parent.Result.(*model.Connection[O])
	return connection
}

// childrenOf returns a connection for each object of a list: the window of what belongs
// to it, which of says.
func childrenOf[O, T any](ctx context.Context, objs []*O, children *loader.Children[T], of func(*O) loader.Parent, q upstream.Query, first *int, after *string, last *int, before *string) ([]*model.Connection[T], error) {
	w, err := window(first, after, last, before)
	if err != nil {
		return nil, err
	}
	exact, nothing := asksFor(ctx, "pageInfo"), onlyTypename(ctx)
	return together(ctx, objs, func(objs []*O) ([]*model.Connection[T], error) {
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
		model.Together(found)
		return found, errs
	})
}

// related returns one record for each object of a list, given by its ref. Where only
// light fields are asked for, stub makes it of the ref alone, or returns nil if it cannot;
// else it is loaded, all of them together. An empty id is no record.
func related[O, T any](ctx context.Context, objs []*O, records *loader.Records[T], ref func(*O) upstream.Ref, fields light, stub func(upstream.Ref) *T) ([]*T, error) {
	if stub == nil || !fields.suffices(ctx) {
		return loaded(ctx, objs, records, ref, func(*O) *T { return nil })
	}
	return loaded(ctx, objs, records, ref, func(o *O) *T { return stub(ref(o)) })
}

// loaded returns one record for each object of a list: what known has of it, if that is
// enough, or else the record, all of these together. An empty id is no record.
func loaded[O, T any](ctx context.Context, objs []*O, records *loader.Records[T], ref func(*O) upstream.Ref, known func(*O) *T) ([]*T, error) {
	return together(ctx, objs, func(objs []*O) ([]*T, error) {
		rows, errs := make([]*T, len(objs)), make(graphql.BatchErrorList, len(objs))
		var refs []upstream.Ref
		var at []int
		for i, obj := range objs {
			r := ref(obj)
			if r.ID == "" {
				continue
			}
			if rows[i] = known(obj); rows[i] == nil {
				refs, at = append(refs, r), append(at, i)
			}
		}
		found, failed := records.LoadAll(refs)
		for k, i := range at {
			rows[i], errs[i] = found[k], failed[k]
		}
		return rows, errs
	})
}

func teamsOf[O any](ctx context.Context, objs []*O, id func(*O) string) ([]*upstream.Team, error) {
	l := loader.From(ctx)
	return related(ctx, objs, loader.Teams.Of(l), func(o *O) upstream.Ref {
		return upstream.Ref{Kind: upstream.KindTeam, ID: id(o)}
	}, lightTeam, func(ref upstream.Ref) *upstream.Team {
		if !l.SeesTeam(ref.ID) {
			return nil // as if it did not exist
		}
		return upstream.NewRecord[upstream.Team](ref)
	})
}

func workspacesOf[O any](ctx context.Context, objs []*O, id func(*O) string) ([]*upstream.Workspace, error) {
	return related(ctx, objs, loader.Workspaces.From(ctx), func(o *O) upstream.Ref {
		return upstream.Ref{Kind: upstream.KindWorkspace, ID: id(o)}
	}, lightWorkspace, upstream.NewRecord[upstream.Workspace])
}

// contactsOf returns the contacts that objects belong to, given by the raw ids of a
// workspace and of a contact of it.
func contactsOf[O any](ctx context.Context, objs []*O, ids func(*O) (workspace, id string)) ([]*upstream.Contact, error) {
	return related(ctx, objs, loader.Contacts.From(ctx), func(o *O) upstream.Ref {
		workspace, id := ids(o)
		return upstream.Ref{Kind: upstream.KindContact, Parent: workspace, ID: id}
	}, lightContact, upstream.NewRecord[upstream.Contact])
}

// told returns a record as far as another one tells of it: what that embeds, or else its
// address alone.
func told[T any](embedded *T, ref upstream.Ref) *T {
	if embedded != nil {
		return embedded
	}
	return upstream.NewRecord[T](ref)
}

// part is a record as far as another one carries it.
type part[T any] interface {
	*T
	Ref() upstream.Ref
}

// carried returns one record for each object, of which the object carries a part, given
// by of; nil is no record. Where only fields of that part are asked for, it is the record:
// those of embedded where whole says that they came, and those of reference anyway.
func carried[O, T any, P part[T]](ctx context.Context, objs []*O, records *loader.Resource[T], of func(*O) P, whole func(*O) bool, embedded, reference light) ([]*T, error) {
	always, mostly := reference.suffices(ctx), embedded.suffices(ctx)
	return loaded(ctx, objs, records.From(ctx), func(o *O) upstream.Ref {
		if p := of(o); p != nil {
			return p.Ref()
		}
		return upstream.Ref{}
	}, func(o *O) *T {
		if always || mostly && whole(o) {
			return of(o)
		}
		return nil
	})
}

// referred is [carried] for objects that carry no more than a reference.
func referred[O, T any, P part[T]](ctx context.Context, objs []*O, records *loader.Resource[T], of func(*O) P, reference light) ([]*T, error) {
	return carried(ctx, objs, records, of, func(*O) bool { return true }, reference, reference)
}

// carriedContacts returns the contacts that come with objects, but for what has to be
// asked for. ids returns the raw ids of the workspace and of the contact.
func carriedContacts[O any](ctx context.Context, objs []*O, of func(*O) *upstream.Contact, ids func(*O) (workspace, id string)) ([]*upstream.Contact, error) {
	ref := func(o *O) upstream.Ref {
		workspace, id := ids(o)
		return upstream.Ref{Kind: upstream.KindContact, Parent: workspace, ID: id}
	}
	reached, only := asksFor(ctx, "emailEngagement"), lightContact.suffices(ctx)
	return loaded(ctx, objs, loader.Contacts.From(ctx), ref, func(o *O) *upstream.Contact {
		switch {
		case only:
			return upstream.NewRecord[upstream.Contact](ref(o))
		case reached:
			return nil
		}
		return of(o)
	})
}

// shortContacts returns the contacts that objects embed with their most used fields. A scoped
// client gets an embedded contact only if the contact names its workspace.
func shortContacts[O any](ctx context.Context, objs []*O, of func(*O) *upstream.Contact, ids func(*O) (workspace, id string)) ([]*upstream.Contact, error) {
	if !embeddedContact.suffices(ctx) || lightContact.suffices(ctx) {
		return contactsOf(ctx, objs, ids)
	}
	return loaded(ctx, objs, loader.Contacts.From(ctx), func(o *O) upstream.Ref {
		workspace, id := ids(o)
		return upstream.Ref{Kind: upstream.KindContact, Parent: workspace, ID: id}
	}, of)
}

// orderWorkspaces returns where was ordered: the workspaces come with the orders.
func orderWorkspaces(ctx context.Context, objs []*upstream.Order) ([]*upstream.Workspace, error) {
	id := func(o *upstream.Order) string { return o.WorkspaceID() }
	if lightWorkspace.suffices(ctx) {
		return workspacesOf(ctx, objs, id)
	}
	return loaded(ctx, objs, loader.Workspaces.From(ctx), func(o *upstream.Order) upstream.Ref {
		return upstream.Ref{Kind: upstream.KindWorkspace, ID: id(o)}
	}, func(o *upstream.Order) *upstream.Workspace { return o.Workspace() })
}

// orderContacts returns who has ordered: the contacts come with the orders.
func orderContacts(ctx context.Context, objs []*upstream.Order) ([]*upstream.Contact, error) {
	return carriedContacts(ctx, objs, func(o *upstream.Order) *upstream.Contact { return o.Contact() },
		func(o *upstream.Order) (workspace, id string) { return o.WorkspaceID(), o.ContactID() })
}

// invoiceContacts returns who pays invoices: the contacts come with the invoices' orders.
// An order that has not come is loaded for it.
func invoiceContacts(ctx context.Context, objs []*upstream.OrderInvoice) ([]*upstream.Contact, error) {
	return together(ctx, objs, func(objs []*upstream.OrderInvoice) ([]*upstream.Contact, error) {
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
		contacts, err := orderContacts(ctx, orders)
		if list, ok := err.(graphql.BatchErrorList); ok { //nolint:errorlint // as loaded returns it
			for i := range errs {
				errs[i] = cmp.Or(errs[i], list[i])
			}
		}
		return contacts, errs
	})
}

// listsOf returns several records for each object, given by their refs. One that is not
// there any more is left out.
func listsOf[O, T any](ctx context.Context, objs []*O, records *loader.Resource[T], refs func(*O) []upstream.Ref) ([][]*T, error) {
	return together(ctx, objs, func(objs []*O) ([][]*T, error) {
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
	})
}

// slicesOf returns a connection for each object, whose rows are given by their raw ids: the
// window of them is loaded, all together. One that is not there any more is left out.
func slicesOf[O, T any](ctx context.Context, objs []*O, records *loader.Resource[T], ids func(*O) (kind upstream.Kind, workspace string, ids []string), first *int, after *string, last *int, before *string) ([]*model.Connection[T], error) {
	w, err := window(first, after, last, before)
	if err != nil {
		return nil, err
	}
	part := func(o *O) (of []upstream.Ref, more bool) {
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
	lists, err := listsOf(ctx, objs, records, func(o *O) []upstream.Ref { of, _ := part(o); return of })
	connections := make([]*model.Connection[T], len(objs))
	for i, rows := range lists {
		if rows == nil {
			continue
		}
		if w.Backward {
			rows = slices.Clone(rows) // others may have it, too
			slices.Reverse(rows)
		}
		_, more := part(objs[i])
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

// itemProducts returns the products of positions of orders.
func itemProducts(ctx context.Context, objs []*upstream.OrderLineItem) ([]*upstream.Product, error) {
	return ofParts(ctx, objs, func(o *upstream.Order) []*upstream.OrderLineItem { return o.LineItems() }, func(objs []*upstream.OrderLineItem) ([]*upstream.Product, error) {
		return referred(ctx, objs, loader.Products, func(i *upstream.OrderLineItem) *upstream.Product { return told(i.Product(), i.ProductRef()) }, lightProduct)
	})
}

// priceVariants returns the variants of prices. Those of one product are found together
// where the product is known, which the prices themselves do not say.
func priceVariants(ctx context.Context, objs []*upstream.ProductPrice) ([]*upstream.ProductVariant, error) {
	return together(ctx, objs, func(objs []*upstream.ProductPrice) ([]*upstream.ProductVariant, error) {
		variants := loader.ProductVariants.From(ctx)
		var unknown []loader.Parent
		for _, price := range objs {
			if _, known, _ := variants.Known(price.Owner()); !known && price.ProductID() != "" && upstream.IsRawID(price.VariantID()) {
				product := upstream.Ref{Kind: upstream.KindProduct, Parent: price.WorkspaceID(), ID: price.ProductID()}
				unknown = append(unknown, loader.Parent{List: product, ID: price.VariantID()})
			}
		}
		if len(unknown) > 0 && !lightVariant.suffices(ctx) {
			loader.ProductVariantsByID.Of(ctx, unknown, upstream.Query{}, upstream.Window{Limit: 1}, false) // which makes them known
		}
		return related(ctx, objs, variants, (*upstream.ProductPrice).Owner, lightVariant, upstream.NewRecord[upstream.ProductVariant])
	})
}

// stageOpportunities returns the opportunities of stages.
func stageOpportunities(ctx context.Context, objs []*upstream.SalesPipelineStage, q upstream.Query, first *int, after *string, last *int, before *string) ([]*model.Connection[upstream.SalesOpportunity], error) {
	return ofParts(ctx, objs, func(p *upstream.SalesPipeline) []*upstream.SalesPipelineStage { return p.Stages() }, func(objs []*upstream.SalesPipelineStage) ([]*model.Connection[upstream.SalesOpportunity], error) {
		return childrenOf(ctx, objs, loader.StageOpportunities, func(s *upstream.SalesPipelineStage) loader.Parent { return inWorkspace(s.WorkspaceID(), s.RawID()) }, q, first, after, last, before)
	})
}

// stagesOf returns the stages of pipelines: they come with them, but for when they were
// made and changed, for which each pipeline's are listed.
func stagesOf(ctx context.Context, objs []*upstream.SalesPipeline) ([][]*upstream.SalesPipelineStage, error) {
	if slices.ContainsFunc(fullStage, func(field string) bool { return asksFor(ctx, field) }) {
		return together(ctx, objs, func(objs []*upstream.SalesPipeline) ([][]*upstream.SalesPipelineStage, error) {
			var pipelines []upstream.Ref
			for _, pipeline := range objs {
				if len(pipeline.Stages()) > 0 {
					pipelines = append(pipelines, pipeline.Ref())
				}
			}
			loader.SalesPipelineStageList.From(ctx).Read(pipelines)
			return listsOf(ctx, objs, loader.SalesPipelineStages, func(p *upstream.SalesPipeline) []upstream.Ref {
				all := make([]upstream.Ref, len(p.Stages()))
				for i, stage := range p.Stages() {
					all[i] = stage.Ref()
				}
				return all
			})
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
	if embeddedTag.suffices(ctx) {
		return tags, nil
	}
	full, err := related(ctx, tags, loader.ContactTags.From(ctx), (*upstream.ContactTag).Ref, light{}, nil)
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
