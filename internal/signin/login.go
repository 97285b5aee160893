package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/oauth2"
)

const (
	// loginLifetime is how long a person may take on the pages of ClickFunnels.
	loginLifetime = 10 * time.Minute
	// maxLogins is the number of unfinished sign-ins at which a new one removes their cookies.
	maxLogins = 5
	// maxLoginBytes is their total size at which they are removed, in bytes.
	maxLoginBytes = 3 << 10
	// maxAppState is the maximum length of an app's state, in bytes.
	maxAppState = 512
	// codeLifetime is how long an app may take to exchange its code.
	codeLifetime = time.Minute
	// stateBytes is the size of random values.
	stateBytes = 32
	// maxQuery is the maximum length of a query string, in bytes.
	maxQuery = 8 << 10
)

// login is the content of the cookie of a sign-in that has begun.
type login struct {
	State    string `json:"state"`
	Verifier string `json:"verifier"`
	ReturnTo string `json:"return_to"`
	// App is nil unless an app began the sign-in.
	App *app `json:"app,omitempty"`
}

// app is what an app sent with its sign-in.
type app struct {
	Challenge string `json:"challenge"`
	State     string `json:"state"`
}

// appCode is the content of a code for an app.
type appCode struct {
	ID        string        `json:"id"`
	ReturnTo  string        `json:"return_to"`
	Challenge string        `json:"challenge"`
	Session   sealedSession `json:"session"`
}

// movedParameter marks a request that was redirected to the public host. A proxy may name another
// host in each request, which must not be redirected again.
const movedParameter = "moved"

// login handles GET /auth/login.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	neverStore(w)
	w.Header().Set("Referrer-Policy", "no-referrer")
	if len(r.URL.RawQuery) > maxQuery {
		badRequest(w, "the query is too long")
		return
	}
	query := r.URL.Query()
	if !strings.EqualFold(r.Host, s.public.Host) && !query.Has(movedParameter) {
		query.Set(movedParameter, "1")
		http.Redirect(w, r, originOf(s.public)+"/auth/login?"+query.Encode(), http.StatusFound) //nolint:gosec // to the public origin
		return
	}
	to, err := s.target(query.Get("return_to"))
	if err != nil {
		badRequest(w, err.Error())
		return
	}
	begun := login{State: random(), Verifier: oauth2.GenerateVerifier(), ReturnTo: to.url}
	state := query.Get("state")
	if len(state) > maxAppState || !utf8.ValidString(state) {
		badRequest(w, "state is too long, or is not UTF-8")
		return
	}
	if begun.App, err = appOf(query, to); err != nil {
		failed := failure{code: "invalid_request", title: "The app's request is not valid", advice: err.Error()}
		http.Redirect(w, r, to.withQuery(failed.parameters(state)), http.StatusFound)
		return
	}
	expires := time.Now().Add(loginLifetime)
	sealed, err := s.cfg.Keys.seal(forLogin, begun, expires)
	if err != nil {
		failTooLong.write(w, r, "/auth/login")
		return
	}
	s.dropLogins(w, r)
	s.setCookie(w, loginCookie+begun.State, sealed, expires)
	http.Redirect(w, r, s.provider.authorizeURL(begun.State, begun.Verifier), http.StatusFound)
}

// appOf returns what an app sent, nil if a browser begins the sign-in.
func appOf(query url.Values, to target) (*app, error) {
	challenge, method, state := query.Get("code_challenge"), query.Get("code_challenge_method"), query.Get("state")
	if challenge == "" && method == "" && state == "" && !to.custom {
		return nil, nil //nolint:nilnil // see above
	}
	sum, err := base64.RawURLEncoding.DecodeString(challenge)
	switch {
	case err != nil || len(sum) != sha256.Size:
		return nil, errors.New("an app needs a code_challenge: the SHA-256 hash of its code_verifier in base64url (RFC 7636)")
	case method != "S256":
		return nil, errors.New("code_challenge_method must be S256")
	}
	return &app{challenge, state}, nil
}

func badRequest(w http.ResponseWriter, description string) {
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_request", "error_description": description})
}

// dropLogins removes the cookies of abandoned sign-ins if there are many. Proxies reject requests with
// too many bytes of cookies.
func (s *Server) dropLogins(w http.ResponseWriter, r *http.Request) {
	var begun []string
	size := 0
	for _, cookie := range r.Cookies() {
		if state, ok := strings.CutPrefix(cookie.Name, s.cookieName(loginCookie)); ok && isState(state) {
			begun, size = append(begun, state), size+len(cookie.Name)+len(cookie.Value)
		}
	}
	if len(begun) < maxLogins && size < maxLoginBytes {
		return
	}
	for _, state := range begun[:min(len(begun), 2*maxLogins)] {
		s.setCookie(w, loginCookie+state, "", time.Time{})
	}
}

