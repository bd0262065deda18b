package stream_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall/origin/auth"
	"landfall/origin/chat"
	"landfall/origin/origintest"
	"landfall/origin/stream"
)

// rig is a stream server in a bubble.
type rig struct {
	*origintest.Kit

	handler *stream.Handler
	client  *http.Client
	stop    context.CancelFunc // ends all requests, as a server that stops does
}

func newRig(t *testing.T) *rig {
	k := origintest.New(t)
	h, err := stream.New(stream.Config{Auth: k.Auth, Backend: k.Backend})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	host := origintest.Serve(ctx, t, h)
	return &rig{Kit: k, handler: h, client: host.Client(t), stop: stop}
}

// get opens a stream as Ann.
func (r *rig) get(t *testing.T, target string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://stream.landfall.test"+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(origintest.Ann, "undefined")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// sse are the fields of the next server-sent event, comments included.
func sse(t *testing.T, r *bufio.Reader) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("stream broke off: %v", err)
		}
		if line == "\n" {
			return fields
		}
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if !ok {
			t.Fatalf("line %q", line)
		}
		fields[name] = strings.TrimPrefix(value, " ")
	}
}

func number(t *testing.T, message string) chat.Seq {
	t.Helper()
	var m struct{ ID chat.Seq }
	if err := json.Unmarshal([]byte(message), &m); err != nil {
		t.Fatalf("%q: %v", message, err)
	}
	return m.ID
}

func TestJSONLinesAsClientsSplitThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		resp := r.get(t, "/flows?filter=acme%2Fmain")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" || resp.Header.Get("Flowdock-User") != "1" {
			t.Fatalf("%s %v", resp.Status, resp.Header)
		}
		r.Post(t, origintest.Main, "a", "line\r\nbreaks, 世界 & <b>")
		body := bufio.NewReader(resp.Body)
		line, err := body.ReadString('\n')
		if err != nil || !strings.HasSuffix(line, "}\r\n") || !strings.Contains(line, `"content":"line\r\nbreaks, 世界 & <b>"`) {
			t.Errorf("line %q, %v", line, err)
		}
		start := time.Now()
		for range 3 {
			if line, err = body.ReadString('\n'); err != nil || line != "\n" {
				t.Errorf("keep-alive %q, %v", line, err)
			}
		}
		if silence := time.Since(start) / 3; silence > 30*time.Second {
			t.Errorf("silent for %v", silence)
		}
	})
}

func TestServerSentEventsResumeWithoutAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Post(t, origintest.Main, "before", "before the stream")
		cursor := ""
		next := map[chat.FlowID]chat.Seq{origintest.Main: 2, origintest.Closed: 1}
		for visit := range 6 {
			header := []string{"Accept", "text/event-stream"}
			target := "/flows?filter=acme:main," + origintest.Closed.String()
			switch {
			case cursor != "" && visit%2 == 0:
				header = append(header, "Last-Event-ID", cursor)
			case cursor != "":
				target += "&last_event_id=" + cursor
			}
			resp := r.get(t, target, header...)
			body := bufio.NewReader(resp.Body)
			opening := sse(t, body)
			if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") || opening["id"] == "" || len(opening) != 1 {
				t.Fatalf("%s, opening %v", resp.Status, opening)
			}
			cursor = opening["id"]
			for i := range 5 { // two of them while nobody listens
				flow := []chat.FlowID{origintest.Main, origintest.Closed}[i%2]
				r.Post(t, flow, fmt.Sprintf("u%d-%d", visit, i), "x")
			}
			for range min(3+2*visit, 5) {
				e := sse(t, body)
				var m struct {
					ID   chat.Seq
					Flow chat.FlowID
				}
				if err := json.Unmarshal([]byte(e["data"]), &m); err != nil || len(e) != 2 || e["id"] == "" {
					t.Fatalf("event %v: %v", e, err)
				}
				if m.ID != next[m.Flow] {
					t.Fatalf("visit %d: flow %s has number %d, want %d", visit, m.Flow, m.ID, next[m.Flow])
				}
				next[m.Flow]++
				cursor = e["id"]
			}
			resp.Body.Close()
		}
		if next[origintest.Main] < 10 {
			t.Errorf("only got to %v", next)
		}
	})
}

