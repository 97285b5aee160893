package upstream

import (
	"bytes"
	"errors"
	"fmt"
)

// Records take several times the memory of the JSON they come from: three bytes, "{},",
// become a struct of hundreds. These bounds keep a body from being decoded that would
// take much more than its own size. They are far above anything that the API sends.
const (
	// maxRows is the most rows of a page. Pages have 20 (API.md §3.1); only a few lists
	// that are not paged can have more.
	maxRows = 1000
	// maxObjects is the most objects and arrays of an answer, and maxValues the most
	// values: members of objects, elements of arrays.
	maxObjects = 100_000
	maxValues  = 1_000_000
	// smallBody is the size up to which a body is decoded without a look at its values:
	// it cannot become large. Nearly all are smaller.
	smallBody = 64 << 10
)

// checkSize returns an error if a body holds more than is decoded. It looks only for
// brackets, commas and strings, allocates nothing, and stops at the first excess.
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
				return nil // not JSON, as the decoder will find
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

var errDecodeLimits = errors.New("answer exceeds the limits of decoding")

// tooLarge is the error of an answer that is larger than is read. The number of rows of a
// page cannot be chosen, so that ids are the only way to a smaller answer.
func tooLarge(most string, cause error) *Error {
	return &Error{Code: Unavailable, Message: "ClickFunnels sent a longer answer than is read, which is " + most + " at most. " +
		"Ask for these records by their ids, one or a few in a request.", cause: cause}
}

// bytesText returns a number of bytes as text.
func bytesText(n int64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

// withoutBOM returns the text without the byte order mark that some servers put before it.
func withoutBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }
