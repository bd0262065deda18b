package socket_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"landfall/origin/auth"
	"landfall/origin/origintest"
)

func TestWhoMayEnter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		cookie, err := r.Auth.Begin(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		session := auth.SessionCookie + "=" + cookie.Value
		for _, test := range []struct {
			name, query string
			header      http.Header
			hello       string
			status      int // of the handshake
			frame       string
		}{
			{"cookie of our page", "", http.Header{"Cookie": {session}, "Origin": {"http://chat.landfall.test"}}, `{"t":"hello"}`, 101, "ready"},
			{"cookie, but another page", "", http.Header{"Cookie": {session}, "Origin": {"https://evil.test"}}, "", 403, ""},
			{"Bearer", "", http.Header{"Authorization": {"Bearer " + origintest.Bob}}, `{"t":"hello"}`, 101, "ready"},
			{"query", "?access_token=" + origintest.Bob, nil, `{"t":"hello"}`, 101, "ready"},
			{"hello", "", nil, `{"t":"hello","token":"` + origintest.Bob + `"}`, 101, "ready"},
			{"nothing", "", nil, `{"t":"hello"}`, 101, "error"},
			{"wrong token", "", nil, `{"t":"hello","token":"x"}`, 101, "error"},
			{"session as a token", "", nil, `{"t":"hello","token":"` + cookie.Value + `"}`, 101, "error"},
			{"flow of others", "", nil, `{"t":"hello","token":"` + origintest.Bob + `","filter":["rival/main"]}`, 101, "error"},
			{"bad cursor", "", nil, `{"t":"hello","token":"` + origintest.Bob + `","cursor":"junk"}`, 101, "error"},
			{"no hello", "", nil, `{"t":"send","content":"x"}`, 101, "error"},
		} {
			ws, resp := r.dial(t, test.query, test.header)
			if resp.StatusCode != test.status {
				t.Errorf("%s: handshake %s", test.name, resp.Status)
			}
			if ws == nil {
				continue
			}
			say(t, ws, test.hello)
			a := hear(t, ws)
			if a.T != test.frame {
				t.Errorf("%s: %+v", test.name, a)
			}
			if a.T == "error" {
				_, _, err := ws.ReadMessage()
				if !websocket.IsCloseError(err, websocket.ClosePolicyViolation, websocket.CloseInvalidFramePayloadData) {
					t.Errorf("%s: ended with %v", test.name, err)
				}
			}
			ws.Close()
		}
		start := time.Now()
		silent, _ := r.dial(t, "", nil)
		if _, _, err := silent.ReadMessage(); err == nil || time.Since(start) > 15*time.Second {
			t.Errorf("who never says hello stays for %v: %v", time.Since(start), err)
		}
	})
}

// TestFramesOfWhoIsNotLetInDoNothing drops a token without telling anybody.
func TestFramesOfWhoIsNotLetInDoNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ws, _ := r.enter(t, origintest.Bob, "")
		if err := r.Accounts.DropToken(t.Context(), auth.HashToken(origintest.Bob)); err != nil {
			t.Fatal(err)
		}
		say(t, ws, `{"t":"send","uuid":"u","flow":"acme/main","content":"x"}`)
		var err error
		for err == nil {
			var a answer
			if err = ws.ReadJSON(&a); err == nil && (a.T == "ack" || a.T == "ev") {
				t.Errorf("heard %+v", a)
			}
		}
		if !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
			t.Errorf("ended with %v", err)
		}
		if _, err := r.Log.Find(t.Context(), origintest.Main, "u"); err == nil {
			t.Error("the message was posted")
		}
	})
}
