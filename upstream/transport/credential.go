package transport

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"io"
)

// Credential is a hash that identifies the sender of a call. Calls with different credentials share
// no limiter, breaker, call or cached response. Maps keyed by it contain no secret.
type Credential [sha256.Size]byte

// NewCredential returns the hash of the fields, such as an Authorization header. Replicas share
// limiters and responses whose credentials are equal.
func NewCredential(fields ...string) Credential { return Digest(fields...) }

// Digest returns the hash of length-prefixed fields, so that different fields have different
// hashes.
func Digest(fields ...string) (sum [sha256.Size]byte) {
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

// StateCipher returns the cipher for values in the state that replicas share. Reading them there
// requires all the secrets. The nonce is random and part of the encrypted value.
func StateCipher(secrets ...string) cipher.AEAD {
	key := Digest(secrets...)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // fails only for another key length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}
