package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// What a query asks for below a field decides which calls it takes: the
// functions here read it, fragments, aliases, @skip and @include included.

// light are the fields of an object that need no more of its record than what
// a reference to it holds, mostly its raw id.
type light struct {
	typeName string
	// own come from the reference itself.
	own []string
	// calls make a call of their own, which fails if there is no such object.
	calls []string
}

var (
	lightTeam      = light{"Team", []string{"id", "rawId"}, []string{"workspaces"}}
	lightWorkspace = light{"Workspace", []string{"id", "rawId"}, []string{
		"contacts", "contact", "contactTags", "funnels", "pages", "formSubmissions", "orders", "orderInvoices", "orderTags",
		"products", "productCollections", "productTags", "courses", "salesPipelines", "salesOpportunities",
	}}
	// What a contact has elsewhere is found by a filter, which fails for no contact.
	lightContact = light{"Contact", []string{"id", "rawId", "workspace", "orders", "formSubmissions", "opportunities", "enrollments"}, []string{"appliedTags"}}
	// embeddedContact is what an enrolment or an applied tag carries of a contact.
	embeddedContact = light{"Contact", slices.Concat(lightContact.own, []string{"publicId", "emailAddress", "firstName", "lastName", "phoneNumber"}), lightContact.calls}

	lightPage        = light{"Page", []string{"id", "rawId", "workspace", "formSubmissions"}, nil}
	embeddedPage     = light{"Page", []string{"id", "rawId", "publicId", "name", "workspace", "formSubmissions"}, nil}
	embeddedFunnel   = light{"Funnel", []string{"id", "rawId", "publicId", "name", "workspace", "pages"}, nil}
	lightTag         = light{"ContactTag", []string{"id", "rawId", "workspace"}, nil}
	embeddedTag      = light{"ContactTag", []string{"id", "rawId", "publicId", "name", "color", "workspace"}, nil}
	lightOrder       = light{"Order", []string{"id", "rawId", "workspace"}, []string{"invoices", "transactions", "appliedTags"}}
	lightOrderTag    = light{"OrderTag", []string{"id", "rawId", "workspace"}, nil}
	lightProduct     = light{"Product", []string{"id", "rawId", "workspace"}, []string{"variants", "prices"}}
	lightVariant     = light{"ProductVariant", []string{"id", "rawId", "workspace"}, nil}
	lightCourse      = light{"Course", []string{"id", "rawId", "workspace"}, []string{"sections", "enrollments"}}
	lightSection     = light{"CourseSection", []string{"id", "rawId", "workspace"}, []string{"lessons"}}
	lightPipeline    = light{"SalesPipeline", []string{"id", "rawId", "workspace", "opportunities"}, nil}
	embeddedPipeline = light{"SalesPipeline", []string{"id", "rawId", "publicId", "name", "workspace", "opportunities"}, nil}
	lightStage       = light{"SalesPipelineStage", []string{"id", "rawId", "workspace", "opportunities"}, nil}
	embeddedStage    = light{"SalesPipelineStage", []string{"id", "rawId", "publicId", "name", "workspace", "opportunities"}, nil}
	// embeddedOrder is what an invoice carries of its order.
	embeddedOrder = light{"Order", []string{
		"id", "rawId", "publicId", "orderNumber", "totalAmount", "originationChannelId",
		"originationChannelType", "notes", "liveMode", "inTrial", "billingStatus", "serviceStatus",
		"orderType", "nextChargeAt", "trialEndAt", "tagIds", "activatedAt", "canceledAt",
		"canceledBy", "cancelReason", "cancelDescription", "churnedAt", "shippingAddressFirstName", "shippingAddressLastName",
		"shippingAddressOrganizationName", "shippingAddressPhoneNumber", "shippingAddressStreetOne", "shippingAddressStreetTwo", "shippingAddressCity", "shippingAddressRegion",
		"shippingAddressCountry", "shippingAddressPostalCode", "billingAddressStreetOne", "billingAddressStreetTwo", "billingAddressCity", "billingAddressRegion",
		"billingAddressCountry", "billingAddressPostalCode", "originationChannelName", "contact", "affiliate", "referralCode",
		"page", "workspace", "tags",
	}, lightOrder.calls}
	// fullStage is what a pipeline does not carry of its stages.
	fullStage = []string{"createdAt", "updatedAt"}
)

