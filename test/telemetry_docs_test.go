package test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/docstest"
	"github.com/funnelgraph/funnelgraph/internal/gqlhttp"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/internal/server"
	"github.com/funnelgraph/funnelgraph/internal/telemetry"
)

// scrapeOfWork returns the metrics of a server on which nearly every counted event has
// happened.
func scrapeOfWork(t *testing.T) string {
	t.Helper()
	w := new(recorder)
	var hold sync.Mutex // while locked, calls to /users wait
	come := make(chan struct{}, 8)
	e := newEnv(t, withTelemetry(w), withCache(time.Minute), withoutRetries, withLimits(func(l *limits.Limits) { l.Calls = 20 }),
		withFault(func(rw http.ResponseWriter, _ *http.Request, subdomain, path string) bool {
			if strings.HasSuffix(path, "/users") {
				come <- struct{}{}
				hold.Lock()
				hold.Unlock() //nolint:staticcheck // it is only waited for
			}
			if subdomain == "acme-retreats" {
				rw.WriteHeader(http.StatusTooManyRequests)
				return true
			}
			return false
		}))
	const users = `{ users(first: 1) { nodes { id } } }`
	hold.Lock()
	var asked sync.WaitGroup
	asked.Go(func() { e.ask(users) })
	<-come
	for range 2 { // one shares the first request's call, the other one the whole operation
		asked.Go(func() { e.ask("query Other " + users) })
	}
	for deadline := time.Now().Add(10 * time.Second); e.telemetry.InFlight() < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("want three requests in flight")
		}
	}
	time.Sleep(100 * time.Millisecond) // they make no call that the test could wait for
	hold.Unlock()
	asked.Wait()
	e.ask("{ again: users(first: 1) { nodes { id } } }")
	e.ask(`{ workspaces: teams(first: 1) { nodes { workspaces { nodes { contacts { nodes { id } } } } } } }`)
	e.ask(`{ workspace(id: "999") { name } }`)
	e.ask(`{ nothing }`)
	e.do(post(`{"query": "subscription { events(workspaceId: \"101\") { id } }"}`, "Accept: text/event-stream")(e))
	e.ask(`{ teams { nodes { workspaces { nodes { ` + strings.Repeat("team { workspaces { nodes { ", 7) + "id" + strings.Repeat(" } } }", 7) + ` } } } } }`)
	e.ask(`mutation { updateTeam(input: {id: "1", name: "New"}) { team { id } } }`)
	hold.Lock()
	canceled, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url+server.Endpoint, strings.NewReader(`{"query": "{ users { nodes { rawId } } }"}`))
	canceled.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer demo-of-another"}}
	short := http.Client{Timeout: 50 * time.Millisecond}
	if resp, err := short.Do(canceled); err == nil {
		_ = resp.Body.Close()
		t.Error("want no response before the call's")
	}
	e.waitForTelemetry() // until the log has the client that disconnected during its call
	hold.Unlock()
	status, text := e.admin(w, slices.Concat(new(redis.Client).Metrics(), gqlhttp.NewStreams(0).Metrics(), e.events.Metrics())...)(http.MethodGet, "/metrics", "")
	if status != http.StatusOK {
		t.Fatalf("want the metrics, got %d: %s", status, text)
	}
	return text
}

// series maps names of time series to their labels, and each label to its values.
type series map[string]map[string][]string

func (s series) add(name string, labels map[string]string) {
	if s[name] == nil {
		s[name] = make(map[string][]string)
	}
	for label, value := range labels {
		if !slices.Contains(s[name][label], value) {
			s[name][label] = append(s[name][label], value)
		}
	}
}

// seriesOf reads a scrape with Prometheus' own parser. types maps names of metrics to their
// types.
func seriesOf(t *testing.T, text string) (all series, types map[string]string) {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	all, types = make(series), make(map[string]string)
	for name, family := range families {
		types[name] = strings.ToLower(family.GetType().String())
		for _, m := range family.GetMetric() {
			labels := make(map[string]string)
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if m.GetHistogram() == nil && m.GetSummary() == nil {
				all.add(name, labels)
				continue
			}
			all.add(name+"_count", labels)
			all.add(name+"_sum", labels)
			if m.GetHistogram() != nil {
				labels["le"] = ""
				all.add(name+"_bucket", labels)
			}
		}
	}
	return all, types
}

var (
	selectorPattern = regexp.MustCompile(`\b((?:funnelgraph|go|process)_[a-z0-9_]+|funnelgraph:[a-z0-9_:]+)(?:\{([^}]*)\})?`)
	matcherPattern  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`)
	groupingPattern = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	legendPattern   = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}|\$labels\.(\w+)`)
	codePattern     = regexp.MustCompile("`([^`]+)`")
)

