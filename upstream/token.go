package upstream

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
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

// credential is the hash of the Authorization header.
func (t Token) credential() transport.Credential { return transport.NewCredential(t.authorization()) }

func (t Token) authorization() string { return "Bearer " + string(t) }
