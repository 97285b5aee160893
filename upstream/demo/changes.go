package demo

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// changeKey is the key of bodies and responses of changes of line items.
const changeKey = "orders_line_items_change"

func previewChange(s *Server, w http.ResponseWriter, r *http.Request, subdomain string, ids []string) {
	s.change(w, r, subdomain, ids[0], true)
}

func performChange(s *Server, w http.ResponseWriter, r *http.Request, subdomain string, ids []string) {
	s.change(w, r, subdomain, ids[0], false)
}

// change changes the price and the variant of a line item, or previews the change.
func (s *Server) change(w http.ResponseWriter, r *http.Request, subdomain, id string, preview bool) {
	order, at := s.lineItem(subdomain, id)
	if order == nil {
		fail(w, http.StatusNotFound, "Not found: Record missing")
		return
	}
	body, ok := readBody(w, r)
	if !ok {
		return
	}
	given, _ := body[changeKey].(map[string]any)
	if len(given) == 0 {
		fail(w, http.StatusBadRequest, "Bad request: param is missing or the value is empty: "+changeKey)
		return
	}
	before := order["line_items"].([]row)[at]
	to, isOption := s.option(before["products_price"].(row), idText(given["products_price_id"]))
	atOnce := given["effective_time"] == nil || given["effective_time"] == "now"
	switch {
	case given["products_price_id"] == nil:
		fail(w, http.StatusUnprocessableEntity, "Products price can't be blank")
		return
	case order["order_type"] != "subscription-order" || !isOption:
		fail(w, http.StatusUnprocessableEntity, "Products price is not an upgrade or downgrade of the current price")
		return
	case !atOnce && given["effective_time"] != "next_renewal":
		fail(w, http.StatusUnprocessableEntity, "Effective time is invalid")
		return
	}
	after := with(maps.Clone(before), row{"products_price": minimal(to), "products_variant": only(s.variantOf(to), "id", "name", "description", "sku")})
	if !preview && atOnce {
		items := slices.Clone(order["line_items"].([]row))
		items[at] = after
		order["line_items"] = items
		indexed(s.tables)
	}
	send(w, http.StatusOK, encode(row{changeKey: row{"preview": preview, "previous_line_item": before, "new_line_item": after, "upcoming_invoice": row{
		"currency": order["currency"], "next_invoice_date": cmp.Or(order["next_charge_at"], any(now())), "total_amount": to["amount"], "subtotal_amount": to["amount"],
		"tax_amount": "0.00", "shipping_amount": "0.00", "discount_amount": nil,
	}}}))
}

// lineItem returns the order on a host with a line item, and the item's position. The order is nil
// if there is none.
func (s *Server) lineItem(subdomain, id string) (order row, position int) {
	orders := s.table("workspaces/*/orders")
	for _, order := range orders.rows {
		if at := slices.IndexFunc(order["line_items"].([]row), func(item row) bool { return item.is(id) }); at >= 0 && hostOf(orders, order) == subdomain {
			return order, at
		}
	}
	return nil, 0
}

func (s *Server) variantOf(price row) row {
	variant, _ := s.table("products/*/variants").find(fmt.Sprint(price["variant_id"]))
	return variant
}

// minimal returns a price as other records embed it.
func minimal(price row) row {
	return only(price, "id", "public_id", "name", "key", "amount", "currency", "duration", "interval", "interval_count")
}

// amountOf returns the amount of a price.
func amountOf(price row) float64 {
	amount, _ := strconv.ParseFloat(fmt.Sprint(price["amount"]), 64)
	return amount
}

// options returns the prices that a subscription with a price can change to: the prices of other
// subscriptions of the workspace with another amount.
func (s *Server) options(price row) []row {
	prices, products := s.table("products/*/prices"), s.table("workspaces/*/products")
	workspace := func(price row) any {
		product, _ := products.find(fmt.Sprint(price["product_id"]))
		return product["workspace_id"]
	}
	from, _ := prices.find(fmt.Sprint(price["id"]))
	return filtered(prices.rows, func(to row) bool {
		return from["payment_type"] == "subscription" && to["payment_type"] == "subscription" && to["amount"] != from["amount"] && workspace(to) == workspace(from)
	})
}

// option returns one of the [Server.options], given by its raw or public id.
func (s *Server) option(price row, id string) (row, bool) {
	all := s.options(price)
	i := slices.IndexFunc(all, func(to row) bool { return to.is(id) })
	if i < 0 {
		return nil, false
	}
	return all[i], true
}

func serveChangeOptions(s *Server, w http.ResponseWriter, _ *http.Request, subdomain string, ids []string) {
	price, ok := s.on(w, "products/*/prices", ids[0], subdomain)
	if !ok {
		return
	}
	groups := map[bool][]row{false: {}, true: {}} // by whether they are upgrades
	all := s.options(price)
	slices.SortStableFunc(all, func(a, b row) int { return cmp.Compare(a["variant_id"].(int64), b["variant_id"].(int64)) })
	for _, to := range all {
		variant := with(only(s.variantOf(to), "id", "public_id", "name", "product_id"), row{"prices": []row{minimal(to)}})
		isUpgrade := amountOf(to) > amountOf(price)
		groups[isUpgrade] = append(groups[isUpgrade], row{"products_variant": variant})
	}
	send(w, http.StatusOK, encode(row{"products_prices_change_options": row{"upgrade": groups[true], "downgrade": groups[false]}}))
}
