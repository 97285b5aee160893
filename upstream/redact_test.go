package upstream

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestRedactFindsTheTokenInEveryForm(t *testing.T) {
	const token = Token(`se"cr/et-\Tok3n`)
	literal, _ := json.Marshal(string(token))
	var escaped strings.Builder
	for _, c := range token {
		fmt.Fprintf(&escaped, `\u%04X`, c)
	}
	forms := map[string]string{
		"literal":       strings.Trim(string(literal), `"`),
		"escaped slash": strings.ReplaceAll(strings.Trim(string(literal), `"`), "/", `\/`),
		"upper case":    escaped.String(),
		"lower case":    strings.ToLower(escaped.String()),
		"one escape":    strings.Replace(strings.Trim(string(literal), `"`), "T", `\u0054`, 1),
	}
	for name, form := range forms {
		for where, body := range map[string]string{
			"a value":        `[{"id":1,"name":"x ` + form + ` y"}]`,
			"a key":          `{"custom_attributes":{"` + form + `":"1"}}`,
			"twice":          `{"a":"` + form + form + `","a":["` + form + `"]}`,
			"behind a BOM":   "\ufeff" + `{"a":"` + form + `"}`,
			"a bare string":  `"` + form + `"`,
			"broken JSON":    `[{"junk":"\q","name":"` + form + `"}]`,
			"broken UTF-8":   `{"a":"` + "\xff" + form + `"}`,
			"cut off":        `{"a":"` + form,
			"around itself":  `{"a":"` + `se\"cr` + form + `/et-\\Tok3n"}`,
			"not JSON":       `bad token: ` + form,
			"a deep list":    strings.Repeat("[", 20_000) + `"` + form + `"` + strings.Repeat("]", 20_000),
			"a surrogate":    `{"a":"\ud83d\ude00` + form + `"}`,
			"a half escape":  `{"a":"` + form + `"}\u00`,
			"a second value": `{"a":1} {"a":"` + form + `"}`,
		} {
			got := string(token.redact([]byte(body)))
			if strings.Contains(got, string(token)) || strings.Contains(got, form) {
				t.Errorf("%s, %s: %.200s", name, where, got)
			}
			var v any
			if json.Unmarshal([]byte(got), &v) == nil && strings.Contains(fmt.Sprint(v), string(token)) {
				t.Errorf("%s, %s: %v", name, where, v)
			}
			if wellFormed := json.Unmarshal([]byte(body), &v) == nil; wellFormed && json.Unmarshal([]byte(got), &v) != nil {
				t.Errorf("%s, %s is not JSON any more: %.200s", name, where, got)
			}
		}
	}
}

func TestRedactLeavesOtherBodiesAlone(t *testing.T) {
	for token, body := range map[Token]string{
		"secret-token": `[{"id":1,"html":"<a href=\"\/x\">\u003c\u00e9\n","n":1.50}]`,
		"abc":          `{"name":"abc"}`,
		"123456":       `{"id":12345}`,
		"":             `{"a":"\u0041"}`,
	} {
		if got := token.redact([]byte(body)); string(got) != body {
			t.Errorf("%s", got)
		}
	}
	const body = `[{"id":9007199254740993,"amount":97.00,"name":"secret-token","tags":[],"e":1E+2}]`
	if got, want := strings.TrimSpace(string(Token("secret-token").redact([]byte(body)))), strings.Replace(body, "secret-token", "***", 1); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := string(Token("123456").redact([]byte(`{"id":1123456}`))); strings.Contains(got, "123456") {
		t.Error(got)
	}
}
