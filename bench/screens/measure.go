package screens

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Way is what it took to show a screen in one of the ways.
type Way struct {
	// Requests are those that went over the phone's line, and Calls those that reached the
	// API.
	Requests, Calls int
	// Up and Down are the bytes that went over the line, headers included.
	Up, Down int
	// Took is how long it took; the median of several rounds.
	Took time.Duration
}

// Row is a screen in both ways.
type Row struct {
	Screen            string
	REST, Funnelgraph Way
}

// Servers are where the two ways lead.
type Servers struct {
	// API is the REST API, which listens on APIAddress, and GraphAddress is where
	// funnelgraph, which calls that API, listens.
	API                      *API
	APIAddress, GraphAddress string
}

// Measure shows each screen as often, both ways, each time with a client of its own on a line
// like that. It fails if the two ways do not show the same.
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

// median returns the median of the times; the rest has to be the same each time.
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

// Head begins the table.
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

// kilobytes are thousands of bytes, to a hundredth.
func kilobytes(n int) string { return fmt.Sprintf("%.2f", float64(n)/1000) }
