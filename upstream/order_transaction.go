package upstream

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

func (t *OrderTransaction) adopt(at Place) { t.WorkspaceID = at.WorkspaceID }
