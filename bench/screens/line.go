package screens

import (
	"context"
	"net"
	"sync"
	"time"
)

// Line simulates a mobile connection. All of its connections share the latency and the bandwidth
// in each direction. It has no packet loss and no slow start, and connections open without delay.
// The zero Line only counts bytes. A Line is safe for concurrent use.
type Line struct {
	// RoundTrip is the round-trip time. Bits is the bandwidth in each direction, in bits a second;
	// 0 is no limit.
	RoundTrip time.Duration
	Bits      int

	up, down direction
}

// direction is one direction of a line.
type direction struct {
	mu    sync.Mutex
	free  time.Time // when the line has sent all earlier bytes
	bytes int
}

// packet is the size of a packet, in bytes.
const packet = 1460

// Dial returns a dial function that connects to address over the line, and ignores the address that
// it is called with.
func (l *Line) Dial(address string) func(ctx context.Context, network, _ string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		server, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		phone, line := net.Pipe()
		l.join(line, server)
		return phone, nil
	}
}

// join carries bytes between a phone and a server until one of them closes the connection.
func (l *Line) join(phone, server net.Conn) {
	go l.carry(server, phone, &l.up)
	go l.carry(phone, server, &l.down)
}

// Bytes returns the number of bytes sent to the server (up) and to the phone (down).
func (l *Line) Bytes() (up, down int) { return l.up.count(), l.down.count() }

func (l *Line) carry(to, from net.Conn, way *direction) {
	type sent struct {
		bytes  []byte
		arrive time.Time
	}
	flying := make(chan sent, 4096)
	go func() {
		defer close(flying)
		for {
			buffer := make([]byte, packet)
			n, err := from.Read(buffer)
			if n > 0 {
				flying <- sent{buffer[:n], way.send(n, l.Bits).Add(l.RoundTrip / 2)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range flying {
		time.Sleep(time.Until(p.arrive))
		_, _ = to.Write(p.bytes) // the reader of the other direction notices a closed connection
	}
	_ = to.Close()
}

// send queues n bytes, and returns the time at which the line has sent them.
func (d *direction) send(n, bits int) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bytes += n
	if now := time.Now(); d.free.Before(now) {
		d.free = now
	}
	if bits > 0 {
		d.free = d.free.Add(time.Duration(n) * 8 * time.Second / time.Duration(bits))
	}
	return d.free
}

func (d *direction) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bytes
}
