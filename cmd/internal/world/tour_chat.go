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
)

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

// post posts a message over a connection that is open already.
func (t *tour) post(ctx context.Context, w way) (time.Duration, error) {
	c := t.client(w)
	defer c.CloseIdleConnections()
	if _, err := t.page(ctx, c); err != nil {
		return 0, err
	}
	start := time.Now()
	err := t.say(ctx, c, rand.Text(), "hello from New York")
	return time.Since(start), err
}

// say posts a message under a uuid.
func (t *tour) say(ctx context.Context, c *http.Client, uuid, text string) error {
	body, err := t.do(ctx, c, http.MethodPost, "/flows/"+t.world.First.Flow+"/messages",
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
func (t *tour) receive(ctx context.Context, w way) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c := t.client(w)
	defer c.CloseIdleConnections()
	resp, err := t.send(ctx, c, http.MethodGet, "/stream/flows?filter="+url.QueryEscape(t.world.First.Flow), nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	neighbour := t.world.client(t.straight.addr, nil)
	defer neighbour.CloseIdleConnections()
	if _, err := t.page(ctx, neighbour); err != nil {
		return 0, err
	}
	uuid := rand.Text()
	said := make(chan error, 1)
	start := time.Now()
	go func() { said <- t.say(ctx, neighbour, uuid, "hello from Frankfurt") }()
	at, err := arrival(resp.Body, uuid)
	if err != nil {
		cancel()
		return 0, errors.Join(<-said, fmt.Errorf("stream: %w", err))
	}
	return at.Sub(start), <-said
}

// arrival is when the message with a uuid came over a JSON stream.
func arrival(stream io.Reader, uuid string) (time.Time, error) {
	lines := bufio.NewScanner(stream)
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
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
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
