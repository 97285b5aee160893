package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// writes describes the allowed changes of a table, by the rules of clickfunnels-api.md §§4, 5 and 8.
type writes struct {
	// key wraps the attributes in a body.
	key string
	// patch reports whether updates have the method PATCH only.
	patch bool
	// attributes lists the accepted attributes. Others are ignored.
	attributes []string
	// applied lists the attributes that changed sets itself.
	applied []string
	// required lists the attributes that must not be blank. unique is the attribute that must be
	// unique within the parent.
	required []string
	unique   string
	// expands reports whether updates send keys on request, as creates do.
	expands bool
	// make returns a new row of a parent without attributes; nil if rows cannot be created. path is
	// the path that creates rows, and parents are the rows that its star stands for.
	make    func(id int64, parent row) row
	path    string
	parents *table
	// missing, if not nil, returns a message if a row cannot be changed, or none can be created below
	// a parent: the response is then a 404.
	missing func(rowOrParent row) string
	// changed completes a row after its attributes are set. It returns a message if the change is
	// refused.
	changed func(r row, attributes map[string]any) (refusal string)
	// created, if not nil, adds what belongs to a new row.
	created func(r row, attributes map[string]any)
	// once, if not nil, returns what only the response to a create has.
	once func() row
	// destroy deletes a row; nil if rows cannot be deleted.
	destroy func(row)
	// actions holds other operations, keyed by method and last path segment. They return a message if
	// the operation is refused.
	actions map[string]func(row) (refusal string)
}

// maxBody bounds a request body, in bytes.
const maxBody = 1 << 20

// serveWrite answers a call that is not a GET. It returns false if there is no such route.
func (s *Server) serveWrite(w http.ResponseWriter, r *http.Request, subdomain, path string) bool {
	s.copyOnWrite()
	for _, t := range s.tables {
		if t.writes == nil {
			continue
		}
		if parent, ok := match(t.writes.path, path); ok && r.Method == http.MethodPost && t.writes.make != nil {
			s.create(w, r, t, subdomain, parent, false)
			return true
		}
		if parent, ok := match(t.list+"/upsert", path); ok && r.Method == http.MethodPost && t.writes.unique == "email_address" {
			s.create(w, r, t, subdomain, parent, true)
			return true
		}
		for action, do := range t.writes.actions {
			method, segment, _ := strings.Cut(action, " ")
			if id, ok := match(t.member+"/"+segment, path); ok && r.Method == method {
				s.act(w, t, subdomain, id, method == http.MethodPost, do)
				return true
			}
		}
	}
	for _, t := range s.tables {
		id, ok := t.memberAt(path)
		if !ok || t.writes == nil {
			continue
		}
		switch {
		case r.Method == http.MethodPatch || r.Method == http.MethodPut && !t.writes.patch:
			s.update(w, r, t, subdomain, id)
			return true
		case r.Method == http.MethodDelete && t.writes.destroy != nil:
			s.act(w, t, subdomain, id, false, func(found row) string {
				t.writes.destroy(found)
				s.tell(t, found, "deleted", subdomain)
				return ""
			})
			return true
		}
	}
	return false
}

// copyOnWrite gives the server its own copy of the tables before the first write. s.mu is held.
func (s *Server) copyOnWrite() {
	if !s.ownsTables {
		s.tables, s.ownsTables = indexed(exampleData(s.contacts)), true
	}
}

// readBody returns the members of a body. On failure it sends the response and returns false.
func readBody(w http.ResponseWriter, r *http.Request) (body map[string]any, ok bool) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil || json.Unmarshal(text, &body) != nil {
		fail(w, http.StatusBadRequest, "Bad request: HTTP body must be valid JSON")
		return nil, false
	}
	return body, true
}

