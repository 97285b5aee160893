package upstream

import (
	"context"
)

// OrderTransaction is a payment for an order, or one that was given back (API.md §5,
// Orders::Transaction).
type OrderTransaction struct {
	Record  `json:",embed"`
	OrderID string `json:"order_id"`
	// WorkspaceID is the raw id of the workspace it was found in, which ClickFunnels
	// mostly does not send with it.
	WorkspaceID                   string  `json:"workspace_id" scope:"optional"`
	Status                        *string `json:"status"`
	Result                        *string `json:"result"`
	Amount                        *string `json:"amount"`
	Currency                      *string `json:"currency"`
	Reason                        *string `json:"reason"`
	ExternalType                  *string `json:"external_type"`
	ExternalID                    *string `json:"external_id"`
	Arn                           *string `json:"arn"`
	IsRebill                      *bool   `json:"is_rebill"`
	RebillNumber                  *string `json:"rebill_number"`
	AdjustedTransactionID         *string `json:"adjusted_transaction_id"`
	BillingPaymentInstructionID   *string `json:"billing_payment_instruction_id"`
	BillingPaymentInstructionType *string `json:"billing_payment_instruction_type"`
}

// Ref returns the transaction's address.
func (t *OrderTransaction) Ref() Ref {
	return Ref{Kind: KindOrderTransaction, Parent: t.WorkspaceID, ID: t.Key()}
}

// Owner returns the address of its order.
func (t *OrderTransaction) Owner() Ref {
	return Ref{Kind: KindOrder, Parent: t.WorkspaceID, ID: t.OrderID}
}

func (t *OrderTransaction) adopt(at Place) { t.WorkspaceID = at.WorkspaceID }

// OrderTransactions lists the transactions of an order, given by its raw or public id. There is
// no filter.
func (c *Client) OrderTransactions(ctx context.Context, p Place, order string, q Query) (*Page[OrderTransaction], error) {
	return listIn(ctx, c, p, q, (*OrderTransaction).adopt, "orders", order, "transactions")
}

// OrderTransaction fetches a transaction by its raw or public id.
func (c *Client) OrderTransaction(ctx context.Context, p Place, id string) (*OrderTransaction, error) {
	return oneIn(ctx, c, p, (*OrderTransaction).adopt, "orders", "transactions", id)
}
