package server

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// DemoReset is the path that resets the demo's data.
const DemoReset = "/demo/reset"

// Demo serves the GraphQL API in front of a simulated REST API of its own. A reset restarts both
// with the simulated API on another port, so that nothing that was cached or in flight before the
// reset can affect later requests.
type Demo struct {
	ctx   context.Context //nolint:containedctx // the server's
	cfg   config.Config
	parts Parts

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
	d := &Demo{ctx: ctx, cfg: cfg, parts: p}
	return d, d.start() //nolint:contextcheck // the server's
}

// start begins a new run and ends the previous one.
func (d *Demo) start() error {
	d.resetting.Lock()
	defer d.resetting.Unlock()
	ctx, cancel := context.WithCancel(d.ctx)
	address, shut, err := serveDemo(ctx, d.cfg)
	if err != nil {
		cancel()
		return err
	}
	cfg, p := d.cfg, d.parts
	cfg.UpstreamURL = demo.Template(address)
	p.reset = d.reset
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

// serveDemo starts the simulated API on a free loopback port.
func serveDemo(ctx context.Context, cfg config.Config) (address string, shut func(), err error) {
	var faults demo.Faults
	if cfg.DemoFaults != "" {
		if faults, err = demo.ParseFaults(cfg.DemoFaults); err != nil {
			return "", nil, err
		}
	}
	return serveSeparately(ctx, "127.0.0.1:0", demo.Unreliable(demo.New(), cfg.DemoLatency, faults))
}
