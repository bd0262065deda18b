package api_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"landfall/origin/chat"
	"landfall/origin/origintest"
)

func TestOtherSitesCannotUseRememberedCredentials(t *testing.T) {
	a, k := newAPI(t)
	const post = "/flows/acme/main/messages?content=x"
	for _, test := range []struct {
		name, method, site, mode string
		want                     int
	}{
		{"form of another site", "POST", "cross-site", "navigate", 403},
		{"form of a sibling", "POST", "same-site", "navigate", 403},
		{"request without cors", "POST", "cross-site", "no-cors", 403},
		{"script with its own token", "POST", "cross-site", "cors", 201},
		{"our own page", "POST", "same-origin", "navigate", 201},
		{"a program", "POST", "", "", 201},
		{"reading", "GET", "cross-site", "navigate", 200},
	} {
		if status, body := as(t, a, origintest.Ann, test.method, post, "Sec-Fetch-Site", test.site, "Sec-Fetch-Mode", test.mode); status != test.want {
			t.Errorf("%s: %d %s", test.name, status, body)
		}
	}
	if heads, err := k.Log.Heads(t.Context(), []chat.FlowID{origintest.Main}); err != nil || heads[origintest.Main] != 3 {
		t.Errorf("the log has %v, %v", heads, err)
	}
}

func TestBrowsersAreNotChallenged(t *testing.T) {
	a, _ := newAPI(t)
	for site, want := range map[string]string{"": `Basic realm="Flowdock API"`, "none": "", "cross-site": ""} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/user", nil)
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if got := w.Header().Get("WWW-Authenticate"); w.Code != http.StatusUnauthorized || got != want {
			t.Errorf("site %q: %d, challenge %q", site, w.Code, got)
		}
	}
}
