package gqlhttp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/internal/contentcoding"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// answer is the response to one request.
type answer struct {
	*handler
	w       http.ResponseWriter
	r       *http.Request
	media   string
	parts   string // the media type of an incremental response, if the client accepts one
	written bool   // prevents a second response after a panic
	// until is the client's own deadline; zero without one. It excludes the request from sharing,
	// because it must not apply to other requests.
	until time.Time
	// recording, if not nil, records the response.
	recording *recording
}

// panicBody returns the status and the body after a panic.
func (h *handler) panicBody(ctx context.Context, v any) (int, []byte) {
	return encode(http.StatusInternalServerError, h.panicResponse(ctx, v))
}

// panicResponse returns the response after a panic.
func (h *handler) panicResponse(ctx context.Context, v any) *graphql.Response {
	failed, ok := errors.AsType[*gqlerror.Error](h.Executor.PresentRecoveredError(ctx, v))
	if !ok {
		failed = &gqlerror.Error{Message: encodingFailed, Extensions: map[string]any{"code": string(upstream.Internal)}}
	}
	return &graphql.Response{Errors: gqlerror.List{failed}}
}

// negotiateMedia negotiates the media type of the response, and of an incremental response. media
// is empty if the client accepts no supported type, and parts if it accepts no incremental one.
// Without Accept, media is the older type, which clients from before the specification expect.
func negotiateMedia(accept []string) (media, parts string) {
	if strings.Join(accept, "") == "" {
		return legacyJSON, ""
	}
	whole := map[string]acceptance{legacyJSON: {}, graphqlJSON: {}}
	inParts := make(map[string]acceptance)
	for i, part := range strings.Split(strings.Join(accept, ","), ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil || !utf8Charset(params) {
			continue
		}
		said := acceptance{quality: quality(params["q"]), rank: exact, at: i}
		switch {
		case media == "*/*", media == "application/*":
			said.rank = strings.Index(media, "/*") // longer is more specific
			for offered := range whole {
				whole[offered] = whole[offered].or(said)
			}
		case media == legacyJSON, media == graphqlJSON:
			whole[media] = whole[media].or(said)
		case writesParts(media, params):
			inParts[media] = inParts[media].or(said)
		}
	}
	best, bestQuality := legacyJSON, whole[legacyJSON].quality
	if whole[graphqlJSON].before(whole[legacyJSON]) {
		best, bestQuality = graphqlJSON, whole[graphqlJSON].quality
	}
	if bestQuality == 0 {
		best = ""
	}
	switch events, mixed := inParts[eventStream].quality, inParts[multipart].quality; {
	case events > max(bestQuality, mixed):
		// Errors of requests without an operation are not sent as events.
		return cmp.Or(best, graphqlJSON), eventStream
	case mixed > 0: // only for several parts; a single one is JSON
		return cmp.Or(best, legacyJSON), multipart
	}
	return best, ""
}

// acceptance is how a client accepts a media type, according to the most specific range of Accept
// that matches it (RFC 9110, section 12.5.1).
type acceptance struct {
	quality float64
	rank    int // how specific the range is
	at      int // its position in Accept
}

// exact is the rank of a range without wildcards.
const exact = math.MaxInt

// or returns the more specific of the two, or the one with the higher quality.
func (a acceptance) or(other acceptance) acceptance {
	if other.rank > a.rank || other.rank == a.rank && other.quality > a.quality {
		return other
	}
	return a
}

// before reports whether a is preferred to other: by quality, then by how specific the range is,
// then by position.
func (a acceptance) before(other acceptance) bool {
	return cmp.Or(cmp.Compare(a.quality, other.quality), cmp.Compare(a.rank, other.rank), cmp.Compare(other.at, a.at)) > 0
}

// quality parses a weight. It returns 0 if the weight is invalid.
func quality(q string) float64 {
	if q == "" {
		return 1
	}
	f, err := strconv.ParseFloat(q, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return 0
	}
	return f
}

// mediaType returns the media type of a Content-Type, in lower case and without parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// jsonInUTF8 reports whether a Content-Type is JSON in UTF-8.
func jsonInUTF8(contentType string) bool {
	if contentType == legacyJSON {
		return true
	}
	media, params, err := mime.ParseMediaType(contentType)
	return err == nil && media == legacyJSON && utf8Charset(params)
}

func utf8Charset(params map[string]string) bool {
	charset := params["charset"]
	return charset == "" || strings.EqualFold(charset, "utf-8")
}

func (a *answer) status(code int) int {
	if a.media == legacyJSON {
		return http.StatusOK
	}
	return code
}

// refuse responds to a request without a usable operation. The status is the same for both media
// types.
func (a *answer) refuse(status int, message string) {
	a.write(encode(status, refusal(message)))
}

