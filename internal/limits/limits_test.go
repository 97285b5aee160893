package limits

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
)

// captureLog captures the default log until the test ends.
func captureLog(t *testing.T) *bytes.Buffer {
	t.Helper()
	b, before := new(bytes.Buffer), slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(b, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return b
}

// TestNegativeLimitsAreRefused sets each field of [Limits] in turn.
func TestNegativeLimitsAreRefused(t *testing.T) {
	if err := (Limits{}).Check(); err != nil {
		t.Errorf("no limits at all were refused: %v", err)
	}
	for i := range reflect.TypeFor[Limits]().NumField() {
		var l Limits
		reflect.ValueOf(&l).Elem().Field(i).SetInt(-1)
		name := reflect.TypeFor[Limits]().Field(i).Tag.Get("yaml")
		err := l.Check()
		if err == nil || !strings.Contains(err.Error(), "the limit of "+name+" ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("a negative limit of %s: got %v, want one line that names it", name, err)
		}
		reflect.ValueOf(&l).Elem().Field(i).SetInt(1)
		if err := l.Check(); err != nil {
			t.Errorf("a limit of 1 of %s was refused: %v", name, err)
		}
	}
}

// TestAllowBoundsTheTimeOfCalls takes the earlier one of the policy's timeout and the client's
// own deadline.
func TestAllowBoundsTheTimeOfCalls(t *testing.T) {
	for _, test := range []struct {
		name           string
		timeout, given time.Duration // 0 is none
		want           time.Duration
	}{
		{"neither", 0, 0, 0},
		{"a timeout", time.Minute, 0, time.Minute},
		{"a deadline", 0, time.Second, time.Second},
		{"an earlier deadline", time.Minute, time.Second, time.Second},
		{"a later deadline", time.Second, time.Minute, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun, ctx := time.Now(), t.Context()
				if test.given > 0 {
					ctx = WithDeadline(ctx, begun.Add(test.given))
					if _, ends := ctx.Deadline(); ends {
						t.Error("the context itself has a deadline, but the response must still be written")
					}
				}
				until, ends := Policy{Limits: Limits{Timeout: test.timeout}}.Allow(ctx).Deadline()
				if ends != (test.want > 0) || ends && until.Sub(begun) != test.want {
					t.Errorf("calls end after %s (%t), want %s", until.Sub(begun), ends, test.want)
				}
			})
		})
	}
}

// TestExceededLimitsAreReportedOnlyIfMeasured pins the value in the log: the first one beyond the
// limit.
func TestExceededLimitsAreReportedOnlyIfMeasured(t *testing.T) {
	log := captureLog(t)
	if (Policy{}).Exceeded(t.Context(), "objects", 7) != nil {
		t.Error("a policy that enforces limits has a function for exceeded ones")
	}
	report := Policy{Measure: true, Client: "app"}.Exceeded(t.Context(), "objects", 7)
	if log.String() != "" {
		t.Errorf("logged before the limit was exceeded: %s", log)
	}
	report()
	if want := "limit=objects value=8 max=7 client=app"; !strings.Contains(log.String(), want) {
		t.Errorf("logged %q, want %s", log, want)
	}
}

// TestApplyChecksOperationsByThePolicyOfTheirContext sends operations through an executor.
func TestApplyChecksOperationsByThePolicyOfTheirContext(t *testing.T) {
	type policyKey struct{}
	e := executor.New(&graphql.ExecutableSchemaMock{SchemaFunc: func() *ast.Schema { return costSchema }})
	Apply(e, func(ctx context.Context) Policy { p, _ := ctx.Value(policyKey{}).(Policy); return p })
	for _, test := range []struct {
		name      string
		limits    Limits
		query     string
		variables map[string]any
		want      any // the limit in the error's extensions, nil if the operation is allowed
	}{
		{"within", Limits{Depth: 2, Complexity: 2}, `{ team { name } }`, nil, nil},
		{"document", Limits{Depth: 1}, `{ team { name } }`, nil, "depth"},
		{"operation", Limits{Complexity: 1}, `{ team { name } }`, nil, "complexity"},
		{"the document before its validation", Limits{Depth: 1}, `{ nothing { name } }`, nil, "depth"},
		{"no limits", Limits{}, `{ team { name } }`, nil, nil},
		{"more tokens than gqlparser allows by default", Limits{}, `{ team { ` + strings.Repeat("a: name ", 20) + strings.Repeat("... { ", 200) + "name" + strings.Repeat(" }", 200) + ` } }`, nil, nil},
		{"variables", Limits{}, `query($w: [String!]) { team(words: $w) { name } }`, map[string]any{"w": make([]any, maxValues)}, "values"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := graphql.StartOperationTrace(context.WithValue(t.Context(), policyKey{}, Policy{Limits: test.limits}))
			_, errs := e.CreateOperationContext(ctx, &graphql.RawParams{Query: test.query, Variables: test.variables})
			switch {
			case test.want == nil && len(errs) > 0:
				t.Errorf("the operation was refused: %v", errs)
			case test.want != nil && (len(errs) != 1 || errs[0].Extensions["limit"] != test.want):
				t.Errorf("got %v, want one error of the limit %v", fmt.Sprint(errs), test.want)
			}
		})
	}
}
