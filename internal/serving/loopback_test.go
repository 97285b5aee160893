package serving

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestGuardRefusesOtherHostsOnLoopback(t *testing.T) {
	for _, test := range []struct {
		on, host string
		status   int
	}{
		{"127.0.0.1", "127.0.0.1:9090", 200},
		{"127.0.0.1", "localhost:9090", 200},
		{"127.0.0.1", "LOCALHOST", 200},
		{"::1", "[::1]:9090", 200},
		{"127.0.0.1", "evil.example:9090", 403},
		{"127.0.0.1", "localhost.evil.example", 403},
		{"127.0.0.1", "10.0.0.7:9090", 403},
		{"127.0.0.1", "", 403},
		{"::1", "evil.example", 403},
		{"0.0.0.0", "metrics.example:9090", 200},
		{"10.0.0.7", "metrics.example:9090", 200},
	} {
		h := Guard(&net.TCPAddr{IP: net.ParseIP(test.on), Port: 9090}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.Host = test.host
		if h.ServeHTTP(w, r); w.Code != test.status {
			t.Errorf("%s asked for %q: %d, want %d", test.on, test.host, w.Code, test.status)
		}
	}
}
