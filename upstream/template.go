package upstream

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// DefaultURLTemplate is the URL of the real API (clickfunnels-api.md §1).
const DefaultURLTemplate = "https://{subdomain}.myclickfunnels.com/api/v2"

// Accounts is the subdomain of teams, users and workspaces. Other records are on the workspace's
// own subdomain (clickfunnels-api.md §1).
const Accounts = "accounts"

const placeholder = "{subdomain}"

// dnsLabel matches one label of a host name (RFC 1123). Every subdomain must match it, whether it
// comes from a caller, an id or ClickFunnels. It can then never redirect a call to another host or
// path.
var dnsLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ParseSubdomain returns the subdomain in lower case. It returns an error with the code
// BadUserInput if it is not exactly one DNS label.
func ParseSubdomain(s string) (string, error) {
	label := strings.ToLower(s)
	if !dnsLabel.MatchString(label) {
		return "", NewError(BadUserInput, "A subdomain is one DNS label, such as \"acme\": letters, digits and inner hyphens, at most 63 of them.")
	}
	return label, nil
}

// host returns the name of a host for the transport: empty if all calls go to one.
func (t urlTemplate) host(subdomain string) string {
	if !t.perWorkspace {
		return ""
	}
	return subdomain
}

// urlTemplate is the only source of a URL's scheme, host and base path.
type urlTemplate struct {
	before, after string    // around the placeholder; after is empty without one
	labels        [2]string // text around the subdomain in host labels
	perWorkspace  bool      // has a placeholder
}

// CheckTemplate returns a one-line error if a URL template is invalid.
func CheckTemplate(s string) error {
	_, err := parseTemplate(s)
	return err
}

// parseTemplate validates a template such as [DefaultURLTemplate]. The placeholder may be in the
// host, in the path, or absent. Plain http is refused unless the host is loopback, because the
// token would travel unencrypted.
func parseTemplate(s string) (urlTemplate, error) {
	var none urlTemplate
	if strings.Contains(s, "@") { // do not repeat a user name, which may come with a password
		return none, errors.New("upstream URL must be a host and a path only: no user, query or fragment")
	}
	if n := strings.Count(s, placeholder); n > 1 {
		return none, fmt.Errorf("upstream URL %q names %s more than once", s, placeholder)
	}
	before, after, perWorkspace := strings.Cut(s, placeholder)
	u, err := url.Parse(before + after)
	if perWorkspace {
		u, err = url.Parse(before + "subdomain" + after)
	}
	switch {
	case err != nil:
		return none, fmt.Errorf("upstream URL %q cannot be parsed: it looks like %s", s, DefaultURLTemplate)
	case u.Scheme != "https" && u.Scheme != "http":
		return none, fmt.Errorf("upstream URL %q must begin with https:// (or http:// on loopback)", s)
	case u.Hostname() == "":
		return none, fmt.Errorf("upstream URL %q has no host", s)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return none, errors.New("upstream URL must be a host and a path only: no user, query or fragment")
	case strings.ContainsAny(u.Path, "{}") || strings.Contains(u.Hostname(), "{"):
		return none, fmt.Errorf("upstream URL %q may hold one placeholder, %s, and no other", s, placeholder)
	case u.Port() != "" && !validPort(u.Port()):
		return none, fmt.Errorf("upstream URL %q has an invalid port", s)
	case strings.Contains(before, "//") && !strings.Contains(before[strings.Index(before, "//")+2:], "/") && perWorkspace && !strings.HasPrefix(after, "."):
		return none, fmt.Errorf("upstream URL %q must not leave the whole host to %s: add a domain", s, placeholder)
	case u.Scheme == "http" && !IsLoopback(u.Hostname()):
		return none, fmt.Errorf("upstream URL %q is plain http to a host that is not loopback: the token would travel unencrypted", s)
	}
	host, _, _ := strings.Cut(s[strings.Index(s, "//")+2:], "/")
	t := urlTemplate{before: before, after: strings.TrimRight(after, "/"), perWorkspace: perWorkspace, labels: [2]string{host + "/"}}
	if start, end, inHost := strings.Cut(host, placeholder); inHost {
		t.labels = [2]string{start, end}
	}
	return t.trimmed(), nil
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

func (t urlTemplate) trimmed() urlTemplate {
	if !t.perWorkspace {
		t.before = strings.TrimRight(t.before, "/")
	}
	return t
}

// IsLoopback reports whether the host is this machine: localhost and names below it (RFC 6761),
// 127.0.0.0/8, ::1.
func IsLoopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// url returns the URL of a path below the API's base. [ParseSubdomain] must have accepted the
// subdomain. url checks each segment.
func (t urlTemplate) url(subdomain string, segments []string, query string) (string, error) {
	var b strings.Builder
	b.Grow(len(t.before) + len(t.after) + len(subdomain) + len(query) + 64)
	b.WriteString(t.before)
	if t.perWorkspace {
		b.WriteString(subdomain)
		b.WriteString(t.after)
	}
	for _, segment := range segments {
		if !pathSegment(segment) {
			return "", NewError(BadUserInput, "An id consists of letters, digits, \"-\" and \"_\" only.")
		}
		b.WriteByte('/')
		b.WriteString(segment)
	}
	if query != "" {
		b.WriteByte('?')
		b.WriteString(query)
	}
	return b.String(), nil
}

// label returns the host's name for observers. It includes the subdomain if the template has it in
// the path.
func (t urlTemplate) label(subdomain string) string {
	if !t.perWorkspace {
		return strings.TrimSuffix(t.labels[0], "/")
	}
	return t.labels[0] + subdomain + t.labels[1]
}

// maxSegmentBytes is far above any id of the API.
const maxSegmentBytes = 128

// pathSegment reports whether s can be a path segment as it is. It must contain no escape, dot or
// slash, so that it cannot lead to another path.
func pathSegment(s string) bool {
	if s == "" || len(s) > maxSegmentBytes {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}
