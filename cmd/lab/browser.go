package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Browser is Chromium without a window, on a host, steered by the Chrome
// DevTools Protocol over a pair of pipes. One page is open in it.
type Browser struct {
	*Process
	to      *os.File
	session string

	mu      sync.Mutex
	next    int
	waiting map[int]chan reply // by number; nil once the browser is gone
}

// reply is what the browser says to a command.
type reply struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// StartBrowser starts Chromium (Debian: chromium) on the host. It trusts what
// the host trusts, asks the host's resolver, and keeps nothing of earlier runs.
func (h *Host) StartBrowser(ctx context.Context) (*Browser, error) {
	profile, err := os.MkdirTemp(filepath.Join(h.Dir(), "tmp"), "profile-")
	if err != nil {
		return nil, err
	}
	in, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	from, out, err := os.Pipe()
	if err != nil {
		to.Close()
		return nil, err
	}
	defer out.Close()
	p, err := h.Start(Program{
		Args: []string{"chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
			"--remote-debugging-pipe", "--user-data-dir=" + profile, "about:blank"},
		Files: []*os.File{in, out},
	})
	if err != nil {
		to.Close()
		from.Close()
		return nil, err
	}
	b := &Browser{Process: p, to: to, waiting: map[int]chan reply{}}
	h.Go(func() { b.listen(from) })
	if err := b.attach(ctx); err != nil {
		p.Kill()
		return nil, err
	}
	return b, nil
}

// listen hands replies to whoever waits for them, until the browser ends.
func (b *Browser) listen(from *os.File) {
	defer from.Close()
	defer b.to.Close()
	for r := bufio.NewReader(from); ; {
		text, err := r.ReadBytes(0)
		if err != nil {
			break
		}
		var said reply
		if json.Unmarshal(text[:len(text)-1], &said) != nil || said.ID == 0 {
			continue // an event
		}
		b.mu.Lock()
		wait := b.waiting[said.ID]
		delete(b.waiting, said.ID)
		b.mu.Unlock()
		if wait != nil {
			wait <- said
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, wait := range b.waiting {
		close(wait)
	}
	b.waiting = nil
}

// attach finds the page and opens a session with it.
func (b *Browser) attach(ctx context.Context) error {
	var found struct {
		TargetInfos []struct{ TargetID, Type string }
	}
	err := b.Until(ctx, "page", func(ctx context.Context) error {
		if err := b.call(ctx, "Target.getTargets", nil, &found); err != nil {
			return err
		}
		for _, t := range found.TargetInfos {
			if t.Type == "page" {
				found.TargetInfos[0] = t
				return nil
			}
		}
		return errors.New("no page is open")
	})
	if err != nil {
		return err
	}
	var opened struct{ SessionID string }
	err = b.call(ctx, "Target.attachToTarget", map[string]any{"targetId": found.TargetInfos[0].TargetID, "flatten": true}, &opened)
	if err != nil {
		return err
	}
	b.session = opened.SessionID
	return nil
}

// call sends a command and decodes the result.
func (b *Browser) call(ctx context.Context, method string, params, result any) error {
	wait := make(chan reply, 1)
	if err := b.send(method, params, wait); err != nil {
		return fmt.Errorf("browser: %s: %w", method, err)
	}
	select {
	case said, ok := <-wait:
		switch {
		case !ok:
			return fmt.Errorf("browser: %s: %w", method, io.ErrUnexpectedEOF)
		case said.Error != nil:
			return fmt.Errorf("browser: %s: %s", method, said.Error.Message)
		}
		return json.Unmarshal(said.Result, result)
	case <-ctx.Done():
		return fmt.Errorf("browser: %s: %w", method, ctx.Err())
	}
}

// send gives a command its number and writes it; the reply goes to wait.
func (b *Browser) send(method string, params any, wait chan reply) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == nil {
		return errors.New("it has ended")
	}
	b.next++
	text, err := json.Marshal(struct {
		ID        int    `json:"id"`
		Method    string `json:"method"`
		Params    any    `json:"params,omitempty"`
		SessionID string `json:"sessionId,omitempty"`
	}{b.next, method, params, b.session})
	if err != nil {
		return err
	}
	b.waiting[b.next] = wait
	_, err = b.to.Write(append(text, 0))
	return err
}

// Open goes to a page and returns when its document is there, and how long
// that took by the browser's clock, from before it asked for the name. A page
// that cannot be reached is an error in the browser's words, such as
// net::ERR_CONNECTION_REFUSED.
func (b *Browser) Open(ctx context.Context, url string) (time.Duration, error) {
	var went struct{ ErrorText string }
	if err := b.call(ctx, "Page.navigate", map[string]any{"url": url}, &went); err != nil {
		return 0, err
	}
	if went.ErrorText != "" {
		return 0, fmt.Errorf("browser: open %s: %s", url, went.ErrorText)
	}
	var ms float64
	err := b.Until(ctx, "document of "+url, func(ctx context.Context) error {
		v, err := b.Eval(ctx, `document.readyState === 'complete' ? performance.getEntriesByType('navigation')[0].responseEnd : 0`)
		if err != nil {
			return err
		}
		if ms, _ = v.(float64); ms == 0 {
			return errors.New("it is still loading")
		}
		return nil
	})
	return time.Duration(ms * float64(time.Millisecond)), err
}

// Eval runs JavaScript in the page and returns its value, as JSON has it; of
// a promise, what it comes to.
func (b *Browser) Eval(ctx context.Context, js string) (any, error) {
	var out struct {
		Result           struct{ Value any }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := b.call(ctx, "Runtime.evaluate", map[string]any{"expression": js, "returnByValue": true, "awaitPromise": true, "userGesture": true}, &out)
	if err != nil {
		return nil, err
	}
	if e := out.ExceptionDetails; e != nil {
		return nil, fmt.Errorf("browser: %s %s", e.Text, e.Exception.Description)
	}
	return out.Result.Value, nil
}
