package socket_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"landfall/origin/chat"
	"landfall/origin/origintest"
	"landfall/origin/socket"
)

// rig is a WebSocket server in a bubble.
type rig struct {
	*origintest.Kit

	handler *socket.Handler
	host    *origintest.Host
	stop    context.CancelFunc // ends all requests, as a server that stops does
}

func newRig(t *testing.T) *rig {
	k := origintest.New(t)
	h, err := socket.New(socket.Config{Auth: k.Auth, Backend: k.Backend})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	return &rig{Kit: k, handler: h, host: origintest.Serve(ctx, t, h), stop: stop}
}

// dial opens a WebSocket, or returns how it was refused.
func (r *rig) dial(t *testing.T, query string, header http.Header) (*websocket.Conn, *http.Response) {
	t.Helper()
	d := websocket.Dialer{NetDialContext: r.host.Dial}
	ws, resp, err := d.DialContext(t.Context(), "ws://chat.landfall.test/ws"+query, header)
	if err != nil && resp == nil {
		t.Fatal(err)
	}
	if ws != nil {
		t.Cleanup(func() { ws.Close() })
	}
	return ws, resp
}

// answer is any frame from the server.
type answer struct {
	T      string
	Cursor string
	Gap    int
	User   chat.UserID
	C      string
	E      struct {
		ID      chat.Seq
		UUID    string
		Event   chat.Kind
		Content json.RawMessage
	}
	UUID    string
	ID      chat.Seq
	Message string
	Errors  map[string][]string
	After   int
}

func say(t *testing.T, ws *websocket.Conn, frame string) {
	t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, ws *websocket.Conn) answer {
	t.Helper()
	_, b, err := ws.ReadMessage()
	if err != nil {
		t.Fatalf("connection broke off: %v", err)
	}
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatalf("frame %s: %v", b, err)
	}
	return a
}

// enter says hello as somebody and returns the connection with its ready
// frame.
func (r *rig) enter(t *testing.T, token, hello string) (*websocket.Conn, answer) {
	t.Helper()
	ws, _ := r.dial(t, "", nil)
	say(t, ws, fmt.Sprintf(`{"t":"hello","token":%q%s}`, token, hello))
	ready := hear(t, ws)
	if ready.T != "ready" {
		t.Fatalf("answer to hello: %+v", ready)
	}
	return ws, ready
}

func TestSendIsAcknowledgedAndHeardByAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ann, ready := r.enter(t, origintest.Ann, `,"filter":["acme/main"]`)
		bob, _ := r.enter(t, origintest.Bob, "")
		if ready.User != 1 || ready.Gap != 0 || ready.Cursor == "" {
			t.Errorf("ready %+v", ready)
		}
		for range 2 { // the second time is the same message
			say(t, ann, `{"t":"send","uuid":"u1","flow":"acme:main","content":"hello","tags":["x"],"unknown":{}}`)
		}
		var kinds []string
		for range 3 {
			a := hear(t, ann)
			if a.T == "ack" && (a.UUID != "u1" || a.ID != 1) || a.T == "ev" && (a.E.ID != 1 || a.E.UUID != "u1" || a.C == ready.Cursor) {
				t.Errorf("frame %+v", a)
			}
			kinds = append(kinds, a.T)
		}
		if slices.Sort(kinds); !slices.Equal(kinds, []string{"ack", "ack", "ev"}) {
			t.Errorf("frames %v", kinds)
		}
		if a := hear(t, bob); a.T != "ev" || a.E.ID != 1 || string(a.E.Content) != `"hello"` {
			t.Errorf("Bob hears %+v", a)
		}
	})
}

func TestResumeFromTheCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ws, _ := r.enter(t, origintest.Ann, `,"filter":["acme/main","acme/closed"]`)
		r.Post(t, origintest.Main, "a", "x")
		cursor := hear(t, ws).C
		ws.Close()
		for i := range 140 { // more than stays in memory
			r.Post(t, origintest.Main, fmt.Sprint("u", i), "x")
		}
		r.Post(t, origintest.Closed, "b", "x")
		ws, ready := r.enter(t, origintest.Ann, fmt.Sprintf(`,"cursor":%q,"filter":["acme/closed","acme/main"]`, cursor))
		if ready.Gap != 141 {
			t.Errorf("gap %d", ready.Gap)
		}
		next := chat.Seq(2)
		for range 141 {
			a := hear(t, ws)
			if a.E.UUID == "b" {
				continue
			}
			if a.E.ID != next {
				t.Fatalf("number %d, want %d", a.E.ID, next)
			}
			next++
		}
	})
}

// TestEventsShareWrites lets events come while the client does not read: the
// first is on its way by then, and the others go together.
func TestEventsShareWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ws, _ := r.enter(t, origintest.Ann, "")
		before := r.host.Writes()
		for i := range 11 {
			r.Post(t, origintest.Main, fmt.Sprint("u", i), "x")
			synctest.Wait()
		}
		if n := r.host.Writes() - before; n != 1 {
			t.Errorf("the first event after a silence: %d writes", n)
		}
		for range 11 {
			hear(t, ws)
		}
		if n := r.host.Writes() - before; n != 2 {
			t.Errorf("11 events took %d writes", n)
		}
	})
}

func TestFaultsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ws, _ := r.enter(t, origintest.Bob, "")
		for _, test := range []struct{ frame, kind, want string }{
			{`{"t":"send","uuid":"u","flow":"acme/main","content":" "}`, "nack", "content"},
			{`{"t":"send","uuid":"u","flow":"acme/closed","content":"x"}`, "nack", "Not found"},
			{`{"t":"send","uuid":"u","flow":"junk","content":"x"}`, "nack", "flow"},
			{`{"t":"seen","flow":"rival/main","id":1}`, "error", "Not found"},
			{`{"t":"typing","flow":"acme/closed"}`, "error", "Not found"},
			{`{"t":"dance"}`, "error", "not known"},
			{`{"flow":"x"}`, "error", "no type"},
			{`{"t":7}`, "error", "JSON"},
			{`nonsense`, "error", "JSON"},
			{"{\"t\":\"\xff\"}", "error", "UTF-8"},
		} {
			say(t, ws, test.frame)
			if a := hear(t, ws); a.T != test.kind || !strings.Contains(a.Message+fmt.Sprint(a.Errors), test.want) {
				t.Errorf("%s: %+v", test.frame, a)
			}
		}
		if err := ws.WriteMessage(websocket.BinaryMessage, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if a := hear(t, ws); a.T != "error" {
			t.Errorf("binary frame: %+v", a)
		}
	})
}

func TestTypingAndSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ann, ready := r.enter(t, origintest.Ann, `,"filter":["acme/main"]`)
		bob, _ := r.enter(t, origintest.Bob, "")
		for range 5 {
			say(t, bob, `{"t":"typing","flow":"acme/main"}`)
		}
		a := hear(t, ann)
		if a.E.Event != chat.KindActivity || a.C != ready.Cursor {
			t.Errorf("Ann hears %+v", a)
		}
		r.Post(t, origintest.Main, "u", "x")
		if a := hear(t, ann); a.E.ID != 1 { // and no more typing: it came too often
			t.Errorf("Ann hears %+v", a)
		}
		say(t, bob, `{"t":"seen","flow":"acme/main","id":1}`)
		say(t, bob, `{"t":"dance"}`)
		for a.T != "error" {
			a = hear(t, bob)
		}
		if moved, err := r.Accounts.Derive(t.Context(), origintest.Main, 0, 1, []chat.Mention{{Seq: 1, User: 2}}); err != nil || !moved {
			t.Fatal(moved, err)
		}
		if s, err := r.Accounts.Standing(t.Context(), 2, chat.FlowRef{ID: origintest.Main}); err != nil || s.Unread != 0 {
			t.Errorf("Bob has %d unread, %v", s.Unread, err)
		}
	})
}

func TestSocketsAreSentAwayWhenTheServerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ws, _ := r.enter(t, origintest.Ann, "")
		stuck, _ := r.enter(t, origintest.Bob, "") // reads nothing from here on
		defer stuck.Close()
		for i := range 5 {
			r.Post(t, origintest.Main, fmt.Sprint("u", i), strings.Repeat("x", 5000))
		}
		for range 5 {
			hear(t, ws)
		}
		start := time.Now()
		r.stop()
		if a := hear(t, ws); a.T != "moved" || a.After < 0 || a.After > 10_000 {
			t.Errorf("last frame %+v", a)
		}
		if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
			t.Errorf("ended with %v", err)
		}
		for r.handler.Stats().Open > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		if d := time.Since(start); d > 500*time.Millisecond {
			t.Errorf("sockets ended after %v", d)
		}
	})
}

func TestSlowSocketIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ws, _ := r.enter(t, origintest.Ann, "")
		synctest.Wait()
		for i := range 80 {
			r.Post(t, origintest.Main, fmt.Sprint("u", i), strings.Repeat("x", 8000))
		}
		time.Sleep(time.Second)
		if n := r.handler.Stats().Open; n != 0 {
			t.Errorf("%d sockets open", n)
		}
		ws.Close()
	})
}

func TestQuietSocketLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ws, _ := r.enter(t, origintest.Ann, "")
		heard := make(chan answer)
		go func() {
			_, b, err := ws.ReadMessage() // answers pings meanwhile
			var a answer
			if err == nil {
				err = json.Unmarshal(b, &a)
			}
			if err != nil {
				t.Errorf("connection broke off: %v", err)
			}
			heard <- a
		}()
		time.Sleep(8 * time.Hour)
		r.Post(t, origintest.Main, "u", "x")
		if a := <-heard; a.E.ID != 1 {
			t.Errorf("heard %+v", a)
		}
	})
}

func TestDeadSocketIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ws, _ := r.enter(t, origintest.Ann, "")
		time.Sleep(2 * time.Minute) // the client does not even answer pings
		if n := r.handler.Stats().Open; n != 0 {
			t.Errorf("%d sockets open", n)
		}
		ws.Close()
	})
}
