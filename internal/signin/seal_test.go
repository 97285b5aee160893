package signin

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// purposes are all purposes, with a valid content for each.
func purposes(session *Session) map[purpose]any {
	return map[purpose]any{
		forLogin:   login{State: strings.Repeat("A", 43), Verifier: verifier, ReturnTo: "/"},
		forSession: session.sealed(), forBearer: session.sealed(), forRefresh: session.sealed(),
		forCode: appCode{"code", "com.example.app:/signed-in", appQuery().Get("code_challenge"), session.sealed()},
	}
}

// use sends a sealed value where values of a purpose are accepted. It reports whether it was.
func (r *rig) use(p purpose, sealed string) bool {
	r.t.Helper()
	r.browser = newBrowser(r.t)
	switch p {
	case forLogin:
		state := strings.Repeat("A", 43)
		return r.send("/auth/callback?code=good&state="+state, "", "Cookie: "+loginCookie+state+"="+sealed).status == http.StatusFound
	case forSession:
		return strings.HasPrefix(r.send("/who", "", "Cookie: "+sessionCookie+"="+sealed).body, "101")
	case forBearer:
		return r.send("/who", "", "Authorization: Bearer "+bearerPrefix+sealed).status == http.StatusOK
	case forRefresh:
		return r.send("/auth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshPrefix + sealed}}.Encode()).status == http.StatusOK
	case forCode:
		return r.send("/auth/token", url.Values{"grant_type": {"authorization_code"}, "code": {sealed}, "code_verifier": {verifier}}.Encode()).status == http.StatusOK
	}
	return false
}

// TestTampering uses every sealed value in every place, and changed in many ways.
func TestTampering(t *testing.T) {
	r := newRig(t, func(cfg *Config) { cfg.Keys = keys(t, "ko") })
	session := &Session{ID: "id", Token: "cf-token", Workspace: Workspace{ID: "101"}, Ends: time.Now().Add(time.Hour)}
	later := time.Now().Add(time.Minute)
	seal := func(k Keys, p purpose, content any, expires time.Time) string {
		t.Helper()
		sealed, err := k.seal(p, content, expires)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	all := purposes(session)
	for p, content := range all {
		for other, otherContent := range all {
			if accepted := r.use(p, seal(r.cfg.Keys, other, otherContent, later)); accepted != (p == other) {
				t.Errorf("a value for %s is accepted as %s: %t", other, p, accepted)
			}
			// The right content, sealed for another purpose.
			if p != other && r.use(p, seal(r.cfg.Keys, other, content, later)) {
				t.Errorf("a value for %s with the content of %s is accepted", other, p)
			}
		}
		if p != forCode && !r.use(p, seal(keys(t, "o"), p, content, later)) { // the code was used above
			t.Errorf("%s: a value of the second key is refused", p)
		}
		good := seal(r.cfg.Keys, p, appCodeWithID(content, "other"), later)
		parts := strings.Split(good, ".")
		flip := func(i, at int) string {
			changed := append([]string(nil), parts...)
			raw, err := base64.RawURLEncoding.DecodeString(changed[i])
			if err != nil {
				t.Fatal(err)
			}
			raw[at%len(raw)] ^= 1
			changed[i] = base64.RawURLEncoding.EncodeToString(raw)
			return strings.Join(changed, ".")
		}
		tampered := map[string]string{
			"of another key": seal(keys(t, "x"), p, content, later), "expired": seal(r.cfg.Keys, p, content, time.Now().Add(-time.Second)),
			"empty": "", "a dot": ".", "no JWE": "token", "long": good + strings.Repeat("x", maxSealed), "of five parts": "....", "with a key": parts[0] + ".AAAA." + strings.Join(parts[2:], "."),
			"without a tag": strings.Join(parts[:4], ".") + ".", "with a short tag": good[:len(good)-4], "nested": seal(r.cfg.Keys, p, good, later), "null": seal(r.cfg.Keys, p, nil, later),
			"as JSON": fmt.Sprintf(`{"protected":%q,"iv":%q,"ciphertext":%q,"tag":%q}`, parts[0], parts[2], parts[3], parts[4]),
		}
		for i := range 10 {
			tampered[fmt.Sprintf("truncated to %d tenths", i)] = good[:len(good)*i/10]
			for _, part := range []int{0, 2, 3, 4} {
				tampered[fmt.Sprintf("with a bit of part %d changed at %d", part, 7*i)] = flip(part, 7*i)
			}
		}
		for name, header := range map[string]string{
			"alg none": `{"alg":"none","enc":"A256GCM"}`, "another algorithm": `{"alg":"A256KW","enc":"A256GCM"}`, "a password": `{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2c":1000000000,"p2s":"AAAA"}`,
			"no key id": `{"alg":"dir","enc":"A256GCM"}`, "compressed": `{"alg":"dir","enc":"A256GCM","zip":"DEF"}`, "critical": `{"alg":"dir","enc":"A256GCM","crit":["x"]}`,
		} {
			tampered["with a header of "+name] = base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + strings.Join(parts[1:], ".")
		}
		for name, sealed := range tampered {
			if r.use(p, sealed) {
				t.Errorf("%s: a value %s is accepted", p, name)
			}
		}
	}
}

// appCodeWithID returns a code with another id, and other contents unchanged.
func appCodeWithID(content any, id string) any {
	if code, ok := content.(appCode); ok {
		code.ID = id
		return code
	}
	return content
}

// TestOtherAlgorithms seals with the right key, in forms that this package does not write.
func TestOtherAlgorithms(t *testing.T) {
	k := keys(t, "k")
	text, err := json.Marshal(envelope{forSession, time.Now().Add(time.Hour).Unix(), json.RawMessage(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	for name, sealed := range map[string]func() (jose.Encrypter, error){
		"A256GCMKW": func() (jose.Encrypter, error) {
			return jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.A256GCMKW, Key: k.keys[0].secret, KeyID: k.keys[0].id}, nil)
		},
		"A128CBC-HS256": func() (jose.Encrypter, error) {
			return jose.NewEncrypter(jose.A128CBC_HS256, jose.Recipient{Algorithm: jose.DIRECT, Key: k.keys[0].secret, KeyID: k.keys[0].id}, nil)
		},
	} {
		encrypter, err := sealed()
		if err != nil {
			t.Fatal(err)
		}
		object, err := encrypter.Encrypt(text)
		if err != nil {
			t.Fatal(err)
		}
		compact, err := object.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		var content any
		if _, err := k.open(forSession, compact, &content); !errors.Is(err, errNotOpened) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A sealed value is not compressed, so that its length tells nothing about its content.
	long, err := k.seal(forSession, strings.Repeat("x", 1000), time.Now().Add(time.Hour))
	var deflated bytes.Buffer
	w, _ := flate.NewWriter(&deflated, flate.BestCompression)
	_, _ = w.Write(bytes.Repeat([]byte("x"), 1000))
	_ = w.Close()
	if err != nil || len(long) < 1000 {
		t.Errorf("a value of 1000 bytes has %d bytes when sealed (%d deflated), %v", len(long), deflated.Len(), err)
	}
}

func TestKeys(t *testing.T) {
	std := "a2V5c2tleXNrZXlza2V5c2tleXNrZXlza2V5c2tleXM="
	for text, want := range map[string]int{
		std: 1, strings.TrimRight(std, "="): 1, std + "," + std: 2, std + "\n" + std + "\n": 2, strings.Repeat("_", 42) + "8": 1,
		"": 0, ",": 0, "short": 0, std + ",short": 0, std + std: 0, strings.Repeat("!", 43): 0,
	} {
		got, err := ParseKeys(text)
		if len(got.keys) != want || (err == nil) != (want > 0) || err != nil && text != "" && text != "," && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %d keys, %v; want %d", text, len(got.keys), err, want)
		}
		for _, shown := range []string{fmt.Sprint(got), fmt.Sprintf("%+v", got), fmt.Sprintf("%#v", got), slog.AnyValue(got).Resolve().String()} {
			if shown != "***" {
				t.Errorf("keys print as %q", shown)
			}
		}
	}
}

// TestMemoryIsBounded fills the store of used codes.
func TestMemoryIsBounded(t *testing.T) {
	m := newMemory()
	for i := range maxMarks {
		if first, err := m.Use(t.Context(), fmt.Sprint("short ", i), time.Nanosecond); !first || err != nil {
			t.Fatal(first, err)
		}
	}
	for i := range maxMarks {
		if first, err := m.Use(t.Context(), fmt.Sprint(i), time.Hour); !first || err != nil {
			t.Fatal("expired names stay:", first, err)
		}
	}
	if first, err := m.Use(t.Context(), "more", time.Hour); first || !errors.Is(err, errFull) {
		t.Errorf("%t, %v; want an error", first, err)
	}
	if first, err := m.Use(t.Context(), "7", time.Hour); first || err != nil {
		t.Errorf("%t, %v; want a known name", first, err)
	}
}

// brokenStore is a store that cannot be reached.
type brokenStore struct{}

// Use implements [Store].
func (brokenStore) Use(context.Context, string, time.Duration) (bool, error) { return false, errFull }

// End implements [Store].
func (brokenStore) End(context.Context, string, time.Duration) error { return errFull }

// Ended implements [Store].
func (brokenStore) Ended(context.Context, string) (bool, error) { return false, errFull }

// TestStoreThatCannotBeReached refuses codes, and still knows sessions and sign-outs of this replica.
func TestStoreThatCannotBeReached(t *testing.T) {
	r := newRig(t, func(cfg *Config) { cfg.Shared = brokenStore{} })
	code := r.send("/auth/callback?code=good&state="+r.begin(appQuery()), "").location.Query().Get("code")
	if got := r.send("/auth/token", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {verifier}}.Encode()); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "temporarily_unavailable") {
		t.Errorf("%d %s", got.status, got.body)
	}
	cookie := r.signIn("/").cookies
	if who := r.send("/who", ""); who.status != http.StatusOK {
		t.Errorf("%d %s", who.status, who.body)
	}
	if out := r.send("/auth/logout", "x"); out.status != http.StatusNoContent {
		t.Errorf("%d %s", out.status, out.body)
	}
	for _, each := range cookie {
		if each.Name == sessionCookie {
			if who := r.send("/who", "", "Cookie: "+each.String()); who.status != http.StatusUnauthorized {
				t.Errorf("%d %s", who.status, who.body)
			}
		}
	}
}
