package upstream

import (
	"cmp"
)

// ProductCollection is a collection of products (API.md §5, Products::Collection).
type ProductCollection struct {
	Record         `json:",embed"`
	WorkspaceID    string   `json:"workspace_id"`
	Name           string   `json:"name"`
	Description    *string  `json:"description"`
	CollectionType *string  `json:"collection_type"`
	SortMethod     *string  `json:"sort_method" for:"raw_sort_method"`
	Archived       *bool    `json:"archived"`
	VisibleInStore *bool    `json:"visible_in_store"`
	CurrentPath    *string  `json:"current_path"`
	SeoTitle       *string  `json:"seo_title"`
	SeoDescription *string  `json:"seo_description"`
	SeoIndexable   *string  `json:"seo_indexable"`
	ImageID        *string  `json:"image_id"`
	SocialImageID  *string  `json:"social_image_id"`
	ProductIDs     []string `json:"product_ids"`
}

func (l *ProductCollection) adopt(at Place) { l.WorkspaceID = cmp.Or(l.WorkspaceID, at.WorkspaceID) }
