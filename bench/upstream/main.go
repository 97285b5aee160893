// Command upstream runs the simulated ClickFunnels API in its own process, for benchmarks: 3 teams,
// 4 workspaces each, 20 contacts each. It creates each response once and then sends it from memory,
// in one write and without net/http, so that its own cost hardly affects the measurement. It accepts
// any bearer token, so that clients can have their own credentials.
//
// GET /calls returns the number of REST calls so far.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9090", "`address` to listen on")
	latency := flag.Duration("latency", 0, "how long each call takes")
	flag.Parse()
	if host, _, err := net.SplitHostPort(*listen); err != nil || !net.ParseIP(host).IsLoopback() {
		log.Fatalf("-listen %s: give a loopback address and a port, such as 127.0.0.1:9090", *listen)
	}
	listener, err := net.Listen("tcp", *listen) //nolint:noctx // for the life of the process
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("simulated API on %s", demo.Template(*listen))
	api := &api{demo: demo.New(20), latency: *latency}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go api.serve(conn)
	}
}

// api caches the simulated API's responses by URL.
type api struct {
	demo    http.Handler
	latency time.Duration
	answers sync.Map // of []byte, by URL
	calls   atomic.Int64
}

// serve handles the GET requests of a connection until it ends.
func (a *api) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		_, url, _ := bytes.Cut(line, []byte(" "))
		url, _, _ = bytes.Cut(url, []byte(" "))
		address, authorized := string(url), false
		for {
			header, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if header = bytes.TrimSpace(header); len(header) == 0 {
				break
			}
			name, value, _ := bytes.Cut(header, []byte(":"))
			if bytes.EqualFold(name, []byte("Authorization")) {
				authorized = bytes.HasPrefix(bytes.TrimSpace(value), []byte("Bearer "))
			}
		}
		if _, err := conn.Write(a.answer(address, authorized)); err != nil {
			return
		}
	}
}

func (a *api) answer(url string, authorized bool) []byte {
	if url == "/calls" {
		return response(http.StatusOK, nil, fmt.Append(nil, a.calls.Load()))
	}
	a.calls.Add(1)
	if a.latency > 0 {
		time.Sleep(a.latency)
	}
	if !authorized {
		return response(http.StatusUnauthorized, nil, []byte(`{"error":"API key missing or invalid"}`))
	}
	known, ok := a.answers.Load(url)
	if !ok {
		r := httptest.NewRequest(http.MethodGet, url, nil) //nolint:noctx // made up
		r.Header.Set("Authorization", "Bearer "+demo.Token)
		r.Header.Set("User-Agent", "bench") // some of the measured servers send none
		w := httptest.NewRecorder()
		a.demo.ServeHTTP(w, r)
		known, _ = a.answers.LoadOrStore(url, response(w.Code, w.Header(), w.Body.Bytes()))
	}
	return known.([]byte)
}

// response returns the bytes of an HTTP response.
func response(status int, header http.Header, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	if header == nil {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	_ = header.Write(&b)
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}
