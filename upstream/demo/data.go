package demo

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

const accounts = "accounts"

// contactsPerWorkspace covers exactly one page, several pages, less than one page, and none.
var contactsPerWorkspace = []int{57, 20, 134, 23, 41, 8, 20, 65, 310, 22, 20, 0}

var (
	firstNames = []string{"Ada", "Bruno", "Chen", "Dalia", "Emil", "Fatima", "Grace", "Hugo", "Ines", "Jonas", "Kira", "Liam", "Maya", "Noor", "Oskar", "Priya", "Quinn", "Rosa", "Sven", "Tara"}
	lastNames  = []string{"Almeida", "Becker", "Costa", "Dvorak", "Eriksen", "Fontaine", "Garcia", "Haddad", "Ivanov", "Jensen", "Kowalski", "Lindqvist", "Moreau", "Nakamura", "Okafor", "Petrov", "Rossi", "Schmidt", "Tanaka", "Weber", "Young"}
	timeZones  = []string{"Pacific Time (US & Canada)", "Eastern Time (US & Canada)", "Berlin", "London", "Tokyo"}
	tagNames   = []string{"Customer", "Lead", "Newsletter", "VIP", "Webinar", "Trial"}
	tagColors  = []string{"#2563eb", "#16a34a", "#d97706", "#9333ea", "#0891b2", "#dc2626"}
	cities     = []string{"Lisbon", "Berlin", "Osaka", "Denver", "Lagos", "Oslo"}
	plans      = []string{"starter", "pro", "agency"}
)

// epoch is the day on which the example data begins.
var epoch = time.Date(2025, 1, 6, 8, 0, 0, 0, time.UTC)

// at returns the time that many hours after the epoch, in the API's format.
func at(hours int64) string {
	return format(epoch.Add(time.Duration(hours) * time.Hour))
}

// record returns a row with the fields that every resource has.
func record(id, hours int64) row {
	return row{"id": id, "public_id": publicID(id), "created_at": at(hours), "updated_at": at(hours + id%97)}
}

// publicID returns six letters for an id. Different ids have different letters.
func publicID(id int64) string {
	const letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
	const space = 49 * 49 * 49 * 49 * 49 * 49
	n := (id*7_774_123_469 + 1_234_567) % space // odd and not a multiple of 7: a bijection
	var b [6]byte
	for i := range b {
		b[i] = letters[n%49]
		n /= 49
	}
	return string(b[:])
}

