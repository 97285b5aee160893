package transport

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A nested query makes hundreds of calls to one or many hosts. The limit per host keeps a flood of
// calls from exhausting the process's file descriptors. The same number is kept idle, because a new
// connection costs a TLS handshake. With half as many, thirty concurrent nested queries spent a
// twentieth of their CPU on connections that were closed and reopened.
const (
	maxIdleConns    = 1024
	maxConnsPerHost = 512
	// readBuffer holds a page of 20 rows, so that one read suffices.
	readBuffer = 32 << 10
	// An HTTP/2 connection that is silent for pingAfter is pinged. It is closed if the ping is not
	// answered within pingTimeout. Without pings, net/http keeps using a dead connection until the
	// operating system closes it after minutes.
	pingAfter   = 3 * time.Second
	pingTimeout = 3 * time.Second
)

// NewRoundTripper returns the default of [Config.RoundTripper].
func NewRoundTripper() *http.Transport {
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

// localAddress resolves names below localhost to this machine, as RFC 6761 requires. A template
// such as http://{subdomain}.localhost:9000 therefore works everywhere.
func localAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return address
	}
	return net.JoinHostPort("localhost", port)
}

// proxy returns the proxy of the environment for https. Plain http, which is allowed for loopback
// only, uses none, because the token would reach the proxy unencrypted.
func proxy(r *http.Request) (*url.URL, error) {
	if r.URL.Scheme == "http" {
		return nil, nil //nolint:nilnil // what http.Transport takes for "no proxy"
	}
	return http.ProxyFromEnvironment(r)
}
