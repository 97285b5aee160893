package upstream

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// readReference decodes a list of contacts into Go structs. Tests compare the row reader with it.
func readReference(body []byte) ([]*referenceContact, error) {
	body = withoutBOM(body)
	if err := checkSize(body); err != nil {
		return nil, err
	}
	var rows []*referenceContact
	err := json.Unmarshal(body, &rows, lenient)
	if _, ok := errors.AsType[*json.SemanticError](err); ok {
		rows = nil
		err = json.Unmarshal(body, &rows, forgiving)
	}
	if err == nil && rows == nil {
		err = errors.New("null for a list")
	}
	if err == nil && len(rows) > maxRows {
		err = errDecodeLimits
	}
	return slices.DeleteFunc(rows, func(row *referenceContact) bool { return row == nil }), err
}

// referenceRecord has the fields of every resource (clickfunnels-api.md §5).
type referenceRecord struct {
	// RawID is ClickFunnels' numeric id as text, because it can exceed 2³¹.
	RawID string `json:"id"`
	// PublicID is the short obfuscated id; nil if ClickFunnels sent none.
	PublicID  *string    `json:"public_id"`
	CreatedAt *time.Time `json:"created_at"`
	UpdatedAt *time.Time `json:"updated_at"`
}

type referenceContact struct {
	referenceRecord             `json:",embed"`
	WorkspaceID                 string               `json:"workspace_id"`
	Anonymous                   *bool                `json:"anonymous"`
	EmailAddress                *string              `json:"email_address"`
	FirstName                   *string              `json:"first_name"`
	LastName                    *string              `json:"last_name"`
	PhoneNumber                 *string              `json:"phone_number"`
	TimeZone                    *string              `json:"time_zone"`
	UUID                        string               `json:"uuid"`
	UnsubscribedAt              *time.Time           `json:"unsubscribed_at"`
	LastNotificationEmailSentAt *time.Time           `json:"last_notification_email_sent_at"`
	FbURL                       *string              `json:"fb_url"`
	TwitterURL                  *string              `json:"twitter_url"`
	InstagramURL                *string              `json:"instagram_url"`
	LinkedinURL                 *string              `json:"linkedin_url"`
	WebsiteURL                  *string              `json:"website_url"`
	Tags                        []*referenceTag      `json:"tags"`
	CustomAttributes            referenceAttributes  `json:"custom_attributes"`
	AvatarImage                 jsontext.Value       `json:"avatar_image"`
	EmailSuppressionReason      *string              `json:"email_suppression_reason"`
	IsActive                    *bool                `json:"is_active"`
	DeletedAt                   *time.Time           `json:"deleted_at"`
	Visits                      *referenceVisits     `json:"visits"`
	EmailEngagement             *referenceEngagement `json:"email_engagement"`
}

// referenceTag is a tag embedded in a contact.
type referenceTag struct {
	RawID     string     `json:"id"`
	PublicID  *string    `json:"public_id"`
	Name      string     `json:"name"`
	Color     string     `json:"color"`
	AppliedAt *time.Time `json:"applied_at"`
}

// referenceVisits are a contact's visits to the workspace's pages (2026).
type referenceVisits struct {
	FirstVisit       *referenceVisit `json:"first_visit"`
	LastVisit        *referenceVisit `json:"last_visit"`
	LastVisitWithUtm *referenceVisit `json:"last_visit_with_utm"`
}

// referenceVisit is one visit and its origin (clickfunnels-api.md §5, shared shapes).
type referenceVisit struct {
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

// referenceEngagement holds when a contact last got, opened and clicked an e-mail. It is sent only
// on request (see [Client.WithProjection]).
type referenceEngagement struct {
	LastEmailSentAt    *time.Time `json:"last_email_sent_at"`
	LastEmailOpenedAt  *time.Time `json:"last_email_opened_at"`
	LastEmailClickedAt *time.Time `json:"last_email_clicked_at"`
}

// referenceAttributes are a contact's custom attributes in their original order.
type referenceAttributes []*CustomAttribute

// UnmarshalJSONFrom decodes a JSON object with values of any type. Other values yield no
// attributes.
func (a *referenceAttributes) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
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

// columns returns the fields of a reference struct by their keys.
func columns(t reflect.Type) map[string][]int {
	all := make(map[string][]int)
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			all[name] = field.Index
		}
	}
	return all
}

// sameValue reports whether the row's method with the field's name returns the field's value.
func sameValue(reference reflect.Value, index []int, row any) bool {
	want, name := reference.FieldByIndex(index), reference.Type().FieldByIndex(index).Name
	if name == "CustomAttributes" {
		got := row.(*Contact).CustomAttributes(nil)
		return want.Len() == len(got) && (len(got) == 0 || reflect.DeepEqual([]*CustomAttribute(want.Interface().(referenceAttributes)), got))
	}
	if name == "WorkspaceID" { // rows also get it from their place
		return want.String() == row.(*Contact).text("workspace_id")
	}
	got := reflect.ValueOf(row).MethodByName(name).Call(nil)[0]
	switch v := want.Interface().(type) {
	case jsontext.Value:
		if string(v) == "null" {
			v = nil
		}
		return string(slices.Clone(v)) == string(got.Bytes()) || strings.ToValidUTF8(string(v), "\uFFFD") == string(got.Bytes())
	case *referenceVisits:
		return sameRow(v, got)
	case *referenceVisit:
		return sameRow(v, got)
	case *referenceEngagement:
		return sameRow(v, got)
	case []*referenceTag:
		tags := slices.DeleteFunc(slices.Clone(v), func(tag *referenceTag) bool { return tag == nil })
		same := len(tags) == got.Len() && (v == nil) == got.IsNil()
		for i := 0; same && i < len(tags); i++ {
			same = sameRow(tags[i], got.Index(i))
		}
		return same
	}
	return reflect.DeepEqual(want.Interface(), got.Interface())
}