func exampleData(contactsPerWorkspace []int) []*table {
	teams := &table{list: "teams", member: "teams/*", subdomain: always(accounts)}
	users := &table{list: "users", member: "users/*", subdomain: always(accounts)}
	workspaces := &table{list: "teams/*/workspaces", member: "workspaces/*", parent: "team_id", parents: teams, subdomain: always(accounts)}
	contacts := &table{
		list: "workspaces/*/contacts", member: "contacts/*", parent: "workspace_id", parents: workspaces,
		hidden: func(r row) bool { return r["email_address"] == nil || r["deleted_at"] != nil },
		filters: map[string]func(row, []string) bool{
			"id": oneOf("id"), "email_address": oneOf("email_address"), "is_active": oneOf("is_active"), "tag_ids": hasTag,
		},
		expand: map[string]func(row) any{"email_engagement": engagement},
	}
	tags := &table{
		list: "workspaces/*/contacts/tags", member: "contacts/tags/*", parent: "workspace_id", parents: workspaces,
		filters: map[string]func(row, []string) bool{"id": oneOf("id"), "name": oneOf("name")},
	}
	applied := &table{
		list: "contacts/*/applied_tags", member: "contacts/applied_tags/*", parent: "contact_id", parents: contacts,
		filters: map[string]func(row, []string) bool{"id": oneOf("id"), "tag_id": oneOf("tag_id")},
	}
	inWorkspace := func(r row) string { return subdomainOf(workspaces, r["workspace_id"].(int64)) }
	contacts.subdomain, tags.subdomain = inWorkspace, inWorkspace
	applied.complete = withContact(contacts)
	applied.subdomain = func(r row) string {
		owner, _ := contacts.find(fmt.Sprint(r["contact_id"]))
		return inWorkspace(owner)
	}

	users.rows = append(users.rows, with(record(9001, 0), row{
		"email": "agent@example.com", "first_name": "Default", "last_name": "API Client", "time_zone": nil, "locale": "en",
	}))
	for t, team := range []struct {
		name, zone, locale string
		workspaces         []string
	}{
		{"Acme Coaching", timeZones[0], "en", []string{"Acme Academy", "Acme Retreats", "Acme Podcast", "Acme Books"}},
		{"Northwind Studio", timeZones[2], "en", []string{"Northwind Yoga", "Northwind Dance", "Northwind Kids", "Northwind Shop"}},
		{"Loja do Sol", timeZones[3], "pt", []string{"Sol Cursos", "Sol Eventos", "Sol Loja", "Sol Rascunho"}},
	} {
		id := int64(11 + t)
		teams.rows = append(teams.rows, with(record(id, id), row{
			"name": team.name, "time_zone": team.zone, "locale": team.locale, "memberships": members(id),
		}))
		if t == 0 {
			teams.rows[0]["billing_subscriptions"] = subscriptions(id)
		}
		for _, name := range team.workspaces {
			workspaces.rows = append(workspaces.rows, with(record(int64(101+len(workspaces.rows)), 24*id), row{
				"team_id": id, "name": name, "subdomain": strings.ToLower(strings.ReplaceAll(name, " ", "-")),
			}))
		}
	}
	for w, workspace := range workspaces.rows {
		for i, name := range tagNames {
			tags.rows = append(tags.rows, with(record(int64(5001+len(tags.rows)), int64(48+i)), row{
				"workspace_id": workspace.id(), "name": name, "color": tagColors[i],
			}))
		}
		own := tags.rows[w*len(tagNames):]
		for i := range contactsPerWorkspace[w%len(contactsPerWorkspace)] {
			// Ids can exceed 2³¹.
			id := int64(3_000_000_001 + len(contacts.rows))
			contact := newContact(id, workspace.id(), i)
			if i > 0 && i%40 == 0 { // an anonymous contact, which lists omit
				contact["email_address"], contact["anonymous"] = nil, 1
			}
			carried := []row{}
			for k := range i % 4 {
				tag := own[(i+k*k)%len(own)]
				carried = append(carried, tag)
				applied.rows = append(applied.rows, with(record(int64(700_001+len(applied.rows)), int64(100+i)), row{
					"contact_id": id, "tag_id": tag.id(), "tag": only(tag, "public_id", "name", "color"),
				}))
			}
			contact["tags"] = embedded(carried, at(int64(100+i)))
			contacts.rows = append(contacts.rows, contact)
		}
	}
	addWrites(teams, workspaces, tags, applied, contacts)
	// Contacts come before the tables that embed them.
	tables := []*table{teams, users, workspaces, tags, applied, contacts}
	return slices.Concat(tables, contactFixtures(workspaces, contacts, tables))
}

// newContact returns the i-th contact of a workspace.
func newContact(id, workspace int64, i int) row {
	first, last := firstNames[i%len(firstNames)], lastNames[(i+int(workspace))%len(lastNames)]
	r := with(record(id, int64(72+i)), row{
		"workspace_id": workspace, "anonymous": nil,
		"email_address": fmt.Sprintf("%s.%s.%d@example.com", strings.ToLower(first), strings.ToLower(last), id-3_000_000_000),
		"first_name":    first, "last_name": last, "phone_number": fmt.Sprintf("+1 555 %04d", id%10_000),
		"time_zone": timeZones[i%len(timeZones)], "uuid": fmt.Sprintf("00000000-0000-4000-8000-%012d", id),
		"unsubscribed_at": nil, "last_notification_email_sent_at": at(int64(400 + i)),
		"fb_url": nil, "twitter_url": nil, "instagram_url": nil, "linkedin_url": fmt.Sprintf("https://www.linkedin.com/in/example-%d", i),
		"website_url": nil, "is_active": i%9 != 5, "email_suppression_reason": nil, "deleted_at": nil,
		"custom_attributes": row{"city": cities[i%len(cities)], "plan": plans[i%len(plans)]},
		"visits":            row{"first_visit": nil, "last_visit": nil, "last_visit_with_utm": nil},
	})
	if i%4 == 3 { // came from a page
		r["visits"] = row{"first_visit": visit(id, int64(60+i)), "last_visit": visit(id, int64(300+i)), "last_visit_with_utm": nil}
	}
	if i%9 == 5 {
		r["unsubscribed_at"] = at(int64(500 + i))
		r["email_suppression_reason"] = "unsubscribed"
	}
	return r
}