// read returns the attributes of a body. On failure it sends the response and returns false.
func (t *table) read(w http.ResponseWriter, r *http.Request) (map[string]any, bool) {
	body, ok := readBody(w, r)
	if !ok {
		return nil, false
	}
	given, _ := body[t.writes.key].(map[string]any)
	if len(given) == 0 {
		fail(w, http.StatusBadRequest, "Bad request: param is missing or the value is empty: "+t.writes.key)
		return nil, false
	}
	maps.DeleteFunc(given, func(key string, _ any) bool { return !slices.Contains(t.writes.attributes, key) })
	return given, true
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, t *table, subdomain, parent string, upsert bool) {
	owner, ok := t.writes.parents.find(parent)
	if !ok || hostOf(t.writes.parents, owner) != subdomain {
		fail(w, http.StatusNotFound, "Not found: Record missing")
		return
	}
	if t.writes.isMissing(w, owner) {
		return
	}
	given, ok := t.read(w, r)
	if !ok {
		return
	}
	if upsert {
		maps.DeleteFunc(given, func(_ string, value any) bool { // upserts never clear attributes
			list, isList := value.([]any)
			return value == nil || isList && len(list) == 0
		})
		for _, known := range t.children[owner.id()] {
			if known["email_address"] != nil && known["email_address"] == given["email_address"] && known["deleted_at"] == nil {
				s.set(w, r, t, known, owner.id(), given, http.StatusOK)
				return
			}
		}
	}
	last := int64(0)
	for _, row := range t.rows {
		last = max(last, row.id())
	}
	made := t.writes.make(last+1, owner)
	made["created_at"] = now()
	s.set(w, r, t, made, made[t.parent], given, http.StatusCreated)
}

func (s *Server) update(w http.ResponseWriter, r *http.Request, t *table, subdomain, id string) {
	found, ok := t.find(id)
	if !ok || t.subdomain(found) != subdomain {
		fail(w, http.StatusNotFound, "Not found: Record missing")
		return
	}
	if t.writes.isMissing(w, found) {
		return
	}
	if given, ok := t.read(w, r); ok {
		s.set(w, r, t, found, found[t.parent], given, http.StatusOK)
	}
}

// isMissing sends a 404 if a row cannot be changed, or none can be created below a parent.
func (w *writes) isMissing(response http.ResponseWriter, rowOrParent row) bool {
	if w.missing == nil || w.missing(rowOrParent) == "" {
		return false
	}
	fail(response, http.StatusNotFound, w.missing(rowOrParent))
	return true
}

// set sets the attributes of a row, adds the row to the table if it is new, and sends it. Updates of
// most hand-written tables send no keys on request.
func (s *Server) set(w http.ResponseWriter, request *http.Request, t *table, r row, parent any, given map[string]any, status int) {
	changed := maps.Clone(r)
	for key, value := range given {
		if !slices.Contains(t.writes.applied, key) {
			changed[key] = value
		}
	}
	var refusals []string
	_, isKnown := t.find(strconv.FormatInt(r.id(), 10))
	for _, key := range t.writes.required {
		if _, isGiven := given[key]; isKnown && !isGiven {
			continue
		}
		value := changed[key]
		if slices.Contains(t.writes.applied, key) {
			value = given[key]
		}
		if text, isText := value.(string); value == nil || isText && text == "" {
			refusals = append(refusals, humanized(key)+" can't be blank")
		}
	}
	if key := t.writes.unique; key != "" && changed[key] != nil && slices.ContainsFunc(t.children[parent], func(other row) bool {
		return other.id() != r.id() && other[key] == changed[key] && other["deleted_at"] == nil
	}) {
		refusals = append(refusals, humanized(key)+" has already been taken")
	}
	if t.writes.changed != nil {
		if refusal := t.writes.changed(changed, given); refusal != "" {
			refusals = append(refusals, refusal)
		}
	}
	if len(refusals) > 0 {
		fail(w, http.StatusUnprocessableEntity, "Request unprocessable: "+strings.Join(refusals, "; "))
		return
	}
	changed["updated_at"] = now()
	if i := slices.IndexFunc(t.rows, func(other row) bool { return other.id() == r.id() }); i >= 0 {
		t.rows[i] = changed
	} else {
		t.rows = append(t.rows, changed)
		if t.writes.created != nil {
			t.writes.created(changed, given)
		}
	}
	indexed(s.tables)
	s.tell(t, changed, map[bool]string{true: "updated", false: "created"}[isKnown], t.subdomain(changed))
	var keys []string
	if request.Method == http.MethodPost || t.derived || t.writes.expands {
		keys = request.URL.Query()["expand[]"]
	}
	if status == http.StatusCreated && t.writes.once != nil {
		send(w, status, encode(t.completed(with(maps.Clone(changed), t.writes.once()), keys...)))
		return
	}
	send(w, status, t.expanded(changed, keys))
}

