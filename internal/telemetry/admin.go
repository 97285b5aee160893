package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// Admin returns the handler for operators, which is served on a port of its own: /metrics in the
// Prometheus formats, /debug/pprof/, and /log-level, which returns the log level and changes it
// by PUT. It must be called at most once, and only if the configuration has metrics.
func (t *Telemetry) Admin(stats func() transport.Stats, level *slog.LevelVar, more ...prometheus.Collector) http.Handler {
	t.metrics.registry.MustRegister(newUpstreamStats(stats))
	t.metrics.registry.MustRegister(more...)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	// No cmdline: the flag --redis-url can contain a password.
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /log-level", func(w http.ResponseWriter, _ *http.Request) { writeLevel(w, level) })
	mux.HandleFunc("PUT /log-level", func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(io.LimitReader(r.Body, maxLevel))
		var wanted slog.Level
		if err == nil {
			err = wanted.UnmarshalText([]byte(strings.TrimSpace(string(text))))
		}
		if err != nil {
			http.Error(w, "The body must be debug, info, warn or error.", http.StatusBadRequest)
			return
		}
		level.Set(wanted)
		writeLevel(w, level)
	})
	return mux
}

// maxLevel is the maximum length of the name of a level, in bytes.
const maxLevel = 32

func writeLevel(w http.ResponseWriter, level *slog.LevelVar) {
	_, _ = fmt.Fprintln(w, strings.ToLower(level.Level().String()))
}
