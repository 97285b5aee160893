package signin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Session is a person's access to one workspace. It must not be modified.
type Session struct {
	// ID is random. It is in no response.
	ID        string
	Token     upstream.Token
	Workspace Workspace
	Team      Team
	// Ends is when the session ends, regardless of its use.
	Ends time.Time
}

// Workspace is the workspace of a session, by its raw id. The subdomain is empty if unknown.
type Workspace struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Subdomain string `json:"subdomain,omitempty"`
}

// Team is the team of a session, by its raw id.
type Team struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// sealedSession is a session as sealed values hold it.
type sealedSession struct {
	ID        string    `json:"id"`
	Token     string    `json:"token"`
	Workspace Workspace `json:"workspace"`
	Team      Team      `json:"team"`
	Ends      int64     `json:"ends"` // in Unix seconds
}

func (s *Session) sealed() sealedSession {
	return sealedSession{s.ID, string(s.Token), s.Workspace, s.Team, s.Ends.Unix()}
}

func (s sealedSession) session() *Session {
	return &Session{s.ID, upstream.Token(s.Token), s.Workspace, s.Team, time.Unix(s.Ends, 0)}
}

// The prefixes of bearer tokens and refresh tokens.
const (
	bearerPrefix  = "fgs_"
	refreshPrefix = "fgr_"
)

// The errors of requests with a session that cannot be used.
var (
	// ErrEnded means that the session has expired, has ended or was never valid.
	ErrEnded = errors.New("this session has ended or is not valid: sign in again")
	// ErrCrossSite means that a page of another site sent the request.
	ErrCrossSite = errors.New("a page of another site cannot send this request with a session cookie: list its origin in --cors-origin")
)

// HasBearer reports whether an Authorization header has a token that this package issues, valid or not,
// in any spelling.
func HasBearer(authorization string) bool {
	return slices.ContainsFunc(strings.Fields(authorization), func(word string) bool {
		return strings.HasPrefix(word, bearerPrefix) || strings.HasPrefix(word, refreshPrefix)
	})
}

type contextKey struct{}

// result is the outcome of opening the session of a request.
type result struct {
	session *Session
	expires time.Time
	err     error
	// opened is when the session was opened, and isEnded reports whether it was ended since.
	opened  time.Time
	isEnded func(context.Context) bool
}

// From returns the session of a request, nil if it has none. The error is [ErrEnded] or [ErrCrossSite]
// if it has one that cannot be used.
func From(ctx context.Context) (*Session, error) {
	found, _ := ctx.Value(contextKey{}).(result)
	if found.session != nil && (time.Now().After(found.expires) || time.Since(found.opened) > time.Second && found.isEnded(ctx)) {
		return nil, ErrEnded // it was valid when the request began, which may be long ago
	}
	return found.session, found.err
}

// Authenticate opens the session of each request, for [From]. It never refuses a request. A session
// cookie is renewed when less than nine tenths of [Config.Idle] remain. An invalid cookie is kept: the
// response could arrive after another sign-in, and remove its cookie.
func (s *Server) Authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Cookie")
		var found result
		if authorization := r.Header.Values("Authorization"); len(authorization) > 0 {
			found = s.fromBearer(r.Context(), strings.Join(authorization, " "))
		} else {
			found = s.fromCookie(w, r)
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, found)))
	})
}

// fromBearer opens the bearer token of an Authorization header. The result is empty for tokens that this
// package did not issue.
func (s *Server) fromBearer(ctx context.Context, authorization string) result {
	if !HasBearer(authorization) {
		return result{}
	}
	words := strings.Fields(authorization)
	sealed, isBearer := strings.CutPrefix(words[len(words)-1], bearerPrefix)
	if len(words) != 2 || !strings.EqualFold(words[0], "Bearer") || !isBearer {
		return result{err: ErrEnded}
	}
	return s.open(ctx, forBearer, sealed)
}

// fromCookie opens the session cookie, if there is one.
func (s *Server) fromCookie(w http.ResponseWriter, r *http.Request) result {
	cookie, err := r.Cookie(s.cookieName(sessionCookie))
	if err != nil {
		return result{}
	}
	// Queries by GET execute something too, so that they are checked like requests by POST.
	checked := r.WithContext(r.Context())
	checked.Method = http.MethodPost
	if s.origins.Check(checked) != nil {
		return result{err: ErrCrossSite}
	}
	found := s.open(r.Context(), forSession, cookie.Value)
	if found.err != nil {
		return found
	}
	if rest := time.Until(found.expires); rest < s.cfg.Idle*9/10 && found.expires.Before(found.session.Ends) {
		s.setSession(w, found.session)
	}
	return found
}

// open opens a sealed session that has not ended.
func (s *Server) open(ctx context.Context, p purpose, sealed string) result {
	var content sealedSession
	expires, err := s.cfg.Keys.open(p, sealed, &content)
	if err != nil || content.ID == "" || s.isEnded(ctx, content.ID) {
		return result{err: ErrEnded}
	}
	return result{
		session: content.session(), expires: expires, opened: time.Now(),
		isEnded: func(ctx context.Context) bool { return s.isEnded(ctx, content.ID) },
	}
}

// isEnded reports whether a session was ended. Without a shared store, or while it is unreachable, only
// sessions that ended on this replica are known.
func (s *Server) isEnded(ctx context.Context, id string) bool {
	if ended, _ := s.own.Ended(ctx, id); ended {
		return true
	}
	if s.cfg.Shared == nil {
		return false
	}
	ended, err := s.cfg.Shared.Ended(ctx, id)
	return err == nil && ended
}

