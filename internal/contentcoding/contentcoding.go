// Package contentcoding negotiates and applies the compression of responses (RFC 9110, sections
// 8.4 and 12.5.3).
package contentcoding

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/andybalholm/brotli/matchfinder"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// MinLength is the length in bytes below which a response is not compressed, because it fits into
// one packet anyway.
const MinLength = 1 << 10

// Writer compresses what is written to it.
type Writer interface {
	compressor
	// Flush writes out all data that has been written so far.
	Flush() error
}

type compressor interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// Coding is a content coding. It is safe for concurrent use.
type Coding struct {
	// Name is its name in HTTP headers.
	Name string
	// compressors compress complete texts, writers streams.
	compressors, writers sync.Pool
}

func newCoding[P compressor, W Writer](name string, whole func() P, parts func() W) *Coding {
	return &Coding{name, sync.Pool{New: func() any { return whole() }}, sync.Pool{New: func() any { return parts() }}}
}

// The supported codings. Higher levels save little and take far more time. Measured with two
// responses of the demo, 25 KB and 61 KB of contacts:
//
//	brotli 3  2.8 KB in 0.12 ms, 5.8 KB in 0.23 ms
//	brotli 5  2.7 KB in 0.38 ms, 5.6 KB in 0.84 ms
//	gzip 5    3.4 KB in 0.06 ms, 6.9 KB in 0.13 ms
//	zstd      3.4 KB in 0.06 ms, 7.4 KB in 0.11 ms
var (
	// Brotli's output is 16 to 19 % smaller than gzip's, which is worth 4 s of a cold build. Its
	// newer writer cannot flush. The output of the older one is about as large as gzip's.
	Brotli = newCoding("br",
		func() *matchfinder.Writer { return brotli.NewWriterV2(io.Discard, 3) },
		func() *brotli.Writer { return brotli.NewWriterLevel(io.Discard, 3) })
	Zstd = newCoding("zstd", newZstd, newZstd)
	Gzip = newCoding("gzip", newGzip, newGzip)
)

func newZstd() *zstd.Encoder {
	// Browsers accept windows of 8 MiB (RFC 9659), but so much memory would gain nothing.
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are valid
	}
	return w
}

func newGzip() *gzip.Writer {
	w, err := gzip.NewWriterLevel(io.Discard, 5)
	if err != nil {
		panic(err) // the level is valid
	}
	return w
}

// preferred lists the codings, best compression first.
var preferred = [...]*Coding{Brotli, Zstd, Gzip}

// Negotiate returns the coding for the values of Accept-Encoding; nil is no compression.
func Negotiate(accept []string) *Coding { return negotiate(accept, preferred[:]) }

// Acceptable reports whether the values of Accept-Encoding allow the coding.
func (c *Coding) Acceptable(accept []string) bool { return negotiate(accept, []*Coding{c}) == c }

func negotiate(accept []string, among []*Coding) *Coding {
	if len(accept) == 0 {
		return nil
	}
	const unsaid = -1
	qualities, identity, others := [len(preferred)]float64{unsaid, unsaid, unsaid}, 0.0, float64(unsaid) // qualities has the order of among
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(part, ";")
			name = strings.TrimSpace(name)
			q := quality(params)
			switch {
			case name == "*":
				others = q
			case strings.EqualFold(name, "identity"):
				identity = q
			}
			for i, c := range among {
				if strings.EqualFold(name, c.Name) {
					qualities[i] = q
				}
			}
		}
	}
	var best *Coding
	bestQuality := 0.0
	for i, c := range among {
		q := qualities[i]
		if q == unsaid {
			q = others
		}
		if q > bestQuality && q >= identity {
			best, bestQuality = c, q
		}
	}
	return best
}

// quality parses a weight. It returns 0 if the weight is invalid, and 1 if there is none.
func quality(params string) float64 {
	name, value, given := strings.Cut(strings.TrimSpace(params), "=")
	if !given {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !strings.EqualFold(strings.TrimSpace(name), "q") || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}

// Compress returns the compressed text.
func (c *Coding) Compress(text []byte) []byte {
	var packed bytes.Buffer
	packed.Grow(len(text)/8 + 128)
	w := c.compressors.Get().(compressor)
	w.Reset(&packed)
	_, _ = w.Write(text) // a buffer does not fail
	_ = w.Close()
	w.Reset(io.Discard)
	c.compressors.Put(w)
	return packed.Bytes()
}

// NewWriter returns a writer that compresses to w. The caller should return it with [Coding.Free].
func (c *Coding) NewWriter(w io.Writer) Writer {
	writer := c.writers.Get().(Writer)
	writer.Reset(w)
	return writer
}

// Free returns a writer of this coding to the pool. It must not be used afterwards.
func (c *Coding) Free(w Writer) {
	w.Reset(io.Discard)
	c.writers.Put(w)
}
