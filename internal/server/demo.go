package server

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/internal/signin"
	"github.com/funnelgraph/funnelgraph/internal/webhooks"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

const (
	// DemoReset is the path that resets the demo's data.
	DemoReset = "/demo/reset"
	// demoPrefix begins the paths of the simulated OAuth server's pages.
	demoPrefix = "/demo"
	// demoClient is the client id of the simulated sign-in.
	demoClient = "funnelgraph-demo"
)

// Demo serves the GraphQL API in front of a simulated REST API of its own. A reset restarts both
// with the simulated API on another port, so that nothing that was cached or in flight before the
// reset can affect later requests.
type Demo struct {
	ctx   context.Context //nolint:containedctx // the server's
	cfg   config.Config
	parts Parts
	// events are the events of the simulated API.
	events   *Events
	received chan received
	oauth    *demo.OAuth // nil without a public URL

	resetting sync.Mutex
	current   atomic.Pointer[demoRun]
}

// demoRun is the state of the demo from one reset to the next.
type demoRun struct {
	http.Handler

	client *upstream.Client
	redis  *redis.Client
	end    func()
}

// NewDemo returns a demo that lasts until the context ends.
func NewDemo(ctx context.Context, cfg config.Config, p Parts) (*Demo, error) {
	d := &Demo{ctx: ctx, cfg: cfg, parts: p, received: make(chan received, maxReceived)}
	d.events = newEvents(ctx, nil, func(string) (hook webhooks.Webhook, ok bool) { return hook, true }, func() *upstream.Client { return d.current.Load().client })
	if cfg.PublicURL != "" {
		if err := d.offerSignIn(); err != nil {
			return nil, err
		}
	}
	go d.handleReceived()
	return d, d.start() //nolint:contextcheck // the server's
}

// offerSignIn starts the simulated OAuth server. It outlives resets, and so do sessions. Its pages are
// served below [demoPrefix] as well, for browsers that reach no other port of this machine.
func (d *Demo) offerSignIn() error {
	cfg := d.cfg
	cfg.OAuthClientID, cfg.OAuthSecret = demoClient, upstream.Token(rand.Text())
	if cfg.SessionKeys.Missing() {
		cfg.SessionKeys = newSessionKeys()
	}
	public, err := signin.ParsePublicURL(cfg.PublicURL)
	if err != nil {
		return err
	}
	d.oauth = demo.NewOAuth(demo.OAuthClient{ID: cfg.OAuthClientID, Secret: string(cfg.OAuthSecret), Redirects: []string{public.String() + signin.CallbackPath}})
	address, shut, err := serveSeparately(d.ctx, "127.0.0.1:0", d.oauth)
	if err != nil {
		return err
	}
	context.AfterFunc(d.ctx, shut)
	cfg.OAuthURL = "http://" + address + "/oauth"
	d.parts.SignIn, err = NewSignIn(cfg, public.String()+demoPrefix+"/oauth/authorize", nil, func() *upstream.Client { return d.current.Load().client })
	return err
}

// start begins a new run and ends the previous one.
func (d *Demo) start() error {
	d.resetting.Lock()
	defer d.resetting.Unlock()
	ctx, cancel := context.WithCancel(d.ctx)
	address, shut, err := d.serveAPI(ctx)
	if err != nil {
		cancel()
		return err
	}
	cfg, p := d.cfg, d.parts
	cfg.UpstreamURL = demo.Template(address)
	p.reset, p.Events = d.reset, d.events
	if d.oauth != nil {
		p.authorize = http.StripPrefix(demoPrefix, d.oauth)
	}
	if p.Client, p.Redis, err = NewClient(ctx, cfg, p.Telemetry.Observer()); err != nil {
		shut()
		cancel()
		return err
	}
	before := d.current.Swap(&demoRun{Handler(cfg, p), p.Client, p.Redis, func() { shut(); cancel() }})
	if before != nil {
		before.end()
	}
	return nil
}

// reset handles POST requests to [DemoReset].
func (d *Demo) reset(w http.ResponseWriter, r *http.Request) {
	if err := d.start(); err != nil { //nolint:contextcheck // a run outlives the request that began it
		slog.ErrorContext(r.Context(), "the demo could not be reset", "error", err)
		http.Error(w, "the demo could not be reset", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// ServeHTTP implements [http.Handler].
func (d *Demo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.current.Load().ServeHTTP(w, r)
}

// Stats returns the statistics of the demo's client.
func (d *Demo) Stats() transport.Stats { return d.current.Load().client.Stats() }

// serveAPI starts the simulated API on a free loopback port. Its webhooks need no endpoint.
func (d *Demo) serveAPI(ctx context.Context) (address string, shut func(), err error) {
	var faults demo.Faults
	if d.cfg.DemoFaults != "" {
		if faults, err = demo.ParseFaults(d.cfg.DemoFaults); err != nil {
			return "", nil, err
		}
	}
	api := demo.New()
	api.OnEvent(d.receive)
	if d.oauth != nil {
		api.AcceptTokensOf(d.oauth)
	}
	return serveSeparately(ctx, "127.0.0.1:0", demo.Unreliable(api, d.cfg.DemoLatency, faults))
}

// receive takes a webhook of the simulated API, which is locked meanwhile.
func (d *Demo) receive(workspace int64, body []byte) {
	select {
	case d.received <- received{strconv.FormatInt(workspace, 10), body}:
	default:
		slog.Error("an event of the simulated API was lost: there are too many")
	}
}

// received is a webhook of the simulated API.
type received struct {
	workspace string
	body      []byte
}

// maxReceived is how many webhooks of the simulated API can wait.
const maxReceived = 10_000

// handleReceived handles the webhooks of the simulated API in their order, until the context ends.
func (d *Demo) handleReceived() {
	for {
		select {
		case <-d.ctx.Done():
			return
		case r := <-d.received:
			event, err := webhooks.Parse(r.body, r.workspace)
			if err == nil && d.events.handle(d.ctx, webhooks.Webhook{Workspace: r.workspace, Token: demo.Token}, event) != nil {
				err = d.events.feed.Publish(d.ctx, event) // simulated faults can hide where the workspace is
			}
			if err != nil {
				slog.Error("an event of the simulated API was lost", "error", err)
			}
		}
	}
}
