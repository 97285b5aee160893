package screens

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Way is the cost of showing a screen in one of the two ways.
type Way struct {
	// Requests is the number of requests over the mobile connection, and Calls the number of calls
	// that reached the API.
	Requests, Calls int
	// Up and Down are the bytes sent over the connection in each direction, with headers.
	Up, Down int
	// Took is the duration; the median of several rounds.
	Took time.Duration
}

// Row has the costs of a screen in both ways.
type Row struct {
	Screen            string
	REST, Funnelgraph Way
}

// Servers are the servers of the two ways.
type Servers struct {
	// API is the REST API. It listens on APIAddress. funnelgraph listens on GraphAddress and calls
	// that API.
	API                      *API
	APIAddress, GraphAddress string
}

// Measure shows each screen in both ways, for the given number of rounds. Each time it uses a new
// client on a new line with the given round-trip time and bits a second. It fails if the two ways
// show different texts.
func (s Servers) Measure(ctx context.Context, roundTrip time.Duration, bits, rounds int) ([]Row, error) {
	var table []Row
	for _, screen := range Screens {
		var rest, graph []Way
		for range rounds {
			var byREST, byGraph []string
			way, err := s.measure(s.APIAddress, &Line{RoundTrip: roundTrip, Bits: bits}, func(c *client) (err error) {
				byREST, err = screen.rest(ctx, c)
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("%s, REST: %w", screen.Name, err)
			}
			way.Requests = way.Calls
			rest = append(rest, way)
			way, err = s.measure(s.GraphAddress, &Line{RoundTrip: roundTrip, Bits: bits}, func(c *client) error {
				d, err := c.ask(ctx, screen.Query, screen.Variables)
				byGraph = screen.show(d)
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("%s, funnelgraph: %w", screen.Name, err)
			}
			way.Requests = 1
			graph = append(graph, way)
			if len(byREST) == 0 || !slices.Equal(byREST, byGraph) {
				return nil, fmt.Errorf("%s: REST shows %q and funnelgraph %q", screen.Name, byREST, byGraph)
			}
		}
		row := Row{Screen: screen.Name}
		var err error
		if row.REST, err = median(rest); err == nil {
			row.Funnelgraph, err = median(graph)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", screen.Name, err)
		}
		table = append(table, row)
	}
	return table, nil
}

func (s Servers) measure(address string, line *Line, show func(*client) error) (Way, error) {
	c := newClient(line, address)
	defer c.close()
	calls, began := s.API.Calls(), time.Now()
	err := show(c)
	way := Way{Calls: s.API.Calls() - calls, Took: time.Since(began)}
	way.Up, way.Down = line.Bytes()
	return way, err
}

// median returns the round with the median duration. The other figures must be the same in all
// rounds.
func median(all []Way) (Way, error) {
	slices.SortFunc(all, func(a, b Way) int { return int(a.Took - b.Took) })
	middle := all[len(all)/2]
	for _, way := range all {
		if way.Took = middle.Took; way != middle {
			return Way{}, fmt.Errorf("rounds differ: %+v and %+v", way, middle)
		}
	}
	return middle, nil
}

// Head is the head of the table.
const Head = `| screen | REST: calls | KB up | KB down | ms | funnelgraph: requests | REST calls behind it | KB up | KB down | ms |
|---|---|---|---|---|---|---|---|---|---|
`

// Markdown returns the table of docs/screens.md.
func Markdown(table []Row) string {
	var b strings.Builder
	b.WriteString(Head)
	for _, row := range table {
		r, f := row.REST, row.Funnelgraph
		_, _ = fmt.Fprintf(&b, "| %s | %d | %s | %s | %d | %d | %d | %s | %s | %d |\n", row.Screen,
			r.Requests, kilobytes(r.Up), kilobytes(r.Down), r.Took.Milliseconds(), f.Requests, f.Calls, kilobytes(f.Up), kilobytes(f.Down), f.Took.Milliseconds())
	}
	return b.String()
}

// kilobytes formats bytes in kB (1,000 bytes), with two decimals.
func kilobytes(n int) string { return fmt.Sprintf("%.2f", float64(n)/1000) }
