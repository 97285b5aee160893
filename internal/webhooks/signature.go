package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

// The headers of a delivery (clickfunnels-api.md §7).
const (
	signatureHeader = "X-Webhook-ClickFunnels-Signature"
	timestampHeader = "X-Webhook-ClickFunnels-Timestamp"
)

// maxSkew is how far the timestamp of a delivery may be from the time here.
const maxSkew = 600 * time.Second

// Sign returns the signature of a delivery's body: the HMAC-SHA256 of the timestamp, a dot and the body,
// in lower-case hexadecimal.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte(timestamp + "."))
	_, _ = mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// isSigned reports whether one of the secrets signed a delivery, with a timestamp within [maxSkew] of now.
// Its duration does not show which one.
func isSigned(header http.Header, secrets []Secret, body []byte, now time.Time) bool {
	timestamp, signature := header.Get(timestampHeader), header.Get(signatureHeader)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || len(timestamp) > 12 || now.Sub(time.Unix(seconds, 0)).Abs() > maxSkew {
		return false
	}
	found := false
	for _, secret := range secrets {
		if hmac.Equal([]byte(Sign(string(secret), timestamp, body)), []byte(signature)) {
			found = true
		}
	}
	return found
}
