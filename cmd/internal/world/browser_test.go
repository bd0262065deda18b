package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"landfall"
)

// browser is a real one, steered by the Chrome DevTools Protocol.
type browser struct {
	t    *testing.T
	conn *websocket.Conn
	next int
}

// open starts Chromium at a page of the world, as the guide tells users to,
// through the edge at an address.
func openBrowser(t *testing.T, w *World, edge netip.Addr, page string) *browser {
	t.Helper()
	pin, err := w.pin(edge)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--user-data-dir="+dir, "--remote-debugging-port=0", "--ignore-certificate-errors-spki-list="+pin,
		fmt.Sprintf("--host-resolver-rules=MAP *.%s %v", w.Map().Domain, edge), page)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (make deps installs it)", err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its children too
		cmd.Wait()
	})
	b := &browser{t: t}
	b.connect(dir, page)
	return b
}

// connect finds the page's debugging address and connects to it.
func (b *browser) connect(dir, page string) {
	b.t.Helper()
	var port string
	b.until("its debugging port", func() bool {
		said, err := os.ReadFile(filepath.Join(dir, "DevToolsActivePort"))
		port, _, _ = strings.Cut(string(said), "\n")
		return err == nil && port != ""
	})
	b.until("its page", func() bool {
		var targets []struct{ Type, URL, WebSocketDebuggerURL string }
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, "curl", "-s", "http://127.0.0.1:"+port+"/json/list").Output()
		if err != nil || json.Unmarshal(out, &targets) != nil {
			return false
		}
		for _, target := range targets {
			if target.Type == "page" && target.URL == page {
				b.conn, _, err = websocket.DefaultDialer.DialContext(b.t.Context(), target.WebSocketDebuggerURL, nil)
				return err == nil
			}
		}
		return false
	})
	b.t.Cleanup(func() { b.conn.Close() })
}

// until polls for something that the browser gives no event for.
func (b *browser) until(what string, ready func() bool) {
	b.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !ready(); <-tick.C {
		if time.Now().After(deadline) {
			b.t.Fatalf("the browser never showed %s; the page says: %s", what, b.said())
		}
	}
}

func (b *browser) said() string {
	if b.conn == nil {
		return "(not connected)"
	}
	text, err := b.eval(`document.body.innerText`)
	return fmt.Sprint(text, err)
}

// eval runs JavaScript in the page.
func (b *browser) eval(js string) (any, error) {
	b.next++
	ask := map[string]any{"id": b.next, "method": "Runtime.evaluate",
		"params": map[string]any{"expression": js, "returnByValue": true, "userGesture": true}}
	if err := b.conn.WriteJSON(ask); err != nil {
		return nil, err
	}
	for {
		var reply struct {
			ID     int
			Result struct {
				Result           struct{ Value any }
				ExceptionDetails *struct{ Text string }
			}
		}
		if err := b.conn.ReadJSON(&reply); err != nil {
			return nil, err
		}
		if reply.ID != b.next {
			continue // an event
		}
		if e := reply.Result.ExceptionDetails; e != nil {
			return nil, errors.New(e.Text)
		}
		return reply.Result.Result.Value, nil
	}
}

// do runs JavaScript that must work.
func (b *browser) do(js string) {
	b.t.Helper()
	if _, err := b.eval(js); err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
}

// sees waits until an expression is true.
func (b *browser) sees(what, js string) {
	b.t.Helper()
	b.until(what, func() bool { v, err := b.eval(js); return err == nil && v == true })
}

// signIn fills the form in as a user does.
func (b *browser) signIn(a Account) {
	b.t.Helper()
	b.sees("the sign-in form", `document.querySelector('input[name=email]') !== null`)
	b.do(fmt.Sprintf(`document.querySelector('input[name=email]').value = %q;
		document.querySelector('input[name=password]').value = %q;
		document.querySelector('form button').click()`, a.Email, a.Password))
	b.sees("the flow, connected", `document.querySelector('#composer') !== null && document.querySelector('#status').innerText.trim() === 'Live'`)
}

func (b *browser) write(text string) {
	b.t.Helper()
	b.do(fmt.Sprintf(`document.querySelector('#text').value = %q; document.querySelector('#composer button').click()`, text))
}

func (b *browser) seesMessage(text string) {
	b.t.Helper()
	b.sees("the message "+text, fmt.Sprintf(`document.querySelector('#log').innerText.includes(%q)`, text))
}

// TestTwoBrowsersTalk signs two browsers in, one in New York and one in
// Singapore, and lets each see what the other writes.
func TestTwoBrowsersTalk(t *testing.T) {
	if testing.Short() {
		t.Skip("two browsers are not short; make test runs them")
	}
	w := start(t)
	page := w.URL(w.chatHost()) + "/"
	at := func(id landfall.NodeID) *browser {
		n, _ := w.Map().Node(id)
		return openBrowser(t, w, n.Advertised[0], page)
	}
	nyc, sin := at("nyc1"), at("sin1")
	nyc.signIn(w.First)
	sin.signIn(w.First)
	nyc.write("good morning from New York")
	sin.seesMessage("good morning from New York")
	sin.write("good evening from Singapore")
	nyc.seesMessage("good evening from Singapore")
	sin.seesMessage("good evening from Singapore")
}
