package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

const (
	defaultRows = 20
	maxRows     = 100
)

func badInput(format string, args ...any) error {
	return upstream.NewError(upstream.BadUserInput, fmt.Sprintf(format, args...))
}

// window reads the arguments that every list takes.
func window(first *int, after *string, last *int, before *string) (upstream.Window, error) {
	w := upstream.Window{Limit: defaultRows}
	switch {
	case first != nil && last != nil:
		return w, badInput("Give first or last, not both.")
	case after != nil && before != nil:
		return w, badInput("Give after or before, not both.")
	case after != nil && last != nil:
		return w, badInput("after goes with first; before goes with last.")
	case before != nil && first != nil:
		return w, badInput("before goes with last; after goes with first.")
	}
	w.Backward = last != nil || before != nil
	for name, n := range map[string]*int{"first": first, "last": last} {
		if n == nil {
			continue
		}
		if *n < 1 || *n > maxRows {
			return w, badInput("%s is %d; it can be 1 to %d.", name, *n, maxRows)
		}
		w.Limit = *n
	}
	for name, cursor := range map[string]*string{"after": after, "before": before} {
		if cursor == nil {
			continue
		}
		if _, err := strconv.ParseUint(*cursor, 10, 64); err != nil {
			return w, badInput("%s is not a cursor of this list: give the cursor of an edge, or an endCursor or startCursor.", name)
		}
		w.Cursor = *cursor
	}
	return w, nil
}

// connect loads the part of a list that the arguments of the current field name.
// The parent of a list that has none is the zero Ref.
func connect[T any](ctx context.Context, list *loader.List[T], parent upstream.Ref, q upstream.Query, first *int, after *string, last *int, before *string) (*model.Connection[T], error) {
	w, err := window(first, after, last, before)
	if err != nil {
		return nil, err
	}
	if q.Filter == nothing || onlyTypename(ctx) {
		return model.NewConnection(upstream.Slice[T]{}, w), nil
	}
	s, err := list.From(ctx).Load(parent, q, w)
	if err != nil {
		return nil, err
	}
	return model.NewConnection(s, w), nil
}

// nothing is the filter that no record matches. It is never sent.
const nothing upstream.Filter = "\x00"

// maxFilterValues keeps a filter's URL far below the 8 KB that servers commonly
// accept; ClickFunnels does not say (API.md §9, 4).
const maxFilterValues = 100

// in narrows a filter to rows whose key is one of the values; nil values leave
// it as it is, and none at all match nothing.
func in(f upstream.Filter, key, argument string, values []string) (upstream.Filter, error) {
	switch {
	case f == nothing || values == nil:
		return f, nil
	case len(values) == 0:
		return nothing, nil
	case len(values) > maxFilterValues:
		return "", badInput("%s has %d values; it can have %d.", argument, len(values), maxFilterValues)
	}
	slices.Sort(values)
	return f.With(key, slices.Compact(values)...)
}

// criteria are what a list below a workspace is asked for, read argument by argument.
// What is wrong with one is kept, and the others are passed over.
type criteria struct {
	ctx       context.Context //nolint:containedctx // a resolver's, for the time of one call
	workspace string          // its id
	query     upstream.Query
	err       error
}

// sorted returns criteria for a list of a workspace, given by its id, that say in which
// order rows come; sort may be nil.
func sorted(ctx context.Context, workspace string, sort *model.Sort) *criteria {
	c := &criteria{ctx: ctx, workspace: workspace}
	if sort != nil {
		c.query.Descending = sort.Direction == model.SortDirectionDesc
		if sort.Property != model.SortPropertyID {
			c.query.SortProperty = strings.ToLower(string(sort.Property))
		}
	}
	return c
}

// placed is [sorted] for rows that have a place of their own.
func placed(ctx context.Context, workspace string, sort *model.PlacedSort) *criteria {
	if sort == nil {
		return sorted(ctx, workspace, nil)
	}
	return sorted(ctx, workspace, &model.Sort{Property: model.SortProperty(sort.Property), Direction: sort.Direction})
}