// ofTargets are the labels that Prometheus adds to scraped metrics.
var ofTargets = []string{"job", "instance"}

// metricsPage is the part of docs/observability.md about metrics.
type metricsPage struct {
	// types are the types of metrics by name, and labels the names of their labels.
	types  map[string]string
	labels map[string][]string
	// values are the possible values of a label. A label without an entry can have any.
	values map[string][]string
}

func readMetricsPage(t *testing.T) metricsPage {
	t.Helper()
	text, err := os.ReadFile("docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	page := metricsPage{make(map[string]string), make(map[string][]string), make(map[string][]string)}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) < 2 || !strings.HasPrefix(line, "| `") {
			continue
		}
		var coded [][]string
		for _, cell := range cells {
			var words []string
			for _, word := range codePattern.FindAllStringSubmatch(cell, -1) {
				words = append(words, word[1])
			}
			coded = append(coded, words)
		}
		switch name := coded[0][0]; {
		case strings.HasPrefix(name, "funnelgraph_"):
			page.types[name], page.labels[name] = strings.TrimSpace(cells[1]), coded[2]
		case len(cells) == 2:
			page.values[name] = coded[1]
		}
	}
	return page
}

// query expects every metric, label and value of a PromQL expression to exist. It returns the
// labels that the result can have.
func (s series) query(t *testing.T, where, expr string, recorded []string, page metricsPage) (labels []string) {
	t.Helper()
	labels = slices.Clone(ofTargets)
	selectors := selectorPattern.FindAllStringSubmatch(expr, -1)
	for _, selector := range selectors {
		name, matchers := selector[1], selector[2]
		if strings.Contains(name, ":") {
			if !slices.Contains(recorded, name) {
				t.Errorf("%s: no rule records %s", where, name)
			}
			continue
		}
		if s[name] == nil {
			t.Errorf("%s: no metric is called %s", where, name)
			continue
		}
		labels = append(labels, slices.Collect(maps.Keys(s[name]))...)
		for _, m := range matcherPattern.FindAllStringSubmatch(matchers, -1) {
			label, value := m[1], m[2]
			if slices.Contains(ofTargets, label) {
				continue
			}
			if s[name][label] == nil {
				t.Errorf("%s: %s has no label %s", where, name, label)
				continue
			}
			for _, one := range strings.Split(value, "|") {
				pattern := regexp.MustCompile("^(?:" + one + ")$")
				if allowed := page.values[label]; len(allowed) > 0 && !slices.ContainsFunc(allowed, pattern.MatchString) {
					t.Errorf("%s: the label %s of %s is never %s", where, label, name, one)
				}
			}
		}
	}
	for _, grouping := range groupingPattern.FindAllStringSubmatch(expr, -1) {
		for _, label := range strings.Split(grouping[1], ",") {
			if label = strings.TrimSpace(label); label != "" && !slices.Contains(labels, label) {
				t.Errorf("%s: no metric of the expression has the label %s", where, label)
			}
		}
	}
	return labels
}

// shows expects every label in a text to be a label of the result.
func shows(t *testing.T, where, text string, labels []string) {
	t.Helper()
	for _, m := range legendPattern.FindAllStringSubmatch(text, -1) {
		if label := m[1] + m[2]; !slices.Contains(labels, label) {
			t.Errorf("%s: the result has no label %s", where, label)
		}
	}
}

type alertRule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

func readAlerts(t *testing.T) (rules []alertRule) {
	t.Helper()
	text, err := os.ReadFile("deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []alertRule } }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		rules = append(rules, group.Rules...)
	}
	return rules
}

// dashboardQuery is a query of the dashboard with its legend.
type dashboardQuery struct{ where, expr, legend string }

func readDashboard(t *testing.T) (queries []dashboardQuery) {
	t.Helper()
	text, err := os.ReadFile("deploy/grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Type, Title, Description string
			Targets                  []struct{ Expr, LegendFormat string }
			FieldConfig              struct{ Defaults struct{ Unit string } }
		}
		Templating struct {
			List []struct{ Type, Definition string }
		}
		Annotations struct {
			List []struct{ Name, Expr, TextFormat string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
			t.Errorf("panel %s lacks a description, a unit or a query", p.Title)
		}
		for _, target := range p.Targets {
			queries = append(queries, dashboardQuery{"panel " + p.Title, target.Expr, target.LegendFormat})
		}
	}
	for _, a := range d.Annotations.List {
		queries = append(queries, dashboardQuery{"annotation " + a.Name, a.Expr, a.TextFormat})
	}
	for _, v := range d.Templating.List {
		if values := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(v.Definition); values != nil {
			queries = append(queries, dashboardQuery{"variable " + values[2], values[1], "{{" + values[2] + "}}"})
		} else if v.Type == "query" {
			t.Errorf("the test does not know %q", v.Definition)
		}
	}
	return queries
}

// TestMetricsMatchAlertsDashboardAndDocs expects every metric in the alerts, the dashboard and
// the documentation to exist. Every metric must be documented and drawn.
func TestMetricsMatchAlertsDashboardAndDocs(t *testing.T) {
	all, types := seriesOf(t, scrapeOfWork(t))
	page := readMetricsPage(t)
	for name, kind := range types {
		if !strings.HasPrefix(name, "funnelgraph_") {
			continue
		}
		at := name
		if all[name] == nil {
			at += "_count"
		}
		if labels := slices.Sorted(maps.Keys(all[at])); page.types[name] != kind || !slices.Equal(labels, slices.Sorted(slices.Values(page.labels[name]))) {
			t.Errorf("%s is a %s of %q; docs/observability.md has %q of %q", name, kind, labels, page.types[name], page.labels[name])
		}
		for label, values := range all[at] {
			for _, value := range values {
				if allowed := page.values[label]; len(allowed) > 0 && !slices.Contains(allowed, value) {
					t.Errorf("%s has %s=%s, which docs/observability.md does not list", name, label, value)
				}
			}
		}
	}
	for name := range page.types {
		if types[name] == "" {
			t.Errorf("docs/observability.md lists %s, which does not exist", name)
		}
	}
	for label, at := range map[string]string{
		"outcome": "funnelgraph_operations_total", "type": "funnelgraph_operations_total",
		"host": "funnelgraph_upstream_calls_total", "origin": "funnelgraph_upstream_calls_total",
	} {
		for _, value := range page.values[label] {
			if !slices.Contains(all[at][label], value) {
				t.Errorf("docs/observability.md lists %s=%s, which did not occur: %q", label, value, all[at][label])
			}
		}
	}

	var recorded []string
	pages := make(map[string]docstest.Page)
	read, err := docstest.Read(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range read {
		pages[p.Name] = p
	}
	for _, rule := range readAlerts(t) {
		if rule.Record != "" {
			recorded = append(recorded, rule.Record)
		}
	}
	for _, rule := range readAlerts(t) {
		labels := all.query(t, rule.Record+rule.Alert, rule.Expr, recorded, page)
		if rule.Alert == "" {
			continue
		}
		shows(t, rule.Alert, rule.Annotations["description"], labels)
		if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" || rule.Labels["severity"] == "" {
			t.Errorf("%s lacks a summary, a description or a severity", rule.Alert)
		}
		file, anchor, _ := strings.Cut(strings.TrimPrefix(rule.Annotations["runbook"], "https://github.com/funnelgraph/funnelgraph/blob/main/"), "#")
		if !pages[file].Anchors[anchor] {
			t.Errorf("%s: %s has no heading %q", rule.Alert, file, anchor)
		}
	}
	drawn := ""
	for _, q := range readDashboard(t) {
		shows(t, q.where, q.legend, all.query(t, q.where, q.expr, recorded, page))
		drawn += q.expr
	}
	for name := range page.types {
		if !strings.Contains(drawn, name) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
	for name := range pages {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, selector := range selectorPattern.FindAllStringSubmatch(string(text), -1) {
			if types[selector[1]] == "" || selector[2] != "" { // a name alone may be a whole histogram
				all.query(t, name, selector[0], recorded, page)
			}
		}
	}
}

// TestDocsObservabilityShowsTheRealLogLine compares the log line of docs/observability.md with
// the line of its query.
func TestDocsObservabilityShowsTheRealLogLine(t *testing.T) {
	pages, err := docstest.Read(".")
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(pages, func(p docstest.Page) bool { return p.Name == "docs/observability.md" })
	var query, want string
	for _, b := range pages[at].Blocks {
		switch {
		case b.Language == "graphql" && query == "":
			query = b.Text
		case b.Language == "log" && strings.Contains(b.Text, "msg=operation") && want == "":
			want = strings.TrimSpace(b.Text)
		}
	}
	w := new(recorder)
	e := newEnv(t, func(e *env, _ *config.Config) {
		e.telemetry = telemetry.New(telemetry.Config{Log: telemetry.NewLog(w, "text", new(slog.LevelVar))})
	})
	e.ask(query, "X-Request-Id", "checkout-7")
	same := func(line string) string {
		return regexp.MustCompile(`\b(time|ms)=\S+`).ReplaceAllString(strings.TrimSpace(line), "$1=")
	}
	if got := w.log.String(); same(got) != same(want) {
		t.Errorf("the line is\n%swant\n%s", got, want)
	}
}
