//go:build unix

package configfile

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReadOpensOnlyRegularFiles also checks that a pipe without a writer does not block.
func TestReadOpensOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	pipe, file, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{pipe: "not a regular file", "/dev/zero": "not a regular file", dir: "is a directory", filepath.Join(dir, "none"): "no such file"} {
		done := make(chan error, 1)
		go func() {
			_, err := Read(name, 10)
			done <- err
		}()
		select {
		case err := <-done:
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s blocks", name)
		}
	}
	for _, name := range []string{file, link} {
		if text, err := Read(name, 4); string(text) != "text" || err != nil {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if _, err := Read(file, 3); err == nil {
		t.Error("a file above the limit is read")
	}
}
