package signin

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// purpose is the use of a sealed value. A value is rejected for any other purpose.
type purpose string

const (
	forLogin   purpose = "login"
	forSession purpose = "session"
	forCode    purpose = "code"
	forBearer  purpose = "bearer"
	forRefresh purpose = "refresh"
)

// maxSealed is the maximum length of a sealed value, in bytes. Browsers drop cookies of more than
// 4096 bytes, with their names and attributes.
const maxSealed = 3800

// keySize is the size of a session key, in bytes.
const keySize = 32

// Keys are the keys that seal and open sessions. They print and log as "***".
type Keys struct{ keys []key }

type key struct {
	id     string
	secret []byte
}

// ParseKeys reads keys of 32 bytes each in base64, separated by commas or white space. The first one
// seals, and all of them open. The error does not repeat them.
func ParseKeys(text string) (Keys, error) {
	var all Keys
	for i, field := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r <= ' ' }) {
		encoding := base64.RawStdEncoding
		if strings.ContainsAny(field, "-_") {
			encoding = base64.RawURLEncoding
		}
		secret, err := encoding.DecodeString(strings.TrimRight(field, "="))
		if err != nil || len(secret) != keySize {
			return Keys{}, fmt.Errorf("key %d is not 32 bytes in base64: make one with `openssl rand -base64 32`", i+1)
		}
		id := sha256.Sum256(append([]byte("id of a session key\n"), secret...))
		all.keys = append(all.keys, key{base64.RawURLEncoding.EncodeToString(id[:6]), secret})
	}
	if len(all.keys) == 0 {
		return Keys{}, errors.New("there is no key: make one with `openssl rand -base64 32`")
	}
	return all, nil
}

// Missing reports whether there are no keys.
func (k Keys) Missing() bool { return len(k.keys) == 0 }

// Format implements [fmt.Formatter] for every verb without revealing the keys.
func (Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "***") }

// LogValue implements [slog.LogValuer] without revealing the keys.
func (Keys) LogValue() slog.Value { return slog.StringValue("***") }

// envelope is the content of a sealed value.
type envelope struct {
	Purpose purpose         `json:"for"`
	Expires int64           `json:"exp"` // in Unix seconds
	Content json.RawMessage `json:"content"`
}

// seal encrypts content as a JSON Web Encryption (RFC 7516): AES-256-GCM directly with the first key.
// It fails if the value is too long for a cookie.
func (k Keys) seal(p purpose, content any, expires time.Time) (string, error) {
	inner, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(envelope{p, expires.Unix(), inner})
	if err != nil {
		return "", err
	}
	first := k.keys[0]
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: first.secret, KeyID: first.id}, nil)
	if err != nil {
		return "", err
	}
	object, err := encrypter.Encrypt(text)
	if err != nil {
		return "", err
	}
	sealed, err := object.CompactSerialize()
	if err == nil && len(sealed) > maxSealed {
		err = errors.New("the sealed value is too long for a cookie")
	}
	return sealed, err
}

// errNotOpened is the error of values that cannot be opened, whatever the reason.
var errNotOpened = errors.New("the value is not valid, or has expired")

// open decrypts a value that was sealed for a purpose and has not expired.
func (k Keys) open(p purpose, sealed string, content any) (expires time.Time, err error) {
	if len(sealed) > maxSealed {
		return time.Time{}, errNotOpened
	}
	object, err := jose.ParseEncryptedCompact(sealed, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil || !strings.Contains(sealed, "..") { // direct encryption has an empty encrypted key, which the library does not check
		return time.Time{}, errNotOpened
	}
	for _, each := range k.keys {
		if each.id != object.Header.KeyID {
			continue
		}
		var e envelope
		text, err := object.Decrypt(each.secret)
		if err != nil || json.Unmarshal(text, &e) != nil || e.Purpose != p || time.Now().Unix() >= e.Expires || json.Unmarshal(e.Content, content) != nil {
			return time.Time{}, errNotOpened
		}
		return time.Unix(e.Expires, 0), nil
	}
	return time.Time{}, errNotOpened
}
