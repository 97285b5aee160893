package screens

import (
	"context"
	"net"
	"sync"
	"time"
)

// Line is a phone's line: what goes over it takes its time, each way, whatever number of
// connections share it. There is no loss and no slow start, and a connection is open at
// once. The zero Line only counts. It is safe for concurrent use.
type Line struct {
	// RoundTrip is the way there and back, and Bits are the bits a second that go each way; 0
	// is no limit.
	RoundTrip time.Duration
	Bits      int

	up, down direction
}

// direction is one way of a line.
type direction struct {
	mu    sync.Mutex
	free  time.Time // when what is on its way has been sent
	bytes int
}

// packet is what is sent at a time, in bytes.
const packet = 1460

// Dial returns what connects to an address over the line, whichever one is asked for.
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

// join carries bytes between a phone and a server until one of them ends the connection.
func (l *Line) join(phone, server net.Conn) {
	go l.carry(server, phone, &l.up)
	go l.carry(phone, server, &l.down)
}

// Bytes returns how many bytes have gone up and down.
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
		_, _ = to.Write(p.bytes) // an end is noticed by the reader of the other way
	}
	_ = to.Close()
}

// send returns when that many bytes have been sent.
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
