// Package lint checks the Dockerfile, the Kubernetes manifests and the release configuration,
// without a network, a cluster or a container. It is a separate module, so that its dependencies
// are not the server's.
package lint

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	release "github.com/goreleaser/goreleaser/v2/pkg/config"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestDockerfile parses and lints the Dockerfile with BuildKit. It checks the base image, the
// user and the entry point.
func TestDockerfile(t *testing.T) {
	file, err := parser.Parse(bytes.NewReader(read(t, "../Dockerfile")))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range file.Warnings {
		t.Errorf("%s: %s", w.Short, w.URL)
	}
	stages, _, err := instructions.Parse(file.AST, linter.New(&linter.Config{Warn: func(rule, _, _, message string, at []parser.Range) {
		t.Errorf("%s: %s (%v)", rule, message, at)
	}}))
	if err != nil {
		t.Fatal(err)
	}
	last := stages[len(stages)-1]
	if last.BaseName != "gcr.io/distroless/static:nonroot" {
		t.Errorf("it is made from %s", last.BaseName)
	}
	var user, entry bool
	for _, command := range last.Commands {
		switch c := command.(type) {
		case *instructions.UserCommand:
			user = c.User == "65532:65532"
		case *instructions.EntrypointCommand:
			entry = !c.PrependShell && slices.Equal(c.CmdLine, []string{"/funnelgraph"})
		case *instructions.RunCommand:
			t.Error("there is no shell to RUN with")
		}
	}
	if !user || !entry {
		t.Errorf("a user with a number: %v, an entry without a shell: %v", user, entry)
	}
}

// manifests are the resources that kustomize builds from the folder. Each is decoded strictly into
// its own type: unknown keys are errors.
type manifests struct {
	deployment apps.Deployment
	service    core.Service
	access     core.ConfigMap
	budget     policy.PodDisruptionBudget
	scaler     autoscaling.HorizontalPodAutoscaler
	network    networking.NetworkPolicy
}

func build(t *testing.T) (m manifests) {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "../kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]any{
		"apps/v1 Deployment": &m.deployment, "v1 Service": &m.service, "v1 ConfigMap": &m.access,
		"policy/v1 PodDisruptionBudget": &m.budget, "autoscaling/v2 HorizontalPodAutoscaler": &m.scaler,
		"networking.k8s.io/v1 NetworkPolicy": &m.network,
	}
	for _, resource := range built.Resources() {
		text := []byte(resource.MustYaml())
		var is meta.TypeMeta
		if err := yaml.Unmarshal(text, &is); err != nil {
			t.Fatal(err)
		}
		kind := is.APIVersion + " " + is.Kind
		if missing[kind] == nil {
			t.Fatalf("%s is there twice, or unknown", kind)
		}
		if err := yaml.UnmarshalStrict(text, missing[kind]); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		delete(missing, kind)
	}
	if len(missing) > 0 {
		t.Fatalf("missing: %v", missing)
	}
	return m
}

// TestKubernetes checks that the manifests are consistent with each other.
func TestKubernetes(t *testing.T) {
	m := build(t)
	pod := m.deployment.Spec.Template
	for of, selector := range map[string]*meta.LabelSelector{
		"Deployment": m.deployment.Spec.Selector, "Service": {MatchLabels: m.service.Spec.Selector},
		"PodDisruptionBudget": m.budget.Spec.Selector, "NetworkPolicy": &m.network.Spec.PodSelector,
		"topology": pod.Spec.TopologySpreadConstraints[0].LabelSelector,
	} {
		s, err := meta.LabelSelectorAsSelector(selector)
		if err != nil || s.Empty() || !s.Matches(labels.Set(pod.Labels)) {
			t.Errorf("%s: %v does not find the pods (%v)", of, s, err)
		}
	}
	if to := m.scaler.Spec.ScaleTargetRef; to.APIVersion != m.deployment.APIVersion || to.Kind != m.deployment.Kind || to.Name != m.deployment.Name || m.deployment.Spec.Replicas != nil {
		t.Errorf("%+v is not what scales the deployment", to)
	}
	if least := *m.scaler.Spec.MinReplicas; int(least) <= m.budget.Spec.MaxUnavailable.IntValue() {
		t.Errorf("%d replicas, of which %v may be missing", least, m.budget.Spec.MaxUnavailable)
	}
	c := pod.Spec.Containers[0]
	if tag := regexp.MustCompile(`:v[0-9]+\.[0-9]+\.[0-9]+$`); !tag.MatchString(c.Image) {
		t.Errorf("the image %s has no version", c.Image)
	}
	var ports []string
	for _, p := range c.Ports {
		ports = append(ports, p.Name)
	}
	for _, p := range []string{m.service.Spec.Ports[0].TargetPort.StrVal, m.network.Spec.Ingress[0].Ports[0].Port.StrVal, m.network.Spec.Ingress[1].Ports[0].Port.StrVal, c.LivenessProbe.HTTPGet.Port.StrVal} {
		if !slices.Contains(ports, p) {
			t.Errorf("there is no port %q", p)
		}
	}
	if m.access.Data["access.yaml"] == "" || pod.Spec.Volumes[0].ConfigMap.Name != m.access.Name {
		t.Errorf("the access file is not mounted: %+v", m.access)
	}

	env := make(map[string]string, len(c.Env))
	for _, e := range c.Env {
		env[e.Name] = e.Value
	}
	delay, timeout := seconds(t, env["FUNNELGRAPH_DRAIN_DELAY"]), seconds(t, env["FUNNELGRAPH_DRAIN_TIMEOUT"])
	const requests = 60 // --request-timeout
	if noticed := c.ReadinessProbe.PeriodSeconds * c.ReadinessProbe.FailureThreshold; delay <= int64(noticed) {
		t.Errorf("requests are accepted for %d s, and that it ends is noticed after %d s", delay, noticed)
	}
	if timeout < delay+requests || *pod.Spec.TerminationGracePeriodSeconds <= timeout {
		t.Errorf("requests of %d s end after %d s, are cut off after %d s, and killed after %d s", requests, delay+requests, timeout, *pod.Spec.TerminationGracePeriodSeconds)
	}
}

func seconds(t *testing.T, text string) int64 {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return int64(d.Seconds())
}

// TestRelease decodes goreleaser's configuration strictly with its own types, and checks that it
// builds the same binary as deploy/build.
func TestRelease(t *testing.T) {
	project, err := release.Load("../../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b := project.Builds[0]
	script := regexp.MustCompile(`(?m)^#.*`).ReplaceAllString(string(read(t, "../build")), "")
	for _, part := range slices.Concat(b.Env, b.Flags, []string{"-ldflags='" + strings.Join(b.Ldflags, " ") + "'"}) {
		if !strings.Contains(script, part) {
			t.Errorf("deploy/build does without %s", part)
		}
	}
	for _, file := range []string{project.SBOMs[0].Cmd, project.Before.Hooks[0], project.Archives[0].Files[1].Source} {
		if _, err := os.Stat("../../" + file); err != nil {
			t.Error(err)
		}
	}
}
