//go:build unix

package access

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReloadReportsWhatCannotBeRead replaces the files with a pipe and a directory. Each state is
// reported once, and the next change is read again.
func TestReloadReportsWhatCannotBeRead(t *testing.T) {
	log := captureLog(t)
	dir := t.TempDir()
	path, token := filepath.Join(dir, "access.yaml"), filepath.Join(dir, "token")
	key, hash := NewKey()
	good := func() {
		writeFile(t, token, "one")
		writeFile(t, path, fmt.Sprintf("tokens: { main: { file: %q } }\nclients: [{ name: app, teams: all, keys: [%q] }]", token, hash))
	}
	good()
	c := &Clients{path: path, stopVerifier: func() {}}
	if _, err := c.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n, spoil := range []func(){
		func() { replaceFile(t, path, func(name string) error { return syscall.Mkfifo(name, 0o600) }) },
		func() { replaceFile(t, token, func(name string) error { return syscall.Mkfifo(name, 0o600) }) },
		func() { replaceFile(t, path, func(name string) error { return os.Mkdir(name, 0o700) }) },
	} {
		spoil()
		for range 4 {
			c.reload(t.Context())
		}
		if c.callerOf(key) == nil {
			t.Error("the file before is not in place any more")
		}
		if told := strings.Count(log.String(), "cannot be used"); told != n+1 {
			t.Errorf("%d reports of %d files that cannot be read", told, n+1)
		}
		for _, name := range []string{path, token} {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		good()
		for range 4 {
			c.reload(t.Context())
		}
		if told := strings.Count(log.String(), "was read again"); told != n+1 {
			t.Errorf("%d reports of %d files that can be read again", told, n+1)
		}
	}
}

// replaceFile removes a file and creates something else under its name.
func replaceFile(t *testing.T, name string, create func(string) error) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := create(name); err != nil {
		t.Fatal(err)
	}
}
