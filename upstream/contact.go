package upstream

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Contact is a person known to a workspace (API.md §5, Contact). Fields of 2026
// are absent in older data.
type Contact struct {
	Record                      `json:",embed"`
	WorkspaceID                 string           `json:"workspace_id"`
	Anonymous                   *bool            `json:"anonymous"`
	EmailAddress                *string          `json:"email_address"`
	FirstName                   *string          `json:"first_name"`
	LastName                    *string          `json:"last_name"`
	PhoneNumber                 *string          `json:"phone_number"`
	TimeZone                    *string          `json:"time_zone"`
	UUID                        string           `json:"uuid"`
	UnsubscribedAt              *time.Time       `json:"unsubscribed_at"`
	LastNotificationEmailSentAt *time.Time       `json:"last_notification_email_sent_at"`
	FbURL                       *string          `json:"fb_url"`
	TwitterURL                  *string          `json:"twitter_url"`
	InstagramURL                *string          `json:"instagram_url"`
	LinkedinURL                 *string          `json:"linkedin_url"`
	WebsiteURL                  *string          `json:"website_url"`
	Tags                        []*EmbeddedTag   `json:"tags" for:"taggings,applied_tags"`
	CustomAttributes            CustomAttributes `json:"custom_attributes"`
	AvatarImage                 jsontext.Value   `json:"avatar_image"`
	EmailSuppressionReason      *string          `json:"email_suppression_reason"`
	IsActive                    *bool            `json:"is_active"`
	DeletedAt                   *time.Time       `json:"deleted_at"`
	Visits                      *Visits          `json:"visits"`
	EmailEngagement             *EmailEngagement `json:"email_engagement" expand:"true"`
}

func (c *Contact) adopt(p Place) {
	c.WorkspaceID = cmp.Or(c.WorkspaceID, p.WorkspaceID)
	c.Tags = withoutNulls(c.Tags)
	for _, tag := range c.Tags {
		tag.WorkspaceID = c.WorkspaceID
	}
}

// within returns the contact if it is the one with the raw id, of the workspace, and nil
// if it is not.
func (c *Contact) within(workspaceID, id string) *Contact {
	if c == nil {
		return nil
	}
	if c.adopt(Place{WorkspaceID: workspaceID}); c.WorkspaceID != workspaceID || c.RawID != id {
		return nil
	}
	return c
}

// EmbeddedTag is a contact's tag as the contact itself carries it.
type EmbeddedTag struct {
	RawID     string     `json:"id"`
	PublicID  *string    `json:"public_id"`
	Name      string     `json:"name"`
	Color     string     `json:"color"`
	AppliedAt *time.Time `json:"applied_at"`
	// WorkspaceID is that of the record it was found in.
	WorkspaceID string `json:"workspace_id" scope:"optional"`
}

// ContactTag returns the tag as a record, without the times that only the full
// record has.
func (t *EmbeddedTag) ContactTag() *ContactTag {
	return &ContactTag{
		Record: Record{RawID: t.RawID, PublicID: t.PublicID}, WorkspaceID: t.WorkspaceID, Name: t.Name, Color: t.Color,
	}
}

// Visits are a contact's visits to the workspace's pages (2026).
type Visits struct {
	FirstVisit       *Visit `json:"first_visit"`
	LastVisit        *Visit `json:"last_visit"`
	LastVisitWithUtm *Visit `json:"last_visit_with_utm"`
}

// Visit is one visit and what it tells of its origin (API.md §5, shared
// shapes).
type Visit struct {
	UUID            string     `json:"uuid"`
	UtmSource       *string    `json:"utm_source"`
	UtmMedium       *string    `json:"utm_medium"`
	UtmCampaign     *string    `json:"utm_campaign"`
	UtmTerm         *string    `json:"utm_term"`
	UtmContent      *string    `json:"utm_content"`
	IP              *string    `json:"ip"`
	UserAgent       *string    `json:"user_agent"`
	Referrer        *string    `json:"referrer"`
	ReferringDomain *string    `json:"referring_domain"`
	LandingPage     *string    `json:"landing_page"`
	Browser         *string    `json:"browser"`
	OS              *string    `json:"os"`
	DeviceType      *string    `json:"device_type"`
	StartedAt       *time.Time `json:"started_at"`
	CreatedAt       *time.Time `json:"created_at"`
	UpdatedAt       *time.Time `json:"updated_at"`
}

// EmailEngagement says when a contact last got, opened and clicked an e-mail.
// It is sent only when asked for, which a client does that wants it (see
// [Client.Only]).
type EmailEngagement struct {
	LastEmailSentAt    *time.Time `json:"last_email_sent_at"`
	LastEmailOpenedAt  *time.Time `json:"last_email_opened_at"`
	LastEmailClickedAt *time.Time `json:"last_email_clicked_at"`
}

// CustomAttribute is one free field of a contact.
type CustomAttribute struct {
	Key   string
	Value *string
}

// CustomAttributes are a contact's free fields in the order they were sent.
type CustomAttributes []*CustomAttribute

// UnmarshalJSONFrom reads a JSON object whose values may be of any type, and
// takes anything else for no attributes.
func (a *CustomAttributes) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*a = nil
	if dec.PeekKind() != '{' {
		return dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		key, err := dec.ReadToken()
		if err != nil {
			return err
		}
		attribute := &CustomAttribute{Key: key.String()}
		if attribute.Value, err = readNullableText(dec); err != nil {
			return err
		}
		*a = append(*a, attribute)
	}
	_, err := dec.ReadToken()
	return err
}

// UpsertContact creates the contact with the attributes' e-mail address, or sets those
// of the one that has it; it clears none. created tells which, and is nil if the call was
// repeated and an earlier attempt may have created the contact. It can be repeated without
// harm.
func (c *Client) UpsertContact(ctx context.Context, p Place, attributes any) (row *Contact, created *bool, err error) {
	return createdIn(ctx, c, p, "contact", attributes, true, (*Contact).adopt, "workspaces", thisWorkspace, "contacts", "upsert")
}

// RedactContact takes the personal data out of a contact for good.
func (c *Client) RedactContact(ctx context.Context, p Place, id string) error {
	return deletedIn(ctx, c, p, id, (*Client).Contact, "contacts", id, "gdpr_destroy")
}

// Attributes returns the custom attributes with the keys given, or all when
// keys is nil.
func (c *Contact) Attributes(keys []string) []*CustomAttribute {
	if keys == nil {
		return append([]*CustomAttribute{}, c.CustomAttributes...)
	}
	some := []*CustomAttribute{}
	for _, a := range c.CustomAttributes {
		if slices.Contains(keys, a.Key) {
			some = append(some, a)
		}
	}
	return some
}
