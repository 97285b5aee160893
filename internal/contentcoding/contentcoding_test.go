package contentcoding

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func TestNegotiate(t *testing.T) {
	for _, test := range []struct{ accept, want string }{
		{"", ""},
		{"gzip", "gzip"},
		{"gzip, deflate, br, zstd", "br"}, // Chromium, Firefox
		{"gzip, deflate, br", "br"},
		{"gzip, deflate", "gzip"},
		{"deflate", ""},
		{"zstd, gzip", "zstd"},
		{"GZIP;Q=0.5", "gzip"},
		{"br;q=0.5, gzip;q=0.8", "gzip"},
		{"br;q=0, gzip", "gzip"},
		{"gzip;q=0", ""},
		{"*", "br"},
		{"*;q=0", ""},
		{"br;q=0, *", "zstd"},
		{"identity", ""},
		{"identity, gzip;q=0.5", ""},
		{"identity;q=0.5, gzip", "gzip"},
		{"identity;q=0", ""},
		{"gzip ; q=0.3 , zstd;q=0.2", "gzip"},
		{"gzip;q=x", ""}, {"gzip;q=-1", ""}, {"gzip;q=NaN", ""}, {"gzip;q=2", ""}, {"gzip;level=9", ""},
		{"gzipped, x-br", ""},
	} {
		got := ""
		if c := Negotiate([]string{test.accept}); c != nil {
			got = c.Name
		}
		if got != test.want {
			t.Errorf("%q: %q, want %q", test.accept, got, test.want)
		}
	}
	if c := Negotiate(nil); c != nil {
		t.Error(c.Name)
	}
	if c := Negotiate([]string{"gzip;q=0.5", "zstd"}); c != Zstd {
		t.Error(c)
	}
}

func decompress(t *testing.T, name string, r io.Reader) io.Reader {
	t.Helper()
	switch name {
	case "br":
		return brotli.NewReader(r)
	case "zstd":
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		return d
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestCompress compresses concurrently, with pooled writers.
func TestCompress(t *testing.T) {
	var wait sync.WaitGroup
	for _, c := range preferred {
		for i := range 20 {
			wait.Go(func() {
				for _, n := range []int{0, 1, 5_000, 300_000} {
					text := strings.Repeat(c.Name+string(rune('a'+i)), n)
					packed := c.Compress([]byte(text))
					if n > 1 && len(packed) > len(text)/10 {
						t.Errorf("%s: %d bytes for %d", c.Name, len(packed), len(text))
					}
					if got, err := io.ReadAll(decompress(t, c.Name, bytes.NewReader(packed))); err != nil || string(got) != text {
						t.Errorf("%s: %d bytes: %v", c.Name, len(got), err)
					}
				}
			})
		}
	}
	wait.Wait()
}

// TestFlush checks that flushed data can be read before the end is written.
func TestFlush(t *testing.T) {
	for _, c := range preferred {
		from, to := io.Pipe()
		read := make(chan struct{})
		go func() {
			w := c.NewWriter(to)
			_, _ = io.WriteString(w, "first")
			_ = w.Flush()
			<-read
			_, _ = io.WriteString(w, "second")
			_ = w.Close()
			_ = to.Close()
			c.Free(w)
		}()
		got := make([]byte, 5)
		r := decompress(t, c.Name, from)
		if _, err := io.ReadFull(r, got); err != nil || string(got) != "first" {
			t.Errorf("%s: %q %v", c.Name, got, err)
		}
		close(read)
		if rest, err := io.ReadAll(r); err != nil || string(rest) != "second" {
			t.Errorf("%s: %q %v", c.Name, rest, err)
		}
	}
}
