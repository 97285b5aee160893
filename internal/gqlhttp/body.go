package gqlhttp

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
)

// body reads a POST's body. It answers itself, and reports false, if the body cannot be
// read. Memory grows with what has arrived: Content-Length promises and costs the client
// nothing.
func (a *answer) body() (body []byte, ok bool) {
	if !jsonInUTF8(a.r.Header.Get("Content-Type")) {
		a.refuse(http.StatusUnsupportedMediaType, "The body has to be JSON in UTF-8: send the header Content-Type: application/json.")
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
