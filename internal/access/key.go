package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

const (
	// keyPrefix begins every client key, so that a leaked key is recognised.
	keyPrefix = "fgk_"
	// hashPrefix names the hash function. A key has 256 random bits, so that it needs no slower
	// function.
	hashPrefix = "sha256:"
)

// NewKey generates a client key and its hash. Only the client gets the key; the access file has
// the hash.
func NewKey() (key, hash string) {
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret) // never fails
	key = keyPrefix + base64.RawURLEncoding.EncodeToString(secret)
	return key, hashKey(key).String()
}

// keyHash is the hash of a client key.
type keyHash [sha256.Size]byte

func hashKey(key string) keyHash { return sha256.Sum256([]byte(key)) }

// String returns the hash in the format of the access file.
func (h keyHash) String() string { return hashPrefix + hex.EncodeToString(h[:]) }

// equal compares in constant time.
func (h keyHash) equal(other keyHash) bool { return subtle.ConstantTimeCompare(h[:], other[:]) == 1 }

func parseHash(text string) (h keyHash, err error) {
	digits, ok := strings.CutPrefix(text, hashPrefix)
	if n, err := hex.Decode(h[:], []byte(digits[:min(len(digits), 2*len(h))])); !ok || err != nil || n != len(h) || len(digits) != 2*len(h) {
		// The error does not repeat the text, which may be the key itself by mistake.
		return keyHash{}, fmt.Errorf("a key's hash is %s and %d hexadecimal digits, as `funnelgraph key new` prints it", hashPrefix, 2*len(h))
	}
	return h, nil
}
