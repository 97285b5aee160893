package upstream

import (
	"cmp"
)

// WebPage is a page that visitors see, in a funnel or on its own (API.md §5, Page). Many
// of its fields are of 2026, and absent in older data.
type WebPage struct {
	Record         `json:",embed"`
	WorkspaceID    string       `json:"workspace_id"`
	Name           string       `json:"name"`
	Type           *string      `json:"type"`
	URL            *string      `json:"url"`
	CurrentPath    *string      `json:"current_path"`
	Description    *string      `json:"description"`
	SeoTitle       *string      `json:"seo_title"`
	SeoDescription *string      `json:"seo_description"`
	SeoIndex       *bool        `json:"seo_index"`
	ThemeID        *string      `json:"theme_id"`
	HeadCode       *string      `json:"head_code" expand:"true"`
	FooterCode     *string      `json:"footer_code" expand:"true"`
	Markup         *string      `json:"markup" expand:"true"`
	InFunnel       *NamedRecord `json:"funnel" for:"pages"`
	// FunnelID is the raw id of the page's funnel, empty if it is in none.
	FunnelID string `json:"-"`
}

// Funnel returns the page's funnel as far as the page tells; nil if it is in none.
func (p *WebPage) Funnel() *Funnel {
	if p.InFunnel == nil {
		return nil
	}
	return &Funnel{Record: p.InFunnel.record(""), WorkspaceID: p.WorkspaceID, Name: p.InFunnel.text()}
}

func (p *WebPage) adopt(at Place) {
	p.WorkspaceID, p.FunnelID = cmp.Or(p.WorkspaceID, at.WorkspaceID), p.InFunnel.record("").RawID
}
