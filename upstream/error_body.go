package upstream

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

const (
	// maxMessageBytes bounds all messages of an error together. maxAttributeBytes bounds an
	// attribute's name in a message.
	maxMessageBytes   = 500
	maxAttributeBytes = 100
	// maxPlainText is how much of a plain text is read, in bytes.
	maxPlainText = 16 << 10
	// maxErrorDepth is far above the nesting depth of real errors.
	maxErrorDepth = 10
)

// errorBody is the content of an error's body in any of its shapes (clickfunnels-api.md §4): {"error": "…"}, an
// object or an array instead of the text, {"error": true, "message": "…"}, {"errors": …}, a bare
// map of attributes to messages, a bare string, or plain text. HTML and broken JSON have no
// content.
type errorBody struct {
	// sanitize makes a text safe to show.
	sanitize func(string) string

	messages []string
}

// read decodes a body. plain allows plain text as well as JSON. It reads token by token, so that
// ignored parts take no memory. A long body is truncated.
func (b *errorBody) read(body []byte, plain bool) {
	body = withoutBOM(body)
	whole := len(body) <= transport.MaxErrorBody
	body = body[:min(len(body), transport.MaxErrorBody)]
	found, err := b.decode(body)
	switch {
	case err == nil:
	case plain: // not JSON
		found = messages{sanitize: b.sanitize}
		found.addSplit(string(body[:min(len(body), maxPlainText)]))
	case whole: // broken JSON
		found = messages{}
	case len(found.all) == 0: // {"error": "a long text
		found, _ = b.decode(append(slices.Clip(body), `"}`...))
	}
	b.messages = found.all
}

// decode returns the messages of a JSON body. If the body is broken or truncated, it returns the
// messages before that point.
func (b *errorBody) decode(body []byte) (found messages, err error) {
	found.sanitize = b.sanitize
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if dec.PeekKind() == '{' {
		err = b.object(dec, &found, "", 0)
	} else {
		err = b.value(dec, &found, "", 0)
	}
	if err == nil {
		if _, err = dec.ReadToken(); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	return found, err
}

// value adds the messages of a value to m. Each message starts with its attribute's name, except
// for "base", which is the whole record.
func (b *errorBody) value(dec *jsontext.Decoder, m *messages, attribute string, depth int) error {
	kind := dec.PeekKind()
	switch {
	case m.full() || depth > maxErrorDepth:
		return dec.SkipValue()
	case kind == '"':
		text, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if attribute == "" {
			m.addSplit(text.String())
		} else {
			m.add(attribute, text.String())
		}
		return nil
	case kind == '{':
		return b.object(dec, m, attribute, depth)
	case kind == '[':
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
		for dec.PeekKind() != ']' {
			if err := b.value(dec, m, attribute, depth+1); err != nil {
				return err
			}
		}
		_, err := dec.ReadToken()
		return err
	}
	return dec.SkipValue()
}

// messageKeys are the keys whose value is the complete message, in order of precedence. The first
// two apply only at the top level of the body.
var messageKeys = []string{"error", "errors", "message", "detail", "title"}

// object is value for an object. Keys that are not messageKeys are attributes.
func (b *errorBody) object(dec *jsontext.Decoder, m *messages, attribute string, depth int) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	found := make([]messages, len(messageKeys)+1)
	for i := range found {
		found[i].sanitize = b.sanitize
	}
	err := b.members(dec, found, attribute, depth)
	for i := range found {
		if len(found[i].all) > 0 {
			m.addAll(found[i].all)
			break
		}
	}
	return err
}

func (b *errorBody) members(dec *jsontext.Decoder, found []messages, attribute string, depth int) error {
	for dec.PeekKind() != '}' {
		key, err := dec.ReadToken()
		if err != nil {
			return err
		}
		name := key.String()
		i := slices.Index(messageKeys, name)
		switch {
		case depth == 0 && (name == "retry_after" || name == "status"):
			err = dec.SkipValue()
		case i >= 0 && (depth == 0 && i < 3 || i >= 2 && dec.PeekKind() == '"'):
			err = b.value(dec, &found[i], attribute, depth+1)
		case name == "base":
			err = b.value(dec, &found[len(messageKeys)], "", depth+1)
		default:
			err = b.value(dec, &found[len(messageKeys)], truncate(b.sanitize(name), maxAttributeBytes), depth+1)
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// messages is a list of texts with a bounded total length.
type messages struct {
	sanitize func(string) string
	all      []string
	size     int
}

func (m *messages) full() bool { return m.size >= maxMessageBytes }

func (m *messages) add(attribute, text string) {
	m.addAll([]string{attribute + " " + m.sanitize(text)})
}

// addSplit adds the messages of a text. ClickFunnels joins messages with semicolons.
func (m *messages) addSplit(text string) { m.addAll(splitMessages(m.sanitize(text))) }

// addAll adds sanitized texts.
func (m *messages) addAll(texts []string) {
	for _, text := range texts {
		if text = strings.TrimSpace(text); text != "" && !m.full() {
			text = truncate(text, maxMessageBytes-m.size)
			m.all = append(m.all, text)
			m.size += len(text) + len("; ")
		}
	}
}

// splitMessages splits a text at semicolons, except within double quotes.
func splitMessages(text string) (all []string) {
	begin := 0
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"' && (i == 0 || strings.IndexByte(" (:=[;", text[i-1]) >= 0):
			if end := strings.IndexByte(text[i+1:], '"'); end >= 0 {
				i += 1 + end
			}
		case strings.HasPrefix(text[i:], "; "):
			all = append(all, text[begin:i])
			begin = i + len("; ")
		}
	}
	return append(all, text[begin:])
}
