package origin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gorilla/websocket"
)

// TestSignOutClosesWhatTheSessionHasOpen signs in as a browser does.
func TestSignOutClosesWhatTheSessionHasOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		form := url.Values{"email": {w.email}, "password": {w.password}}.Encode()
		resp, err := w.client.Post("http://chat.test/session", "application/x-www-form-urlencoded", strings.NewReader(form))
		if err != nil || len(resp.Cookies()) != 1 {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
		session := http.Header{"Cookie": {resp.Cookies()[0].Name + "=" + resp.Cookies()[0].Value}}

		d := websocket.Dialer{NetDialContext: w.host.Dial}
		ws, _, err := d.DialContext(t.Context(), "ws://chat.test/ws", session)
		if err != nil {
			t.Fatal(err)
		}
		defer ws.Close()
		var ready struct{ T string }
		if err := ws.WriteJSON(map[string]string{"t": "hello"}); err != nil {
			t.Fatal(err)
		}
		if err := ws.ReadJSON(&ready); err != nil || ready.T != "ready" {
			t.Fatal(ready, err)
		}
		end, err := http.NewRequestWithContext(t.Context(), "POST", "http://chat.test/session/end", nil)
		if err != nil {
			t.Fatal(err)
		}
		end.Header = session
		if resp, err = w.client.Do(end); err != nil || resp.StatusCode != http.StatusSeeOther {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
		for err == nil {
			_, _, err = ws.ReadMessage()
		}
		if !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
			t.Errorf("the socket ended with %v", err)
		}
	})
}
