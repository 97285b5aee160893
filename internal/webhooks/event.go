package webhooks

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Event is something that happened in a workspace.
type Event struct {
	// ID identifies the event at ClickFunnels: 32 hexadecimal digits.
	ID string `json:"id"`
	// Type is the key of its type, such as `contact.created`.
	Type string `json:"type"`
	// Workspace is the raw id of the workspace.
	Workspace string `json:"workspace"`
	// SubjectType and SubjectID name the record that it is about, such as `Contact` and its raw id. Both
	// are empty if the event has no subject.
	SubjectType string `json:"subjectType,omitempty"`
	SubjectID   string `json:"subjectId,omitempty"`
	// OccurredAt is when it happened, or when it arrived if ClickFunnels sent no readable time.
	OccurredAt time.Time `json:"occurredAt"`
	// Data is the subject as it was then: the JSON object of its GET response.
	Data jsontext.Value `json:"data,omitempty"`
	// IsV1 reports whether a deprecated endpoint sent the event. Data then has another shape.
	IsV1 bool `json:"isV1,omitempty"`
	// Late reports that no webhook brought the event, so that it was found after later ones. No
	// subscription can begin after it.
	Late bool `json:"late,omitempty"`
	// Superseded reports that a newer event about the same record is known, or may be. Data may be out of
	// date then.
	Superseded bool `json:"superseded,omitempty"`

	isUnshared bool // other replicas do not have it
}

// size is the approximate memory of an event, in bytes.
func (e Event) size() int {
	const overhead = 256
	return overhead + len(e.Type) + len(e.SubjectType) + len(e.SubjectID) + len(e.Data)
}

// delivery is the body of a delivery (clickfunnels-api.md §7).
type delivery struct {
	Data        jsontext.Value `json:"data"`
	EventID     string         `json:"event_id"`
	EventType   string         `json:"event_type"`
	SubjectID   jsontext.Value `json:"subject_id"`
	SubjectType string         `json:"subject_type"`
	CreatedAt   jsontext.Value `json:"created_at"`
	APIVersion  jsontext.Value `json:"api_version"`
	WorkspaceID jsontext.Value `json:"workspace_id"`
}

// maxText is the maximum length of event_type and of subject_type, in bytes.
const maxText = 200

// The errors of deliveries that are signed and cannot be used.
var (
	errMalformed      = errors.New("the body is not an event")
	errOtherWorkspace = errors.New("the event belongs to another workspace")
)

// Parse reads a delivery for a workspace, given by its raw id.
func Parse(body []byte, workspace string) (Event, error) {
	var d delivery
	if err := json.Unmarshal(body, &d, jsontext.AllowInvalidUTF8(true)); err != nil {
		return Event{}, errMalformed
	}
	return d.event(workspace)
}

// event returns the event of a delivery.
func (d delivery) event(workspace string) (Event, error) {
	id, ok := eventID(d.EventID)
	subject := idOf(d.SubjectID)
	switch {
	case !ok || d.EventType == "" || len(d.EventType) > maxText || len(d.SubjectType) > maxText || strings.ContainsFunc(d.EventType+d.SubjectType, isControl):
		return Event{}, errMalformed
	case isOther(d.WorkspaceID, workspace), otherWorkspace(d.Data, workspace):
		return Event{}, errOtherWorkspace
	}
	e := Event{ID: id, Type: d.EventType, Workspace: workspace, IsV1: strings.Trim(string(d.APIVersion), `"v`) == "1"}
	if e.OccurredAt, ok = timeOf(d.CreatedAt); !ok {
		e.OccurredAt, e.Superseded = time.Now().UTC(), true
	}
	if subject != "" && d.SubjectType != "" {
		e.SubjectType, e.SubjectID = d.SubjectType, subject
	}
	if d.Data.Kind() == '{' {
		e.Data = bytes.ToValidUTF8(d.Data, []byte("\uFFFD"))
		_ = e.Data.Compact(jsontext.AllowInvalidUTF8(true)) // it was decoded before
	}
	return e, nil
}

func isControl(r rune) bool { return r < ' ' }

// otherWorkspace reports whether the data of an event names another workspace.
func otherWorkspace(data jsontext.Value, workspace string) bool {
	if data.Kind() != '{' {
		return false
	}
	var row struct {
		WorkspaceID jsontext.Value `json:"workspace_id"`
	}
	if err := json.Unmarshal(data, &row, jsontext.AllowInvalidUTF8(true)); err != nil {
		return true // it cannot be read
	}
	return isOther(row.WorkspaceID, workspace)
}

// isOther reports whether an id is there and is not the one of a workspace.
func isOther(id jsontext.Value, workspace string) bool {
	return len(id) > 0 && id.Kind() != 'n' && idOf(id) != workspace
}

// timeOf returns a time as the API sends it.
func timeOf(value jsontext.Value) (at time.Time, ok bool) {
	text, err := strconv.Unquote(string(value))
	if err != nil {
		return at, false
	}
	at, ok = upstream.ParseTime(text)
	return at.UTC(), ok
}

// idOf returns a raw id that is a number or a text, "" for anything else.
func idOf(value jsontext.Value) string {
	text := string(value)
	if value.Kind() == '"' {
		unquoted, err := strconv.Unquote(text)
		if err != nil {
			return ""
		}
		text = unquoted
	}
	if len(text) > maxID || !upstream.IsRawID(text) {
		return ""
	}
	return text
}

// maxID is the maximum length of a raw id.
const maxID = 20

// eventID returns the id of an event without dashes, in lower case: lists have 32 digits, and
// deliveries a UUID with dashes.
func eventID(text string) (string, bool) {
	id := strings.ToLower(strings.ReplaceAll(text, "-", ""))
	if len(text) > 36 || len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
		return "", false
	}
	return id, true
}
