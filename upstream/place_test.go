package upstream

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestPlaces remembers what was learnt last, however much was learnt before, and
// for a time only.
func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		base.places = newPlaces(100)
		knows := func(c *Client, id string) bool {
			p, ok := c.Locate(Place{WorkspaceID: id})
			return ok && p == Place{WorkspaceID: "7", Subdomain: "acme"}
		}
		public := "seven"
		workspace := &Workspace{Record: Record{RawID: "7", PublicID: &public}, Subdomain: "Acme"}
		for i := range 1000 {
			c := base.WithToken(Token(fmt.Sprint("token-", i)))
			c.remember(workspace)
			if !knows(c, "7") || !knows(c, "seven") {
				t.Fatalf("%d: forgotten at once", i)
			}
			if knows(base.WithToken("another"), "7") {
				t.Fatal("known to another token")
			}
		}
		if known := base.places.known.Len(); known != 100 {
			t.Errorf("%d places are kept, want 100", known)
		}
		last := base.WithToken("token-999")
		time.Sleep(placeTTL)
		if !knows(last, "7") {
			t.Error("forgotten too early")
		}
		time.Sleep(time.Second)
		if knows(last, "7") {
			t.Error("remembered too long")
		}
		last.remember(workspace)
		if !knows(last, "7") {
			t.Error("not learnt again")
		}
	})
}
