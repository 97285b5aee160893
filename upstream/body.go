package upstream

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// Bodies are read into buffers that are used again and again: an answer is some
// twenty kilobytes, and what is taken out of it is copied.

// buffer holds a body. It goes back to where it came from by free.
type buffer struct{ bytes.Buffer }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// maxBuffer is the largest buffer that is kept for reuse, in bytes.
const maxBuffer = 1 << 20

// free gives the buffer back; its bytes must not be used any more.
func (b *buffer) free() {
	if b != nil && b.Cap() <= maxBuffer {
		b.Reset()
		buffers.Put(b)
	}
}

var errBodyTooLarge = errors.New("body exceeds the limit")

// readBody reads a body to its end, at most limit bytes.
func readBody(body io.Reader, limit int64) (*buffer, error) {
	b := buffers.Get().(*buffer)
	if _, err := b.ReadFrom(io.LimitReader(body, limit+1)); err != nil {
		b.free()
		return nil, err
	}
	if int64(b.Len()) > limit {
		b.free()
		return nil, errBodyTooLarge
	}
	return b, nil
}

// heldBody is a body that has been read already. Its bytes must not be
// modified, nor used once it is closed.
type heldBody struct {
	bytes.Reader
	bytes  []byte
	closed func()
	// decoded, if not nil, has to be called when the bytes have been decoded: only such an
	// answer is worth caching.
	decoded func()
}

// hold returns a body that calls closed, if not nil, when it is closed.
func hold(body []byte, closed func()) *heldBody {
	h := &heldBody{bytes: body, closed: closed}
	h.Reset(body)
	return h
}

// Close implements [io.Closer].
func (h *heldBody) Close() error {
	if h.closed != nil {
		h.closed()
		h.closed = nil
	}
	return nil
}