// act carries out an operation on a row. The response is the row, or empty.
func (s *Server) act(w http.ResponseWriter, t *table, subdomain, id string, sendsRow bool, do func(row) (refusal string)) {
	found, ok := t.find(id)
	if !ok || t.subdomain(found) != subdomain {
		fail(w, http.StatusNotFound, "Not found: Record missing")
		return
	}
	if refusal := do(found); refusal != "" {
		fail(w, http.StatusConflict, refusal)
		return
	}
	found["updated_at"] = now()
	indexed(s.tables)
	if sendsRow {
		send(w, http.StatusOK, t.expanded(found, nil))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func now() string { return format(time.Now()) }

// format writes a time as the API does.
func format(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// humanized returns an attribute's name as it starts a message.
func humanized(key string) string {
	words := strings.ReplaceAll(key, "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// addWrites sets the writes of the hand-written tables.
func addWrites(teams, workspaces, tags, applied, contacts *table) {
	teams.writes = &writes{key: "team", attributes: []string{"name", "time_zone", "locale"}, required: []string{"name"}}
	workspaces.writes = &writes{
		key: "workspace", attributes: []string{"name", "subdomain"}, required: []string{"name", "subdomain"},
		changed: func(r row, _ map[string]any) string {
			// A workspace token reaches one host, so no two workspaces may have the same one.
			subdomain, isText := r["subdomain"].(string)
			taken := slices.ContainsFunc(workspaces.rows, func(other row) bool { return other.id() != r.id() && other["subdomain"] == subdomain })
			if !isText || taken || subdomain == accounts {
				return "Subdomain is invalid or has already been taken"
			}
			return ""
		},
	}
	tags.writes = &writes{
		key: "contacts_tag", attributes: []string{"name", "color"}, required: []string{"name"}, unique: "name",
		make: func(id int64, workspace row) row {
			return with(record(id, 0), row{"workspace_id": workspace.id(), "color": tagColors[0]})
		},
		destroy: func(tag row) {
			tags.rows = slices.DeleteFunc(tags.rows, func(r row) bool { return r.id() == tag.id() })
			applied.rows = slices.DeleteFunc(applied.rows, func(r row) bool { return r["tag_id"] == tag.id() })
			for _, contact := range contacts.children[tag["workspace_id"]] {
				untag(contact, tag.id())
			}
		},
	}
	contacts.writes = &writes{
		key: "contact", unique: "email_address", applied: []string{"tag_ids", "custom_attributes"},
		attributes: []string{
			"email_address", "first_name", "last_name", "phone_number", "time_zone", "fb_url", "twitter_url", "instagram_url",
			"linkedin_url", "website_url", "tag_ids", "custom_attributes",
		},
		make: func(id int64, workspace row) row {
			r := newContact(id, workspace.id(), 0)
			for key := range r {
				if slices.Contains([]string{"email_address", "first_name", "last_name", "phone_number", "time_zone", "linkedin_url", "last_notification_email_sent_at"}, key) {
					r[key] = nil
				}
			}
			return with(r, row{"tags": []row{}, "custom_attributes": row{}, "is_active": true, "email_suppression_reason": nil, "unsubscribed_at": nil})
		},
		changed: func(r row, given map[string]any) string { return setContact(r, given, tags, applied) },
		destroy: func(r row) { r["deleted_at"] = now() },
		actions: map[string]func(row) string{"DELETE gdpr_destroy": func(r row) string {
			for _, key := range []string{"email_address", "first_name", "last_name", "phone_number", "fb_url", "twitter_url", "instagram_url", "linkedin_url", "website_url"} {
				r[key] = nil
			}
			return ""
		}},
	}
	applied.writes = &writes{
		key: "contacts_applied_tag", attributes: []string{"tag_id"}, required: []string{"tag_id"},
		make: func(id int64, contact row) row { return with(record(id, 0), row{"contact_id": contact.id()}) },
		changed: func(r row, _ map[string]any) string {
			contact, _ := contacts.find(fmt.Sprint(r["contact_id"]))
			tag, ok := tags.find(idText(r["tag_id"]))
			if !ok || tag["workspace_id"] != contact["workspace_id"] {
				return "Tag must exist"
			}
			if slices.ContainsFunc(contact["tags"].([]row), func(t row) bool { return t["id"] == tag.id() }) {
				return "Tag has already been taken"
			}
			r["tag_id"], r["tag"] = tag.id(), only(tag, "public_id", "name", "color")
			contact["tags"] = append(slices.Clone(contact["tags"].([]row)), embedded([]row{tag}, now())...)
			return ""
		},
		destroy: func(r row) {
			applied.rows = slices.DeleteFunc(applied.rows, func(other row) bool { return other.id() == r.id() })
			if contact, ok := contacts.find(fmt.Sprint(r["contact_id"])); ok {
				untag(contact, r["tag_id"].(int64))
			}
		},
	}
	for _, t := range []*table{tags, applied, contacts} {
		t.writes.path, t.writes.parents = t.list, t.parents
	}
}

// setContact completes a contact. Tags are overwritten (clickfunnels-api.md §8, trap 15); custom attributes are
// merged.
func setContact(r row, given map[string]any, tags, applied *table) string {
	if free, ok := given["custom_attributes"].(map[string]any); ok {
		merged := row{}
		if before, ok := r["custom_attributes"].(row); ok {
			merged = maps.Clone(before)
		}
		for key, value := range free {
			if key == "" {
				return "Custom attributes key can't be blank"
			}
			if value == nil {
				value = ""
			}
			merged[underscored(key)] = value
		}
		r["custom_attributes"] = merged
	}
	ids, ok := given["tag_ids"].([]any)
	if !ok {
		return ""
	}
	var carried []row
	for _, id := range ids {
		tag, ok := tags.find(idText(id))
		if !ok || tag["workspace_id"] != r["workspace_id"] {
			return "Tags must exist"
		}
		carried = append(carried, tag)
	}
	r["tags"] = embedded(carried, now())
	applied.rows = slices.DeleteFunc(applied.rows, func(a row) bool { return a["contact_id"] == r.id() })
	last := int64(0)
	for _, a := range applied.rows {
		last = max(last, a.id())
	}
	for i, tag := range carried {
		applied.rows = append(applied.rows, with(record(last+1+int64(i), 0), row{
			"contact_id": r.id(), "tag_id": tag.id(), "tag": only(tag, "public_id", "name", "color"),
		}))
	}
	return ""
}

func untag(contact row, tag int64) {
	contact["tags"] = slices.DeleteFunc(slices.Clone(contact["tags"].([]row)), func(t row) bool { return t["id"] == tag })
}

// idText returns an id from a body as text.
func idText(id any) string {
	if n, ok := id.(float64); ok {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprint(id)
}

// underscored returns the stored form of a custom attribute's key.
func underscored(key string) string {
	var b strings.Builder
	for i, c := range key {
		switch {
		case c == ' ' || c == '-':
			b.WriteByte('_')
		case c >= 'A' && c <= 'Z':
			if i > 0 {
				b.WriteByte('_')
			}
			b.WriteRune(c | 0x20)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