func refusal(message string) *graphql.Response {
	return &graphql.Response{Errors: gqlerror.List{{
		Message: message, Extensions: map[string]any{"code": string(upstream.BadUserInput)},
	}}}
}

// statusClientClosed is nginx's status for a client that has disconnected.
const statusClientClosed = 499

// clientClosed returns the response for a client that closed its side of the connection too early.
func clientClosed() *content {
	status, body := encode(statusClientClosed, refusal("The client closed its side of the connection before the response: keep both directions open until then."))
	return &content{status: status, body: body}
}

func (a *answer) write(status int, body []byte) { a.send(&content{status: status, body: body}) }

// send writes the response, unless one has been written.
func (a *answer) send(c *content) {
	if a.written {
		return
	}
	a.written = true
	a.recording.set(c)
	body, header := c.body, a.w.Header()
	var coding *contentcoding.Coding
	if len(body) >= contentcoding.MinLength {
		coding = contentcoding.Negotiate(a.r.Header["Accept-Encoding"])
	}
	cached := c.cacheable && a.r.Method == http.MethodGet
	if len(body) >= contentcoding.MinLength || cached {
		header["Vary"] = append(header["Vary"], "Accept-Encoding") // after CORS's
	}
	header["X-Content-Type-Options"] = noSniff
	header["Cache-Control"] = noStore
	if c.cacheStatus != "" {
		header["Cache-Status"] = []string{c.cacheStatus}
	}
	if cached {
		// The client may store the response, and a shared cache if it has tags. They must revalidate it
		// each time, or once the server's cache has expired. Only the header Authorization identifies the
		// client.
		tag := c.etag(a.media, coding)
		header["Vary"] = append(header["Vary"], "Accept, Authorization")
		header["Cache-Control"] = revalidated
		if rest := time.Until(c.freshUntil); rest >= time.Second {
			seconds := strconv.Itoa(int(rest.Seconds()))
			header["Cache-Control"] = []string{"private, max-age=" + seconds}
			if c.cacheTags != "" { // the client revalidates it with the shared cache, which can be purged
				header["Cache-Control"] = []string{"public, max-age=0, s-maxage=" + seconds}
				header["Cache-Tag"] = []string{c.cacheTags}
			}
		}
		header["Etag"] = []string{tag}
		if matches(a.r.Header["If-None-Match"], tag) {
			a.w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if coding != nil {
		body = c.compressed(coding)
		header["Content-Encoding"] = []string{coding.Name}
	}
	header["Content-Type"] = contentTypes[a.media]
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	a.w.WriteHeader(c.status)
	_, _ = a.w.Write(body)
}

// matches reports whether one of the If-None-Match headers has the tag. The comparison is weak
// (RFC 9110, section 13.1.2), because proxies that compress weaken a tag.
func matches(ifNoneMatch []string, tag string) bool {
	for _, line := range ifNoneMatch {
		for had := range strings.SplitSeq(line, ",") { // our own tags have no comma
			if had = strings.TrimSpace(had); had == "*" || strings.TrimPrefix(had, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// Header values that are the same in every response.
var (
	contentTypes = map[string][]string{
		legacyJSON:  {legacyJSON + "; charset=utf-8"},
		graphqlJSON: {graphqlJSON + "; charset=utf-8"},
	}
	noStore     = []string{"no-store"}
	revalidated = []string{"private, no-cache"}
	noSniff     = []string{"nosniff"}
)

// encodingFailedBody is the body if encoding the response fails.
var encodingFailedBody = []byte(`{"errors":[{"message":"` + encodingFailed + `","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}`)

const encodingFailed = "The response could not be encoded."

// encode returns the status and the body of a response. It reuses the memory of the response's
// data, which is JSON and nearly all of the body.
func encode(status int, response *graphql.Response) (int, []byte) {
	var tail bytes.Buffer
	for _, member := range []struct {
		key   string
		value any
		given bool
	}{
		{"path", response.Path, response.Path != nil},
		{"label", response.Label, response.Label != ""},
		{"errors", response.Errors, len(response.Errors) > 0},
		{"hasNext", response.HasNext, response.HasNext != nil},
		{"extensions", response.Extensions, len(response.Extensions) > 0},
	} {
		if !member.given {
			continue
		}
		if response.Data != nil || tail.Len() > 0 {
			tail.WriteByte(',')
		}
		tail.WriteString(`"` + member.key + `":`)
		enc := json.NewEncoder(&tail)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(member.value); err != nil {
			return http.StatusInternalServerError, encodingFailedBody
		}
		tail.Truncate(tail.Len() - 1) // the encoder's line break
	}
	tail.WriteByte('}')
	head := "{"
	if response.Data != nil {
		head = `{"data":`
	}
	return status, append(slices.Insert(response.Data, 0, []byte(head)...), tail.Bytes()...)
}
