package upstream

import (
	"bytes"
	"errors"
	"fmt"
)

// Decoded records take several times the memory of their JSON: the three bytes "{}," become a
// struct of hundreds. These limits reject bodies that would take much more memory than their size.
// They are far above real responses.
const (
	// maxRows is the maximum number of rows of a page. Pages have 20 (clickfunnels-api.md §3.1); only a few
	// lists without pages can have more.
	maxRows = 1000
	// maxObjects is the maximum number of objects and arrays of a response. maxValues is the
	// maximum number of values, counting members of objects and elements of arrays.
	maxObjects = 100_000
	maxValues  = 1_000_000
	// smallBody is the size up to which the values of a body need no check. Nearly all bodies are
	// smaller.
	smallBody = 64 << 10
)

// checkSize returns an error if a body exceeds the limits. It scans only brackets, commas and
// strings, allocates nothing, and stops at the first excess.
func checkSize(body []byte) error {
	if len(body) <= smallBody {
		return nil
	}
	var depth, rows, objects, values int
	list := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("["))
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			s := scanner{text: body, at: i}
			if !s.quoted() {
				return nil // not JSON; the decoder reports it
			}
			i = s.at - 1
		case '[', '{':
			depth++
			objects++
		case ']', '}':
			depth--
		case ',':
			values++
			if depth == 1 {
				rows++
			}
		}
		switch {
		case list && rows >= maxRows:
			return tooLarge(fmt.Sprintf("%d rows", maxRows), errDecodeLimits)
		case objects > maxObjects:
			return tooLarge(fmt.Sprintf("%d objects", maxObjects), errDecodeLimits)
		case values > maxValues:
			return tooLarge(fmt.Sprintf("%d values", maxValues), errDecodeLimits)
		}
	}
	return nil
}

var errDecodeLimits = errors.New("response exceeds the decoding limits")

// tooLarge is the error of a response that exceeds a limit. It recommends ids, because the number
// of rows of a page is fixed.
func tooLarge(most string, cause error) *Error {
	return &Error{Code: Unavailable, Message: "ClickFunnels sent a response over the limit of " + most + ". " +
		"Request these records by their ids, one or a few at a time.", cause: cause}
}

// bytesText returns a number of bytes as text.
func bytesText(n int64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

// withoutBOM removes the byte order mark that some servers send.
func withoutBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }
