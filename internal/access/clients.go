package access

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
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
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Clients is the gate through which the clients of an access file come, each with a
// key or a JSON Web Token. The file, and those that its tokens are in, are read
// again when they change; a new one that cannot be used leaves the old one in place.
type Clients struct {
	path string
	base Caller
	now  atomic.Pointer[roster]

	// Of the goroutine that looks after the file:
	read [sha256.Size]byte  // of what was read last
	seen [sha256.Size]byte  // of what was tried last
	stop context.CancelFunc // of the verifier
}

// interval is how often the files are looked at.
const interval = 2 * time.Second

// NewClients reads an access file, and looks after it until the context ends.
// token is that of clients that name none; empty if there is no such token. It
// fails, with an error of one line, if the file cannot be used.
func NewClients(ctx context.Context, path string, token upstream.Token, policy limits.Policy) (*Clients, error) {
	c := &Clients{path: path, base: Caller{Token: token, Policy: policy}, stop: func() {}}
	if _, err := c.load(ctx); err != nil {
		return nil, err
	}
	go func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.look(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	return c, nil
}

// look takes over what has changed.
func (c *Clients) look(ctx context.Context) {
	switch changed, err := c.load(ctx); {
	case err != nil:
		slog.ErrorContext(ctx, "the access file has changed and cannot be used: the one before stays in place", "file", c.path, "error", err)
	case changed:
		slog.InfoContext(ctx, "the access file was read again", "file", c.path, "clients", len(c.now.Load().entries))
	}
}

// load reads the files, and takes them over if they are others than those tried
// last. What was tried and failed is not tried again. Once there is something in
// place, a change is not believed before it was seen twice: a file that is being
// written is read in half.
func (c *Clients) load(ctx context.Context) (changed bool, err error) {
	sum := sha256.New()
	tried := func(err error) (bool, error) {
		// The same failure again is no news.
		field(sum, fmt.Sprint(err))
		read := [sha256.Size]byte(sum.Sum(nil))
		settled := read == c.read || c.now.Load() == nil
		news := read != c.seen
		if c.read = read; !settled || !news {
			return false, nil
		}
		c.seen = read
		return err == nil, err
	}
	text, err := configfile.Read(c.path, maxFile)
	if err != nil {
		return tried(fmt.Errorf("the access file cannot be read: %w", err))
	}
	field(sum, string(text))
	f, err := parse(text)
	if err != nil {
		return tried(fmt.Errorf("%s: %w", c.path, err))
	}
	tokens := make(map[string]upstream.Token, len(f.Tokens))
	for _, name := range slices.Sorted(maps.Keys(f.Tokens)) {
		if !tokenName.MatchString(name) {
			return tried(fmt.Errorf("%s: the name of a token is at most 24 letters, digits, \"-\", \"_\" and \".\", which begin with a letter or digit", c.path))
		}
		if tokens[name], err = f.Tokens[name].token(); err != nil {
			return tried(fmt.Errorf("%s: token %s: %w", c.path, name, err))
		}
		field(sum, name)
		field(sum, string(tokens[name]))
	}
	// Callers before and after a change share nothing.
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
	for _, s := range f.Tokens {
		if s.File != "" {
			configfile.WarnOfOpenSecret(s.File)
		}
	}
	return true, c.take(ctx, r, f.JWT)
}

// field adds a field to a hash, behind its length, so that what is hashed is told apart
// by field.
func field(h hash.Hash, text string) {
	_ = binary.Write(h, binary.BigEndian, uint64(len(text)))
	_, _ = io.WriteString(h, text)
}

// take puts a roster in place. The verifier, with the keys that it has fetched, is
// kept if it is the same.
func (c *Clients) take(ctx context.Context, r *roster, j *JWT) error {
	if before := c.now.Load(); before != nil && before.verifier != nil && j != nil && reflect.DeepEqual(before.verifier.JWT, *j) {
		r.verifier = before.verifier
		c.now.Store(r)
		return nil
	}
	stop := c.stop
	if c.stop = func() {}; j != nil {
		var err error
		ctx, cancel := context.WithCancel(ctx)
		if r.verifier, err = newVerifier(ctx, *j); err != nil {
			cancel()
			c.stop = stop
			return fmt.Errorf("%s: %w", c.path, err)
		}
		c.stop = cancel
	}
	c.now.Store(r)
	stop()
	return nil
}

// Caller implements [Gate].
func (c *Clients) Caller(r *http.Request) (*Caller, *Refusal) {
	token := bearer(r)
	if token == "" {
		return nil, &Refusal{http.StatusUnauthorized, upstream.Unauthenticated, "Say who you are: send the header \"Authorization: Bearer <client key>\".", 0}
	}
	if caller := c.now.Load().find(token); caller != nil {
		return caller, nil
	}
	return nil, &Refusal{http.StatusUnauthorized, upstream.Unauthenticated, "This client is not known.", 0}
}

// find returns the caller who has a key or a JSON Web Token, nil if there is none.
// It takes as long whichever client it is, and if it is none.
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
		if fits(r.entries[i].claims, claims) {
			return &r.entries[i].caller
		}
	}
	return nil
}

// fits reports whether claims are all that a client's have to be.
func fits(want map[string]string, claims map[string]any) bool {
	for name, value := range want {
		if !has(claims, name, value) {
			return false
		}
	}
	return len(want) > 0
}
