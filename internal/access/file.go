package access

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/funnelgraph/funnelgraph/internal/configfile"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/webhooks"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// file is the access file: the clients and their permissions. It names the sources of secrets
// but contains none.
type file struct {
	// Tokens are the ClickFunnels tokens, by the names that clients refer to.
	Tokens map[string]source `yaml:"tokens"`
	// JWT defines which JSON Web Tokens are accepted; nil is none.
	JWT *JWT `yaml:"jwt"`
	// Clients are the clients that may call. The first match wins.
	Clients []client `yaml:"clients"`
	// Sessions says what people who signed in may do; nil is nothing.
	Sessions *sessions `yaml:"sessions"`
	// Webhooks are the endpoints that ClickFunnels sends events to.
	Webhooks []webhook `yaml:"webhooks"`
}

// webhook is an endpoint that ClickFunnels sends the events of a workspace to.
type webhook struct {
	// Name is the last segment of the endpoint's path. It is unique.
	Name string `yaml:"name"`
	// Workspace is the raw id of the workspace.
	Workspace string `yaml:"workspace"`
	// Token names a ClickFunnels token that reaches the workspace, as for clients.
	Token string `yaml:"token"`
	// Secrets are the secrets that sign the deliveries. It has two while one replaces the other.
	Secrets []source `yaml:"secrets"`

	read []webhooks.Secret // the secrets, once they are read
}

// sessions are the rights of people who signed in.
type sessions struct {
	// Access is "read", by default, or "read-write".
	Access string `yaml:"access"`
	// Limits override the server's limits.
	Limits *override `yaml:"limits"`
}

// source is where a token is read from.
type source struct {
	File string `yaml:"file"`
	Env  string `yaml:"env"`
}

// client is a client that may call.
type client struct {
	// Name appears in logs and metrics. It is unique.
	Name string `yaml:"name"`
	// Keys are the hashes of its client keys. It has two while one replaces the other.
	Keys []string `yaml:"keys"`
	// Claims are the claims that its JSON Web Tokens must all have.
	Claims map[string]string `yaml:"claims"`
	// Token names its ClickFunnels token. It is optional if the server holds a token of its
	// own, or if the file has only one.
	Token string `yaml:"token"`
	// Teams and Workspaces are the raw ids of the teams and workspaces that it may see (see
	// [upstream.NewScope]). One of the two is required; "teams: all" is everything that the
	// token reaches.
	Teams      idList `yaml:"teams"`
	Workspaces idList `yaml:"workspaces"`
	// Access is "read", by default, or "read-write".
	Access string `yaml:"access"`
	// Limits override the server's limits.
	Limits *override `yaml:"limits"`
	// Private keeps its responses out of shared caches.
	Private bool `yaml:"private"`
}

// idList is a list of raw ids, or the word "all". It stays a YAML node because an empty list
// differs from an absent one.
type idList = yaml.Node

const all = "all"

// rawIDs returns the raw ids; nil if the value is "all" or absent.
func rawIDs(v *idList) ([]string, error) {
	switch {
	case v.Kind == 0, v.Kind == yaml.ScalarNode && v.Value == all:
		return nil, nil
	case v.Kind != yaml.SequenceNode:
		return nil, errors.New("teams and workspaces are lists of raw ids; [] is none")
	}
	ids := make([]string, len(v.Content))
	for i, id := range v.Content {
		ids[i] = id.Value
	}
	return ids, nil
}

// scope returns the client's scope; nil if it sees everything that its token reaches.
func (c *client) scope() (*upstream.Scope, error) {
	teams, err := rawIDs(&c.Teams)
	if err != nil {
		return nil, err
	}
	workspaces, err := rawIDs(&c.Workspaces)
	if err != nil {
		return nil, err
	}
	if workspaces != nil && c.Teams.Value == all {
		return nil, errors.New("teams: all includes all workspaces, so that workspaces cannot be given as well")
	}
	if teams == nil && workspaces == nil && c.Teams.Value != all {
		return nil, errors.New("say what it may see: give teams or workspaces, or teams: all for everything that its token reaches")
	}
	return upstream.NewScope(teams, workspaces)
}

// override is the client's own limits, which replace those of the server.
type override struct{ yaml.Node }

// UnmarshalYAML implements [yaml.Unmarshaler].
func (o *override) UnmarshalYAML(node *yaml.Node) error {
	o.Node = *node
	return nil
}