func visit(id, hours int64) row {
	return row{
		"uuid": fmt.Sprintf("00000000-0000-4000-9000-%012d", id+hours), "utm_source": nil, "utm_medium": nil, "utm_campaign": nil,
		"utm_term": nil, "utm_content": nil, "ip": "192.0.2.1", "user_agent": "Mozilla/5.0", "referrer": "https://www.example.com/",
		"referring_domain": "www.example.com", "landing_page": "/welcome", "browser": "Firefox", "os": "Linux", "device_type": "Desktop",
		"started_at": at(hours), "created_at": at(hours), "updated_at": at(hours),
	}
}

func members(team int64) []row {
	var all []row
	for i, name := range []string{"Robin", "Sasha"} {
		id := team*10 + int64(i)
		user := with(record(9100+id, team), row{
			"email": fmt.Sprintf("%s.%d@example.com", strings.ToLower(name), team), "first_name": name, "last_name": lastNames[id%20], "time_zone": nil, "locale": "en",
		})
		all = append(all, with(record(8000+id, team), row{
			"team_id": team, "user_id": user["id"], "user_first_name": name, "user_last_name": user["last_name"], "user_profile_photo_id": nil,
			"user_email": user["email"], "added_by_id": nil, "platform_agent_of_id": nil, "role_ids": []string{"admin"}, "user": user,
		}))
	}
	return all
}

func subscriptions(team int64) []row {
	return []row{with(record(401, team), row{
		"team_id": team, "status": "active", "cycle_ends_at": at(8000),
		"included_prices": []row{{"id": int64(402), "subscription_id": int64(401), "price_id": "pro_monthly", "quantity": 1, "created_at": at(team), "updated_at": at(team)}},
	})}
}

func engagement(r row) any {
	return row{"last_email_sent_at": r["last_notification_email_sent_at"], "last_email_opened_at": r["updated_at"], "last_email_clicked_at": nil}
}

func hasTag(r row, values []string) bool {
	return slices.ContainsFunc(r["tags"].([]row), func(tag row) bool { return slices.Contains(values, fmt.Sprint(tag["id"])) })
}

// embedded returns tags in the form embedded in a contact.
func embedded(tags []row, appliedAt string) []row {
	all := make([]row, len(tags))
	for i, tag := range tags {
		all[i] = with(only(tag, "id", "public_id", "name", "color"), row{"applied_at": appliedAt})
	}
	return all
}

func subdomainOf(workspaces *table, id int64) string {
	workspace, _ := workspaces.find(strconv.FormatInt(id, 10))
	return workspace["subdomain"].(string)
}

func always(subdomain string) func(row) string { return func(row) string { return subdomain } }

func with(r, more row) row {
	for k, v := range more {
		r[k] = v
	}
	return r
}

// withContact returns a function that adds the embedded part of a row's contact.
func withContact(contacts *table) func(row) row {
	return func(r row) row {
		contact, _ := contacts.find(fmt.Sprint(r["contact_id"]))
		return with(maps.Clone(r), row{"contact": only(contact, "id", "public_id", "email_address", "first_name", "last_name", "phone_number")})
	}
}

func only(r row, fields ...string) row {
	part := make(row, len(fields))
	for _, field := range fields {
		part[field] = r[field]
	}
	return part
}
