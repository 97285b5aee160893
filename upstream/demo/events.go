package demo

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// Notify is called with the body of each webhook that the API sends (clickfunnels-api.md §7), and the raw
// id of its workspace. It must not call the API before it returns.
type Notify func(workspace int64, body []byte)

// OnEvent makes the server send webhooks for later changes of records.
func (s *Server) OnEvent(notify Notify) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notify = notify
}

// eventPaths are the records that webhooks are about.
var eventPaths = map[string]bool{
	"appointments/scheduled_events": true, "blogs/posts": true, "contacts": true, "contacts/applied_tags": true, "courses": true, "courses/enrollments": true,
	"courses/lessons": true, "courses/sections": true, "fulfillments": true, "orders": true, "orders/invoices": true, "orders/invoices/restocks": true,
	"orders/transactions": true, "products": true, "products/variants": true, "sales/opportunities": true,
}

// tell sends the webhook of a change. s.mu is held.
func (s *Server) tell(t *table, r row, verb, subdomain string) {
	path := strings.TrimSuffix(t.member, "/*")
	if s.notify == nil || !eventPaths[path] {
		return
	}
	for _, workspace := range s.table(workspaceList).rows {
		if workspace["subdomain"] == subdomain {
			s.notify(workspace.id(), delivery(t, r, path, verb, workspace.id()))
			return
		}
	}
}

// delivery returns the body of a webhook.
func delivery(t *table, r row, path, verb string, workspace int64) []byte {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	digits := hex.EncodeToString(id)
	words := strings.Split(path, "/")
	last := len(words) - 1
	words[last] = singular(words[last])
	return encode(row{
		"event_id":   strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-"),
		"event_type": strings.Join(words, "/") + "." + verb, "subject_id": r.id(), "subject_type": className(words), "created_at": now(),
		"data": t.completed(r), "page_id": nil, "funnel_id": nil, "api_version": 2, "workspace_id": workspace,
	})
}

func singular(word string) string {
	if stem, ok := strings.CutSuffix(word, "ies"); ok {
		return stem + "y"
	}
	return strings.TrimSuffix(word, "s")
}

// className returns the name of the class of records, such as `Contacts::AppliedTag`.
func className(words []string) string {
	names := make([]string, len(words))
	for i, word := range words {
		for part := range strings.SplitSeq(word, "_") {
			names[i] += strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return strings.Join(names, "::")
}
