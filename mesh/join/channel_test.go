package join

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

// called is a connection after its hello, and what the machine would say.
func called(t *testing.T, h *home, cfg Config) (*call, []byte) {
	t.Helper()
	h.must(cfg.complete())
	c, err := dial(t.Context(), cfg, "tcp4", cfg.Token.Endpoints[0])
	h.must(err)
	t.Cleanup(func() { c.conn.Close() })
	body, err := json.Marshal(cfg.request(standing{advertised: addrs("198.51.100.7")}))
	h.must(err)
	return c, body
}

// post says a body with a proof and returns the refusal.
func (c *call) post(t *testing.T, proof, body []byte) Code {
	t.Helper()
	head := http.Header{proofHeader: {base64.StdEncoding.EncodeToString(proof)}}
	c.conn.SetDeadline(time.Now().Add(joinTime))
	resp, answer, err := c.exchange(http.MethodPost, url.URL{Path: joinPath}, head, body, maxRefusal)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK {
		return ""
	}
	var r refusal
	if err := json.Unmarshal(answer, &r); err != nil || resp.StatusCode != statusOf(r.Code) {
		t.Fatalf("%d %s", resp.StatusCode, answer)
	}
	return r.Code
}

// A proof is for one channel, one nonce and one body.
func TestProofsCannotBeReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		token := h.invite("nyc1")
		cfg := newMachine(t).config(h, token)
		key := token.secret.key()
		one, body := called(t, h, cfg)
		good := key.prove(one.binding, one.hello.Nonce, body)
		other := bytes.Replace(body, []byte("198.51.100.7"), []byte("198.51.100.8"), 1)
		if bytes.Equal(body, other) {
			t.Fatal("the body was not changed")
		}
		for name, try := range map[string]func(c *call) Code{
			"on another channel": func(c *call) Code { return c.post(t, good, body) },
			"with the nonce of another channel": func(c *call) Code {
				return c.post(t, key.prove(c.binding, one.hello.Nonce, body), body)
			},
			"for another body": func(c *call) Code {
				return c.post(t, key.prove(c.binding, c.hello.Nonce, body), other)
			},
			"with another secret": func(c *call) Code {
				return c.post(t, newSecret().key().prove(c.binding, c.hello.Nonce, body), body)
			},
			"without any": func(c *call) Code { return c.post(t, nil, body) },
		} {
			c, _ := called(t, h, cfg)
			if got := try(c); got != CodeUnknown {
				t.Errorf("%s: %q", name, got)
			}
		}
		if n := h.node("nyc1"); n.State != landfall.Invited {
			t.Errorf("node is %s", n.State)
		}
		if got := one.post(t, good, body); got != "" {
			t.Errorf("as it was meant: %q", got)
		}
		if _, _, err := one.exchange(http.MethodPost, url.URL{Path: joinPath}, nil, body, maxRefusal); err == nil {
			t.Error("a second request on the connection was answered")
		}
	})
}

// Who has proved nothing learns nothing, not even by the time it takes.
func TestStrangersCannotTellWhoIsInvited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, srv := newHome(t), newMachine(t)
		h.invite("nyc1")
		used := h.invite("nyc2")
		if _, err := srv.join(h, used); err != nil {
			t.Fatal(err)
		}
		said := map[string]bool{}
		for _, node := range []landfall.NodeID{"nyc1", "nyc2", "fra1", "nobody"} {
			cfg := newMachine(t).config(h, Token{
				Network: "shop", Node: node, Key: h.key.Public(),
				Expires: time.Now().Add(time.Minute), Endpoints: []string{"192.0.2.1:443"}, secret: newSecret(),
			})
			c, body := called(t, h, cfg)
			start := time.Now()
			_, err := c.join(t.Context(), cfg.Token, body)
			if code(err) != CodeUnknown || time.Since(start) != unprovenDelay {
				t.Errorf("%s: %v after %v", node, err, time.Since(start))
			}
			said[strings.Replace(err.Error(), string(node), "NODE", 1)] = true
		}
		if len(said) != 1 {
			t.Errorf("told apart: %v", said)
		}
	})
}

// middle ends TLS on both sides and passes on what is said.
func middle(t *testing.T, h *home, near net.Conn) {
	server, err := NewServer(ServerConfig{Book: h.book, Key: h.key})
	h.must(err)
	victim := tls.Server(near, server.TLS())
	far := tls.Client(h.connect(outside, outside, "192.0.2.1:443"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{ALPN}})
	h.work.Go(func() { io.Copy(far, victim); far.Close() })
	h.work.Go(func() { io.Copy(victim, far); victim.Close() })
}

func TestNobodySitsInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		cfg := newMachine(t).config(h, h.invite("nyc1"))
		cfg.Dial = func(_ context.Context, network, _ string) (net.Conn, error) {
			if network != "tcp4" {
				return nil, net.ErrClosed
			}
			a, b := net.Pipe()
			middle(t, h, b)
			return a, nil
		}
		if _, err := Join(t.Context(), cfg); code(err) != CodeNetwork || !strings.Contains(err.Error(), "sits in between") {
			t.Errorf("join: %v", err)
		}
		if h.server.Stats().Hellos != 1 {
			t.Error("the one in the middle got no hello to pass on")
		}
		if n := h.node("nyc1"); n.State != landfall.Invited {
			t.Errorf("node is %s", n.State)
		}
	})
}

func TestConversationKeepsItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		cfg := newMachine(t).config(h, h.invite("nyc1"))
		c, body := called(t, h, cfg)
		if _, answer, err := c.exchange(http.MethodGet, url.URL{Path: helloPath, RawQuery: "node=nyc1"}, nil, nil, maxRefusal); err != nil || !bytes.Contains(answer, []byte(CodeRequest)) {
			t.Errorf("a second hello: %s, %v", answer, err)
		}
		raw := tls.Client(h.connect(outside, outside, "192.0.2.1:443"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{ALPN}})
		defer raw.Close()
		h.must(raw.HandshakeContext(t.Context()))
		early := &call{conn: raw, in: c.in, endpoint: "192.0.2.1:443"}
		early.in.Reset(raw)
		if got := early.post(t, nil, body); got != CodeRequest {
			t.Errorf("a request before the hello: %q", got)
		}
	})
}

func TestOnlyItsOwnProtocolIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		for name, cfg := range map[string]*tls.Config{
			"no protocol":      {},
			"another protocol": {NextProtos: []string{"h2"}},
			"TLS 1.2":          {NextProtos: []string{ALPN}, MaxVersion: tls.VersionTLS12},
		} {
			cfg.InsecureSkipVerify = true
			c := tls.Client(h.connect(outside, outside, "192.0.2.1:443"), cfg)
			err := c.HandshakeContext(t.Context())
			if err == nil {
				_, err = io.WriteString(c, "GET /hello?node=nyc1 HTTP/1.1\r\nHost: x\r\n\r\n")
			}
			if err == nil {
				var n int
				if n, err = c.Read(make([]byte, 1)); n > 0 {
					t.Errorf("%s: answered", name)
				}
			}
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			c.Close()
		}
	})
}

func TestCrowdsAreTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		cfg := newMachine(t).config(h, h.invite("nyc1"))
		h.must(cfg.complete())
		for range maxOpenEach {
			called(t, h, cfg)
		}
		_, err := dial(t.Context(), cfg, "tcp4", "192.0.2.1:443")
		if err == nil || !strings.Contains(err.Error(), "try again in a minute") || strings.Contains(err.Error(), "attempts") {
			t.Errorf("one too many: %v", err)
		}
		if s := h.server.Stats(); s.Busy != 1 || s.Open != maxOpenEach {
			t.Errorf("stats: %+v", s)
		}
		after(questionTime + time.Second) // those who say nothing are cut off
		if s := h.server.Stats(); s.Open != 0 {
			t.Errorf("stats: %+v", s)
		}
		called(t, h, cfg)
	})
}

// As many strangers as there are places connect and say nothing, or half a
// word, or hear a hello and nothing more.
func TestSilentStrangersKeepNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, srv := newHome(t), newMachine(t)
		token := h.invite("nyc1")
		for i := range maxOpen {
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i / maxOpenEach)}), 40000).String()
			c := h.connect(at, at, "192.0.2.1:443")
			t.Cleanup(func() { c.Close() })
			switch i % 3 {
			case 1:
				h.must(second(c.Write([]byte{22, 3, 1})))
			case 2:
				_, err := stranger(c)
				h.must(err)
			}
		}
		synctest.Wait()
		if s := h.server.Stats(); s.Open != maxOpen {
			t.Fatalf("stats: %+v", s)
		}
		if _, err := srv.join(h, token); err != nil {
			t.Errorf("the server that was invited: %v", err)
		}
		if s := h.server.Stats(); s.Busy != 0 || s.GaveWay != 1 || s.Joined != 1 {
			t.Errorf("stats: %+v", s)
		}
		after(firstTime)
		if s := h.server.Stats(); s.Open > maxOpen/3 {
			t.Errorf("%d have not asked yet after %v", s.Open, firstTime)
		}
	})
}

// stranger asks who we are on a connection.
func stranger(c net.Conn) (*http.Response, error) {
	conn := tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{ALPN}})
	if _, err := io.WriteString(conn, "GET /hello?node=nyc1 HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return nil, err
	}
	return http.ReadResponse(bufio.NewReader(conn), nil)
}

func second[T any](_ T, err error) error { return err }

func TestSilentEndsAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		cfg := newMachine(t).config(h, h.invite("nyc1"))
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
			a, b := net.Pipe()
			h.work.Go(func() { io.Copy(io.Discard, b) })
			return a, nil
		}
		start := time.Now()
		_, err := Join(t.Context(), cfg)
		f, ok := err.(*Failure)
		if !ok || f.Kind != Unreachable || time.Since(start) != helloTime || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// deaf is a connection whose near end hears nothing any more once it has
// begun to say its request.
type deaf struct {
	net.Conn
	said int // writes so far
}

// helloWrites are the writes until the hello is asked for: two flights of the
// handshake, and the question.
const helloWrites = 3

func (d *deaf) Write(b []byte) (int, error) {
	n, err := d.Conn.Write(b)
	if d.said++; d.said > helloWrites {
		d.Conn.Close()
	}
	return n, err
}

func TestLostAnswerIsToldAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, srv := newHome(t), newMachine(t)
		token := h.invite("nyc1")
		cfg := srv.config(h, token)
		cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := h.dialer(inside, outside)(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &deaf{Conn: c}, nil
		}
		_, err := Join(t.Context(), cfg)
		f, ok := err.(*Failure)
		if !ok || f.Kind != Unreachable || !strings.Contains(err.Error(), "run the same command again") {
			t.Fatalf("lost: %v", err)
		}
		synctest.Wait()
		if n := h.node("nyc1"); n.State != landfall.Active {
			t.Fatalf("node is %s", n.State)
		}
		if _, err := srv.join(h, token); err != nil {
			t.Errorf("the same command again: %v", err)
		}
	})
}
