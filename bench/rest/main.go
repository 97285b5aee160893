// Command rest makes the REST calls of the benchmarks' queries in hand-written code, without
// GraphQL, as a team would for a single screen. Built with GOEXPERIMENT=jsonv2, it uses
// encoding/json v2.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

type team struct {
	ID         int64       `json:"id"`
	Name       string      `json:"name"`
	Workspaces []workspace `json:"workspaces"`
}

type workspace struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	Subdomain string    `json:"subdomain"`
	Contacts  []contact `json:"contacts"`
}

type contact struct {
	ID           int64   `json:"id"`
	EmailAddress *string `json:"email_address"`
	FirstName    *string `json:"first_name"`
	LastName     *string `json:"last_name"`
}

// Records of the query with relations.
type (
	shopTeam struct {
		ID         int64  `json:"id"`
		Name       string `json:"name"`
		Workspaces []shop `json:"workspaces"`
	}

	shop struct {
		ID        int64      `json:"id"`
		Name      string     `json:"name"`
		Subdomain string     `json:"subdomain"`
		Contacts  []customer `json:"contacts"`
		Orders    []order    `json:"orders"`
		Products  []product  `json:"products"`
	}

	customer struct {
		ID               int64             `json:"id"`
		EmailAddress     *string           `json:"email_address"`
		Tags             []tag             `json:"tags"`
		CustomAttributes map[string]string `json:"custom_attributes"`
		Workspace        place             `json:"workspace"`
		Orders           []order           `json:"orders"`
	}

	// place holds the names of a contact's workspace and team.
	place struct {
		Name string `json:"name"`
		Team string `json:"team"`
	}

	order struct {
		ID          int64   `json:"id"`
		TotalAmount *string `json:"total_amount"`
		Contact     struct {
			ID   int64 `json:"id"`
			Tags []tag `json:"tags"`
		} `json:"contact"`
		LineItems []struct {
			Quantity int `json:"quantity"`
		} `json:"line_items"`
	}

	tag struct {
		Name  string `json:"name"`
		Color string `json:"color"`
	}

	product struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
)

// api calls the REST API with one caller's bearer token, for one request.
type api struct {
	ctx           context.Context //nolint:containedctx // a request's
	client        *http.Client
	template      string
	authorization string
}

func (a *api) get(subdomain, path string, into any) error {
	_, err := a.page(subdomain, path, into)
	return err
}

// page gets a page of a list. It returns the cursor of the next page, or "" on the last page.
func (a *api) page(subdomain, path string, into any) (next string, err error) {
	req, err := http.NewRequestWithContext(a.ctx, http.MethodGet, strings.Replace(a.template, "{subdomain}", subdomain, 1)+path, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", a.authorization)
	req.Header.Set("User-Agent", "bench")
	resp, err := a.client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d", resp.StatusCode)
	}
	return resp.Header.Get("Pagination-Next"), json.NewDecoder(resp.Body).Decode(into)
}

// nested fetches teams, their workspaces, and the first page of contacts of each workspace, in
// parallel.
func (a *api) nested() (teams []team, err error) {
	if err := a.get("accounts", "/teams", &teams); err != nil {
		return nil, err
	}
	err = each(teams, func(t *team) error {
		if err := a.get("accounts", fmt.Sprintf("/teams/%d/workspaces", t.ID), &t.Workspaces); err != nil {
			return err
		}
		return each(t.Workspaces, a.contacts)
	})
	return teams, err
}

func (a *api) contacts(w *workspace) error {
	return a.get(w.Subdomain, fmt.Sprintf("/workspaces/%d/contacts", w.ID), &w.Contacts)
}

// withRelations fetches teams and their workspaces. For each workspace it fetches the first pages
// of contacts, with three orders each, of orders, and of products.
func (a *api) withRelations() (teams []shopTeam, err error) {
	if err := a.get("accounts", "/teams", &teams); err != nil {
		return nil, err
	}
	err = each(teams, func(t *shopTeam) error {
		if err := a.get("accounts", fmt.Sprintf("/teams/%d/workspaces", t.ID), &t.Workspaces); err != nil {
			return err
		}
		return each(t.Workspaces, func(s *shop) error { return a.shop(s, t.Name) })
	})
	return teams, err
}

func (a *api) shop(s *shop, team string) error {
	path := fmt.Sprintf("/workspaces/%d/", s.ID)
	return each([]func() error{
		func() error { return a.customers(s, team) },
		func() error { return a.get(s.Subdomain, path+"orders", &s.Orders) },
		func() error { return a.get(s.Subdomain, path+"products", &s.Products) },
	}, func(f *func() error) error { return (*f)() })
}

// customers fetches the first page of contacts, and then their orders. It keeps three orders of
// each contact.
func (a *api) customers(s *shop, team string) error {
	path := fmt.Sprintf("/workspaces/%d/", s.ID)
	if err := a.get(s.Subdomain, path+"contacts", &s.Contacts); err != nil {
		return err
	}
	byID := make(map[int64]*customer, len(s.Contacts))
	ids := make([]string, len(s.Contacts))
	for i := range s.Contacts {
		c := &s.Contacts[i]
		c.Workspace = place{s.Name, team}
		byID[c.ID], ids[i] = c, strconv.FormatInt(c.ID, 10)
	}
	after := ""
	for {
		query := url.Values{"filter[contact_id]": {strings.Join(ids, ",")}}
		if after != "" {
			query.Set("after", after)
		}
		var orders []order
		next, err := a.page(s.Subdomain, path+"orders?"+query.Encode(), &orders)
		if err != nil {
			return err
		}
		for _, o := range orders {
			if c := byID[o.Contact.ID]; c != nil && len(c.Orders) < 3 {
				c.Orders = append(c.Orders, o)
			}
		}
		if next == "" {
			return nil
		}
		after = next
	}
}

// each runs f for all elements in parallel. It returns the first element's error, in order of all.
func each[T any](all []T, f func(*T) error) error {
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i := range all {
		wait.Go(func() { errs[i] = f(&all[i]) })
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func main() {
	listen := flag.String("listen", "127.0.0.1:9091", "`address` to listen on")
	template := flag.String("upstream-url", "http://127.0.0.1:9090/{subdomain}/api/v2", "the API's base")
	flag.Parse()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}}
	serve := func(path string, answer func(*api) (any, error)) {
		http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			v, err := answer(&api{r.Context(), client, *template, r.Header.Get("Authorization")})
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(v)
		})
	}
	serve("/nested", func(a *api) (any, error) { return a.nested() })
	serve("/relations", func(a *api) (any, error) { return a.withRelations() })
	serve("/contacts", func(a *api) (any, error) {
		w := workspace{ID: 101, Subdomain: "acme-academy"}
		err := a.contacts(&w)
		return w, err
	})
	log.Printf("listening on %s", *listen)
	log.Fatal(http.ListenAndServe(*listen, nil)) //nolint:gosec // local and short-lived
}