func (o *override) applyTo(l limits.Limits) (limits.Limits, error) {
	if o == nil {
		return l, nil
	}
	text, err := yaml.Marshal(&o.Node)
	if err != nil {
		return l, configfile.SanitizeError(err)
	}
	if err := configfile.YAML(text, &l); err != nil {
		return l, err
	}
	return l, l.Check()
}

// The maximum sizes of an access file and of a token file, in bytes.
const (
	maxFile  = 4 << 20
	maxToken = 64 << 10
)

// parse reads an access file.
func parse(text []byte) (*file, error) {
	f := new(file)
	if err := configfile.YAML(text, f); err != nil {
		return nil, err
	}
	if len(f.Clients) == 0 && f.Sessions == nil && len(f.Webhooks) == 0 {
		return nil, errors.New("there are no clients in it")
	}
	return f, nil
}

// token reads the token of a source.
func (s source) token() (upstream.Token, error) { return s.read("token", "ClickFunnels token") }

// read reads the secret of a source. The nouns name it in errors.
func (s source) read(noun, longNoun string) (upstream.Token, error) {
	switch {
	case (s.File == "") == (s.Env == ""):
		return "", errors.New("give either file or env")
	case s.Env != "":
		return validToken(os.Getenv(s.Env), "its environment variable", noun)
	}
	text, err := configfile.Read(s.File, maxToken)
	if err != nil {
		return "", fmt.Errorf("its file%s cannot be read: %w; write the %s into that file, or correct the path", quotedPath(s.File), err, longNoun)
	}
	return validToken(string(text), "its file", noun)
}

// safePath matches paths that cannot be a token in the wrong place: a path that begins with a
// directory, a name with a short extension, or a short name.
var safePath = regexp.MustCompile(`^(/|\.|~|[A-Za-z]:\\)|^[^/]{1,64}\.[a-z]{1,8}$|^.{1,19}$`)

// quotedPath returns the absolute path of a file for an error, with a leading space. It returns
// "" if the path may be a secret.
func quotedPath(path string) string {
	if !safePath.MatchString(path) {
		return ""
	}
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	return " " + strconv.Quote(path)
}

func validToken(text, from, noun string) (upstream.Token, error) {
	token := upstream.Token(strings.TrimSpace(text))
	if !token.Valid() {
		return "", fmt.Errorf("%[1]s holds no %[2]s: a %[2]s is printable text without spaces", from, noun)
	}
	return token, nil
}

// roster is the validated clients of an access file.
type roster struct {
	entries  []entry
	verifier *verifier
	sessions *Caller                     // rights and limits of people who signed in; nil if they may do nothing
	webhooks map[string]webhooks.Webhook // by name
	hooks    []webhooks.Webhook          // the first one of each workspace
}

// exampleKey is the hash of the key in docs/auth.md.
var exampleKey = hashKey("fgk_example-key-of-the-docs-not-for-production")

// entry is a client with its credentials.
type entry struct {
	name   string
	hashes []keyHash
	claims map[string]string
	caller Caller
}

// Names are safe in logs, metrics and URLs. The names of tokens are so short that a token in the
// wrong place does not match.
var (
	clientName = regexp.MustCompile(`^[\pL\pN][\pL\pN._-]{0,63}$`)
	tokenName  = regexp.MustCompile(`^[\pL\pN][\pL\pN._-]{0,23}$`)
)

// newRoster validates a file. base has the defaults of clients: the server-held token, if any,
// and the limits.
func newRoster(f *file, tokens map[string]upstream.Token, base Caller, version [sha256.Size]byte) (*roster, error) {
	r := new(roster)
	names, known := make(map[string]bool), make(map[keyHash]string)
	for i, c := range f.Clients {
		if !clientName.MatchString(c.Name) {
			return nil, fmt.Errorf("client %d: its name is made of letters, digits, \"-\", \"_\" and \".\" only, and begins with a letter or digit", i+1)
		}
		if names[c.Name] {
			return nil, fmt.Errorf("client %d: another client has its name; give each a name of its own", i+1)
		}
		names[c.Name] = true
		e, err := c.entry(f, tokens, base)
		if err != nil {
			return nil, fmt.Errorf("client %s: %w", c.Name, err)
		}
		for _, hash := range e.hashes {
			if other, taken := known[hash]; taken {
				return nil, fmt.Errorf("client %s: it has the same key as client %s; make another with `funnelgraph key new`", c.Name, other)
			}
			known[hash] = c.Name
			if hash == exampleKey {
				slog.Warn("everyone can read this client's key in docs/auth.md: make one with `funnelgraph key new`", "client", c.Name)
			}
		}
		e.caller.key = Key{client: c.Name, version: version}
		r.entries = append(r.entries, e)
	}
	if err := r.readWebhooks(f.Webhooks, tokens, base.Token); err != nil {
		return nil, err
	}
	return r, r.readSessions(f.Sessions, base)
}

