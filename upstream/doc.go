// Package upstream is a typed client for the ClickFunnels 2.0 REST API.
//
// It handles the API's hosts, paths, headers, pages of 20 rows and error bodies. It also handles
// values whose types differ from the declared ones. It does not depend on GraphQL. The record types
// are generated from the description in schema/; all of them embed [Row].
//
//	client, err := upstream.New(upstream.Config{})
//	mine := client.WithToken("…")
//	teams, err := mine.Teams(ctx, upstream.Query{})
//	workspaces, err := mine.Workspaces(ctx, teams.Rows[0].RawID(), upstream.Query{})
//	contacts, err := mine.Contacts(ctx, workspaces.Rows[0].Place(), upstream.Query{})
//
// A [Client] is safe for concurrent use. Records that it returns may be shared between callers and
// must not be modified. Every failed call returns an [*Error] with a [Code].
package upstream
