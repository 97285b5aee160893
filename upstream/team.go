package upstream

import (
	"context"
	"net/http"
	"time"
)

// Team owns workspaces (API.md §5, Team).
type Team struct {
	Record               `json:",embed"`
	Name                 string                 `json:"name"`
	TimeZone             *string                `json:"time_zone"`
	Locale               string                 `json:"locale"`
	Memberships          []*Membership          `json:"memberships" for:"node,nodes"`
	BillingSubscriptions []*BillingSubscription `json:"billing_subscriptions" for:"node,nodes"`
}

// Ref returns the team's address.
func (t *Team) Ref() Ref { return Ref{Kind: KindTeam, ID: t.Key()} }

// adopt tells the records within the team, which do not name it, where they
// belong.
func (t *Team) adopt(Place) {
	t.Memberships, t.BillingSubscriptions = withoutNulls(t.Memberships), withoutNulls(t.BillingSubscriptions)
	for _, m := range t.Memberships {
		m.TeamID = t.RawID
		// The key can hold the shape of a team (API.md §5, User).
		if m.User != nil && m.User.Email == "" {
			m.User = nil
		}
	}
	for _, s := range t.BillingSubscriptions {
		s.TeamID = t.RawID
		s.IncludedPrices = withoutNulls(s.IncludedPrices)
	}
}

// Membership is a person's place in a team. It has no path of its own: it comes
// within its team.
type Membership struct {
	Record             `json:",embed"`
	TeamID             string   `json:"team_id"`
	UserID             *string  `json:"user_id"`
	UserFirstName      *string  `json:"user_first_name"`
	UserLastName       *string  `json:"user_last_name"`
	UserProfilePhotoID *string  `json:"user_profile_photo_id"`
	UserEmail          *string  `json:"user_email"`
	AddedByID          *string  `json:"added_by_id"`
	PlatformAgentOfID  *string  `json:"platform_agent_of_id"`
	RoleIDs            []string `json:"role_ids"`
	User               *User    `json:"user"`
}

// Ref returns the membership's address, which is within its team.
func (m *Membership) Ref() Ref { return Ref{Kind: KindMembership, Parent: m.TeamID, ID: m.Key()} }

// BillingSubscription is a team's plan with ClickFunnels. It comes within its
// team.
type BillingSubscription struct {
	Record         `json:",embed"`
	TeamID         string           `json:"team_id"`
	Status         string           `json:"status"`
	CycleEndsAt    *time.Time       `json:"cycle_ends_at"`
	IncludedPrices []*IncludedPrice `json:"included_prices"`
}

// Ref returns the subscription's address, which is within its team.
func (s *BillingSubscription) Ref() Ref {
	return Ref{Kind: KindSubscription, Parent: s.TeamID, ID: s.Key()}
}

// IncludedPrice is one price of a [BillingSubscription].
type IncludedPrice struct {
	RawID     string     `json:"id"`
	PriceID   string     `json:"price_id"`
	Quantity  *int       `json:"quantity"`
	CreatedAt *time.Time `json:"created_at"`
	UpdatedAt *time.Time `json:"updated_at"`
}

// Teams lists the teams that the token reaches.
func (c *Client) Teams(ctx context.Context, q Query) (*Page[Team], error) {
	fetch := func(ctx context.Context, q Query) (*Page[Team], error) {
		return list(ctx, c, onAccounts, q, (*Team).adopt, "teams")
	}
	if !c.Scoped() {
		return fetch(ctx, q)
	}
	if len(c.scope.teams) == 0 {
		return &Page[Team]{}, nil
	}
	return visible(ctx, q, fetch, len(c.scope.teams))
}

// Team fetches a team by its raw or public id.
func (c *Client) Team(ctx context.Context, id string) (*Team, error) {
	if IsRawID(id) && !c.scope.team(id) {
		return nil, NotThere()
	}
	return one(ctx, c, onAccounts, (*Team).adopt, "teams", id)
}

// UpdateTeam changes a team, given by its raw or public id, with the attributes of the
// body `team` (API.md §5).
func (c *Client) UpdateTeam(ctx context.Context, id string, attributes any) (*Team, error) {
	if c.Scoped() {
		if _, err := c.Team(ctx, id); err != nil {
			return nil, err
		}
	}
	row, _, err := written(ctx, c, http.MethodPut, onAccounts, []string{"teams", id}, "team", attributes, true, (*Team).adopt)
	return row, err
}
