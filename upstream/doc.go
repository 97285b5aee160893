// Package upstream is a typed client of the ClickFunnels 2.0 REST API.
//
// It knows the API's hosts and paths, its headers, its pages of 20 rows, its error bodies
// and the places where its types differ from what is declared. It needs no GraphQL. The
// types of records are generated from the description in schema/; [Row] is what they have
// in common.
//
//	client, err := upstream.New(upstream.Config{})
//	mine := client.WithToken("…")
//	teams, err := mine.Teams(ctx, upstream.Query{})
//	places, err := mine.Workspaces(ctx, teams.Rows[0].RawID(), upstream.Query{})
//	people, err := mine.Contacts(ctx, places.Rows[0].Place(), upstream.Query{})
//
// A [Client] is safe for concurrent use. Records that it returns may be shared
// between callers and must not be modified.
package upstream
