package gqlhttp

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Schema returns a handler that serves a schema in the schema definition language. It calls sdl
// once, on the first request.
func Schema(sdl func() string) http.Handler {
	once := sync.OnceValues(func() (text, tag string) {
		text = sdl()
		sum := sha256.Sum256([]byte(text))
		return text, `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, tag := once()
		header := w.Header()
		header.Set("Content-Type", "text/plain; charset=utf-8")
		header["X-Content-Type-Options"] = noSniff
		header["Cache-Control"] = revalidated
		header.Add("Vary", "Authorization")
		header.Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
	})
}
