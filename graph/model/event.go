package model

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Event is something that happened in a workspace.
type Event struct {
	ID         string
	Type       string
	EventType  EventType // see [EventTypeOf]
	OccurredAt time.Time
	// Data is the record at the time of the event; nil if the caller may not see it.
	Data jsontext.Value
	// Current reports that Data is the record as far as is known now.
	Current bool
	// Ref is the record that the event is about, zero if there is none.
	Ref upstream.Ref
}

// eventWords replaces the characters of ClickFunnels' types that names in GraphQL cannot have.
var eventWords = strings.NewReplacer(".", "_", "/", "_", "-", "_")

// EventTypeOf returns the value of the enum for a type of ClickFunnels, such as `contact.created`.
func EventTypeOf(text string) EventType {
	if of := EventType(strings.ToUpper(eventWords.Replace(text))); of.IsValid() {
		return of
	}
	return EventTypeUnknown
}