// readWebhooks reads the webhooks.
func (r *roster) readWebhooks(all []webhook, tokens map[string]upstream.Token, own upstream.Token) (err error) {
	r.webhooks = make(map[string]webhooks.Webhook, len(all))
	for i, w := range all {
		if !clientName.MatchString(w.Name) {
			return fmt.Errorf("webhook %d: its name is made of letters, digits, \"-\", \"_\" and \".\" only, and begins with a letter or digit", i+1)
		}
		if _, taken := r.webhooks[w.Name]; taken {
			return fmt.Errorf("webhook %d: another webhook has its name; give each a name of its own", i+1)
		}
		hook := webhooks.Webhook{Name: w.Name, Workspace: w.Workspace}
		if !upstream.IsRawID(w.Workspace) {
			return fmt.Errorf("webhook %s: workspace must be the raw id of a workspace, which is a number", w.Name)
		}
		if hook.Token, err = tokenNamed(w.Token, tokens, own); err != nil {
			return fmt.Errorf("webhook %s: %w", w.Name, err)
		}
		if len(w.read) == 0 {
			return fmt.Errorf("webhook %s: give the secrets that sign its deliveries", w.Name)
		}
		hook.Secrets = w.read
		r.webhooks[w.Name] = hook
		if !slices.ContainsFunc(r.hooks, func(other webhooks.Webhook) bool { return other.Workspace == hook.Workspace }) {
			r.hooks = append(r.hooks, hook)
		}
	}
	return nil
}

// readSessions reads the rights of people who signed in.
func (r *roster) readSessions(s *sessions, base Caller) (err error) {
	if s == nil {
		return nil
	}
	caller := Caller{Policy: base.Policy}
	if caller.ReadOnly, err = parseAccess(s.Access); err != nil {
		return fmt.Errorf("sessions: %w", err)
	}
	if caller.Policy.Limits, err = s.Limits.applyTo(base.Policy.Limits); err != nil {
		return fmt.Errorf("sessions: limits: %w", err)
	}
	r.sessions = &caller
	return nil
}

// parseAccess reports whether an access is read-only.
func parseAccess(access string) (bool, error) {
	switch access {
	case "", "read":
		return true, nil
	case "read-write":
		return false, nil
	}
	return false, errors.New("access must be read or read-write")
}

func (c *client) entry(f *file, tokens map[string]upstream.Token, base Caller) (e entry, err error) {
	e = entry{name: c.Name, claims: c.Claims, caller: base}
	e.caller.Policy.Client = c.Name
	e.caller.Public = len(c.Claims) == 0 && !c.Private
	switch {
	case len(c.Keys) == 0 && len(c.Claims) == 0:
		return e, errors.New("give keys or claims that identify it")
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
	if e.caller.Token, err = tokenNamed(c.Token, tokens, base.Token); err != nil {
		return e, err
	}
	if e.caller.ReadOnly, err = parseAccess(c.Access); err != nil {
		return e, err
	}
	if e.caller.Scope, err = c.scope(); err != nil {
		return e, err
	}
	e.caller.Policy.Limits, err = c.Limits.applyTo(base.Policy.Limits)
	if err != nil {
		return e, fmt.Errorf("limits: %w", err)
	}
	return e, nil
}

// tokenNamed returns the token with a name. Without a name, it is the server's own token or the only one.
func tokenNamed(name string, tokens map[string]upstream.Token, own upstream.Token) (upstream.Token, error) {
	if name != "" {
		token, ok := tokens[name]
		if !ok {
			return "", errors.New("its token is not listed under tokens")
		}
		return token, nil
	}
	if own != "" {
		return own, nil
	}
	if len(tokens) != 1 {
		return "", errors.New("give the token that it uses, by its name under tokens")
	}
	for _, token := range tokens {
		return token, nil
	}
	return "", nil
}
