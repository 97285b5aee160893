package config

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// secretMask replaces a secret.
const secretMask = "***"

// redacted returns a flag's value with its secret replaced, and reports whether it had one.
func redacted(flag *kong.Flag, value any) (any, bool) {
	text, ok := value.(string)
	if !ok || flag.Tag.Get("secret") != "url" {
		return value, false
	}
	u, err := url.Parse(text)
	if err != nil {
		return secretMask, true
	}
	if _, there := u.User.Password(); !there {
		return value, false
	}
	return strings.Replace(u.Redacted(), ":xxxxx@", ":"+secretMask+"@", 1), true
}

// print writes the configuration as a valid configuration file. A comment at each value names
// its source. Secrets are printed as "***".
func (c *Config) print(w io.Writer, all []setting) error {
	var b bytes.Buffer
	for _, secret := range []struct {
		name  string
		isSet bool
	}{
		{"CLICKFUNNELS_API_TOKEN", c.Token != ""}, {"CLICKFUNNELS_OAUTH_CLIENT_SECRET", c.OAuthSecret != ""}, {"FUNNELGRAPH_SESSION_KEYS", !c.SessionKeys.Missing()},
	} {
		if secret.isSet {
			_, _ = fmt.Fprintf(&b, "# %s=%s (environment)\n", secret.name, secretMask)
		}
	}
	group := -1
	for _, s := range all {
		if now := s.group(); now != group {
			group = now
			_, _ = fmt.Fprintf(&b, "\n# %s\n", strings.TrimSuffix(groups[now].Title, ":"))
		}
		var key, value yaml.Node
		key.SetString(s.Name)
		if s.IsSlice() && s.Target.Len() == 0 { // nil would be null
			s.Target.Set(reflect.MakeSlice(s.Target.Type(), 0, 0))
		}
		what, _ := redacted(s.Flag, s.Target.Interface())
		if err := value.Encode(what); err != nil {
			return err
		}
		value.Style |= yaml.FlowStyle
		value.LineComment = string(s.from)
		line, err := yaml.Marshal(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{&key, &value}})
		if err != nil {
			return err
		}
		_, _ = b.Write(line)
	}
	_, err := w.Write(bytes.TrimLeft(b.Bytes(), "\n"))
	return err
}