// deny ends a session on all replicas that can be reached. It reports whether they share a store that
// knows it.
func (s *Server) deny(ctx context.Context, session *Session) (everywhere bool) {
	ctx = context.WithoutCancel(ctx) // the client may leave at once
	rest := max(time.Second, time.Until(session.Ends))
	_ = s.own.End(ctx, session.ID, rest)
	if s.cfg.Forget != nil {
		s.cfg.Forget(session)
	}
	return s.cfg.Shared != nil && s.cfg.Shared.End(ctx, session.ID, rest) == nil
}

// end ends a session on all replicas, then at ClickFunnels. It reports whether copies of the session are
// useless from now on.
func (s *Server) end(ctx context.Context, session *Session) bool {
	ctx = context.WithoutCancel(ctx)
	everywhere := s.deny(ctx, session)
	if err := s.provider.revoke(ctx, session.Token); err != nil {
		slog.WarnContext(ctx, "a token could not be revoked: it is tried again later", "workspace", session.Workspace.ID, "error", err)
		s.revokeLater(ctx, session.Token)
		return everywhere
	}
	return true
}

// revokeLater revokes a token in the background. A person cannot repeat a sign-out.
func (s *Server) revokeLater(ctx context.Context, token upstream.Token) {
	ctx = context.WithoutCancel(ctx)
	select {
	case s.waiting <- struct{}{}:
	default:
		slog.ErrorContext(ctx, "a token could not be revoked: remove the application in the settings of the workspace")
		return
	}
	go func() {
		defer func() { <-s.waiting }()
		for _, pause := range revokeAgain {
			time.Sleep(pause)
			if s.provider.revoke(ctx, token) == nil {
				return
			}
		}
		slog.ErrorContext(ctx, "a token could not be revoked: remove the application in the settings of the workspace")
	}()
}

// revokeAgain are the pauses between the attempts to revoke a token.
var revokeAgain = []time.Duration{0, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour}

// expiry returns the earlier of now plus most and the end of the session.
func (s *Session) expiry(most time.Duration) time.Time {
	if expires := time.Now().Add(most); expires.Before(s.Ends) {
		return expires
	}
	return s.Ends
}

// setSession sets the session cookie. It reports whether the session fits into one.
func (s *Server) setSession(w http.ResponseWriter, session *Session) bool {
	expires := session.expiry(s.cfg.Idle)
	sealed, err := s.cfg.Keys.seal(forSession, session.sealed(), expires)
	if err != nil {
		return false
	}
	s.setCookie(w, sessionCookie, sealed, expires)
	return true
}

// The names of cookies, which [Server.cookieName] completes.
const (
	sessionCookie = "funnelgraph"
	loginCookie   = "funnelgraph_login_"
)

// cookieName returns the name of a cookie. Browsers accept the prefix only with the attributes that
// bind a cookie to this host.
func (s *Server) cookieName(name string) string {
	if s.secure {
		return "__Host-" + name
	}
	return name
}

// setCookie sets a cookie, or removes it if the value is empty.
func (s *Server) setCookie(w http.ResponseWriter, name, value string, expires time.Time) {
	age := -1
	if value != "" {
		age = max(1, int(time.Until(expires).Seconds()))
	}
	http.SetCookie(w, &http.Cookie{Name: s.cookieName(name), Value: value, Path: "/", MaxAge: age, Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // plain on loopback only
}

// describe handles GET /auth/session.
func (s *Server) describe(w http.ResponseWriter, r *http.Request) {
	found, _ := r.Context().Value(contextKey{}).(result)
	switch {
	case errors.Is(found.err, ErrCrossSite):
		writeJSON(w, http.StatusForbidden, map[string]any{"signedIn": false, "error": found.err.Error()})
		return
	case found.session == nil:
		if found.err != nil && r.Header.Get("Authorization") == "" {
			s.setCookie(w, sessionCookie, "", time.Time{})
		}
		writeJSON(w, http.StatusUnauthorized, map[string]any{"signedIn": false})
		return
	}
	writeJSON(w, http.StatusOK, struct {
		SignedIn  bool      `json:"signedIn"`
		Workspace Workspace `json:"workspace"`
		Team      Team      `json:"team"`
		ExpiresAt time.Time `json:"expiresAt"`
		EndsAt    time.Time `json:"endsAt"`
	}{true, found.session.Workspace, found.session.Team, found.expires.UTC(), found.session.Ends.UTC()})
}

// logout handles POST /auth/logout. It ends the session on all replicas, then at ClickFunnels.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	session, err := From(r.Context())
	switch {
	case errors.Is(err, ErrCrossSite):
		writeJSON(w, http.StatusForbidden, map[string]any{"signedIn": false, "error": err.Error()})
		return
	case session == nil:
		writeJSON(w, http.StatusUnauthorized, map[string]any{"signedIn": false})
		return
	}
	if r.Header.Get("Authorization") == "" {
		s.setCookie(w, sessionCookie, "", time.Time{})
	}
	if !s.end(r.Context(), session) {
		writeJSON(w, http.StatusServiceUnavailable, map[string]any{"signedIn": false, "error": "The session has ended here, but ClickFunnels did not revoke its token. Copies of its cookie or token may still work on other servers until it does."})
		return
	}
	slog.InfoContext(r.Context(), "signed out", "workspace", session.Workspace.ID)
	neverStore(w)
	w.WriteHeader(http.StatusNoContent)
}
