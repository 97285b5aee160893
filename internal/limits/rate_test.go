package limits

import (
	"testing"
	"testing/synctest"
	"time"
)

// send takes n requests and returns how many were allowed, and the last wait.
func send(r *Rates, client RateKey, perMinute, n int) (allowed int, wait time.Duration) {
	for range n {
		var ok bool
		if wait, ok = r.Take(client, perMinute); ok {
			allowed++
		}
	}
	return allowed, wait
}

func TestRateAllowsABurstAndThenASteadyFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, app := NewRates(), RateKey{Client: "app"}
		if n, wait := send(r, app, 60, 100); n != 6 || wait != time.Second {
			t.Errorf("%d of 100 requests at once, then a wait of %s; want 6 and 1s", n, wait)
		}
		// Refused requests cost nothing.
		time.Sleep(time.Second)
		if n, _ := send(r, app, 60, 5); n != 1 {
			t.Errorf("%d requests after a second, want 1", n)
		}
		time.Sleep(time.Hour)
		if n, _ := send(r, app, 60, 100); n != 6 {
			t.Errorf("%d requests at once after an hour, want no more than 6", n)
		}
	})
}

func TestRateOfFewRequestsAllowsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, app := NewRates(), RateKey{Client: "app"}
		if n, wait := send(r, app, 7, 2); n != 1 || wait != 9*time.Second { // 8.57 s
			t.Errorf("%d of 2 requests, then a wait of %s; want 1, and whole seconds: 9s", n, wait)
		}
		time.Sleep(9 * time.Second)
		if _, ok := r.Take(app, 7); !ok {
			t.Error("refused after the announced wait")
		}
	})
}

func TestClientsHaveSeparateRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRates()
		for _, client := range []RateKey{{Client: "app"}, {Client: "other"}, {Token: [32]byte{1}}, {Token: [32]byte{2}}} {
			if n, _ := send(r, client, 20, 9); n != 2 {
				t.Errorf("%+v: %d requests at once, want 2 whatever the others have sent", client, n)
			}
		}
		if n, _ := send(r, RateKey{Client: "app"}, 0, 1000); n != 1000 {
			t.Errorf("%d of 1000 requests without a limit, want all", n)
		}
	})
}

func TestRateFollowsAChangedConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, app := NewRates(), RateKey{Client: "app"}
		send(r, app, 60, 100)
		time.Sleep(time.Minute)
		if n, _ := send(r, app, 600, 100); n < 6 {
			t.Errorf("%d requests at once with a higher rate, want at least the 6 of before", n)
		}
		time.Sleep(time.Minute)
		if n, wait := send(r, app, 600, 100); n != 60 || wait != time.Second {
			t.Errorf("%d requests at once, then a wait of %s; want the 60 of the higher rate and 1s", n, wait)
		}
		time.Sleep(time.Minute)
		if n, _ := send(r, app, 10, 100); n != 1 {
			t.Errorf("%d requests at once with a lower rate, want 1", n)
		}
	})
}
