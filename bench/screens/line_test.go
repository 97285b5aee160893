package screens

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestLine sends 25,000 bytes over 1 Mbit/s in two concurrent connections. That takes 200 ms, plus
// half a round trip.
func TestLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := &Line{RoundTrip: 300 * time.Millisecond, Bits: 1_000_000}
		began := time.Now()
		arrived := make(chan time.Duration)
		for range 2 {
			phone, a := net.Pipe()
			b, server := net.Pipe()
			line.join(a, b)
			go func() {
				_, _ = server.Write(make([]byte, 12_500))
				_ = server.Close()
			}()
			go func() {
				n, _ := io.Copy(io.Discard, phone)
				if n != 12_500 {
					t.Errorf("%d bytes have arrived", n)
				}
				_ = phone.Close()
				arrived <- time.Since(began)
			}()
		}
		<-arrived
		if took := <-arrived; took != 350*time.Millisecond {
			t.Errorf("it took %s, not 350ms", took)
		}
		if up, down := line.Bytes(); up != 0 || down != 25_000 {
			t.Errorf("%d bytes up and %d down", up, down)
		}
	})
}
