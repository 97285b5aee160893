package access

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// file is the access file: who may call, and what each may do. It holds no secret,
// but says where those are.
type file struct {
	// Tokens are ClickFunnels tokens by the names that clients use.
	Tokens map[string]source `yaml:"tokens"`
	// JWT says which JSON Web Tokens are accepted; nil is none.
	JWT *JWT `yaml:"jwt"`
	// Clients are who may call. The first that fits is it.
	Clients []client `yaml:"clients"`
}

// source says where a token is.
type source struct {
	File string `yaml:"file"`
	Env  string `yaml:"env"`
}

// client is who may call.
type client struct {
	// Name is for reports, and unique.
	Name string `yaml:"name"`
	// Keys are the hashes of its keys: two for a while, to change one.
	Keys []string `yaml:"keys"`
	// Claims are what its JSON Web Tokens say, all of them.
	Claims map[string]string `yaml:"claims"`
	// Token names its ClickFunnels token. It may be left out where the server
	// has one of its own, or where there is only one.
	Token string `yaml:"token"`
	// Teams and Workspaces are the raw ids of those it may see (see
	// [upstream.NewScope]); left out, all.
	Teams      []rawID `yaml:"teams"`
	Workspaces []rawID `yaml:"workspaces"`
	// Access is "read", by default, or "read-write".
	Access string `yaml:"access"`
	// Limits are its own where they differ.
	Limits *override `yaml:"limits"`
}

// rawID is a number that may be written with quotes or without.
type rawID string

// UnmarshalYAML implements [yaml.Unmarshaler].
func (id *rawID) UnmarshalYAML(node *yaml.Node) error {
	*id = rawID(node.Value)
	return nil
}

// override is what is written of limits, to be laid over others.
type override struct{ yaml.Node }

// UnmarshalYAML implements [yaml.Unmarshaler].
func (o *override) UnmarshalYAML(node *yaml.Node) error {
	o.Node = *node
	return nil
}

func (o *override) over(l limits.Limits) (limits.Limits, error) {
	if o == nil {
		return l, nil
	}
	text, err := yaml.Marshal(&o.Node)
	if err != nil {
		return l, plain(err)
	}
	if err := strict(text, &l); err != nil {
		return l, err
	}
	return l, l.Check()
}

// maxFile bounds what is read of an access file or a token file, in bytes.
const (
	maxFile  = 4 << 20
	maxToken = 64 << 10
)

func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, limit))
}

// parse reads an access file.
func parse(text []byte) (*file, error) {
	f := new(file)
	if err := strict(text, f); err != nil {
		return nil, err
	}
	return f, nil
}

// strict reads YAML text, in which every key has to be known. Whatever the text is,
// it does not end the process.
func strict(text []byte, into any) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.New("it cannot be read")
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return plain(err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one document in it")
	}
	return nil
}

// inside is what the YAML library says of what stands in the file and of our types.
var inside = regexp.MustCompile("`[^`]*`|(in type|into) [^ \n]+|unmarshal errors:|yaml: ")

// plain is an error of the YAML library on one line and without that.
func plain(err error) error {
	return errors.New(strings.Join(strings.Fields(inside.ReplaceAllString(err.Error(), "")), " "))
}

// token reads the token of a source.
func (s source) token() (upstream.Token, error) {
	switch {
	case (s.File == "") == (s.Env == ""):
		return "", errors.New("give either file or env")
	case s.Env != "":
		return checked(os.Getenv(s.Env), fmt.Sprintf("the environment variable %q", s.Env))
	}
	text, err := readFile(s.File, maxToken)
	if err != nil {
		return "", err
	}
	return checked(string(text), fmt.Sprintf("the file %q", s.File))
}

func checked(text, from string) (upstream.Token, error) {
	token := upstream.Token(strings.TrimSpace(text))
	if !token.Valid() {
		return "", fmt.Errorf("%s holds no token: a token is printable text without spaces", from)
	}
	return token, nil
}

