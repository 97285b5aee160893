package screens

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// accounts is the subdomain of records that belong to no workspace.
const accounts = "accounts"

// client is the HTTP client of an application. It keeps its connections open.
type client struct {
	http *http.Client
}

// newClient returns a client that reaches the server at address over a line.
func newClient(line *Line, address string) *client {
	return &client{&http.Client{Transport: &http.Transport{DialContext: line.Dial(address), MaxIdleConnsPerHost: 64}}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// do sends a request, and decodes the JSON response into into. Statuses other than 200 are errors.
func (c *client) do(req *http.Request, into any) (http.Header, error) {
	req.Header.Set("Authorization", "Bearer "+demo.Token)
	req.Header.Set("User-Agent", "AcmeApp/1.0")
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d", req.URL, resp.StatusCode)
	}
	body, err := io.ReadAll(resp.Body) // reads all bytes, so that they are counted
	if err != nil {
		return nil, err
	}
	return resp.Header, json.Unmarshal(body, into)
}

// get makes a REST call. It stores the response header in header unless that is nil.
func (c *client) get(ctx context.Context, subdomain, path string, into any, header *http.Header) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+subdomain+".myclickfunnels.com"+demo.BasePath+path, nil)
	if err != nil {
		return err
	}
	got, err := c.do(req, into)
	if header != nil {
		*header = got
	}
	return err
}

// page gets the first page of a list, and reports whether there are more pages.
func page[T any](ctx context.Context, c *client, subdomain, path string) (rows []T, more bool, err error) {
	var header http.Header
	err = c.get(ctx, subdomain, path, &rows, &header)
	return rows, header.Get("Pagination-Next") != "", err
}

// list gets a list that fits on one page, as those of the screens do. Longer lists are errors.
func list[T any](ctx context.Context, c *client, subdomain, path string) ([]T, error) {
	rows, more, err := page[T](ctx, c, subdomain, path)
	if more {
		err = errors.Join(err, fmt.Errorf("%s has more than one page", path))
	}
	return rows, err
}

// ask sends a GraphQL operation. Errors in the response are errors.
func (c *client) ask(ctx context.Context, query string, variables map[string]any) (d data, err error) {
	params := map[string]any{"query": query}
	if variables != nil {
		params["variables"] = variables
	}
	body, err := json.Marshal(params)
	if err != nil {
		return d, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://graph.example.com/graphql", bytes.NewReader(body))
	if err != nil {
		return d, err
	}
	req.Header.Set("Content-Type", "application/json")
	var answer struct {
		Data   data            `json:"data"`
		Errors json.RawMessage `json:"errors"`
	}
	if _, err := c.do(req, &answer); err != nil {
		return d, err
	}
	if answer.Errors != nil {
		return d, fmt.Errorf("%s", answer.Errors)
	}
	return answer.Data, nil
}

// together runs all functions in parallel, and joins their errors.
func together(all ...func() error) error {
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i, f := range all {
		wait.Go(func() { errs[i] = f() })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// each calls f for all elements in parallel, and returns the results in the order of all.
func each[T, R any](all []T, f func(T) (R, error)) ([]R, error) {
	results := make([]R, len(all))
	calls := make([]func() error, len(all))
	for i, one := range all {
		calls[i] = func() (err error) {
			results[i], err = f(one)
			return err
		}
	}
	return results, together(calls...)
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// The fields of REST responses that the screens show.
type (
	team struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	workspace struct {
		ID        int64  `json:"id"`
		Name      string `json:"name"`
		Subdomain string `json:"subdomain"`
	}
	tag struct {
		Name string `json:"name"`
	}
	contact struct {
		FirstName        string            `json:"first_name"`
		LastName         string            `json:"last_name"`
		EmailAddress     string            `json:"email_address"`
		PhoneNumber      string            `json:"phone_number"`
		Tags             []tag             `json:"tags"`
		CustomAttributes map[string]string `json:"custom_attributes"`
	}
	order struct {
		OrderNumber string `json:"order_number"`
		TotalAmount string `json:"total_amount"`
		Currency    string `json:"currency"`
	}
	opportunity struct {
		Name  string `json:"name"`
		Value string `json:"value"`
		Stage tag    `json:"pipelines_stage"`
	}
	course struct {
		ID    int64  `json:"id"`
		Title string `json:"title"`
	}
	enrollment struct{}
)

// rows is a GraphQL connection.
type rows[T any] struct {
	Nodes    []T `json:"nodes"`
	PageInfo struct {
		HasNextPage bool `json:"hasNextPage"`
	} `json:"pageInfo"`
}

// data is the data of the operations' responses.
type data struct {
	Teams rows[struct {
		Name       string `json:"name"`
		Workspaces rows[struct {
			Name      string         `json:"name"`
			Subdomain string         `json:"subdomain"`
			Contacts  rows[graphRow] `json:"contacts"`
		}] `json:"workspaces"`
	}] `json:"teams"`
	Workspace struct {
		Contacts    rows[graphRow] `json:"contacts"`
		Contact     graphRow       `json:"contact"`
		ContactTags rows[tag]      `json:"contactTags"`

		Courses       rows[graphCourse]      `json:"courses"`
		OrderInvoices rows[graphInvoice]     `json:"orderInvoices"`
		Fulfillments  rows[graphFulfillment] `json:"fulfillments"`
	} `json:"workspace"`
	Node graphForm `json:"node"`
}

// graphRow is a contact in a GraphQL response.
type graphRow struct {
	FirstName        string `json:"firstName"`
	LastName         string `json:"lastName"`
	EmailAddress     string `json:"emailAddress"`
	PhoneNumber      string `json:"phoneNumber"`
	Tags             []tag  `json:"tags"`
	CustomAttributes []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"customAttributes"`
	Orders rows[struct {
		OrderNumber string `json:"orderNumber"`
		TotalAmount struct {
			Amount   string `json:"amount"`
			Currency string `json:"currency"`
		} `json:"totalAmount"`
	}] `json:"orders"`
	Opportunities rows[struct {
		Name  string `json:"name"`
		Value string `json:"value"`
		Stage tag    `json:"stage"`
	}] `json:"opportunities"`
	Enrollments rows[struct {
		Course struct {
			Title string `json:"title"`
		} `json:"course"`
	}] `json:"enrollments"`
}
