package gqlhttp

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// body reads the body of a POST. If it cannot be read, body refuses the request and returns false.
// Memory grows with the bytes that have arrived. It does not follow Content-Length, which costs a
// client nothing to announce.
func (a *answer) body() (body []byte, ok bool) {
	header := a.r.Header
	switch media := mediaType(header.Get("Content-Type")); {
	case media == "multipart/form-data":
		a.refuse(http.StatusUnsupportedMediaType, "Uploads by multipart/form-data are not supported. Send JSON in UTF-8 with the header Content-Type: application/json.")
		return nil, false
	case !jsonInUTF8(header.Get("Content-Type")):
		a.refuse(http.StatusUnsupportedMediaType, "The body must be JSON in UTF-8: send the header Content-Type: application/json.")
		return nil, false
	}
	if coding := strings.Join(header.Values("Content-Encoding"), ","); coding != "" && !strings.EqualFold(coding, "identity") {
		a.w.Header().Set("Accept-Encoding", "identity") // RFC 9110, section 12.5.3
		a.refuse(http.StatusUnsupportedMediaType, "Compressed request bodies are not supported: send the body without Content-Encoding.")
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(a.w, a.r.Body, a.MaxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		a.refuse(http.StatusRequestEntityTooLarge, "The body is larger than "+strconv.FormatInt(a.MaxBody, 10)+" bytes.")
		return nil, false
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		a.refuse(http.StatusRequestTimeout, "The body did not arrive in time.")
	case err != nil:
		a.refuse(http.StatusBadRequest, "The body could not be read.")
	}
	return body, err == nil
}
