package upstream

import "bytes"

// scanner skips over JSON text (RFC 8259) without copying it. It checks the syntax, but not the
// contents of strings. Its methods return false for text that is not JSON, or that is nested deeper
// than maxDepth.
type scanner struct {
	text []byte
	at   int
}

// kindNumber is the kind of a number. The kind of any other value is its first byte.
const kindNumber = '0'

// maxDepth is far above the nesting depth of real responses.
const maxDepth = 10_000

// next skips white space and returns the next byte, or 0 at the end.
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

// ended reports whether only white space is left.
func (s *scanner) ended() bool {
	s.next()
	return s.at >= len(s.text)
}

// take skips the next byte if it is c.
func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

// value skips a value. It returns the value's kind: '"', [kindNumber], '{', '[', 't', 'f' or 'n'.
func (s *scanner) value() (kind byte, ok bool) { return s.nested(maxDepth) }

func (s *scanner) nested(depth int) (kind byte, ok bool) {
	if depth == 0 {
		return 0, false
	}
	switch c := s.next(); c {
	case '"':
		return c, s.quoted()
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

// raw skips a value and returns its text.
func (s *scanner) raw() (kind byte, raw []byte, ok bool) {
	s.next()
	begin := s.at
	kind, ok = s.value()
	return kind, s.text[begin:s.at], ok
}

// list calls value for each element of an array. value must skip the element.
func (s *scanner) list(value func() bool) bool {
	if !s.take('[') {
		return false
	}
	if s.take(']') {
		return true
	}
	for {
		if !value() {
			return false
		}
		if more, ok := s.more(']'); !more {
			return ok
		}
	}
}

// object calls value for each member of an object. value must skip the member's value. The name
// includes its quotes.
func (s *scanner) object(value func(name []byte) bool) bool {
	if !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	for {
		s.next()
		begin := s.at
		if s.next() != '"' || !s.quoted() {
			return false
		}
		if name := s.text[begin:s.at]; !s.take(':') || !value(name) {
			return false
		}
		if more, ok := s.more('}'); !more {
			return ok
		}
	}
}

// members skips an object or an array.
func (s *scanner) members(open byte, depth int) bool {
	s.at++
	end := open + 2 // } or ]
	if s.take(end) {
		return true
	}
	for {
		if open == '{' && !s.key() {
			return false
		}
		if _, ok := s.nested(depth - 1); !ok {
			return false
		}
		if more, ok := s.more(end); !more {
			return ok
		}
	}
}

// more skips the byte after a member: a comma or the end.
func (s *scanner) more(end byte) (more, ok bool) {
	c := s.next()
	s.at++
	return c == ',', c == end
}

// key skips a member's name and the colon after it.
func (s *scanner) key() bool {
	return s.next() == '"' && s.quoted() && s.take(':')
}

func (s *scanner) literal(word string) bool {
	if len(s.text)-s.at < len(word) || string(s.text[s.at:s.at+len(word)]) != word {
		return false
	}
	s.at += len(word)
	return true
}

func (s *scanner) number() bool {
	s.optional('-')
	if !s.optional('0') && !s.digits() {
		return false
	}
	if s.optional('.') && !s.digits() {
		return false
	}
	if s.optional('e') || s.optional('E') {
		_ = s.optional('+') || s.optional('-')
		return s.digits()
	}
	return true
}

// optional skips a byte if it is present.
func (s *scanner) optional(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
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

// quoted skips a string.
func (s *scanner) quoted() bool {
	for i := s.at + 1; ; {
		n := bytes.IndexByte(s.text[i:], '"')
		if n < 0 {
			return false
		}
		i += n + 1
		// The quote ends the string unless an odd number of backslashes precedes it.
		before := i - 2
		for s.text[before] == '\\' {
			before--
		}
		if (i-before)%2 == 0 {
			s.at = i
			return true
		}
	}
}
