// Package configfile reads the files that operators write: the configuration, the access file,
// and files with a secret. Its errors never repeat the content of a file.
package configfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"
)

// Read returns the content of a regular file of at most limit bytes. It does not open other
// files, such as pipes and devices, which could block or never end. Errors do not repeat the
// file's name, which can be a secret in the wrong place.
func Read(name string, limit int64) ([]byte, error) {
	if err := checkRegular(os.Stat(name)); err != nil {
		return nil, err
	}
	// The file may have become a pipe in the meantime, which must not block either.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the operator names it
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = f.Close() }()
	if err := checkRegular(f.Stat()); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("it is larger than %d bytes", limit)
	}
	return text, withoutPath(err)
}

// checkRegular returns an error for anything other than a regular file.
func checkRegular(about fs.FileInfo, err error) error {
	switch {
	case err != nil:
		return withoutPath(err)
	case about.IsDir():
		return errors.New("it is a directory")
	case !about.Mode().IsRegular():
		return errors.New("it is not a regular file")
	}
	return nil
}

func withoutPath(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}

// YAML decodes one YAML document. Unknown keys are an error. An error is one line, and no input
// makes YAML panic. Empty text leaves into unchanged.
func YAML(text []byte, into any) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.New("it cannot be read")
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return SanitizeError(err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one document in it")
	}
	return nil
}

// contentPattern matches the parts of the YAML library's errors that name our types or repeat the
// file's content, except short names.
var contentPattern = regexp.MustCompile("`[^`]*`| '[^'<]{2,}'|(in type|into) [^ \n]+|unmarshal errors:|yaml: |[^ ]{25,}")

// SanitizeError returns an error of the YAML library as one line, without these parts.
func SanitizeError(err error) error {
	return errors.New(strings.Join(strings.Fields(contentPattern.ReplaceAllString(err.Error(), "")), " "))
}

// WarnIfReadableByOthers logs a warning if users other than the owner can read a file with a
// secret.
func WarnIfReadableByOthers(name string) {
	if about, err := os.Stat(name); err == nil && about.Mode().Perm()&0o077 != 0 {
		slog.Warn("a file that holds a secret can be read by others: chmod 600 it", "file", name, "mode", about.Mode().Perm().String())
	}
}
