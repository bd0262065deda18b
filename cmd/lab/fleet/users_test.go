package fleet

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"landfall"
)

// users load everything from each continent at once, each through the edge
// there.
func (w *world) users() {
	var all sync.WaitGroup
	for i, near := range w.joined() {
		u := user{w, Users()[i], near}
		if _, err := w.Named(w.ctx, near, u.name); err != nil {
			w.Fatal(err)
		}
		try := func(what string, do func(host string) error, host string) {
			all.Go(func() {
				if err := do(host); err != nil {
					w.Errorf("%s, %s of %s: %v", u.name, what, host, err)
				}
			})
		}
		for _, host := range []string{App, "go." + Domain, Outside} {
			try("page", u.page, host)
			try("upload", u.upload, host)
			try("WebSocket", u.socket, host)
			try("events", u.events, host)
			try("redirect", u.redirect, host)
		}
		try("lines", u.lines, "lines."+Domain)
	}
	all.Wait()
}

// user is somebody near a node.
type user struct {
	*world
	name string
	near landfall.NodeID
}

// is checks who the application takes the user for.
func (u user) is(address string) error {
	if a, err := netip.ParseAddr(address); err != nil || !slices.Contains(u.Host(u.name).Addresses, a) {
		return fmt.Errorf("the user is taken for %q", address)
	}
	return nil
}

func (u user) page(host string) error {
	v, _, err := u.Served(u.ctx, u.name, "https://"+host+"/")
	switch {
	case err != nil:
		return err
	case !strings.Contains(string(v.Body), "behind Landfall"):
		return fmt.Errorf("another page: %.200s", v.Body)
	case !slices.Contains(u.On(u.near).Addresses, v.Edge):
		return fmt.Errorf("it comes from %v, not from %s", v.Edge, u.near)
	}
	return nil
}

// request sends one as the user, who sees the page first: by then there is a
// certificate.
func (u user) request(method, host, path string, body io.Reader) (*http.Response, error) {
	if _, _, err := u.Served(u.ctx, u.name, "https://"+host+"/"); err != nil {
		return nil, err
	}
	client, err := u.Host(u.name).HTTPClient()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(u.ctx, method, "https://"+host+path, body)
	if err != nil {
		return nil, err
	}
	return client.Do(req)
}

// upload sends two megabytes.
func (u user) upload(host string) error {
	const size = 2 << 20
	hash := sha256.New()
	resp, err := u.request(http.MethodPost, host, "/upload", io.TeeReader(io.LimitReader(rand.Reader, size), hash))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var got struct {
		Size            int64
		SHA256, Address string
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return err
	}
	if got.Size != size || got.SHA256 != hex.EncodeToString(hash.Sum(nil)) {
		return fmt.Errorf("what arrives of %d bytes is %+v", size, got)
	}
	return u.is(got.Address)
}

func (u user) socket(host string) error {
	trust, err := u.Host(u.name).TLS()
	if err != nil {
		return err
	}
	if err := u.page(host); err != nil {
		return err
	}
	d := websocket.Dialer{NetDialContext: u.Host(u.name).DialName, TLSClientConfig: trust, HandshakeTimeout: time.Minute}
	c, _, err := d.DialContext(u.ctx, "wss://"+host+"/echo", nil)
	if err != nil {
		return err
	}
	defer c.Close()
	var me struct{ Address string }
	if err := errors.Join(c.ReadJSON(&me), c.WriteMessage(websocket.TextMessage, []byte("ahoy"))); err != nil {
		return err
	}
	if _, said, err := c.ReadMessage(); err != nil || string(said) != "ahoy" {
		return fmt.Errorf("the echo is %q, %v", said, err)
	}
	return u.is(me.Address)
}

// events reads two ticks of the clock while the answer is open.
func (u user) events(host string) error {
	resp, err := u.request(http.MethodGet, host, "/clock", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for ticks := 0; ticks < 2 && lines.Scan(); {
		if lines.Text() == "" {
			continue
		}
		if _, err := time.Parse(time.RFC3339, strings.TrimPrefix(lines.Text(), "data: ")); err != nil {
			return err
		}
		ticks++
	}
	return lines.Err()
}

// redirect checks that plain HTTP only sends on to HTTPS.
func (u user) redirect(host string) error {
	v, err := u.Visit(u.ctx, u.name, "http://"+host+"/a?b=c")
	if err != nil {
		return err
	}
	if want := "https://" + host + "/a?b=c"; v.Status != http.StatusPermanentRedirect || v.Header.Get("Location") != want {
		return fmt.Errorf("%d to %q, want 308 to %s", v.Status, v.Header.Get("Location"), want)
	}
	return nil
}

// lines speaks to the application that is no HTTP, by its name in the
// handshake on the port of HTTPS.
func (u user) lines(host string) error {
	trust, err := u.Host(u.name).TLS()
	if err != nil {
		return err
	}
	trust.ServerName = host
	var c *tls.Conn
	err = u.eventually(u.ctx, "a handshake", func(ctx context.Context) error {
		plain, err := u.Host(u.name).DialName(ctx, "tcp", host+":443")
		if err != nil {
			return err
		}
		c = tls.Client(plain, trust)
		if err = c.HandshakeContext(ctx); err != nil {
			plain.Close()
		}
		return err
	})
	if err != nil {
		return err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	hello, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	from, err := netip.ParseAddrPort(strings.TrimSpace(strings.TrimPrefix(hello, "hello ")))
	if err != nil {
		return fmt.Errorf("it says %q", hello)
	}
	if _, err := fmt.Fprintln(c, "ahoy"); err != nil {
		return err
	}
	if said, err := r.ReadString('\n'); err != nil || said != "ahoy\n" {
		return fmt.Errorf("it repeats %q, %v", said, err)
	}
	return u.is(from.Addr().String())
}
