package serving

import (
	"net"
	"net/http"
	"strings"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// OnLoopback reports whether a request's Host is localhost or a loopback address. A page whose
// site resolves to a loopback address (DNS rebinding) still sends the site's own name.
func OnLoopback(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return upstream.IsLoopback(strings.Trim(host, "[]"))
}

// Guard returns a handler that refuses requests for hosts other than this machine, if it is
// served on a loopback address.
func Guard(on net.Addr, next http.Handler) http.Handler {
	if tcp, ok := on.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !OnLoopback(r) {
			http.Error(w, "This address is for this machine only: the Host header must be localhost or a loopback address.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
