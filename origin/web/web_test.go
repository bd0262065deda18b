package web_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"landfall/origin/auth"
	"landfall/origin/chat"
	"landfall/origin/origintest"
	"landfall/origin/web"
)

func newWeb(t *testing.T) (*web.Handler, *origintest.Kit) {
	k := origintest.New(t)
	h, err := web.New(web.Config{Auth: k.Auth, Backend: k.Backend, Accounts: k.Accounts, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return h, k
}

// ask sends a request; a body makes it a form.
func ask(t *testing.T, h http.Handler, method, target, body string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://chat.landfall.test"+target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var credentials = url.Values{"email": {"ann@acme.test"}, "password": {origintest.Password}}.Encode()

// signIn returns the cookie of a session of Ann's, as a request carries it.
func signIn(t *testing.T, h http.Handler) string {
	t.Helper()
	resp := ask(t, h, "POST", "/session", credentials, "Sec-Fetch-Site", "same-origin")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/" || len(resp.Cookies()) != 1 {
		t.Fatalf("sign-in: %s %v", resp.Status, resp.Header)
	}
	set := resp.Header.Get("Set-Cookie")
	for _, want := range []string{"__Host-", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(set, want) {
			t.Errorf("cookie %s lacks %s", set, want)
		}
	}
	return resp.Cookies()[0].Name + "=" + resp.Cookies()[0].Value
}

var inline = regexp.MustCompile(`(?s)<(style|script)>(.*?)</(?:style|script)>`)

// checkPolicy checks that the page is one document, whose own script and
// style are the only ones that its policy lets run.
func checkPolicy(t *testing.T, resp *http.Response, page string, sources int) {
	t.Helper()
	policy := resp.Header.Get("Content-Security-Policy")
	found := inline.FindAllStringSubmatch(page, -1)
	if len(found) != sources {
		t.Errorf("%d inline sources, want %d", len(found), sources)
	}
	for _, f := range found {
		sum := sha256.Sum256([]byte(f[2]))
		if want := f[1] + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("policy %s lacks %s", policy, want)
		}
	}
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %s lacks %s", policy, want)
		}
	}
	for _, loads := range []string{"<script src", "<link rel=\"stylesheet", "<img", "@import", " style=\"", " onclick"} {
		if strings.Contains(page, loads) {
			t.Errorf("the page has %s", loads)
		}
	}
}

func TestPageIsOneDocument(t *testing.T) {
	h, k := newWeb(t)
	k.Post(t, origintest.Main, "u", `</script><script>alert("x")</script> & 世界`)
	door := ask(t, h, "GET", "/", "")
	page := text(t, door)
	if door.StatusCode != 200 || !strings.Contains(page, `name="password"`) || strings.Contains(page, "ann") {
		t.Errorf("without a session: %s %s", door.Status, page)
	}
	checkPolicy(t, door, page, 1)

	resp := ask(t, h, "GET", "/app/acme/main", "", "Cookie", signIn(t, h))
	page = text(t, resp)
	checkPolicy(t, resp, page, 2)
	if strings.Contains(page, "<script>alert") {
		t.Error("a message became part of the page")
	}
	state := regexp.MustCompile(`(?s)<script type="application/json" id="state">(.*?)</script>`).FindStringSubmatch(page)
	if state == nil {
		t.Fatalf("no state in %s", page)
	}
	var s struct {
		Flow     struct{ ID chat.FlowID }
		Flows    []struct{ Name string }
		Messages []struct{ Content string }
		Cursor   string
	}
	if err := json.Unmarshal([]byte(state[1]), &s); err != nil {
		t.Fatalf("%s: %v", state[1], err)
	}
	cursor, err := chat.ParseCursor(s.Cursor)
	if err != nil || cursor[origintest.Main] != 1 || s.Flow.ID != origintest.Main || len(s.Flows) != 2 {
		t.Errorf("state %+v, %v", s, err)
	}
	if len(s.Messages) != 1 || s.Messages[0].Content != `</script><script>alert("x")</script> & 世界` {
		t.Errorf("messages %+v", s.Messages)
	}
}

func TestSignInAndOut(t *testing.T) {
	h, _ := newWeb(t)
	wrong := ask(t, h, "POST", "/session", "email=%3Cb%3E@acme.test&password=x")
	if page := text(t, wrong); wrong.StatusCode != 401 || len(wrong.Cookies()) != 0 || !strings.Contains(page, "do not match") || !strings.Contains(page, "&lt;b&gt;@acme.test") {
		t.Errorf("wrong password: %s %s", wrong.Status, page)
	}
	cookie := signIn(t, h)
	for path, want := range map[string]int{"/": 200, "/app/acme/closed": 200, "/app/acme/none": 404, "/app/rival/main": 404} {
		resp := ask(t, h, "GET", path, "", "Cookie", cookie)
		if page := text(t, resp); resp.StatusCode != want || want == 404 && strings.Contains(page, "Rival") {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	if resp := ask(t, h, "POST", "/session/end", "", "Cookie", cookie, "Sec-Fetch-Site", "same-origin"); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("sign-out: %s", resp.Status)
	}
	if page := text(t, ask(t, h, "GET", "/", "", "Cookie", cookie)); !strings.Contains(page, `name="password"`) {
		t.Error("the session goes on after sign-out")
	}
}

func TestSignOutEndsOnlySessions(t *testing.T) {
	h, k := newWeb(t)
	ask(t, h, "POST", "/session/end", "", "Cookie", auth.SessionCookie+"="+origintest.Ann)
	if _, err := k.Auth.Token(t.Context(), origintest.Ann); err != nil {
		t.Errorf("a token that came as a session: %v", err)
	}
}

func TestOtherSitesCannotSignAnybodyIn(t *testing.T) {
	h, _ := newWeb(t)
	for _, path := range []string{"/session", "/session/end"} {
		for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.test"}} {
			if resp := ask(t, h, "POST", path, credentials, header...); resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) != 0 {
				t.Errorf("POST %s with %v: %s", path, header, resp.Status)
			}
		}
	}
}
