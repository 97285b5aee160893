package access

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/configfile"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/webhooks"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Clients is the gate for the clients of an access file. Each authenticates with a client key or
// a JSON Web Token. The file and its token files are reloaded when they change. If the new
// content is invalid, the old one stays in use.
type Clients struct {
	path    string
	base    Caller
	current atomic.Pointer[roster]

	// Used only by the goroutine that watches the files:
	lastRead     [sha256.Size]byte  // hash of the content that was read last
	lastAttempt  [sha256.Size]byte  // hash of the content that was last applied or rejected
	stopVerifier context.CancelFunc // stops the verifier
}

// reloadInterval is how often the files are checked for changes.
const reloadInterval = 2 * time.Second

// NewClients loads an access file, and watches it until the context ends. token is the
// ClickFunnels token of clients that name none; it may be empty. If the file is invalid,
// NewClients returns an error of one line.
func NewClients(ctx context.Context, path string, token upstream.Token, policy limits.Policy) (*Clients, error) {
	c := &Clients{path: path, base: Caller{Token: token, Policy: policy}, stopVerifier: func() {}}
	if _, err := c.load(ctx); err != nil {
		return nil, err
	}
	go func() {
		tick := time.NewTicker(reloadInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.reload(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	return c, nil
}

// reload reloads the files if they have changed, and logs the result.
func (c *Clients) reload(ctx context.Context) {
	switch changed, err := c.load(ctx); {
	case err != nil:
		slog.ErrorContext(ctx, "the changed access file cannot be used: the previous one stays in use", "file", c.path, "error", err)
	case changed:
		slog.InfoContext(ctx, "the access file was read again", "file", c.path, "clients", len(c.current.Load().entries))
	}
}

// load reads the files, and applies them if their content differs from the last attempt. Content
// that has failed is not tried again. After the first load, a change must be read twice before
// it is applied, because a file that is being written can be incomplete.
func (c *Clients) load(ctx context.Context) (changed bool, err error) {
	sum := sha256.New()
	tried := func(err error) (bool, error) {
		// Report the same failure only once.
		writeField(sum, fmt.Sprint(err))
		read := [sha256.Size]byte(sum.Sum(nil))
		settled := read == c.lastRead || c.current.Load() == nil
		news := read != c.lastAttempt
		if c.lastRead = read; !settled || !news {
			return false, nil
		}
		c.lastAttempt = read
		return err == nil, err
	}
	text, err := configfile.Read(c.path, maxFile)
	if err != nil {
		return tried(fmt.Errorf("the access file cannot be read: %w", err))
	}
	writeField(sum, string(text))
	f, err := parse(text)
	if err != nil {
		return tried(fmt.Errorf("%s: %w", c.path, err))
	}
	tokens, err := f.readSecrets(sum)
	if err != nil {
		return tried(fmt.Errorf("%s: %w", c.path, err))
	}
	// The version separates callers before a change from callers after it.
	r, err := newRoster(f, tokens, c.base, [sha256.Size]byte(sum.Sum(nil)))
	if err != nil {
		return tried(fmt.Errorf("%s: %w", c.path, err))
	}
	if f.JWT != nil {
		if err := f.JWT.check(); err != nil {
			return tried(fmt.Errorf("%s: %w", c.path, err))
		}
	}
	if changed, err = tried(nil); !changed {
		return false, err
	}
	f.warnIfReadableByOthers()
	return true, c.activate(ctx, r, f.JWT)
}

// readSecrets reads the tokens and the secrets of webhooks, and adds them to a hash.
func (f *file) readSecrets(sum hash.Hash) (tokens map[string]upstream.Token, err error) {
	tokens = make(map[string]upstream.Token, len(f.Tokens))
	for _, name := range slices.Sorted(maps.Keys(f.Tokens)) {
		if !tokenName.MatchString(name) {
			return nil, errors.New("the name of a token is at most 24 letters, digits, \"-\", \"_\" and \".\", which begin with a letter or digit")
		}
		if tokens[name], err = f.Tokens[name].token(); err != nil {
			return nil, fmt.Errorf("token %s: %w", name, err)
		}
		writeField(sum, name)
		writeField(sum, string(tokens[name]))
	}
	for i := range f.Webhooks {
		w := &f.Webhooks[i]
		for j, s := range w.Secrets {
			secret, err := s.read("secret", "secret of the webhook")
			if err != nil {
				return nil, fmt.Errorf("webhook %d: secret %d: %w", i+1, j+1, err)
			}
			w.read = append(w.read, webhooks.Secret(secret))
			writeField(sum, string(secret))
		}
	}
	return tokens, nil
}

// warnIfReadableByOthers logs a warning for each file with a secret that other users can read.
func (f *file) warnIfReadableByOthers() {
	sources := slices.Collect(maps.Values(f.Tokens))
	for _, w := range f.Webhooks {
		sources = append(sources, w.Secrets...)
	}
	for _, s := range sources {
		if s.File != "" {
			configfile.WarnIfReadableByOthers(s.File)
		}
	}
}

// writeField adds a string to a hash, prefixed with its length, so that different lists of fields
// have different hashes.
func writeField(h hash.Hash, text string) {
	_ = binary.Write(h, binary.BigEndian, uint64(len(text)))
	_, _ = io.WriteString(h, text)
}

// activate puts a roster into use. It keeps the current verifier, with the keys that it has
// fetched, if the JWT settings are unchanged.
func (c *Clients) activate(ctx context.Context, r *roster, j *JWT) error {
	if before := c.current.Load(); before != nil && before.verifier != nil && j != nil && reflect.DeepEqual(before.verifier.JWT, *j) {
		r.verifier = before.verifier
		c.current.Store(r)
		return nil
	}
	stop := c.stopVerifier
	if c.stopVerifier = func() {}; j != nil {
		var err error
		ctx, cancel := context.WithCancel(ctx)
		if r.verifier, err = newVerifier(ctx, *j); err != nil {
			cancel()
			c.stopVerifier = stop
			return fmt.Errorf("%s: %w", c.path, err)
		}
		c.stopVerifier = cancel
	}
	c.current.Store(r)
	stop()
	return nil
}

// Caller implements [Gate].
func (c *Clients) Caller(r *http.Request) (*Caller, *Refusal) {
	token := bearer(r)
	if token == "" {
		return nil, &Refusal{http.StatusUnauthorized, upstream.Unauthenticated, "Authentication is required: send the header \"Authorization: Bearer <client key>\".", 0}
	}
	if caller := c.current.Load().find(token); caller != nil {
		return caller, nil
	}
	return nil, &Refusal{http.StatusUnauthorized, upstream.Unauthenticated, "This client key or token is unknown or not valid.", 0}
}

// Rights implements [Gate]. They are those of the section sessions.
func (c *Clients) Rights() (readOnly bool, policy limits.Policy, ok bool) {
	sessions := c.current.Load().sessions
	if sessions == nil {
		return false, limits.Policy{}, false
	}
	return sessions.ReadOnly, sessions.Policy, true
}

// Webhook returns the webhook with a name.
func (c *Clients) Webhook(name string) (hook webhooks.Webhook, ok bool) {
	hook, ok = c.current.Load().webhooks[name]
	return hook, ok
}

// WebhookOf returns a webhook of a workspace, given by its raw id: always the same one.
func (c *Clients) WebhookOf(workspace string) (hook webhooks.Webhook, ok bool) {
	for _, each := range c.Webhooks() {
		if each.Workspace == workspace {
			return each, true
		}
	}
	return hook, false
}

// Webhooks returns a webhook of each workspace that has one.
func (c *Clients) Webhooks() []webhooks.Webhook {
	return c.current.Load().hooks
}

// Callers returns the callers of all clients.
func (c *Clients) Callers() iter.Seq[*Caller] {
	return func(yield func(*Caller) bool) {
		entries := c.current.Load().entries
		for i := range entries {
			if !yield(&entries[i].caller) {
				return
			}
		}
	}
}

// find returns the caller that a client key or a JSON Web Token identifies, or nil. The lookup of
// a key takes the same time whichever client matches, and if none does.
func (r *roster) find(token string) *Caller {
	if strings.HasPrefix(token, keyPrefix) {
		var found *Caller
		hash := hashKey(token)
		for i := range r.entries {
			for _, known := range r.entries[i].hashes {
				if known.equal(hash) {
					found = &r.entries[i].caller
				}
			}
		}
		return found
	}
	if r.verifier == nil {
		return nil
	}
	claims, ok := r.verifier.claims(token)
	if !ok {
		return nil
	}
	for i := range r.entries {
		if hasClaims(r.entries[i].claims, claims) {
			return &r.entries[i].caller
		}
	}
	return nil
}

// hasClaims reports whether a token's claims include all claims that a client requires.
func hasClaims(want map[string]string, claims map[string]any) bool {
	for name, value := range want {
		if !hasClaim(claims, name, value) {
			return false
		}
	}
	return len(want) > 0
}
