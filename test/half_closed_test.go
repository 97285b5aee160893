package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestHalfClosedStreamBreaks closes the client's own side while an answer in parts is
// written: the client must not take what has come for the whole answer.
func TestHalfClosedStreamBreaks(t *testing.T) {
	e := newEnv(t, withFault(func(_ http.ResponseWriter, r *http.Request, _, _ string) bool {
		select {
		case <-time.After(2 * time.Second):
		case <-r.Context().Done():
		}
		return false
	}))
	for _, accept := range []string{"multipart/mixed", "text/event-stream"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		const body = `{"query":"{ __typename ... @defer { teams { nodes { name } } } }"}`
		_, _ = fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: %s\r\nAuthorization: Bearer demo-token\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", accept, len(body), body)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			continue // broken before its first part
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil && strings.Contains(string(text), `"hasNext":true`) && !strings.Contains(string(text), `"hasNext":false`) {
			t.Errorf("%s: the answer ends as if it were whole: %s", accept, text)
		}
		_ = conn.Close()
	}
}
