package main

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/replicas"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// demoReset is the path that restores the demo's data.
const demoReset = "/demo/reset"

// demoServer is the facade in front of a simulated API of its own. To reset it, both are started
// anew, on another port: nothing that was cached, remembered or in flight before the reset can
// reach a request behind it.
type demoServer struct {
	ctx   context.Context //nolint:containedctx // the server's
	cfg   config.Config
	parts parts

	resetting sync.Mutex
	current   atomic.Pointer[demoRun]
}

// demoRun is the time from one reset to the next.
type demoRun struct {
	http.Handler

	client *upstream.Client
	redis  *replicas.Redis
	end    func()
}

// newDemoServer returns a demo that lasts until the context ends.
func newDemoServer(ctx context.Context, cfg config.Config, p parts) (*demoServer, error) {
	d := &demoServer{ctx: ctx, cfg: cfg, parts: p}
	return d, d.start()
}

// start begins a new run and ends the one before.
func (d *demoServer) start() error {
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
	if p.client, p.redis, err = newClient(ctx, cfg, p.telemetry.Observer()); err != nil {
		shut()
		cancel()
		return err
	}
	before := d.current.Swap(&demoRun{handler(cfg, p), p.client, p.redis, func() { shut(); cancel() }})
	if before != nil {
		before.end()
	}
	return nil
}

// reset restores the data for whoever posts to [demoReset].
func (d *demoServer) reset(w http.ResponseWriter, r *http.Request) {
	if err := d.start(); err != nil {
		slog.ErrorContext(r.Context(), "the demo could not be reset", "error", err)
		http.Error(w, "the demo could not be reset", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// ServeHTTP implements [http.Handler].
func (d *demoServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.current.Load().ServeHTTP(w, r)
}

func (d *demoServer) stats() upstream.Stats { return d.current.Load().client.Stats() }

// serveDemo starts the simulated API on a loopback port of its own.
func serveDemo(ctx context.Context, cfg config.Config) (address string, shut func(), err error) {
	var faults demo.Faults
	if cfg.DemoFaults != "" {
		if faults, err = demo.ParseFaults(cfg.DemoFaults); err != nil {
			return "", nil, err
		}
	}
	return serveBeside(ctx, "127.0.0.1:0", demo.Unreliable(demo.New(), cfg.DemoLatency, faults))
}
