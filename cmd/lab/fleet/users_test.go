package fleet

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"landfall"
)

// users load everything from each continent, each through the edge there.
func (w *world) users() {
	for i, node := range w.joined() {
		w.run(Users()[i], func(w *world) {
			w.Parallel()
			u := user{w, Users()[i], node}
			w.must2(w.Named(w.ctx, node, u.name))
			w.run("lines", func(w *world) { w.Parallel(); user{w, u.name, u.near}.lines() })
			for _, host := range []string{App, "go." + Domain, Outside} {
				w.run(host, func(w *world) { w.Parallel(); user{w, u.name, u.near}.everything(host) })
			}
		})
	}
}

// user is somebody near a node.
type user struct {
	*world
	name string
	near landfall.NodeID
}

// everything is all that an application offers.
func (u user) everything(host string) {
	u.page(host)
	u.upload(host)
	u.socket(host)
	u.events(host)
	u.redirect(host)
}

// sees checks who the application takes the user for.
func (u user) sees(what, address string) {
	u.Helper()
	a, err := netip.ParseAddr(address)
	if err != nil || !slices.Contains(u.Host(u.name).Addresses, a) {
		u.Errorf("%s: %s is taken for %q", what, u.name, address)
	}
}

func (u user) page(host string) {
	v, _, err := u.Served(u.ctx, u.name, "https://"+host+"/")
	u.must(err)
	if !strings.Contains(string(v.Body), "behind Landfall") {
		u.Errorf("%s loads %s: %.200s", u.name, host, v.Body)
	}
	if !slices.Contains(u.On(u.near).Addresses, v.Edge) {
		u.Errorf("%s loads %s from %v, not from %s", u.name, host, v.Edge, u.near)
	}
}

// upload sends two megabytes.
func (u user) upload(host string) {
	client, err := u.Host(u.name).HTTPClient()
	u.must(err)
	const size = 2 << 20
	hash := sha256.New()
	req, err := http.NewRequestWithContext(u.ctx, http.MethodPost, "https://"+host+"/upload", io.TeeReader(io.LimitReader(rand.Reader, size), hash))
	u.must(err)
	resp, err := client.Do(req)
	u.must(err)
	defer resp.Body.Close()
	var got struct {
		Size            int64
		SHA256, Address string
	}
	u.must(json.NewDecoder(resp.Body).Decode(&got))
	if got.Size != size || got.SHA256 != hex.EncodeToString(hash.Sum(nil)) {
		u.Errorf("%s sends %s %d bytes, and what arrives is %+v", u.name, host, size, got)
	}
	u.sees("upload to "+host, got.Address)
}

func (u user) socket(host string) {
	trust, err := u.Host(u.name).TLS()
	u.must(err)
	d := websocket.Dialer{NetDialContext: u.Host(u.name).DialName, TLSClientConfig: trust, HandshakeTimeout: time.Minute}
	c, _, err := d.DialContext(u.ctx, "wss://"+host+"/echo", nil)
	u.must(err)
	defer c.Close()
	var me struct{ Address string }
	u.must(c.ReadJSON(&me))
	u.sees("WebSocket to "+host, me.Address)
	u.must(c.WriteMessage(websocket.TextMessage, []byte("ahoy")))
	if _, said, err := c.ReadMessage(); err != nil || string(said) != "ahoy" {
		u.Errorf("%s hears %q from %s, %v", u.name, said, host, err)
	}
}

// events reads two ticks of the clock while the answer is open.
func (u user) events(host string) {
	client, err := u.Host(u.name).HTTPClient()
	u.must(err)
	req, err := http.NewRequestWithContext(u.ctx, http.MethodGet, "https://"+host+"/clock", nil)
	u.must(err)
	resp, err := client.Do(req)
	u.must(err)
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for range 2 {
		line, err := lines.ReadString('\n')
		u.must(err)
		if _, err := time.Parse(time.RFC3339, strings.TrimSpace(strings.TrimPrefix(line, "data: "))); err != nil {
			u.Errorf("%s: event %q: %v", host, line, err)
		}
		u.must2(lines.ReadString('\n'))
	}
}

// redirect checks that plain HTTP only sends on to HTTPS.
func (u user) redirect(host string) {
	v, err := u.Visit(u.ctx, u.name, "http://"+host+"/a?b=c")
	u.must(err)
	if want := "https://" + host + "/a?b=c"; v.Status != http.StatusPermanentRedirect || v.Header.Get("Location") != want {
		u.Errorf("http://%s: %d to %q, want 308 to %s", host, v.Status, v.Header.Get("Location"), want)
	}
}

// lines speaks to the application that is no HTTP, by its name in the
// handshake on the port of HTTPS.
func (u user) lines() {
	const host = "lines." + Domain
	trust, err := u.Host(u.name).TLS()
	u.must(err)
	trust.ServerName = host
	c, err := u.Host(u.name).DialName(u.ctx, "tcp", host+":443")
	u.must(err)
	defer c.Close()
	t := tls.Client(c, trust)
	u.must(t.HandshakeContext(u.ctx))
	r := bufio.NewReader(t)
	hello, err := r.ReadString('\n')
	u.must(err)
	at, err := netip.ParseAddrPort(strings.TrimSpace(strings.TrimPrefix(hello, "hello ")))
	if err != nil {
		u.Errorf("%s says %q", host, hello)
	}
	u.sees("line to "+host, at.Addr().String())
	u.must2(fmt.Fprintln(t, "ahoy"))
	if said, err := r.ReadString('\n'); err != nil || said != "ahoy\n" {
		u.Errorf("%s repeats %q, %v", host, said, err)
	}
}
