package telemetry

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// metrics are the Prometheus metrics. Every label has only a few values: there are no labels for
// clients, operation names or workspaces.
type metrics struct {
	registry *prometheus.Registry

	operations, shared, failed, limits *prometheus.CounterVec
	replayed                           prometheus.Counter
	duration, perOperation             *prometheus.HistogramVec
	bytes                              prometheus.Histogram

	accounts, workspace *hostMetrics
}

// hostMetrics are the metrics of calls to a class of hosts.
type hostMetrics struct {
	calls, attempts     *prometheus.CounterVec
	callsOK, attemptsOK prometheus.Counter // status 200 over the network, cached as the usual case

	callDuration, waits prometheus.Observer
}

func newMetrics(version string, inFlight func() int) *metrics {
	m := &metrics{
		registry:     prometheus.NewRegistry(),
		operations:   counter("operations_total", "Requests to the GraphQL endpoint by operation type (none if it is unknown) and outcome: ok, partial (data and errors), failed (errors, and only null as data), refused (not run: not allowed, not valid, or over a limit) or canceled (the client disconnected).", "type", "outcome"),
		shared:       counter("operations_shared_total", "Queries that shared the response of an identical query in flight.", "type"),
		replayed:     prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "operations_replayed_total", Help: "Mutations that got the first response with their idempotency key."}),
		failed:       counter("errors_total", "Errors in responses by code.", "code"),
		limits:       counter("limits_exceeded_total", "Operations that exceeded a limit, by limit.", "limit"),
		duration:     histogram("operation_duration_seconds", "Duration of requests to the GraphQL endpoint.", prometheus.ExponentialBuckets(0.001, 2, 16), "type"),
		perOperation: histogram("operation_calls", "REST calls over the network per operation, without shared calls.", []float64{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512}, "type"),
		bytes: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: "response_bytes",
			Help: "Size of responses of the GraphQL endpoint as sent.", Buckets: prometheus.ExponentialBuckets(256, 4, 8)}),
	}
	calls := counter("upstream_calls_total", "REST calls that operations waited for, by host (accounts, or workspace for the hosts of all workspaces), status (0 without a response) and origin: network, coalesced (shared with another request) or cache.", "host", "status", "origin")
	callDuration := histogram("upstream_call_duration_seconds", "Duration of REST calls over the network, including all attempts and the time in the queue.", prometheus.ExponentialBuckets(0.005, 2, 14), "host")
	attempts := counter("upstream_attempts_total", "Attempts at REST calls over the network: more than calls if some were refused or failed and were retried.", "host", "status")
	waitedCall := histogram("upstream_wait_seconds", "Time that attempts waited for the concurrency limiter.", []float64{0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 30}, "host")
	// Hosts are grouped into classes, because each workspace has its own.
	of := func(host string) *hostMetrics {
		label := prometheus.Labels{"host": host}
		h := &hostMetrics{calls: calls.MustCurryWith(label), attempts: attempts.MustCurryWith(label), callDuration: callDuration.With(label), waits: waitedCall.With(label)}
		h.callsOK, h.attemptsOK = h.calls.WithLabelValues("200", string(transport.FromNetwork)), h.attempts.WithLabelValues("200")
		return h
	}
	m.accounts, m.workspace = of("accounts"), of("workspace")
	build := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "Always 1, with the server's version as a label.", ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	flying := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "operations_in_flight", Help: "Requests to the GraphQL endpoint in flight."}, func() float64 { return float64(inFlight()) })
	m.registry.MustRegister(flying, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build,
		m.operations, m.shared, m.replayed, m.failed, m.limits, m.duration, m.perOperation, m.bytes, calls, callDuration, attempts, waitedCall)
	return m
}

const namespace = "funnelgraph"

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
}

// finish counts a finished request.
func (m *metrics) finish(o *operation, outcome string, took time.Duration, answer *meteredWriter) {
	kind := o.kind
	if kind == "" {
		kind = "none"
	}
	m.operations.WithLabelValues(kind, outcome).Inc()
	m.duration.WithLabelValues(kind).Observe(took.Seconds())
	m.bytes.Observe(float64(answer.bytes))
	if o.shared {
		m.shared.WithLabelValues(kind).Inc()
		return // the other request has counted the errors and calls
	}
	if o.replayed {
		m.replayed.Inc()
		return
	}
	if o.kind != "" {
		m.perOperation.WithLabelValues(kind).Observe(float64(o.calls.network))
	}
	for code, n := range o.errorCounts {
		m.failed.WithLabelValues(code).Add(float64(n))
	}
	for _, limit := range o.limits {
		m.limits.WithLabelValues(limit).Inc()
	}
}

func (m *metrics) host(accounts bool) *hostMetrics {
	if accounts {
		return m.accounts
	}
	return m.workspace
}

func (m *metrics) called(c upstream.Call) {
	h := m.host(c.Accounts)
	if c.Origin == transport.FromNetwork {
		h.callDuration.Observe(c.Took.Seconds())
		if c.Status == http.StatusOK {
			h.callsOK.Inc()
			return
		}
	}
	h.calls.WithLabelValues(strconv.Itoa(c.Status), string(c.Origin)).Inc()
}

func (m *metrics) attempted(a transport.Attempt) {
	h := m.host(a.Host == upstream.Accounts)
	h.waits.Observe(a.Waited.Seconds())
	if a.Status == http.StatusOK {
		h.attemptsOK.Inc()
		return
	}
	h.attempts.WithLabelValues(strconv.Itoa(a.Status)).Inc()
}

// upstreamStats collects metrics of a client's current state.
type upstreamStats struct {
	stats func() transport.Stats
	descs []*prometheus.Desc
}

var gauges = []struct {
	name, help string
	value      func(transport.Stats) float64
}{
	{"upstream_in_flight", "REST calls in flight.", func(s transport.Stats) float64 { return float64(s.InFlight) }},
	{"upstream_waiting", "REST calls that wait for the concurrency limiter.", func(s transport.Stats) float64 { return float64(s.Waiting) }},
	{"upstream_lanes", "Queues in use: pairs of token and host, each with its own concurrency limit.", func(s transport.Stats) float64 { return float64(s.Lanes) }},
	{"upstream_breaker_open", "Hosts whose circuit breaker is open for at least one token, because they do not respond.", func(s transport.Stats) float64 { return float64(s.Dead) }},
	{"cache_entries", "Cached responses of ClickFunnels.", func(s transport.Stats) float64 { return float64(s.Cached) }},
	{"cache_bytes", "Approximate memory of cached responses.", func(s transport.Stats) float64 { return float64(s.CachedBytes) }},
}

func newUpstreamStats(stats func() transport.Stats) *upstreamStats {
	u := &upstreamStats{stats: stats}
	for _, g := range gauges {
		u.descs = append(u.descs, prometheus.NewDesc(namespace+"_"+g.name, g.help, nil, nil))
	}
	return u
}

// Describe implements [prometheus.Collector].
func (u *upstreamStats) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range u.descs {
		descs <- desc
	}
}

// Collect implements [prometheus.Collector].
func (u *upstreamStats) Collect(metrics chan<- prometheus.Metric) {
	s := u.stats()
	for i, g := range gauges {
		metrics <- prometheus.MustNewConstMetric(u.descs[i], prometheus.GaugeValue, g.value(s))
	}
}
