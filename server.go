// Command funnelgraph serves one GraphQL endpoint in front of the ClickFunnels
// 2.0 REST API.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/server"
)

//go:generate go run ./tools/generate
//go:generate go tool gqlgen generate

func main() {
	if err := server.Main(os.Args[1:]); err != nil && !errors.Is(err, config.ErrHelp) {
		fmt.Fprintln(os.Stderr, "funnelgraph:", err)
		os.Exit(1)
	}
}