// values narrows the list to rows whose key is one of the argument's values.
func (c *criteria) values(key, argument string, values graphql.Omittable[[]string]) {
	if c.err == nil {
		c.query.Filter, c.err = in(c.query.Filter, key, argument, slices.Clone(values.Value()))
	}
}

// truth narrows the list to rows whose key is the argument's value.
func (c *criteria) truth(key, argument string, value graphql.Omittable[*bool]) {
	if v := value.Value(); v != nil && c.err == nil {
		c.query.Filter, c.err = in(c.query.Filter, key, argument, []string{strconv.FormatBool(*v)})
	}
}

// ids narrows the list to rows whose key is the id of one of the records that the
// argument names, in any form.
func ids[T any, P keyed[T]](c *criteria, key, argument string, records *loader.Resource[T], kind upstream.Kind, values graphql.Omittable[[]string]) {
	if c.err == nil {
		c.query.Filter, c.err = inIDs[T, P](c.query.Filter, key, argument, records.From(c.ctx), kind, c.workspace, values.Value())
	}
}

// contactQuery reads what contacts of a workspace are asked for.
func contactQuery(ctx context.Context, workspace string, filter *model.ContactFilter, sort *model.Sort) (upstream.Query, error) {
	c := sorted(ctx, workspace, sort)
	if filter != nil {
		ids(c, "id", "ids", loader.Contacts, upstream.KindContact, filter.Ids)
		c.values("email_address", "emailAddresses", filter.EmailAddresses)
		ids(c, "tag_ids", "tagIds", loader.ContactTags, upstream.KindContactTag, filter.TagIds)
		c.truth("is_active", "isActive", filter.IsActive)
	}
	return c.query, c.err
}

// contactTagQuery reads what contact tags of a workspace are asked for.
func contactTagQuery(ctx context.Context, workspace string, filter *model.ContactTagFilter) (upstream.Query, error) {
	c := sorted(ctx, workspace, nil)
	if filter != nil {
		ids(c, "id", "ids", loader.ContactTags, upstream.KindContactTag, filter.Ids)
		c.values("name", "names", filter.Names)
	}
	return c.query, c.err
}

// funnelQuery reads what funnels of a workspace are asked for.
func funnelQuery(ctx context.Context, workspace string, filter *model.FunnelFilter, sort *model.Sort) (upstream.Query, error) {
	c := sorted(ctx, workspace, sort)
	if filter != nil {
		ids(c, "id", "ids", loader.Funnels, upstream.KindFunnel, filter.Ids)
	}
	return c.query, c.err
}

// pageQuery reads what pages of a workspace are asked for.
func pageQuery(ctx context.Context, workspace string, filter *model.PageFilter, sort *model.Sort) (upstream.Query, error) {
	c := sorted(ctx, workspace, sort)
	if filter != nil {
		ids(c, "id", "ids", loader.Pages, upstream.KindPage, filter.Ids)
		ids(c, "funnel_ids", "funnelIds", loader.Funnels, upstream.KindFunnel, filter.FunnelIds)
		c.values("theme_id", "themeIds", filter.ThemeIds)
		c.truth("funnel_pages", "funnelPages", filter.FunnelPages)
	}
	return c.query, c.err
}

// formSubmissionQuery reads what form submissions of a workspace are asked for.
func formSubmissionQuery(ctx context.Context, workspace string, filter *model.FormSubmissionFilter, sort *model.Sort) (upstream.Query, error) {
	c := sorted(ctx, workspace, sort)
	if filter != nil {
		ids(c, "id", "ids", loader.FormSubmissions, upstream.KindFormSubmission, filter.Ids)
		ids(c, "contact_id", "contactIds", loader.Contacts, upstream.KindContact, filter.ContactIds)
		ids(c, "page_id", "pageIds", loader.Pages, upstream.KindPage, filter.PageIds)
	}
	return c.query, c.err
}

