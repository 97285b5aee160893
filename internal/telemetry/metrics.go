package telemetry

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// metrics are the Prometheus metrics. Every label has only a few values: there are no labels for
// clients, operation names or workspaces.
type metrics struct {
	registry *prometheus.Registry

	operations, shared, failed, limits *prometheus.CounterVec
	duration, perOperation             *prometheus.HistogramVec
	bytes                              prometheus.Histogram

	accounts, workspace *hostMetrics
}

// hostMetrics are the metrics of calls to a class of hosts.
type hostMetrics struct {
	calls, attempts         *prometheus.CounterVec
	callsWell, attemptsWell prometheus.Counter // status 200 over the network, cached as the usual case

	callDuration, waitedCall prometheus.Observer
}

func newMetrics(version string, inFlight func() int) *metrics {
	m := &metrics{
		registry:     prometheus.NewRegistry(),
		operations:   counter("operations_total", "Requests to the GraphQL endpoint by the type of their operation (none where it could not be read) and how they went: ok, partial (data and errors), failed (errors, and nothing but null), refused (not run: not allowed, not valid, or over a limit) or canceled (the client went away).", "type", "outcome"),
		shared:       counter("operations_shared_total", "Queries that were answered with what an identical one in flight was.", "type"),
		failed:       counter("errors_total", "Errors in answers by their code.", "code"),
		limits:       counter("limits_exceeded_total", "Operations that were over a limit, by the limit.", "limit"),
		duration:     histogram("operation_duration_seconds", "How long requests to the GraphQL endpoint took.", prometheus.ExponentialBuckets(0.001, 2, 16), "type"),
		perOperation: histogram("operation_calls", "REST calls over the network that an operation took, shared ones left out.", []float64{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512}, "type"),
		bytes: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: "response_bytes",
			Help: "Size of answers of the GraphQL endpoint as they were sent.", Buckets: prometheus.ExponentialBuckets(256, 4, 8)}),
	}
	calls := counter("upstream_calls_total", "REST calls that operations waited for, by host (accounts, or workspace for all workspaces' own), status of the answer (0 without one) and where it came from: network, coalesced (shared with another request) or cache.", "host", "status", "origin")
	callDuration := histogram("upstream_call_duration_seconds", "How long REST calls over the network took, with all attempts and the waiting.", prometheus.ExponentialBuckets(0.005, 2, 14), "host")
	attempts := counter("upstream_attempts_total", "Attempts at REST calls over the network: more than calls where ClickFunnels refused some or was out of order.", "host", "status")
	waitedCall := histogram("upstream_wait_seconds", "How long attempts waited until the pace let them through.", []float64{0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 30}, "host")
	// Hosts are grouped into classes, because each workspace has its own.
	of := func(host string) *hostMetrics {
		label := prometheus.Labels{"host": host}
		h := &hostMetrics{calls: calls.MustCurryWith(label), attempts: attempts.MustCurryWith(label), callDuration: callDuration.With(label), waitedCall: waitedCall.With(label)}
		h.callsWell, h.attemptsWell = h.calls.WithLabelValues("200", string(upstream.FromNetwork)), h.attempts.WithLabelValues("200")
		return h
	}
	m.accounts, m.workspace = of("accounts"), of("workspace")
	build := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "1, with the server's version.", ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	flying := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "operations_in_flight", Help: "Requests to the GraphQL endpoint that are being answered."}, func() float64 { return float64(inFlight()) })
	m.registry.MustRegister(flying, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build,
		m.operations, m.shared, m.failed, m.limits, m.duration, m.perOperation, m.bytes, calls, callDuration, attempts, waitedCall)
	return m
}

const namespace = "funnelgraph"

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
}

// done counts a finished request.
func (m *metrics) done(o *operation, outcome string, took time.Duration, answer *meteredWriter) {
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
	if o.kind != "" {
		m.perOperation.WithLabelValues(kind).Observe(float64(o.calls.network))
	}
	for code, n := range o.failed {
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
	if c.Origin == upstream.FromNetwork {
		h.callDuration.Observe(c.Took.Seconds())
		if c.Status == http.StatusOK {
			h.callsWell.Inc()
			return
		}
	}
	h.calls.WithLabelValues(strconv.Itoa(c.Status), string(c.Origin)).Inc()
}

func (m *metrics) attempted(a upstream.Attempt) {
	h := m.host(a.Accounts)
	h.waitedCall.Observe(a.Waited.Seconds())
	if a.Status == http.StatusOK {
		h.attemptsWell.Inc()
		return
	}
	h.attempts.WithLabelValues(strconv.Itoa(a.Status)).Inc()
}

// upstreamStats collects metrics of a client's current state.
type upstreamStats struct {
	stats func() upstream.Stats
	descs []*prometheus.Desc
}

var gauges = []struct {
	name, help string
	value      func(upstream.Stats) float64
}{
	{"upstream_in_flight", "REST calls that are under way.", func(s upstream.Stats) float64 { return float64(s.InFlight) }},
	{"upstream_waiting", "REST calls that wait until the pace lets them through.", func(s upstream.Stats) float64 { return float64(s.Waiting) }},
	{"upstream_lanes", "Pairs of token and host that are being called, each at a pace of its own.", func(s upstream.Stats) float64 { return float64(s.Lanes) }},
	{"upstream_breaker_open", "Hosts that are not called for a while with at least one token, since they do not answer it.", func(s upstream.Stats) float64 { return float64(s.Dead) }},
	{"cache_entries", "Answers of ClickFunnels that are kept.", func(s upstream.Stats) float64 { return float64(s.Cached) }},
	{"cache_bytes", "About how much memory they take.", func(s upstream.Stats) float64 { return float64(s.CachedBytes) }},
}

func newUpstreamStats(stats func() upstream.Stats) *upstreamStats {
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
