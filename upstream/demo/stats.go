package demo

import (
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	defaultPeriod = 30 * 24 * time.Hour
	maxPeriod     = 90 * 24 * time.Hour
)

func serveFunnelStats(s *Server, w http.ResponseWriter, r *http.Request, subdomain string, ids []string) {
	funnel, ok := s.on(w, funnelList, ids[0], subdomain)
	if !ok {
		return
	}
	pages := pagesOf(funnel, s.table(pageList).children[funnel["workspace_id"]])
	sendStats(w, r.URL.Query(), func() row {
		stats := row{"funnel": only(funnel, "id", "name", "public_id"), "summary": row{
			"pageviews": 300 * len(pages), "upfront_sales_count": 12, "upfront_sales": "1164.00", "recurring_sales": "98.0",
			"average_cart_value": "97.00", "earnings_per_click": "2.1",
		}}
		if slices.Contains(r.URL.Query()["expand[]"], "steps") {
			steps := make([]row, len(pages))
			for i, page := range pages {
				steps[i] = stepStats(page)
			}
			return with(stats, row{"steps": steps})
		}
		public := make([]any, len(pages))
		for i, page := range pages {
			public[i] = page["public_id"]
		}
		return with(stats, row{"page_public_ids": public})
	})
}

func servePageStats(s *Server, w http.ResponseWriter, r *http.Request, subdomain string, ids []string) {
	page, ok := s.on(w, pageList, ids[0], subdomain)
	if !ok {
		return
	}
	sendStats(w, r.URL.Query(), func() row {
		stats := row{"page": only(page, "id", "name", "public_id", "current_path", "type"), "funnel": page["funnel"], "step": nil}
		if page["funnel"] != nil {
			stats["step"] = stepStats(page)
		}
		return stats
	})
}

// stepStats returns the statistics of the step that shows a page.
func stepStats(page row) row {
	return row{
		"name": page["name"], "current_path": page["current_path"], "page_id": page.id(), "views_all": 300, "views_unique": 240,
		"optins": 60, "optin_rate": 0.25, "sales_count": 12, "sales_rate": 0.05, "sales_value": "1164.00",
		"recurring_sales_count": 2, "recurring_sales_value": "98.0", "earnings_per_view": "4.2", "earnings_per_unique_view": "5.25",
	}
}

// sendStats sends statistics with their period, which is at most as long as ClickFunnels allows. Its
// current time is the last midnight, so that equal calls have equal responses.
func sendStats(w http.ResponseWriter, query url.Values, stats func() row) {
	now := time.Now().Truncate(24 * time.Hour)
	ends := map[string]time.Time{"timerange_start": {}, "timerange_end": now}
	for name := range ends {
		if given := query.Get(name); given != "" {
			at, err := time.Parse(time.RFC3339, given)
			if err != nil {
				fail(w, http.StatusUnprocessableEntity, name+" must be a time")
				return
			}
			ends[name] = at
		}
	}
	to := ends["timerange_end"]
	if to.After(now) {
		to = now
	}
	from := ends["timerange_start"]
	switch {
	case from.IsZero() || from.After(to):
		from = to.Add(-defaultPeriod)
	case to.Sub(from) > maxPeriod:
		from = to.Add(-maxPeriod)
	}
	send(w, http.StatusOK, encode(with(stats(), row{"currency": "USD", "timerange": row{"from": format(from), "to": format(to)}})))
}