// lightWorkspaceBy is lightWorkspace for a workspace known by this id, which may
// be its public one.
func lightWorkspaceBy(id string) light {
	if upstream.IsRawID(id) {
		return lightWorkspace
	}
	return light{lightWorkspace.typeName, []string{"publicId"}, lightWorkspace.calls}
}

// suffices reports whether the current field's object, which is known to exist,
// can do without its record: only light fields are asked for.
func (o light) suffices(ctx context.Context) bool {
	only, _ := o.selection(graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field)
	return only
}

// sufficesUnseen is suffices for an object that may not exist: then one of the
// fields asked for has to find out.
func (o light) sufficesUnseen(ctx context.Context) bool {
	return o.sufficesFor(graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field)
}

func (o light) sufficesFor(op *graphql.OperationContext, field graphql.CollectedField) bool {
	only, calls := o.selection(op, field)
	calls = calls || wasSent(field.Field)
	if only && !calls { // those that come later find it out as well, if they take no record
		toCome(field.Selections, func(later *ast.InlineFragment) bool {
			suffices, call := o.set(op, later.SelectionSet)
			only, calls = suffices, calls || call
			return only
		})
	}
	return only && calls
}

func (o light) selection(op *graphql.OperationContext, field graphql.CollectedField) (only, calls bool) {
	return o.set(op, field.Selections)
}

func (o light) set(op *graphql.OperationContext, set ast.SelectionSet) (only, calls bool) {
	for _, f := range graphql.CollectFields(op, set, []string{o.typeName, "Node"}) {
		switch {
		case slices.Contains(o.calls, f.Name):
			calls = true
		case f.Name != "__typename" && !slices.Contains(o.own, f.Name):
			return false, calls
		}
	}
	return true, calls
}

// asksFor reports whether the current field's object is asked for a field.
func asksFor(ctx context.Context, name string) bool {
	op, field := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field
	return slices.ContainsFunc(graphql.CollectFields(op, field.Selections, nil), func(f graphql.CollectedField) bool { return f.Name == name })
}

// onlyTypename reports whether nothing is asked of the current field's object but
// what its type is called.
func onlyTypename(ctx context.Context) bool {
	op, field := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field
	for _, selection := range field.Selections {
		if f, ok := selection.(*ast.Field); ok && f.Name != "__typename" && len(f.Directives) == 0 {
			return false // nearly always
		}
	}
	return !slices.ContainsFunc(graphql.CollectFields(op, field.Selections, nil), func(f graphql.CollectedField) bool { return f.Name != "__typename" })
}

// rowFields returns what the rows of a connection are asked for, by nodes or by
// edges.
func rowFields(op *graphql.OperationContext, connection graphql.CollectedField) []graphql.CollectedField {
	var fields []graphql.CollectedField
	for _, field := range graphql.CollectFields(op, connection.Selections, nil) {
		switch field.Name {
		case "nodes":
			fields = append(fields, graphql.CollectFields(op, field.Selections, nil)...)
		case "edges":
			for _, inner := range graphql.CollectFields(op, field.Selections, nil) {
				if inner.Name == "node" {
					fields = append(fields, graphql.CollectFields(op, inner.Selections, nil)...)
				}
			}
		}
	}
	return fields
}

// siblings returns the fields that the current field's parent object is asked
// for, this one included.
func siblings(ctx context.Context) []graphql.CollectedField {
	op, field := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx)
	selections := op.Operation.SelectionSet
	for parent := field.Parent; parent != nil; parent = parent.Parent {
		if parent.Field.Field != nil {
			selections = parent.Field.Selections
			break
		}
	}
	return graphql.CollectFields(op, selections, []string{field.Object})
}
