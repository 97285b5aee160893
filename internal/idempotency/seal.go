package idempotency

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// sealer encrypts the records of a request's key. Reading one requires the caller's rights, which
// contain its token, and the key. A name reveals neither.
type sealer struct {
	name        string
	cipher      cipher.AEAD
	fingerprint [sha256.Size]byte
}

func newSealer(r Request) sealer {
	name := transport.Digest("idempotency", r.ID, r.Key)
	return sealer{string(name[:]), transport.StateCipher("idempotency", r.ID, r.Rights, r.Key), r.Fingerprint}
}

// The kinds of records. A record is the request's fingerprint, the kind and the content.
const (
	running  = 'r' // the content is the time at which the execution has ended at the latest
	answered = 'a' // the content is the answer
	notKept  = 'n' // there is no content
)

func (s sealer) seal(kind byte, content []byte) []byte {
	record := make([]byte, 0, len(s.fingerprint)+1+len(content))
	record = append(append(append(record, s.fingerprint[:]...), kind), content...)
	return s.cipher.Seal(nil, nil, record, []byte(s.name)) //nolint:gosec // the nonce is its own
}

// sealClaim returns the record of an execution that ends at a time at the latest.
func (s sealer) sealClaim(until time.Time) []byte {
	return s.seal(running, binary.BigEndian.AppendUint64(nil, uint64(until.UnixMilli())))
}

// open returns the answer in a record, or why there is none. The error is [errRunning] if there can
// be an answer later.
func (s sealer) open(sealed []byte) (answer []byte, err error) {
	record, err := s.cipher.Open(nil, nil, sealed, []byte(s.name))
	if err != nil || len(record) <= len(s.fingerprint) {
		return nil, errOtherRights
	}
	if [sha256.Size]byte(record) != s.fingerprint {
		return nil, errOtherRequest
	}
	switch content := record[len(s.fingerprint)+1:]; record[len(s.fingerprint)] {
	case answered:
		return content, nil
	case notKept:
		return nil, errNotKept
	case running:
		if time.Now().UnixMilli() < int64(binary.BigEndian.Uint64(content)) { //nolint:gosec // as sealed
			return nil, errRunning
		}
	}
	return nil, errUnknown
}