// isState reports whether a text can be the state of a sign-in.
func isState(text string) bool {
	b, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(b) == stateBytes
}

// random returns a text that cannot be guessed.
func random() string {
	b := make([]byte, stateBytes)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// callback handles GET /auth/callback.
func (s *Server) callback(w http.ResponseWriter, r *http.Request) {
	neverStore(w)
	w.Header().Set("Referrer-Policy", "no-referrer")
	begun, ok := s.begun(w, r)
	if !ok {
		failState.write(w, r, "/auth/login")
		return
	}
	to := target{url: begun.ReturnTo}
	session, err := s.finish(r, begun.Verifier)
	answer := ""
	if err == nil {
		if answer, err = s.give(w, begun, session); err != nil {
			s.revokeLater(r.Context(), session.Token)
		}
	}
	failed, isFailure := errors.AsType[failure](err)
	switch {
	case isFailure && begun.App != nil:
		http.Redirect(w, r, to.withQuery(failed.parameters(begun.App.State)), http.StatusFound)
	case isFailure:
		failed.write(w, r, "/auth/login?"+url.Values{"return_to": {begun.ReturnTo}}.Encode())
	default:
		slog.InfoContext(r.Context(), "signed in", "workspace", session.Workspace.ID, "app", begun.App != nil)
		if begun.App == nil {
			s.endPrevious(r, session)
		}
		http.Redirect(w, r, answer, http.StatusFound)
	}
}

// give gives a session to an app as a code, or to a browser as a cookie. It returns the URL at which the
// sign-in ends.
func (s *Server) give(w http.ResponseWriter, begun login, session *Session) (string, error) {
	if begun.App == nil {
		if !s.setSession(w, session) {
			return "", failTooLong
		}
		return begun.ReturnTo, nil
	}
	code, err := s.cfg.Keys.seal(forCode, appCode{random(), begun.ReturnTo, begun.App.Challenge, session.sealed()}, time.Now().Add(codeLifetime))
	if err != nil {
		return "", failTooLong
	}
	parameters := url.Values{"code": {code}}
	if begun.App.State != "" {
		parameters.Set("state", begun.App.State)
	}
	return target{url: begun.ReturnTo}.withQuery(parameters), nil
}

// endPrevious ends the session that a browser had before it signed in again. A late answer could
// otherwise bring its cookie back. ClickFunnels may have given the same token again, which must work.
func (s *Server) endPrevious(r *http.Request, now *Session) {
	cookie, err := r.Cookie(s.cookieName(sessionCookie))
	if err != nil {
		return
	}
	previous := s.open(r.Context(), forSession, cookie.Value).session
	if previous == nil {
		return
	}
	s.deny(r.Context(), previous)
	if previous.Token != now.Token {
		s.revokeLater(r.Context(), previous.Token)
	}
}

// begun opens the cookie of the sign-in that a request to the callback belongs to, and removes it.
func (s *Server) begun(w http.ResponseWriter, r *http.Request) (begun login, ok bool) {
	state := r.URL.Query().Get("state")
	if !isState(state) || len(r.URL.RawQuery) > maxQuery {
		return login{}, false
	}
	cookie, err := r.Cookie(s.cookieName(loginCookie + state))
	if err != nil {
		return login{}, false
	}
	s.setCookie(w, loginCookie+state, "", time.Time{})
	if _, err := s.cfg.Keys.open(forLogin, cookie.Value, &begun); err != nil || begun.State != state {
		return login{}, false
	}
	return begun, true
}

// finish exchanges the code of a request to the callback for a session.
func (s *Server) finish(r *http.Request, verifier string) (*Session, error) {
	query := r.URL.Query()
	if code := query.Get("error"); code != "" {
		return nil, providerFailure(code)
	}
	select {
	case s.calls <- struct{}{}:
		defer func() { <-s.calls }()
	default:
		return nil, failUnreachable
	}
	ctx, cancel := context.WithTimeout(r.Context(), providerTimeout)
	defer cancel()
	session, err := s.provider.exchange(ctx, query.Get("code"), verifier)
	if err == nil {
		session.ID, session.Ends = random(), time.Now().Add(s.cfg.Lifetime).Truncate(time.Second)
		if s.cfg.Verify != nil && s.cfg.Verify(ctx, &session) != nil {
			err = failNoAPI
		}
	}
	if err != nil && session.Token.Valid() {
		s.revokeLater(r.Context(), session.Token)
	}
	return &session, err
}