// orderQuery reads what orders of a workspace are asked for.
func orderQuery(ctx context.Context, workspace string, filter *model.OrderFilter, sort *model.Sort) (upstream.Query, error) {
	c := sorted(ctx, workspace, sort)
	if filter != nil {
		ids(c, "id", "ids", loader.Orders, upstream.KindOrder, filter.Ids)
		ids(c, "contact_id", "contactIds", loader.Contacts, upstream.KindContact, filter.ContactIds)
		c.values("order_type", "orderTypes", filter.OrderTypes)
		c.truth("live_mode", "liveMode", filter.LiveMode)
	}
	return c.query, c.err
}

// productQuery reads what products of a workspace are asked for.
func productQuery(ctx context.Context, workspace string, filter *model.ProductFilter, sort *model.Sort) (upstream.Query, error) {
	c := sorted(ctx, workspace, sort)
	if filter != nil {
		ids(c, "id", "ids", loader.Products, upstream.KindProduct, filter.Ids)
		c.truth("visible_in_store", "visibleInStore", filter.VisibleInStore)
		c.truth("visible_in_customer_center", "visibleInCustomerCenter", filter.VisibleInCustomerCenter)
		c.truth("archived", "archived", filter.Archived)
	}
	return c.query, c.err
}

// productVariantQuery reads what variants of a product are asked for.
func productVariantQuery(ctx context.Context, workspace string, filter *model.ProductVariantFilter, sort *model.Sort) (upstream.Query, error) {
	c := sorted(ctx, workspace, sort)
	if filter != nil {
		ids(c, "id", "ids", loader.ProductVariants, upstream.KindProductVariant, filter.Ids)
		c.truth("visible", "visible", filter.Visible)
		c.truth("archived", "archived", filter.Archived)
		c.truth("fulfillment_required", "fulfillmentRequired", filter.FulfillmentRequired)
	}
	return c.query, c.err
}

// productPriceQuery reads what prices of a product are asked for.
func productPriceQuery(ctx context.Context, workspace string, filter *model.ProductPriceFilter, sort *model.Sort) (upstream.Query, error) {
	c := sorted(ctx, workspace, sort)
	if filter != nil {
		ids(c, "id", "ids", loader.ProductPrices, upstream.KindProductPrice, filter.Ids)
		ids(c, "variant_id", "variantIds", loader.ProductVariants, upstream.KindProductVariant, filter.VariantIds)
		c.truth("visible", "visible", filter.Visible)
		c.truth("archived", "archived", filter.Archived)
	}
	return c.query, c.err
}

// productCollectionQuery reads what collections of products are asked for.
func productCollectionQuery(ctx context.Context, workspace string, filter *model.ProductCollectionFilter, sort *model.Sort) (upstream.Query, error) {
	c := sorted(ctx, workspace, sort)
	if filter != nil {
		ids(c, "id", "ids", loader.ProductCollections, upstream.KindProductCollection, filter.Ids)
		c.truth("visible_in_store", "visibleInStore", filter.VisibleInStore)
		c.truth("archived", "archived", filter.Archived)
	}
	return c.query, c.err
}

// productTagQuery reads what labels of products are asked for.
func productTagQuery(ctx context.Context, workspace string, filter *model.ProductTagFilter, sort *model.Sort) (upstream.Query, error) {
	c := sorted(ctx, workspace, sort)
	if filter != nil {
		ids(c, "id", "ids", loader.ProductTags, upstream.KindProductTag, filter.Ids)
	}
	return c.query, c.err
}

