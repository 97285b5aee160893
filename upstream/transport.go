package upstream

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Connections: a nested query fans out into hundreds of calls to one or to many
// hosts. The cap per host keeps a flood from using up the process's file
// descriptors. As many are kept idle, since a new one costs a TLS handshake: with
// half as many kept, thirty nested queries at a time spent a twentieth of their
// CPU on connections that were closed only to be opened again.
const (
	maxIdleConns    = 1024
	maxConnsPerHost = 512
	// readBuffer holds a whole page of 20 rows, so that it is read at once.
	readBuffer = 32 << 10
	// An HTTP/2 connection that has been silent for pingAfter is pinged, and closed when the
	// ping is not answered within pingTimeout. Without pings, net/http keeps sending calls
	// to a dead connection until the operating system gives it up, after minutes.
	pingAfter   = 3 * time.Second
	pingTimeout = 3 * time.Second
)

// NewTransport returns the transport that clients use by default.
func NewTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: proxy,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, localAddress(address))
		},
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           maxIdleConns,
		MaxIdleConnsPerHost:    maxConnsPerHost,
		MaxConnsPerHost:        maxConnsPerHost,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ReadBufferSize:         readBuffer,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// localAddress makes names below localhost reach this machine without asking a
// resolver, as RFC 6761 wants: a template such as
// http://{subdomain}.localhost:9000 works everywhere.
func localAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return address
	}
	return net.JoinHostPort("localhost", port)
}

// proxy is the environment's, but never for plain http: that is loopback only,
// and the token would reach the proxy in clear.
func proxy(r *http.Request) (*url.URL, error) {
	if r.URL.Scheme == "http" {
		return nil, nil //nolint:nilnil // what http.Transport takes for "no proxy"
	}
	return http.ProxyFromEnvironment(r)
}
