package upstream

// Records that carry a part of another record say whether it came.

// CarriesPage reports whether the order came with its page.
func (o *Order) CarriesPage() bool { return o.OrderPage != nil }

// CarriesOrder reports whether the invoice came with its order.
func (i *OrderInvoice) CarriesOrder() bool { return i.Order != nil }

// CarriesFunnel reports whether the page came with its funnel.
func (p *WebPage) CarriesFunnel() bool { return p.InFunnel != nil }

// CarriesPipeline reports whether the opportunity came with its pipeline.
func (o *SalesOpportunity) CarriesPipeline() bool { return o.InPipeline != nil }

// CarriesPipelinesStage reports whether the opportunity came with its stage.
func (o *SalesOpportunity) CarriesPipelinesStage() bool { return o.InStage != nil }
