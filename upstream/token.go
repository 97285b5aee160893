package upstream

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what a secret looks like wherever it is printed.
const redacted = "***"

// Token is a ClickFunnels API token. Printed, logged or encoded in any way it
// shows as "***"; only the Authorization header carries its text.
type Token string

// Format implements [fmt.Formatter] for every verb, so that no format string
// can print the token.
func (Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements [encoding.TextMarshaler] without revealing the token.
func (Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements [slog.LogValuer] without revealing the token.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// maxTokenBytes is far above any token that ClickFunnels hands out.
const maxTokenBytes = 4096

// Valid reports whether the token can stand in a header: printable ASCII
// without spaces, not empty, not absurdly long.
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

// credential stands for a token where one is remembered, so that memory keyed
// by it holds no secret.
type credential [sha256.Size]byte

// credential is of what the header Authorization says, as replicas name lanes and answers.
func (t Token) credential() credential { return digest(t.authorization()) }

func (t Token) authorization() string { return "Bearer " + string(t) }

// digest returns the hash of fields, each behind its length, so that no other fields
// have the same one.
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
