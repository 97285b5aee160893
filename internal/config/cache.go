package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// CacheTTL is how long responses are cached, such as `contacts=5m,orders=1m,30s`.
type CacheTTL struct {
	// Default is for the kinds that are not in Kinds; 0 caches none of them.
	Default time.Duration
	Kinds   map[upstream.Kind]time.Duration
}

var errCacheTTL = errors.New("must be a time, or times by type such as contacts=5m,orders=1m,30s")

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *CacheTTL) UnmarshalText(text []byte) error {
	*c = CacheTTL{}
	for i, part := range strings.Split(string(text), ",") {
		name, of, isOfKind := strings.Cut(strings.TrimSpace(part), "=")
		if !isOfKind {
			name, of = "", name
		}
		ttl, err := time.ParseDuration(of)
		if err != nil {
			return errCacheTTL
		}
		kind, known := upstream.KindOfPlural(name)
		switch {
		case !isOfKind && (c.Default != 0 || i != strings.Count(string(text), ",")):
			return errors.New("has its time without a type last, and only once")
		case !isOfKind:
			c.Default = ttl
			continue
		case !known:
			return errors.New("has an unknown type: types are named like lists of the schema, such as contacts or salesOpportunities")
		case c.Kinds == nil:
			c.Kinds = make(map[upstream.Kind]time.Duration)
		}
		if _, twice := c.Kinds[kind]; twice {
			return fmt.Errorf("has %s twice", name)
		}
		c.Kinds[kind] = ttl
	}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (c CacheTTL) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// String returns the text of a flag.
func (c CacheTTL) String() string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(c.Kinds)) {
		parts = append(parts, kind.Plural()+"="+c.Kinds[kind].String())
	}
	if c.Default != 0 || len(parts) == 0 {
		parts = append(parts, c.Default.String())
	}
	return strings.Join(parts, ",")
}

// bounds returns the shortest and the longest time.
func (c CacheTTL) bounds() (shortest, longest time.Duration) {
	shortest, longest = c.Default, c.Default
	for _, ttl := range c.Kinds {
		shortest, longest = min(shortest, ttl), max(longest, ttl)
	}
	return shortest, longest
}

// Longest returns the longest time.
func (c CacheTTL) Longest() time.Duration {
	_, longest := c.bounds()
	return longest
}
