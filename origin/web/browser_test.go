package web_test

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"landfall/origin/chat"
	"landfall/origin/origintest"
)

// TestPageTellsOutsidersFromMembers looks at the page in a browser.
func TestPageTellsOutsidersFromMembers(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil || testing.Short() {
		t.Skip("needs chromium, and seconds")
	}
	h, k := newWeb(t)
	k.Post(t, origintest.Main, "u1", "I am Ann")
	if _, _, err := k.Backend.Post(t.Context(), chat.Draft{Flow: origintest.Main, By: 2, Kind: chat.KindMessage, Content: "I am not", External: "ann"}); err != nil {
		t.Fatal(err)
	}
	cookie := signIn(t, h)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Cookie", cookie)
		h.ServeHTTP(w, r)
	}))
	defer s.Close()
	page, err := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(), "--dump-dom", s.URL+"/app/acme/main").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(page), "<li")
	for text, outside := range map[string]bool{"I am Ann": false, "I am not": true} {
		found := false
		for _, line := range lines {
			if strings.Contains(line, text+"</span>") {
				found = true
				if strings.Contains(line, `class="outside"`) != outside {
					t.Errorf("%s: %s", text, line)
				}
			}
		}
		if !found {
			t.Errorf("%q is not on the page: %s", text, page)
		}
	}
}
