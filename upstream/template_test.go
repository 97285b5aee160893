package upstream

import "testing"

// TestHostLabel checks the host's label for several templates.
func TestHostLabel(t *testing.T) {
	for template, want := range map[string]string{
		DefaultURLTemplate:                         "acme-1.myclickfunnels.com",
		"https://{subdomain}.example.com":          "acme-1.example.com",
		"https://api-{subdomain}.example.com/v2":   "api-acme-1.example.com",
		"http://127.0.0.1:9000/{subdomain}/api/v2": "127.0.0.1:9000/acme-1",
		"https://example.com/a/b/{subdomain}":      "example.com/acme-1",
		"https://example.com/x-{subdomain}/y":      "example.com/acme-1",
		"http://{subdomain}.localhost:9000/api":    "acme-1.localhost:9000",
		"https://example.com/api":                  "example.com",
	} {
		parsed, err := parseTemplate(template)
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed.label("acme-1"); got != want {
			t.Errorf("%s: %q, want %q", template, got, want)
		}
	}
}
