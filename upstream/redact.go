package upstream

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// minRedacted is the shortest token that answers are searched for, in bytes. Real ones are
// far longer, and a shorter text can well be part of a word.
const minRedacted = 6

// redact returns an answer's body without the token in any of its texts, however JSON
// writes it there. It returns the body itself where the token is not in it, nearly
// always, and never modifies it.
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
	// It is not JSON. It is shown only if no reader can find the token in what is left.
	plain := []byte(t.without(string(body)))
	if t.escaped(plain) {
		return nil
	}
	return plain
}

// without returns the text without the token in it.
func (t Token) without(text string) string {
	// What is left can hold it anew.
	for len(t) >= minRedacted && strings.Contains(text, string(t)) {
		text = strings.ReplaceAll(text, string(t), redacted)
	}
	return text
}

// escaped reports whether JSON's escapes in a body stand for a character that the token
// has, so that the token may be there and not be found as it is.
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
		// Other escapes stand for control characters, which no token has.
		if (size == 6 && c != 0 || c == '"' || c == '\\' || c == '/') && strings.IndexByte(string(t), c) >= 0 {
			return true
		}
		body = body[min(len(body), i+size):]
	}
}

// unhex returns what a hexadecimal digit stands for, and 0 for anything else.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0
}
