package upstream

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// minRedacted is the length of the shortest token that is redacted, in bytes. Real tokens are far
// longer, and a shorter text may occur in ordinary words.
const minRedacted = 6

// redact returns a response body with the token removed from its texts, however JSON escapes it. It
// returns the same body if the token does not occur, which is nearly always, and never modifies it.
func (t Token) redact(body []byte) []byte {
	if len(t) < minRedacted || !bytes.Contains(body, []byte(t)) && !t.escaped(body) {
		return body
	}
	options := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	var out bytes.Buffer
	dec := jsontext.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))), options...)
	enc := jsontext.NewEncoder(&out, options...)
	for {
		value, err := dec.ReadToken()
		if errors.Is(err, io.EOF) {
			return out.Bytes()
		}
		if err != nil {
			break
		}
		if kind := value.Kind(); kind == '"' || kind == '0' {
			if text := value.String(); strings.Contains(text, string(t)) {
				value = jsontext.String(t.without(text))
			}
		}
		if err := enc.WriteToken(value); err != nil {
			break
		}
	}
	// The body is not JSON. It is shown only if no escape in it can hide the token.
	plain := []byte(t.without(string(body)))
	if t.escaped(plain) {
		return nil
	}
	return plain
}

// without returns the text with the token replaced.
func (t Token) without(text string) string {
	// The replaced text can contain the token again.
	for len(t) >= minRedacted && strings.Contains(text, string(t)) {
		text = strings.ReplaceAll(text, string(t), redacted)
	}
	return text
}

// escaped reports whether a JSON escape in the body stands for a character of the token. The token
// may then be present in escaped form.
func (t Token) escaped(body []byte) bool {
	for {
		i := bytes.IndexByte(body, '\\')
		if i < 0 || i+1 == len(body) {
			return false
		}
		c, size := body[i+1], 2
		if c == 'u' {
			c, size = 0, 6
			if code := body[i:min(len(body), i+6)]; len(code) == 6 && string(code[2:4]) == "00" {
				c = hexDigit(code[4])<<4 | hexDigit(code[5])
			}
		}
		// Other escapes are control characters, which no token contains.
		if (size == 6 && c != 0 || c == '"' || c == '\\' || c == '/') && strings.IndexByte(string(t), c) >= 0 {
			return true
		}
		body = body[min(len(body), i+size):]
	}
}

// hexDigit returns the value of a hexadecimal digit, and 0 for any other character.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0
}
