package signin

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// failure is a reason why a sign-in ended without a session. An app gets it as an OAuth error, and a
// person as a page.
type failure struct {
	status        int
	code          string // of RFC 6749
	title, advice string
}

// Error implements error.
func (f failure) Error() string { return f.title + ": " + f.advice }

// The failures of a sign-in.
var (
	failDenied      = failure{http.StatusForbidden, "access_denied", "Access was not allowed", "ClickFunnels says that the access was denied. Sign in again, and choose Allow, if you want to go on."}
	failState       = failure{http.StatusBadRequest, "invalid_request", "This sign-in cannot be finished", "It was begun in another browser, more than ten minutes ago, or has been finished before. Sign in again."}
	failCode        = failure{http.StatusBadRequest, "server_error", "ClickFunnels did not accept the sign-in", "Its code has expired or was used before. Sign in again."}
	failClient      = failure{http.StatusBadGateway, "server_error", "ClickFunnels does not accept this server", "The operator must check the OAuth client id, the client secret and the redirect URI of this server."}
	failUnreachable = failure{http.StatusBadGateway, "temporarily_unavailable", "ClickFunnels did not respond", "Sign in again in a minute."}
	failNoWorkspace = failure{http.StatusBadGateway, "server_error", "ClickFunnels did not name a workspace", "Its response has no valid token of one workspace. Sign in again, and choose a workspace."}
	failNoAPI       = failure{http.StatusForbidden, "access_denied", "This workspace has no access to the API", "ClickFunnels refused the first call. The API is a feature of larger plans: ask an admin of the team."}
	failStore       = failure{http.StatusServiceUnavailable, "temporarily_unavailable", "Signing in is not possible at the moment", "The server cannot reach its database. Sign in again in a minute."}
	failTooLong     = failure{http.StatusBadRequest, "invalid_request", "This sign-in is too long", "Its parameters do not fit into a cookie."}
)

// providerFailure returns the failure for an error code with which the provider redirected.
func providerFailure(code string) failure {
	switch code {
	case "access_denied":
		return failDenied
	case "server_error", "temporarily_unavailable":
		return failUnreachable
	}
	return failClient
}

//go:embed failure.html
var failurePage string

var failureTemplate = template.Must(template.New("failure").Parse(failurePage))

// write sends the failure as a page, or as JSON to clients that accept no page. again is the URL that
// starts a new sign-in.
func (f failure) write(w http.ResponseWriter, r *http.Request, again string) {
	neverStore(w)
	accept := r.Header.Get("Accept")
	if strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html") {
		writeJSON(w, f.status, map[string]string{"error": f.code, "error_description": f.Error()})
		return
	}
	var page bytes.Buffer
	if err := failureTemplate.Execute(&page, map[string]string{"Title": f.title, "Advice": f.advice, "Again": again}); err != nil {
		http.Error(w, f.Error(), f.status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(f.status)
	_, _ = page.WriteTo(w)
}

// parameters returns the failure as the query of an app's redirect.
func (f failure) parameters(state string) url.Values {
	all := url.Values{"error": {f.code}, "error_description": {f.Error()}}
	if state != "" {
		all.Set("state", state)
	}
	return all
}

func neverStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }

func writeJSON(w http.ResponseWriter, status int, content any) {
	body, err := json.Marshal(content)
	if err != nil {
		panic(err) // strings, numbers and times always marshal
	}
	neverStore(w)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
