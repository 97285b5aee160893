package upstream

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
)

// redacted replaces secrets wherever they are printed.
const redacted = "***"

// Token is a ClickFunnels API token. It prints, logs and encodes as "***". Only the Authorization
// header carries its text.
type Token string

// Format implements [fmt.Formatter] for every verb, so that no format string prints the token.
func (Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements [encoding.TextMarshaler] without revealing the token.
func (Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements [slog.LogValuer] without revealing the token.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// maxTokenBytes is far above the length of any ClickFunnels token.
const maxTokenBytes = 4096

// Valid reports whether the token can be sent in a header: printable ASCII without spaces, not
// empty, and at most 4096 bytes.
func (t Token) Valid() bool {
	if t == "" || len(t) > maxTokenBytes {
		return false
	}
	for i := range len(t) {
		if t[i] <= ' ' || t[i] > '~' {
			return false
		}
	}
	return true
}

// credential is a hash that identifies a token. Maps keyed by it contain no secret.
type credential [sha256.Size]byte

// credential is the hash of the Authorization header. Shared limiters and responses are named after
// it.
func (t Token) credential() credential { return digest(t.authorization()) }

func (t Token) authorization() string { return "Bearer " + string(t) }

// digest returns the hash of length-prefixed fields, so that different fields have different
// hashes.
func digest(fields ...string) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, field := range fields {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(field)))
		_, _ = h.Write(length[:])
		_, _ = io.WriteString(h, field)
	}
	h.Sum(sum[:0])
	return sum
}
