package test

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestLoadKeepsCallsMinimal runs the table of calls many times on one busy server. Each run has
// a token of its own, and makes exactly the calls of the table.
func TestLoadKeepsCallsMinimal(t *testing.T) {
	e := newEnv(t)
	var busy sync.WaitGroup
	done := make(chan struct{})
	var others atomic.Int64
	for i := range 4 {
		busy.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				token := fmt.Sprint(demo.Token, "-busy-", i, "-", n)
				if r := e.queryAs(token, nested); len(r.Errors) > 0 {
					t.Errorf("want no errors, got %s", r.raw)
				}
				if calls := e.take(token); len(calls) != 16 {
					t.Errorf("%d calls, want 16", len(calls))
				}
				others.Add(1)
			}
		})
	}
	duplicates := 0
	rounds := size(5, 1000)
	if testing.Short() { // for the race detector
		rounds = 1
	}
	for round := range rounds {
		for i, row := range callTable {
			token := fmt.Sprint(demo.Token, "-", round, "-", i)
			if row.warm != "" {
				e.queryAs(token, row.warm)
				e.take(token)
			}
			if r := e.queryAs(token, row.query, row.variables); len(r.Errors) > 0 {
				t.Errorf("want no errors, got %s", r.raw)
			}
			calls := e.take(token)
			if len(calls) != row.want {
				t.Errorf("round %d, %s: %d calls, want %d (%s):\n%s", round, row.name, len(calls), row.want, row.why, strings.Join(calls, "\n"))
			}
			seen := make(map[string]bool)
			for _, call := range calls {
				if seen[call] {
					duplicates++
				}
				seen[call] = true
			}
		}
	}
	close(done)
	busy.Wait()
	if duplicates > 0 {
		t.Errorf("%d calls were made twice, want none", duplicates)
	}
	t.Logf("%d rounds of %d queries, and %d others meanwhile", rounds, len(callTable), others.Load())
}

// TestLoadMemoryIsBoundedAndReleased sends many nested requests at once. No two can share
// a call. All are answered, the heap stays bounded, and the memory is released.
func TestLoadMemoryIsBoundedAndReleased(t *testing.T) {
	clients := size(100, 1000)
	if testing.Short() {
		clients = 20
	}
	e := newEnv(t, withLatency(20*time.Millisecond))
	want := e.must(nested).raw
	crowd := func() {
		var wait sync.WaitGroup
		for i := range clients {
			wait.Go(func() {
				if r := e.queryAs(fmt.Sprint(demo.Token, ".", i), nested); r.raw != want {
					t.Errorf("want the same response as for one client, got %.300s", r.raw)
				}
			})
		}
		wait.Wait()
		e.forget()
		http.DefaultClient.CloseIdleConnections()
	}
	crowd() // this fills the pool of connections to the API
	before := heap()
	var peak atomic.Uint64
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), m.HeapAlloc))
			}
		}
	})
	crowd()
	close(done)
	watch.Wait()
	after := heap()
	t.Logf("%d at once: %d MB of heap before, %d at most, %d afterwards", clients, before>>20, peak.Load()>>20, after>>20)
	// The clients and the simulated API are in the same process.
	if bound := before + uint64(clients)<<20 + 64<<20; peak.Load() > bound {
		t.Errorf("the heap grew to %d MB, want at most %d", peak.Load()>>20, bound>>20)
	}
	if after > before+16<<20 {
		t.Errorf("%d MB of heap before and %d after, want at most 16 more", before>>20, after>>20)
	}
}

// TestLoadLongWalkKeepsMemoryConstant walks a long list by its cursors. Every row comes once,
// in order, with one call for each 20 rows, and memory does not grow.
func TestLoadLongWalkKeepsMemoryConstant(t *testing.T) {
	rows := size(2_000, 100_000)
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		if path != "/workspaces/101/contacts" {
			return false
		}
		after, _ := strconv.Atoi(r.URL.Query().Get("after"))
		var b strings.Builder
		for id := after + 1; id <= min(after+upstream.PageSize, rows); id++ {
			fmt.Fprintf(&b, `,{"id":%d,"workspace_id":101,"email_address":"%d@example.com","tags":[],"custom_attributes":{"padding":"%0500d"}}`, id, id, id)
		}
		if next := after + upstream.PageSize; next < rows {
			w.Header().Set("Pagination-Next", strconv.Itoa(next))
		}
		_, _ = fmt.Fprint(w, "["+strings.TrimPrefix(b.String(), ",")+"]")
		return true
	}))
	e.must(`{ workspace(id: "101") { name } }`)
	e.forget()
	var cursor any
	var early uint64
	seen, calls := 0, 0
	for {
		r := e.must(`query($after: String) { workspace(id: "101") { contacts(first: 100, after: $after) { nodes { rawId emailAddress } pageInfo { hasNextPage endCursor } } } }`,
			map[string]any{"after": cursor})
		nodes, _ := r.get("workspace.contacts.nodes").([]any)
		for _, node := range nodes {
			seen++
			if row := node.(map[string]any); row["rawId"] != strconv.Itoa(seen) || row["emailAddress"] != fmt.Sprintf("%d@example.com", seen) {
				t.Fatalf("row %d is %v, want the next id and its e-mail address", seen, row)
			}
		}
		calls += len(e.take(demo.Token))
		if seen == rows/10 {
			early = heap()
		}
		if r.get("workspace.contacts.pageInfo.hasNextPage") != true {
			break
		}
		cursor = r.get("workspace.contacts.pageInfo.endCursor")
	}
	if seen != rows || calls != rows/upstream.PageSize {
		t.Errorf("%d rows in %d calls, want %d in %d", seen, calls, rows, rows/upstream.PageSize)
	}
	late := heap()
	t.Logf("%d rows, %d calls; %d KB of heap after a tenth, %d at the end", seen, calls, early>>10, late>>10)
	if late > early+4<<20 {
		t.Errorf("the heap has grown from %d to %d KB, want at most 4096 more", early>>10, late>>10)
	}
}
