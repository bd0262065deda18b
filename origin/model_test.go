package origin_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"landfall/origin"
	"landfall/origin/chat"
	"landfall/origin/origintest"
)

// TestEveryWayOutGivesTheSameSequence lets writers do anything at random, and
// readers on every way out come and go with their cursors. All of them must
// see the same events, each once and in order. That the bubble ends shows
// that no goroutine is left.
func TestEveryWayOutGivesTheSameSequence(t *testing.T) {
	seeds, deeds := uint64(3), 150
	switch {
	case testing.Short():
		seeds, deeds = 1, 25
	case os.Getenv("LANDFALL_SOAK") == "1":
		seeds, deeds = 30, 250
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playModel(t, seed, deeds) })
		})
	}
}

func playModel(t *testing.T, seed uint64, deeds int) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	var reading, writing sync.WaitGroup
	var readers []*reader
	for i, way := range []way{
		{"json", jsonLines, false}, {"sse", serverSent, true}, {"sse too", serverSent, true},
		{"socket", webSocket, true}, {"socket too", webSocket, true}, {"poll", poll, true},
	} {
		r := &reader{way: way, cursor: chat.Cursor{}, seen: map[chat.FlowID][]string{}}
		for _, flow := range w.flows {
			r.cursor[flow] = 0
		}
		readers = append(readers, r)
		reading.Go(func() { r.follow(ctx, t, w, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	for i := range 4 {
		writing.Go(func() { w.write(t, rand.New(rand.NewPCG(seed, uint64(100+i))), i, deeds) })
	}
	writing.Wait()
	time.Sleep(1500 * time.Millisecond) // of the bubble: everybody has been there since
	cancel()
	reading.Wait()
	total := 0
	for _, flow := range w.flows {
		want := readers[0].seen[flow]
		total += len(want)
		for _, r := range readers[1:] {
			if !slices.Equal(r.seen[flow], want) {
				t.Errorf("flow %s: %s saw %d events, %s %d", flow, r.name, len(r.seen[flow]), readers[0].name, len(want))
			}
		}
	}
	if st := w.Stats(); total < deeds || uint64(total) != st.Posted+st.Changed+uint64(len(w.flows)) {
		t.Errorf("%d events were seen; stats %+v", total, st)
	}
}

// world is a server in a bubble.
type world struct {
	*origin.Server

	dir, token, email, password string

	flows  []chat.FlowID
	host   *origintest.Host
	client *http.Client
	end    func() // stops the server and waits for it
}

func newWorld(t *testing.T) *world {
	dir := t.TempDir()
	s := newServer(t, dir)
	c, _, err := s.EnsureFirst(t.Context(), origin.First{Flows: []string{"one", "two"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	end := func() { stop(); running.Wait() }
	t.Cleanup(end)
	w := &world{Server: s, dir: dir, end: end, token: c.Token, email: c.Email, password: c.Password, host: origintest.Serve(t.Context(), t, s.Handler())}
	w.client = w.host.Client(t)
	_, b, err := w.ask(t.Context(), "GET", "/flows")
	var flows []struct{ ID chat.FlowID }
	if err == nil {
		err = json.Unmarshal(b, &flows)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range flows {
		w.flows = append(w.flows, f.ID)
	}
	return w
}

// open sends a request.
func (w *world) open(ctx context.Context, method, target string, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://chat.test"+target, nil)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(w.token, "")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return w.client.Do(req)
}

// ask sends a request and reads the answer.
func (w *world) ask(ctx context.Context, method, target string) (int, []byte, error) {
	resp, err := w.open(ctx, method, target)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

// write does n random things, many of them twice.
func (w *world) write(t *testing.T, rnd *rand.Rand, writer, n int) {
	for i := range n {
		flow := "/flows/landfall/" + []string{"one", "two"}[rnd.IntN(2)] + "/messages"
		at := fmt.Sprintf("%s/%d", flow, 1+rnd.IntN(i+2))
		deeds := []string{
			fmt.Sprintf("POST %s?content=hello+%%40admin+%%23t%d&uuid=u%d-%d", flow, i, writer, i),
			fmt.Sprintf("POST %s?content=%s&uuid=v%d-%d", flow, strings.Repeat("x", rnd.IntN(5000)+1), writer, i),
			fmt.Sprintf("POST %s/comments?content=comment&uuid=c%d-%d", at, writer, i),
			fmt.Sprintf("PUT %s?content=edited+%d", at, i),
			fmt.Sprintf("PUT %s?tags=a,b%d", at, i),
			"DELETE " + at,
		}
		method, target, _ := strings.Cut(deeds[rnd.IntN(len(deeds))], " ")
		for range 1 + rnd.IntN(2) {
			status, b, err := w.ask(t.Context(), method, target)
			if err != nil || status >= 500 || status >= 400 && method == "POST" && !strings.Contains(target, "/comments") {
				t.Errorf("%s %.60s: %d %s, %v", method, target, status, b, err)
			}
		}
		time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond)
	}
}

// way is a way out of the chat: visit reads until ctx ends and hands over
// each event with the cursor after it, if the way has cursors.
type way struct {
	name    string
	visit   func(ctx context.Context, w *world, r *reader, got func(event []byte, cursor string)) error
	returns bool // the reader may leave and come back
}

// reader is a client with its place.
type reader struct {
	way

	cursor chat.Cursor
	seen   map[chat.FlowID][]string
}

// follow visits until ctx ends. What a reader sees is noted at once, and
// where it is with it, as a client with a database would do.
func (r *reader) follow(ctx context.Context, t *testing.T, w *world, rnd *rand.Rand) {
	for ctx.Err() == nil {
		visiting, leave := ctx, context.CancelFunc(func() {})
		if r.returns {
			visiting, leave = context.WithTimeout(ctx, time.Duration(1+rnd.IntN(400))*time.Millisecond)
		}
		err := r.visit(visiting, w, r, func(event []byte, cursor string) { r.note(t, event, cursor) })
		if visiting.Err() == nil {
			t.Errorf("%s: %v", r.name, err)
		}
		leave()
		time.Sleep(time.Duration(rnd.IntN(200)) * time.Millisecond)
	}
}

// note checks that an event is the next of its flow. What a message says may
// change; its number, kind and UUID do not.
func (r *reader) note(t *testing.T, event []byte, cursor string) {
	var m struct {
		ID          chat.Seq
		Flow        chat.FlowID
		Event, UUID string
	}
	if err := json.Unmarshal(event, &m); err != nil {
		t.Errorf("%s: %s: %v", r.name, event, err)
		return
	}
	r.seen[m.Flow] = append(r.seen[m.Flow], fmt.Sprint(m.ID, m.Event, m.UUID))
	if want := len(r.seen[m.Flow]); int(m.ID) != want {
		t.Errorf("%s: flow %s: got number %d, want %d", r.name, m.Flow, m.ID, want)
	}
	r.cursor[m.Flow] = m.ID
	if cursor != "" && cursor != r.cursor.String() {
		t.Errorf("%s: the cursor after %d is %s, want %s", r.name, m.ID, cursor, r.cursor)
	}
}

func jsonLines(ctx context.Context, w *world, r *reader, got func([]byte, string)) error {
	resp, err := w.open(ctx, "GET", "/stream/flows?cursor="+r.cursor.String())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for lines := bufio.NewReader(resp.Body); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return err
		}
		if event := bytes.TrimSpace(line); len(event) > 0 {
			got(event, "")
		}
	}
}

func serverSent(ctx context.Context, w *world, r *reader, got func([]byte, string)) error {
	resp, err := w.open(ctx, "GET", "/stream/flows", "Accept", "text/event-stream", "Last-Event-ID", r.cursor.String())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	id := ""
	for lines := bufio.NewReader(resp.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		if text, ok := strings.CutPrefix(line, "id: "); ok {
			id = strings.TrimSpace(text)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			got([]byte(data), id)
		}
	}
}

func webSocket(ctx context.Context, w *world, r *reader, got func([]byte, string)) error {
	d := websocket.Dialer{NetDialContext: w.host.Dial}
	ws, _, err := d.DialContext(ctx, "ws://chat.test/ws?access_token="+w.token, nil)
	if err != nil {
		return err
	}
	defer ws.Close()
	defer context.AfterFunc(ctx, func() { ws.Close() })()
	if err := ws.WriteJSON(map[string]any{"t": "hello", "cursor": r.cursor.String()}); err != nil {
		return err
	}
	for {
		var f struct {
			T, C string
			E    json.RawMessage
		}
		if err := ws.ReadJSON(&f); err != nil {
			return err
		}
		if f.T == "ev" {
			got(f.E, f.C)
		}
	}
}

// poll asks for messages again and again, as clients without streams do.
func poll(ctx context.Context, w *world, r *reader, got func([]byte, string)) error {
	names := []string{"one", "two"} // in the order of w.flows, which is by slug
	for i := 0; ctx.Err() == nil; i++ {
		target := fmt.Sprintf("/flows/landfall/%s/messages?sort=asc&limit=50&since_id=%d", names[i%2], r.cursor[w.flows[i%2]])
		_, b, err := w.ask(ctx, "GET", target)
		if err != nil {
			return err
		}
		var events []json.RawMessage
		if err := json.Unmarshal(b, &events); err != nil {
			return err
		}
		for _, e := range events {
			got(e, "")
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ctx.Err()
}