func TestEphemeralEventsHaveNoID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		body := bufio.NewReader(r.get(t, "/flows/acme/main?accept=text/event-stream").Body)
		sse(t, body)
		if err := r.Backend.Type(t.Context(), origintest.Main, 2); err != nil {
			t.Fatal(err)
		}
		e := sse(t, body)
		if _, ok := e["id"]; ok || !strings.Contains(e["data"], `"event":"activity.user"`) {
			t.Errorf("event %v", e)
		}
		start := time.Now()
		if e := sse(t, body); len(e) != 1 || e[""] != "" {
			t.Errorf("keep-alive %v", e)
		}
		if silence := time.Since(start); silence > 30*time.Second {
			t.Errorf("silent for %v", silence)
		}
	})
}

func TestStreamsEndWhenTheServerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		body := r.get(t, "/flows").Body
		stuck := r.get(t, "/flows") // nobody reads it, so that a write hangs
		for i := range 5 {
			r.Post(t, origintest.Main, fmt.Sprint("u", i), strings.Repeat("x", 5000))
		}
		if n := r.handler.Stats().Open["json"]; n != 2 {
			t.Errorf("%d streams open", n)
		}
		start := time.Now()
		r.stop()
		if _, err := io.ReadAll(body); err != nil {
			t.Errorf("stream did not end in order: %v", err)
		}
		for r.handler.Stats().Open["json"] > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		if d := time.Since(start); d > 500*time.Millisecond {
			t.Errorf("streams ended after %v", d)
		}
		stuck.Body.Close()
	})
}

func TestSlowStreamIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		resp := r.get(t, "/flows/acme/main", "Accept", "text/event-stream")
		synctest.Wait()
		for i := range 80 {
			r.Post(t, origintest.Main, fmt.Sprint("u", i), strings.Repeat("x", 8000))
		}
		time.Sleep(time.Second)
		body := bufio.NewReader(resp.Body)
		var last string
		n := chat.Seq(0)
		for {
			line, err := body.ReadString('\n')
			if err != nil {
				break
			}
			if id, ok := strings.CutPrefix(line, "id: "); ok {
				last = strings.TrimSpace(id)
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				n = number(t, data)
			}
		}
		if n >= 80 || r.handler.Stats().Open["sse"] != 0 {
			t.Fatalf("the stream went on to %d", n)
		}
		cursor, err := chat.ParseCursor(last)
		if err != nil || cursor[origintest.Main] > n {
			t.Fatalf("cursor %v after %d, %v", cursor, n, err)
		}
		again := bufio.NewReader(r.get(t, "/flows/acme/main", "Accept", "text/event-stream", "Last-Event-ID", last).Body)
		sse(t, again)
		for want := cursor[origintest.Main] + 1; want <= 80; want++ {
			if got := number(t, sse(t, again)["data"]); got != want {
				t.Fatalf("resumed with %d, want %d", got, want)
			}
		}
	})
}

func TestStreamEndsWithItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		body := r.get(t, "/flows").Body
		if err := r.Accounts.DropToken(t.Context(), auth.HashToken(origintest.Ann)); err != nil {
			t.Fatal(err)
		}
		r.Backend.Doubt(t.Context(), 1)
		r.Post(t, origintest.Main, "u", "secret")
		if b, err := io.ReadAll(body); err != nil || strings.Contains(string(b), "secret") {
			t.Errorf("heard %s, %v", b, err)
		}
	})
}

func TestStreamsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for target, want := range map[string]int{
			"/flows?filter=rival/main":                     404,
			"/flows?filter=acme/main,rival:main":           404,
			"/flows?filter=" + origintest.Rival.String():   404,
			"/flows/rival/main":                            404,
			"/flows?filter=junk":                           400,
			"/flows?cursor=junk":                           400,
			"/flows?filter=acme/main&last_event_id=AQ0000": 400,
			"/messages": 404,
		} {
			resp := r.get(t, target)
			b, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != want || !strings.HasPrefix(string(b), `{"message":`) {
				t.Errorf("%s: %s %s", target, resp.Status, b)
			}
		}
		for name, token := range map[string]string{"403": origintest.Cid, "401": "wrong"} {
			resp := r.get(t, "/flows/acme/main", "Authorization", "Bearer "+token)
			if !strings.HasPrefix(resp.Status, name) {
				t.Errorf("token %s: %s", token, resp.Status)
			}
			resp.Body.Close()
		}
	})
}
