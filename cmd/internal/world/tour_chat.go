package world

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"landfall/mesh/wan"
)

// visit is the client's use of the service one way.
type visit struct {
	tour   *tour
	way    way
	warm   *http.Client  // its connection stays open from step to step
	stream io.ReadCloser // nil until receive has opened it
	lines  *bufio.Scanner
}

func (t *tour) visit(w way) *visit { return &visit{tour: t, way: w, warm: t.browser(w)} }

func (v *visit) leave() {
	if v.stream != nil {
		v.stream.Close()
	}
	v.warm.CloseIdleConnections()
}

// browser is a client with nothing cached that reaches the service one way.
func (t *tour) browser(w way) *http.Client {
	d := &wan.Dialer{Network: t.world.ocean, From: clientSite}
	return t.world.client(w.addr, d.DialContext)
}

func (v *visit) coldPage(ctx context.Context) (time.Duration, error) {
	c := v.tour.browser(v.way)
	defer c.CloseIdleConnections()
	return v.tour.page(ctx, c)
}

func (v *visit) page(ctx context.Context) (time.Duration, error) { return v.tour.page(ctx, v.warm) }

func (v *visit) post(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	err := v.tour.say(ctx, v.warm, rand.Text(), "hello from New York")
	return time.Since(start), err
}

// serverTime is the page on a warm connection to the origin's own edge, with
// no distance anywhere.
func (t *tour) serverTime(ctx context.Context) (time.Duration, error) {
	c := t.world.client(t.straight.addr, nil)
	defer c.CloseIdleConnections()
	var all []time.Duration
	for round := range tourRounds + 1 {
		d, err := t.page(ctx, c)
		if err != nil {
			return 0, err
		}
		if round > 0 {
			all = append(all, d)
		}
	}
	return median(all), nil
}

// page loads the chat's page and returns how long that took, to the last byte.
func (t *tour) page(ctx context.Context, c *http.Client) (time.Duration, error) {
	start := time.Now()
	body, err := t.do(ctx, c, http.MethodGet, "/", nil)
	took := time.Since(start)
	if err == nil && !strings.Contains(string(body), "<title>") {
		err = fmt.Errorf("GET /: not a page: %.60q", body)
	}
	return took, err
}

// say posts a message under a uuid.
func (t *tour) say(ctx context.Context, c *http.Client, uuid, text string) error {
	body, err := t.do(ctx, c, http.MethodPost, "/flows/"+t.world.First.Tour+"/messages",
		url.Values{"event": {"message"}, "content": {text}, "uuid": {uuid}})
	if err != nil {
		return err
	}
	var m struct {
		UUID string `json:"uuid"`
	}
	if err := json.Unmarshal(body, &m); err != nil || m.UUID != uuid {
		return fmt.Errorf("post: the answer is not the message: %.100q", body)
	}
	return nil
}

// receive waits on an open stream for a message that somebody posts next to
// the origin, and returns the time from there to here.
func (v *visit) receive(ctx context.Context) (time.Duration, error) {
	t := v.tour
	if err := v.listen(ctx); err != nil {
		return 0, err
	}
	uuid := rand.Text()
	said := make(chan error, 1)
	start := time.Now()
	go func() { said <- t.say(ctx, t.neighbour, uuid, "hello from Frankfurt") }()
	late := time.AfterFunc(stepTimeout, func() { v.stream.Close() })
	defer late.Stop()
	at, err := arrival(v.lines, uuid)
	if err != nil {
		return 0, errors.Join(<-said, fmt.Errorf("stream: %w", err))
	}
	return at.Sub(start), <-said
}

// listen opens the stream that messages come on, once.
func (v *visit) listen(ctx context.Context) error {
	if v.stream != nil {
		return nil
	}
	resp, err := v.tour.send(ctx, v.warm, http.MethodGet, "/stream/flows?filter="+url.QueryEscape(v.tour.world.First.Tour), nil)
	if err != nil {
		return err
	}
	v.stream, v.lines = resp.Body, bufio.NewScanner(resp.Body)
	return nil
}

// arrival is when the message with a uuid came over a JSON stream.
func arrival(lines *bufio.Scanner, uuid string) (time.Time, error) {
	for lines.Scan() {
		at := time.Now()
		if strings.TrimSpace(lines.Text()) == "" {
			continue // keep-alive
		}
		var m struct {
			UUID string `json:"uuid"`
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return time.Time{}, fmt.Errorf("not a message: %w", err)
		}
		if m.UUID == uuid {
			return at, nil
		}
	}
	return time.Time{}, cmp.Or(lines.Err(), io.ErrUnexpectedEOF)
}

// stepTimeout is how long any one step may take.
const stepTimeout = 10 * time.Second

// send asks the service as the first user; it fails on any answer but 2xx.
func (t *tour) send(ctx context.Context, c *http.Client, method, path string, form url.Values) (*http.Response, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, t.world.URL(t.host)+path, body)
	if err != nil {
		return nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if path != "/" {
		req.SetBasicAuth(t.world.First.Token, "")
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		resp.Body.Close()
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, strings.TrimSpace(string(why)))
	}
	return resp, nil
}

func (t *tour) do(ctx context.Context, c *http.Client, method, path string, form url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	resp, err := t.send(ctx, c, method, path, form)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return body, nil
}
