package upstream

import (
	"net/http"
	"testing"

	"github.com/funnelgraph/funnelgraph/upstream/internal/script"
)

type step = script.Step

const (
	teamJSON    = `{"id":1,"name":"Acme"}`
	contactJSON = `{"id":7,"workspace_id":101,"email_address":"a@example.com"}`

	accountsHost = "accounts.myclickfunnels.com"
	acmeHost     = "acme.myclickfunnels.com"
)

var (
	good = step{Status: http.StatusOK, Body: teamJSON}
	acme = Place{WorkspaceID: "101", Subdomain: "acme"}
)

// scriptedClient returns a client with the given steps for the accounts host.
func scriptedClient(t *testing.T, cfg Config, steps ...step) (*Client, *script.Hosts) {
	t.Helper()
	s := script.New()
	s.Play(accountsHost, steps...)
	cfg.Transport.RoundTripper = s
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c.WithToken("secret"), s
}
