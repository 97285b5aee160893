//go:build promtool

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// promtool runs Prometheus' promtool.
func promtool(t *testing.T, input string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "promtool", args...)
	command.Stdin = strings.NewReader(input)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %q: %v\n%s", args, err, out)
	}
	t.Logf("promtool %q: %s", args, out)
}

// TestPromtoolAcceptsRulesAndMetrics checks and tests the alerts, checks the metrics of a
// scrape, and parses the dashboard's queries as recording rules.
func TestPromtoolAcceptsRulesAndMetrics(t *testing.T) {
	promtool(t, "", "check", "rules", "--lint-fatal", "deploy/prometheus/alerts.yaml")
	promtool(t, "", "test", "rules", "deploy/prometheus/alerts_test.yaml")
	promtool(t, scrapeOfWork(t), "check", "metrics")
	tried, err := os.ReadFile("deploy/prometheus/alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range readAlerts(t) {
		if rule.Alert != "" && !strings.Contains(string(tried), "alertname: "+rule.Alert+"\n        exp_alerts:\n") {
			t.Errorf("no test expects that %s fires", rule.Alert)
		}
	}

	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	type group struct {
		Name  string `yaml:"name"`
		Rules []rule `yaml:"rules"`
	}
	drawn := group{Name: "dashboard"}
	given := strings.NewReplacer("$__rate_interval", "1m", "$job", ".*", "$instance", ".*")
	for i, q := range readDashboard(t) {
		drawn.Rules = append(drawn.Rules, rule{"query:" + strconv.Itoa(i), given.Replace(q.expr)})
	}
	text, err := yaml.Marshal(map[string][]group{"groups": {drawn}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "check", "rules", file)
}