// sameRow compares all columns of a reference, which may be nil, with a row.
func sameRow[T any](reference *T, row reflect.Value) bool {
	if reference == nil || row.IsNil() {
		return reference == nil && row.IsNil()
	}
	v := reflect.ValueOf(reference).Elem()
	for _, index := range columns(v.Type()) {
		if !sameValue(v, index, row.Interface()) {
			return false
		}
	}
	return true
}

// sameRows compares lists of contacts.
func sameRows(references []*referenceContact, rows []*Contact) bool {
	same := len(references) == len(rows)
	for i := 0; same && i < len(rows); i++ {
		same = sameRow(references[i], reflect.ValueOf(rows[i]))
	}
	return same
}

var lenientTypes = json.JoinUnmarshalers(
	json.UnmarshalFromFunc(decodeText),
	json.UnmarshalFromFunc(decodeTexts),
	json.UnmarshalFromFunc(nullable(parseInt)),
	json.UnmarshalFromFunc(nullable(parseBool)),
	json.UnmarshalFromFunc(nullable(ParseTime)),
)

// lenient decodes the Go types of records. Pointers are nullable fields, and become nil for values
// that cannot be interpreted.
var lenient = json.JoinOptions(
	json.WithUnmarshalers(lenientTypes),
	jsontext.AllowDuplicateNames(true),
	jsontext.AllowInvalidUTF8(true),
)

// forgiving also takes values of the wrong shape, such as an object instead of a list, for null. It
// inspects every value, so it is tried second.
var forgiving = json.JoinOptions(lenient, json.WithUnmarshalers(json.JoinUnmarshalers(
	lenientTypes,
	json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v any) error {
		var want jsontext.Kind
		switch target := reflect.TypeOf(v).Elem(); {
		case target.Kind() == reflect.Struct || target.Kind() == reflect.Pointer && target.Elem().Kind() == reflect.Struct:
			want = '{'
		case target.Kind() == reflect.Slice:
			want = '['
		}
		_, own := v.(json.UnmarshalerFrom)
		_, raw := v.(*jsontext.Value)
		if want == 0 || own || raw || dec.StackDepth() == 0 || dec.PeekKind() == want {
			return errors.ErrUnsupported
		}
		reflect.ValueOf(v).Elem().SetZero()
		return dec.SkipValue()
	}),
)))

// decodeText decodes any value as text.
func decodeText(dec *jsontext.Decoder, s *string) error {
	text, err := readText(dec)
	*s = text
	return err
}

// decodeTexts decodes a list of ids or words without nulls and blanks.
func decodeTexts(dec *jsontext.Decoder, all *[]string) error {
	if dec.PeekKind() != '[' {
		return errors.ErrUnsupported
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	*all = []string{}
	for dec.PeekKind() != ']' {
		text, err := readText(dec)
		if err != nil {
			return err
		}
		if text != "" {
			*all = append(*all, text)
		}
	}
	_, err := dec.ReadToken()
	return err
}

// nullable returns a decoder for *T that sets nil if parse does not accept the value's text.
func nullable[T any](parse func(string) (T, bool)) func(*jsontext.Decoder, **T) error {
	return func(dec *jsontext.Decoder, p **T) error {
		*p = nil
		text, err := readText(dec)
		if err != nil {
			return err
		}
		if v, ok := parse(text); ok {
			*p = &v
		}
		return nil
	}
}

// readText returns a value as text: the content of a string, numbers and booleans as they are,
// nothing for null, and JSON for objects and arrays. Decimal ids become integers.
func readText(dec *jsontext.Decoder) (string, error) {
	value, err := dec.ReadValue()
	if err != nil {
		return "", err
	}
	if value.Kind() == 'n' {
		return "", nil
	}
	if isDecimal(byte(value.Kind()), value) && isIDKey(memberOf(dec.StackPointer())) {
		return integerID(strings.Trim(string(value), `"`)), nil
	}
	if value.Kind() == '"' {
		if inner := value[1 : len(value)-1]; isPlain(inner) {
			return string(inner), nil
		}
		unquoted, _ := jsontext.AppendUnquote(nil, value) // fails only for invalid UTF-8, which it repairs
		return string(unquoted), nil
	}
	return strings.ToValidUTF8(string(value), "\uFFFD"), nil
}

// readNullableText is [readText] with nil for null.
func readNullableText(dec *jsontext.Decoder) (*string, error) {
	if dec.PeekKind() == 'n' {
		return nil, dec.SkipValue()
	}
	text, err := readText(dec)
	return &text, err
}

// memberOf returns the name of the object member that a pointer leads to, ignoring array indexes.
func memberOf(p jsontext.Pointer) string {
	for p != "" {
		name := p.LastToken()
		if _, err := strconv.Atoi(name); err != nil {
			return name
		}
		p = p.Parent()
	}
	return ""
}
