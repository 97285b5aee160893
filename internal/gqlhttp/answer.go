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

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/internal/contentcoding"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// answer is the answer to one request.
type answer struct {
	*handler
	w       http.ResponseWriter
	r       *http.Request
	media   string
	parts   string // the media type of an answer in parts, if one is wanted
	written bool   // so that a panic does not add a second answer
	// alone says that the answer is shared with no other request: the client has set a
	// deadline, which must not cut another's answer, and must not be another's.
	alone bool
}

// recovered returns the answer where there was a panic.
func (h *handler) recovered(ctx context.Context, v any) (int, []byte) {
	return encode(http.StatusInternalServerError, h.failure(ctx, v))
}

// failure returns the response where there was a panic.
func (h *handler) failure(ctx context.Context, v any) *graphql.Response {
	failed, ok := errors.AsType[*gqlerror.Error](h.Executor.PresentRecoveredError(ctx, v))
	if !ok {
		failed = &gqlerror.Error{Message: unwritable, Extensions: map[string]any{"code": string(upstream.Internal)}}
	}
	return &graphql.Response{Errors: gqlerror.List{failed}}
}

// acceptable returns the media type to answer with, none if no answer is acceptable, and
// that of an answer in parts, if one is. Without Accept it is the older one, as clients
// from before the specification expect.
func acceptable(accept []string) (media, parts string) {
	if strings.Join(accept, "") == "" {
		return legacyJSON, ""
	}
	whole := map[string]accepted{legacyJSON: {}, graphqlJSON: {}}
	inParts := make(map[string]accepted)
	for i, part := range strings.Split(strings.Join(accept, ","), ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil || !utf8Charset(params) {
			continue
		}
		said := accepted{quality: quality(params["q"]), rank: exact, at: i}
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
		// Errors of requests without an operation are no events.
		return cmp.Or(best, graphqlJSON), eventStream
	case mixed > 0: // where there are parts; one is JSON
		return cmp.Or(best, legacyJSON), multipart
	}
	return best, ""
}

// accepted is how a client accepts a media type: by the most specific range of Accept
// that matches it (RFC 9110, section 12.5.1).
type accepted struct {
	quality float64
	rank    int // how specific the range is
	at      int // its place in Accept
}

// exact is the rank of a range without wildcards.
const exact = math.MaxInt

// or returns the more specific one.
func (a accepted) or(other accepted) accepted {
	if other.rank > a.rank || other.rank == a.rank && other.quality > a.quality {
		return other
	}
	return a
}

// before reports whether a is preferred to other: by its weight, then if it is named and
// the other only matched, then by its place.
func (a accepted) before(other accepted) bool {
	return cmp.Or(cmp.Compare(a.quality, other.quality), cmp.Compare(a.rank, other.rank), cmp.Compare(other.at, a.at)) > 0
}

// quality reads a weight, which is 0 if it is not valid.
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

// mediaType returns the type of a Content-Type, in lower case and without parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// jsonInUTF8 reports whether a Content-Type is that of JSON.
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

// refuse answers a request that holds no operation. Its status is the same
// under both media types.
func (a *answer) refuse(status int, message string) {
	a.write(encode(status, refusal(message)))
}

func refusal(message string) *graphql.Response {
	return &graphql.Response{Errors: gqlerror.List{{
		Message: message, Extensions: map[string]any{"code": string(upstream.BadUserInput)},
	}}}
}

// statusClientClosed is the status that nginx uses for a client that went.
const statusClientClosed = 499

// gone is the answer for a client that closed its side of the connection too early.
func gone() *content {
	status, body := encode(statusClientClosed, refusal("The client closed the connection before the answer was there: keep both directions open until then."))
	return &content{status: status, body: body}
}

func (a *answer) write(status int, body []byte) { a.send(&content{status: status, body: body}) }

// send answers, once.
func (a *answer) send(c *content) {
	if a.written {
		return
	}
	a.written = true
	body, header := c.body, a.w.Header()
	var coding *contentcoding.Coding
	if len(body) >= contentcoding.Smallest {
		coding = contentcoding.Negotiate(a.r.Header["Accept-Encoding"])
	}
	cached := c.whole && a.r.Method == http.MethodGet
	if len(body) >= contentcoding.Smallest || cached {
		header["Vary"] = append(header["Vary"], "Accept-Encoding") // after CORS's
	}
	header["X-Content-Type-Options"] = noSniff
	header["Cache-Control"] = noStore
	if cached {
		// A client may keep it for itself and has to ask each time. Who asks is told by
		// Authorization, and by nothing else.
		tag := c.etag(a.media, coding)
		header["Vary"] = append(header["Vary"], "Accept, Authorization")
		header["Cache-Control"] = revalidated
		header["Etag"] = []string{tag}
		if matches(a.r.Header["If-None-Match"], tag) {
			a.w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if coding != nil {
		body = c.pack(coding)
		header["Content-Encoding"] = []string{coding.Name}
	}
	header["Content-Type"] = contentTypes[a.media]
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	a.w.WriteHeader(c.status)
	_, _ = a.w.Write(body)
}

// matches reports whether a client that sends these headers If-None-Match has what is
// tagged. The comparison is weak (RFC 9110, section 13.1.2): proxies that compress weaken
// a tag.
func matches(ifNoneMatch []string, tag string) bool {
	for _, line := range ifNoneMatch {
		for had := range strings.SplitSeq(line, ",") { // our own tags have none
			if had = strings.TrimSpace(had); had == "*" || strings.TrimPrefix(had, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// Values of headers, which are the same in every answer.
var (
	contentTypes = map[string][]string{
		legacyJSON:  {legacyJSON + "; charset=utf-8"},
		graphqlJSON: {graphqlJSON + "; charset=utf-8"},
	}
	noStore     = []string{"no-store"}
	revalidated = []string{"private, no-cache"}
	noSniff     = []string{"nosniff"}
)

// unwritten is the answer where there should have been another.
var unwritten = []byte(`{"errors":[{"message":"` + unwritable + `","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}`)

const unwritable = "The answer could not be written."

// encode writes a response. Its data is JSON already, and is used up: nearly all
// of the body is that, and has room for the rest.
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
			return http.StatusInternalServerError, unwritten
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
