package upstream

import (
	"net/url"
	"testing"
)

// TestSubdomainOf finds the subdomain again in the addresses of a template.
func TestSubdomainOf(t *testing.T) {
	for template, want := range map[string]string{
		DefaultURLTemplate:                         "acme-1",
		"https://{subdomain}.example.com":          "acme-1",
		"https://api-{subdomain}.example.com/v2":   "acme-1",
		"http://127.0.0.1:9000/{subdomain}/api/v2": "acme-1",
		"https://example.com/a/b/{subdomain}":      "acme-1",
		"https://example.com/x-{subdomain}/y":      "acme-1",
		"http://{subdomain}.localhost:9000/api":    "acme-1",
		"https://example.com/api":                  "",
	} {
		parsed, err := parseTemplate(template)
		if err != nil {
			t.Fatal(err)
		}
		address, err := parsed.url("acme-1", []string{"contacts", "7"}, "filter%5Bid%5D=1")
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed.subdomain(u); got != want {
			t.Errorf("%s: %q in %s, want %q", template, got, address, want)
		}
	}
}