// orderInvoiceQuery reads what invoices of an order or of a workspace are asked for.
func orderInvoiceQuery(ctx context.Context, workspace string, filter *model.OrderInvoiceFilter, sort *model.Sort) (upstream.Query, error) {
	c := sorted(ctx, workspace, sort)
	if filter != nil {
		ids(c, "id", "ids", loader.OrderInvoices, upstream.KindOrderInvoice, filter.Ids)
		c.values("status", "statuses", filter.Statuses)
		c.values("invoice_type", "invoiceTypes", filter.InvoiceTypes)
		c.values("invoice_number", "invoiceNumbers", filter.InvoiceNumbers)
		c.values("external_id", "externalIds", filter.ExternalIds)
	}
	return c.query, c.err
}

// courseEnrollmentQuery reads what enrolments of a course are asked for.
func courseEnrollmentQuery(ctx context.Context, workspace string, filter *model.CourseEnrollmentFilter, sort *model.Sort) (upstream.Query, error) {
	c := sorted(ctx, workspace, sort)
	if filter != nil {
		ids(c, "id", "ids", loader.CourseEnrollments, upstream.KindCourseEnrollment, filter.Ids)
		ids(c, "contact_id", "contactIds", loader.Contacts, upstream.KindContact, filter.ContactIds)
	}
	return c.query, c.err
}

// salesPipelineQuery reads what pipelines of a workspace are asked for.
func salesPipelineQuery(ctx context.Context, workspace string, filter *model.SalesPipelineFilter, sort *model.Sort) (upstream.Query, error) {
	c := sorted(ctx, workspace, sort)
	if filter != nil {
		ids(c, "id", "ids", loader.SalesPipelines, upstream.KindSalesPipeline, filter.Ids)
	}
	return c.query, c.err
}

// salesOpportunityQuery reads what opportunities of a workspace are asked for.
func salesOpportunityQuery(ctx context.Context, workspace string, filter *model.SalesOpportunityFilter, sort *model.PlacedSort) (upstream.Query, error) {
	c := placed(ctx, workspace, sort)
	if filter != nil {
		ids(c, "id", "ids", loader.SalesOpportunities, upstream.KindSalesOpportunity, filter.Ids)
		ids(c, "pipeline_id", "pipelineIds", loader.SalesPipelines, upstream.KindSalesPipeline, filter.PipelineIds)
		ids(c, "pipelines_stage_id", "pipelinesStageIds", loader.SalesPipelineStages, upstream.KindSalesPipelineStage, filter.PipelinesStageIds)
		ids(c, "primary_contact_id", "contactIds", loader.Contacts, upstream.KindContact, filter.ContactIds)
		c.values("assignee_id", "assigneeIds", filter.AssigneeIds)
	}
	return c.query, c.err
}

// keyed is a record with a raw id.
type keyed[T any] interface {
	*T
	Key() string
}

// inIDs is [in] for ids in any of their forms. Filters take raw ids only
// (API.md §1), so public ones are looked up; one that means no record matches
// nothing, as a raw one would.
func inIDs[T any, P keyed[T]](f upstream.Filter, key, argument string, records *loader.Records[T], kind upstream.Kind, workspace string, ids []string) (upstream.Filter, error) {
	if f == nothing || ids == nil {
		return f, nil
	}
	if len(ids) > maxFilterValues {
		return "", badInput("%s has %d values; it can have %d.", argument, len(ids), maxFilterValues)
	}
	raw, public := []string{}, []upstream.Ref(nil)
	for _, id := range ids {
		ref, err := model.ParseID(kind, workspace, id)
		switch {
		case err != nil && errors.Is(err, upstream.NotFound): // of another workspace
		case err != nil:
			return "", err
		case upstream.IsRawID(ref.ID):
			raw = append(raw, ref.ID)
		default:
			public = append(public, ref)
		}
	}
	rows, errs := records.LoadAll(public)
	for i, row := range rows {
		switch {
		case errs[i] == nil:
			raw = append(raw, P(row).Key())
		case !errors.Is(errs[i], upstream.NotFound):
			return "", errs[i]
		}
	}
	return in(f, key, argument, raw)
}
