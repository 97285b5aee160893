package signin

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// maxReturnTo is the maximum length of a return_to parameter, in bytes.
const maxReturnTo = 1024

// unsafeSchemes run code or read files if a browser opens them.
var unsafeSchemes = []string{"about", "blob", "data", "file", "filesystem", "ftp", "javascript", "mailto", "vbscript", "view-source", "ws", "wss"}

// ReturnTo is a place that may receive a person after the sign-in.
type ReturnTo struct {
	// url is the whole URL, or an origin.
	url      string
	isOrigin bool
}

// ParseReturnTo reads a value of --return-to: an origin such as https://app.example.com, an https app
// link, or a URL with a custom scheme such as com.example.app:/signed-in.
func ParseReturnTo(text string) (ReturnTo, error) {
	u, err := parseURL(text)
	switch {
	case err != nil:
		return ReturnTo{}, fmt.Errorf("%s is not a URL: give an origin such as https://app.example.com, an https app link, or a URL such as com.example.app:/signed-in", shown(text))
	case slices.Contains(unsafeSchemes, u.Scheme):
		return ReturnTo{}, fmt.Errorf("%s has a scheme that is not safe to open", shown(text))
	case u.Fragment != "":
		return ReturnTo{}, fmt.Errorf("%s must not have a fragment", shown(text))
	case isCustom(u):
		return ReturnTo{url: text}, nil
	case !isWeb(u):
		return ReturnTo{}, fmt.Errorf("%s must begin with https://, or with http:// on localhost or a loopback address", shown(text))
	}
	bare := (u.Path == "" || u.Path == "/") && u.RawQuery == ""
	if bare {
		text = originOf(u)
	}
	return ReturnTo{url: text, isOrigin: bare}, nil
}

// shown returns a URL for an error, without a user name, which may come with a password.
func shown(text string) string {
	if strings.Contains(text, "@") {
		return "the value"
	}
	return strconv.Quote(text)
}

// parseURL reads an absolute URL that browsers and Go read alike.
func parseURL(text string) (*url.URL, error) {
	if len(text) > maxReturnTo || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) {
		return nil, errors.New("it is too long, or has characters that URLs do not have")
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.User != nil || u.Host != "" && !isHost(u) {
		return nil, errors.New("it is not an absolute URL without a user name")
	}
	return u, nil
}

// isHost reports whether the host and the port of a URL can be reached.
func isHost(u *url.URL) bool {
	port, err := strconv.Atoi(cmp.Or(u.Port(), "1"))
	return u.Hostname() != "" && !strings.HasSuffix(u.Host, ":") && !strings.Contains(u.Host, "*") && err == nil && port > 0 && port < 1<<16
}

// isCustom reports whether a URL has a scheme that an app has registered.
func isCustom(u *url.URL) bool { return u.Scheme != "http" && u.Scheme != "https" }

// isWeb reports whether a URL is safe for secrets: https, or http on this machine.
func isWeb(u *url.URL) bool {
	return u.Host != "" && u.Opaque == "" && (u.Scheme == "https" || u.Scheme == "http" && upstream.IsLoopback(u.Hostname()))
}

// originOf returns the origin of a web URL, as browsers send it.
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]; strings.HasSuffix(host, port) {
		host = strings.TrimSuffix(host, port)
	}
	return u.Scheme + "://" + host
}

// target is a checked return_to.
type target struct {
	url    string
	custom bool // an app's scheme, which cannot receive a cookie
}

var errReturnTo = errors.New("return_to is not an allowed place: it must be a page of this server, or a place in --return-to")

// target checks a return_to parameter. Pages of this server are always allowed, also as a path.
// Other places must equal one of the configured ones: the scheme, the host and the port of an origin,
// or else the whole URL.
func (s *Server) target(text string) (target, error) {
	text = cmp.Or(text, s.cfg.Home)
	own := originOf(s.public)
	if strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") {
		text = own + text
	}
	u, err := parseURL(text)
	if err != nil {
		return target{}, errReturnTo
	}
	for _, place := range s.cfg.ReturnTo {
		if !place.isOrigin && place.url == text {
			return target{text, isCustom(u)}, nil
		}
	}
	if isCustom(u) || !isWeb(u) {
		return target{}, errReturnTo
	}
	origin := originOf(u)
	if origin != own && !slices.Contains(s.cfg.ReturnTo, ReturnTo{origin, true}) {
		return target{}, errReturnTo
	}
	return target{url: text}, nil
}

// withQuery returns the target with parameters added to its query. The target's own parameters stay as
// they are, except code, state, error and error_description, which only this server sets.
func (t target) withQuery(parameters url.Values) string {
	u, err := url.Parse(t.url)
	if err != nil {
		return t.url // it was parsed before
	}
	kept := slices.DeleteFunc(strings.Split(u.RawQuery, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		return pair == "" || err == nil && slices.Contains([]string{"code", "state", "error", "error_description"}, name)
	})
	u.RawQuery = strings.Join(append(kept, parameters.Encode()), "&")
	return u.String()
}
