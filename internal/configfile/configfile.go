// Package configfile reads what operators write: the configuration, the access file, and
// files that hold a secret. None of its errors repeats what stands in a file.
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

// Read returns what a regular file holds, which may be limit bytes at most. Anything
// else, such as a pipe or a device, is not opened: it could block, or never end. Errors
// do not repeat the file's name: it can be a secret that was put in the wrong place.
func Read(name string, limit int64) ([]byte, error) {
	if err := regular(os.Stat(name)); err != nil {
		return nil, err
	}
	// It may be a pipe by now, which must not block either.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the operator names it
	if err != nil {
		return nil, reason(err)
	}
	defer func() { _ = f.Close() }()
	if err := regular(f.Stat()); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("it is larger than %d bytes", limit)
	}
	return text, reason(err)
}

// regular returns an error for what is not a regular file.
func regular(about fs.FileInfo, err error) error {
	switch {
	case err != nil:
		return reason(err)
	case about.IsDir():
		return errors.New("it is a directory")
	case !about.Mode().IsRegular():
		return errors.New("it is not a regular file")
	}
	return nil
}

func reason(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}

// YAML reads one document, in which every key has to be known. Whatever the text is,
// it does not end the process, and the error is one line. An empty text leaves what
// it reads into as it is.
func YAML(text []byte, into any) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.New("it cannot be read")
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return Plain(err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one document in it")
	}
	return nil
}

// inside is what the YAML library says of what stands in the file, but for short
// names, and of our types.
var inside = regexp.MustCompile("`[^`]*`| '[^'<]{2,}'|(in type|into) [^ \n]+|unmarshal errors:|yaml: |[^ ]{25,}")

// Plain is an error of the YAML library on one line and without that.
func Plain(err error) error {
	return errors.New(strings.Join(strings.Fields(inside.ReplaceAllString(err.Error(), "")), " "))
}

// WarnOfOpenSecret writes a warning if others than its owner can read a file that
// holds a secret.
func WarnOfOpenSecret(name string) {
	if about, err := os.Stat(name); err == nil && about.Mode().Perm()&0o077 != 0 {
		slog.Warn("a file that holds a secret can be read by others: chmod 600 it", "file", name, "mode", about.Mode().Perm().String())
	}
}