// WarnOfOpenSecret writes a warning if others than its owner can read a file that
// holds a secret.
func WarnOfOpenSecret(name string) {
	if about, err := os.Stat(name); err == nil && about.Mode().Perm()&0o077 != 0 {
		slog.Warn("a file that holds a secret can be read by others: chmod 600 it", "file", name, "mode", about.Mode().Perm().String())
	}
}

// roster is the clients of an access file, ready to be found.
type roster struct {
	entries  []entry
	verifier *verifier
}

// entry is a client and how it is known.
type entry struct {
	name   string
	hashes []keyHash
	claims map[string]string
	caller Caller
}

// name is what can be a client's: it stands in logs.
var name = regexp.MustCompile(`^[\pL\pN][\pL\pN ._-]{0,63}$`)

// newRoster checks a file. base is what holds for clients that say nothing else:
// the token that the server has of its own, if any, and the limits.
func newRoster(f *file, tokens map[string]upstream.Token, base Caller, generation string) (*roster, error) {
	r := new(roster)
	names, known := make(map[string]bool), make(map[keyHash]string)
	for i, c := range f.Clients {
		if !name.MatchString(c.Name) || names[c.Name] {
			return nil, fmt.Errorf("client %d: it needs a name that no other has, of letters, digits, spaces and \"._-\"", i+1)
		}
		names[c.Name] = true
		e, err := c.entry(f, tokens, base)
		if err != nil {
			return nil, fmt.Errorf("client %s: %w", c.Name, err)
		}
		for _, hash := range e.hashes {
			if other, taken := known[hash]; taken {
				return nil, fmt.Errorf("client %s: its key is that of %s", c.Name, other)
			}
			known[hash] = c.Name
		}
		e.caller.key = generation + " " + c.Name
		r.entries = append(r.entries, e)
	}
	return r, nil
}

func (c *client) entry(f *file, tokens map[string]upstream.Token, base Caller) (e entry, err error) {
	e = entry{name: c.Name, claims: c.Claims, caller: base}
	e.caller.Policy.Client = c.Name
	switch {
	case len(c.Keys) == 0 && len(c.Claims) == 0:
		return e, errors.New("give keys or claims by which it is known")
	case len(c.Claims) > 0 && f.JWT == nil:
		return e, errors.New("claims need a jwt section")
	}
	for _, text := range c.Keys {
		hash, err := parseHash(text)
		if err != nil {
			return e, err
		}
		e.hashes = append(e.hashes, hash)
	}
	if e.caller.Token, err = c.token(tokens, base.Token); err != nil {
		return e, err
	}
	switch c.Access {
	case "", "read":
		e.caller.ReadOnly = true
	case "read-write":
	default:
		return e, fmt.Errorf("access is %q; it can be read or read-write", c.Access)
	}
	if e.caller.Scope, err = upstream.NewScope(ids(c.Teams), ids(c.Workspaces)); err != nil {
		return e, err
	}
	e.caller.Policy.Limits, err = c.Limits.over(base.Policy.Limits)
	if err != nil {
		return e, fmt.Errorf("limits: %w", err)
	}
	return e, nil
}

func (c *client) token(tokens map[string]upstream.Token, own upstream.Token) (upstream.Token, error) {
	if c.Token != "" {
		token, ok := tokens[c.Token]
		if !ok {
			return "", fmt.Errorf("token %q is not among the tokens", c.Token)
		}
		return token, nil
	}
	if own != "" {
		return own, nil
	}
	if len(tokens) != 1 {
		return "", errors.New("give the token that it uses, by its name among the tokens")
	}
	for _, token := range tokens {
		return token, nil
	}
	return "", nil
}

func ids(given []rawID) []string {
	if given == nil {
		return nil
	}
	all := make([]string, len(given))
	for i, id := range given {
		all[i] = string(id)
	}
	return all
}
