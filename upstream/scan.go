package upstream

import (
	"bytes"
	"strings"
)

// scanner passes over JSON text (RFC 8259), of which nearly all is of no
// interest, without copying anything. It checks the syntax of all that it
// passes, but for control characters and broken UTF-8 within strings, of which
// it only looks for the end. Its methods return false where the text is not
// JSON, or deeper nested than any answer is.
type scanner struct {
	text []byte
	at   int
}

// Kinds of values beside their first byte.
const (
	kindNumber = '0'
	// kindEscaped is a string with escapes in it.
	kindEscaped = '\\'
)

// maxDepth is far above the nesting of any answer.
const maxDepth = 100

// next passes over white space and returns the byte behind it, 0 at the end.
func (s *scanner) next() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// take passes over the byte if it is the next.
func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

// value passes over a value, which ends where the scanner then stands. Its kind
// is '"', [kindEscaped], [kindNumber], '{', '[', 't', 'f' or 'n'.
func (s *scanner) value() (kind byte, ok bool) { return s.nested(maxDepth) }

func (s *scanner) nested(depth int) (kind byte, ok bool) {
	if depth == 0 {
		return 0, false
	}
	switch c := s.next(); c {
	case '"':
		plain, ok := s.quoted()
		if !plain {
			c = kindEscaped
		}
		return c, ok
	case '{', '[':
		return c, s.members(c, depth)
	case 't':
		return c, s.literal("true")
	case 'f':
		return c, s.literal("false")
	case 'n':
		return c, s.literal("null")
	default:
		return kindNumber, s.number()
	}
}

// members passes over an object or an array.
func (s *scanner) members(open byte, depth int) bool {
	s.at++
	for first := true; ; first = false {
		switch c := s.next(); {
		case c == open+2: // } or ]
			s.at++
			return true
		case !first && !s.take(','):
			return false
		}
		if open == '{' {
			if !s.key() {
				return false
			}
		}
		if _, ok := s.nested(depth - 1); !ok {
			return false
		}
	}
}

// key passes over a member's name and the colon behind it.
func (s *scanner) key() bool {
	if s.next() != '"' {
		return false
	}
	_, ok := s.quoted()
	return ok && s.take(':')
}

func (s *scanner) literal(word string) bool {
	if len(s.text)-s.at < len(word) || string(s.text[s.at:s.at+len(word)]) != word {
		return false
	}
	s.at += len(word)
	return true
}

func (s *scanner) number() bool {
	s.optional("-")
	if !s.optional("0") && !s.digits() {
		return false
	}
	if s.optional(".") && !s.digits() {
		return false
	}
	if s.optional("eE") {
		s.optional("+-")
		return s.digits()
	}
	return true
}

// optional passes over one byte of the set if it is there.
func (s *scanner) optional(set string) bool {
	if s.at < len(s.text) && strings.IndexByte(set, s.text[s.at]) >= 0 {
		s.at++
		return true
	}
	return false
}

func (s *scanner) digits() bool {
	begin := s.at
	for s.at < len(s.text) && s.text[s.at]-'0' <= 9 {
		s.at++
	}
	return s.at > begin
}

// quoted passes over a string, of which it looks for the end only. plain says
// that it has no escapes.
func (s *scanner) quoted() (plain, ok bool) {
	t := s.text[s.at+1:]
	end := bytes.IndexByte(t, '"')
	if end < 0 {
		return false, false
	}
	if bytes.IndexByte(t[:end], '\\') < 0 {
		s.at += end + 2
		return true, true
	}
	for i := 0; i < len(t); i++ {
		switch t[i] {
		case '"':
			s.at += i + 2
			return false, true
		case '\\':
			n := escape(t[i:])
			if n == 0 {
				return false, false
			}
			i += n - 1
		}
	}
	return false, false
}

// escape returns the length of the escape that the text begins with, 0 if it is
// none.
func escape(t []byte) int {
	if len(t) < 2 {
		return 0
	}
	switch t[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(t) < 6 || len(bytes.Trim(t[2:6], "0123456789abcdefABCDEF")) > 0 {
			return 0
		}
		return 6
	}
	return 0
}
