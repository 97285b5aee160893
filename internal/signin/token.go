package signin

import (
	"crypto/subtle"
	"encoding/json"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const (
	// bearerLifetime is how long a bearer token works. After it, a client without a refresh token must
	// sign in again.
	bearerLifetime = time.Hour
	// maxTokenBody is the maximum size of a request for a token, in bytes.
	maxTokenBody = 16 << 10
	// minVerifier and maxVerifier limit a code verifier (RFC 7636).
	minVerifier, maxVerifier = 43, 128
)

// token handles POST /auth/token.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	form, err := formOf(w, r)
	if err != nil {
		badRequest(w, "the body must be a form or a JSON object of texts, of at most 16 KiB")
		return
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		s.tokenForCode(w, r, form)
	case "refresh_token":
		sealed, ok := strings.CutPrefix(form.Get("refresh_token"), refreshPrefix)
		found := s.open(r.Context(), forRefresh, sealed)
		if !ok || found.err != nil {
			badGrant(w, "the refresh token is not valid, or the session has ended")
			return
		}
		s.writeTokens(w, found.session)
	default:
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type", "error_description": "grant_type must be authorization_code or refresh_token"})
	}
}

// formOf reads the parameters of a request, from a form or from JSON.
func formOf(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTokenBody))
	if err != nil {
		return nil, err
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		return url.ParseQuery(string(body))
	}
	var texts map[string]string
	if err := json.Unmarshal(body, &texts); err != nil {
		return nil, err
	}
	form := make(url.Values, len(texts))
	for name, text := range texts {
		form.Set(name, text)
	}
	return form, nil
}

func badGrant(w http.ResponseWriter, description string) {
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant", "error_description": description})
}

// tokenForCode exchanges the code of an app, once.
func (s *Server) tokenForCode(w http.ResponseWriter, r *http.Request, form url.Values) {
	var code appCode
	if _, err := s.cfg.Keys.open(forCode, form.Get("code"), &code); err != nil {
		badGrant(w, "the code is not valid, or has expired")
		return
	}
	verifier := form.Get("code_verifier")
	if len(verifier) < minVerifier || len(verifier) > maxVerifier ||
		subtle.ConstantTimeCompare([]byte(oauth2.S256ChallengeFromVerifier(verifier)), []byte(code.Challenge)) != 1 {
		badGrant(w, "code_verifier does not belong to the code")
		return
	}
	for _, name := range []string{"return_to", "redirect_uri"} {
		if to := form.Get(name); to != "" && to != code.ReturnTo {
			badGrant(w, name+" is not the one of the sign-in")
			return
		}
	}
	switch first, err := s.store().Use(r.Context(), code.ID, 2*codeLifetime); {
	case err != nil:
		slog.WarnContext(r.Context(), "a code was refused, because used codes are unknown", "error", err)
		writeJSON(w, failStore.status, map[string]string{"error": failStore.code, "error_description": failStore.Error()})
	case !first:
		badGrant(w, "the code was used before")
	case s.isEnded(r.Context(), code.Session.ID):
		badGrant(w, "the session has ended")
	default:
		s.writeTokens(w, code.Session.session())
	}
}

// store returns the store of used codes.
func (s *Server) store() Store {
	if s.cfg.Shared != nil {
		return s.cfg.Shared
	}
	return s.own
}

// writeTokens sends a new bearer token and a new refresh token of a session.
func (s *Server) writeTokens(w http.ResponseWriter, session *Session) {
	bearerExpires := session.expiry(min(bearerLifetime, s.cfg.Idle))
	bearer, err := s.cfg.Keys.seal(forBearer, session.sealed(), bearerExpires)
	if err != nil {
		badGrant(w, failTooLong.Error())
		return
	}
	refresh, err := s.cfg.Keys.seal(forRefresh, session.sealed(), session.expiry(s.cfg.Idle))
	if err != nil {
		badGrant(w, failTooLong.Error())
		return
	}
	writeJSON(w, http.StatusOK, struct {
		AccessToken  string    `json:"access_token"`
		TokenType    string    `json:"token_type"`
		ExpiresIn    int       `json:"expires_in"`
		RefreshToken string    `json:"refresh_token"`
		Workspace    Workspace `json:"workspace"`
		Team         Team      `json:"team"`
	}{bearerPrefix + bearer, "Bearer", max(0, int(time.Until(bearerExpires).Round(time.Second).Seconds())), refreshPrefix + refresh, session.Workspace, session.Team})
}
