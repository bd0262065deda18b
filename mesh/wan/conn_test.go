package wan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"
)

const ms = time.Millisecond

// far dials over a pipe; the other end comes back too.
func far(t *testing.T, n *Network, window int) (near net.Conn, there net.Conn) {
	t.Helper()
	d := Dialer{Network: n, From: "client", Window: window, Dial: func(context.Context, string, string) (net.Conn, error) {
		var c net.Conn
		c, there = net.Pipe()
		return c, nil
	}}
	near, err := d.DialContext(t.Context(), "tcp", "fra:443")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); there.Close() })
	return near, there
}

func ocean(t *testing.T, l Link) *Network {
	t.Helper()
	n := New(1)
	t.Cleanup(func() { n.Close() })
	if err := n.Connect("client", "fra", l); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDialCostsOneRoundTripAndAnAnswerAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := ocean(t, Link{Delay: 75 * ms})
		start := time.Now()
		near, there := far(t, n, 0)
		if got := time.Since(start); got != 150*ms {
			t.Errorf("dial took %v", got)
		}
		start = time.Now()
		go func() {
			b := make([]byte, 4)
			io.ReadFull(there, b)
			if got := time.Since(start); got != 75*ms {
				t.Errorf("request took %v", got)
			}
			there.Write([]byte("pong"))
		}()
		near.Write([]byte("ping"))
		b := make([]byte, 4)
		if _, err := io.ReadFull(near, b); err != nil || string(b) != "pong" {
			t.Fatalf("%q, %v", b, err)
		}
		if got := time.Since(start); got != 150*ms {
			t.Errorf("answer took %v", got)
		}
	})
}

// Bytes written at t arrive at t + d, each on its own time.
func TestChunksKeepTheirSpacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, there := far(t, ocean(t, Link{Delay: 40 * ms}), 0)
		start := time.Now()
		go func() {
			for i := range 20 {
				near.Write([]byte{byte(i)})
				time.Sleep(3 * ms)
			}
		}()
		b := make([]byte, 1)
		for i := range 20 {
			io.ReadFull(there, b)
			if got, want := time.Since(start), 40*ms+time.Duration(i)*3*ms; got != want || b[0] != byte(i) {
				t.Errorf("byte %d: %d after %v, want %v", i, b[0], got, want)
			}
		}
	})
}

func TestRateSpreadsAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, there := far(t, ocean(t, Link{Delay: 10 * ms, Rate: 8_000_000}), 0)
		start := time.Now()
		go func() { near.Write(make([]byte, 1_000_000)) }()
		io.ReadFull(there, make([]byte, 1_000_000))
		if got := time.Since(start); (got - 1010*ms).Abs() > time.Microsecond {
			t.Errorf("1 MB at 8 Mbit/s took %v, want 1.01 s", got)
		}
	})
}

func TestWindowHoldsTheWriterBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, there := far(t, ocean(t, Link{Delay: 50 * ms}), 1000)
		near.SetWriteDeadline(time.Now().Add(time.Second))
		// Nobody reads: a window's worth is taken, and one chunk that is
		// being handed over.
		n, err := near.Write(make([]byte, 5000))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n < 1000 || n > 2000 {
			t.Fatalf("%d bytes taken, %v", n, err)
		}
		near.SetWriteDeadline(time.Time{})
		go io.Copy(io.Discard, there)
		start := time.Now()
		if _, err := near.Write(make([]byte, 10_000)); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != 9*50*ms {
			t.Errorf("10 windows took %v, want nine delays", got)
		}
	})
}

func TestWindowHoldsThePeerBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, there := far(t, ocean(t, Link{Delay: 50 * ms}), 1000)
		there.SetWriteDeadline(time.Now().Add(time.Minute))
		sent := 0
		for {
			n, err := there.Write(make([]byte, 100))
			if sent += n; err != nil {
				break
			}
		}
		if sent > 2000 {
			t.Errorf("%d bytes were taken from the peer while nobody read", sent)
		}
	})
}

func TestCutStallsAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := ocean(t, Link{Delay: 50 * ms})
		near, there := far(t, n, 0)
		start := time.Now()
		near.Write([]byte("a"))
		n.Cut("client", "fra")
		near.Write([]byte("b"))
		go func() {
			time.Sleep(time.Minute)
			n.Heal("client", "fra")
			near.Write([]byte("c"))
		}()
		b := make([]byte, 1)
		for _, want := range []time.Duration{50 * ms, time.Minute + 50*ms, time.Minute + 50*ms} {
			io.ReadFull(there, b)
			if got := time.Since(start); got != want {
				t.Errorf("%s after %v, want %v", b, got, want)
			}
		}
	})
}

// What heals while nobody reads arrives when it healed, not when asked for.
func TestHealCountsFromTheHealing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := ocean(t, Link{Delay: 50 * ms})
		near, there := far(t, n, 0)
		n.Cut("client", "fra")
		go there.Write([]byte("x"))
		time.Sleep(time.Second)
		n.Heal("client", "fra")
		time.Sleep(time.Second)
		start := time.Now()
		io.ReadFull(near, make([]byte, 1))
		if got := time.Since(start); got != 0 {
			t.Errorf("took another %v", got)
		}
	})
}

func TestDialOverACutEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := ocean(t, Link{Delay: 50 * ms, Down: true})
		d := Dialer{Network: n, From: "client", Dial: func(context.Context, string, string) (net.Conn, error) {
			t.Error("dialled over a cut link")
			return nil, io.EOF
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.DialContext(ctx, "tcp", "fra:443"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial: %v", err)
		}
	})
}

func TestRefusalTakesARoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		d := Dialer{Network: ocean(t, Link{Delay: 75 * ms}), From: "client", Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, refused
		}}
		start := time.Now()
		if _, err := d.DialContext(t.Context(), "tcp", "fra:443"); !errors.Is(err, refused) {
			t.Errorf("dial: %v", err)
		}
		if got := time.Since(start); got != 150*ms {
			t.Errorf("took %v", got)
		}
	})
}

func TestCloseDeliversWhatWasWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, there := far(t, ocean(t, Link{Delay: 75 * ms}), 0)
		start := time.Now()
		near.Write([]byte("last words"))
		near.Close()
		if _, err := near.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after close: %v", err)
		}
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after close: %v", err)
		}
		b, err := io.ReadAll(there)
		if err != nil || string(b) != "last words" || time.Since(start) != 75*ms {
			t.Errorf("%q, %v after %v", b, err, time.Since(start))
		}
	})
}

// A peer that does not read does not keep a closed conn alive for ever.
func TestCloseGivesUpOnAPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := ocean(t, Link{Delay: 75 * ms})
		near, _ := far(t, n, 0)
		near.Write([]byte("nobody reads this"))
		near.Close()
		time.Sleep(linger + 75*ms + 1)
		synctest.Wait()
		if len(n.open) != 0 {
			t.Error("the conn is still open")
		}
	})
}

func TestPeersEndTravels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, there := far(t, ocean(t, Link{Delay: 75 * ms}), 0)
		start := time.Now()
		there.Write([]byte("bye"))
		there.Close()
		b, err := io.ReadAll(near)
		if err != nil || string(b) != "bye" || time.Since(start) != 75*ms {
			t.Errorf("%q, %v after %v", b, err, time.Since(start))
		}
		if _, err := near.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("second read: %v", err)
		}
	})
}

func TestAbortSparesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := ocean(t, Link{Delay: time.Hour})
		near, there := far(t, n, 0)
		near.Write([]byte("x"))
		n.Close()
		if b, err := io.ReadAll(there); len(b) != 0 || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	})
}

func TestHTTPOverAnOcean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := ocean(t, Link{Delay: 75 * ms})
		l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write(bytes.Repeat([]byte("x"), 300_000))
		})}
		go srv.Serve(l)
		d := Dialer{Network: n, From: "client", Dial: l.dial}
		tr := &http.Transport{DialContext: d.DialContext}
		for i, want := range []time.Duration{300 * ms, 150 * ms} {
			start := time.Now()
			resp, err := (&http.Client{Transport: tr}).Get("http://fra/")
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if got := time.Since(start); err != nil || len(b) != 300_000 || got != want {
				t.Errorf("request %d: %d bytes, %v after %v, want %v", i, len(b), err, got, want)
			}
		}
		tr.CloseIdleConnections()
		srv.Close()
	})
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (l *pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	a, b := net.Pipe()
	l.conns <- b
	return a, nil
}

// tcp makes a conn over real TCP and a link, and the peer's plain end.
func tcp(t *testing.T, n *Network) (near, there net.Conn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	n.SetSite(l.Addr().(*net.TCPAddr).AddrPort(), "fra")
	d := Dialer{Network: n, From: "client"}
	if near, err = d.DialContext(context.Background(), "tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	there, err = l.Accept()
	return near, there, err
}

func TestConnKeepsItsPromises(t *testing.T) {
	for _, c := range []struct {
		name string
		link Link
		make func(n *Network) (net.Conn, net.Conn, error)
	}{
		{"instant over TCP", Link{}, func(n *Network) (net.Conn, net.Conn, error) { return tcp(t, n) }},
		{"1 ms over TCP", Link{Delay: ms}, func(n *Network) (net.Conn, net.Conn, error) { return tcp(t, n) }},
		{"1 ms over TCP, other end", Link{Delay: ms}, func(n *Network) (net.Conn, net.Conn, error) {
			a, b, err := tcp(t, n)
			return b, a, err
		}},
		{"instant over a pipe", Link{}, func(n *Network) (net.Conn, net.Conn, error) {
			a, b := net.Pipe()
			c, err := newConn(n, a, n.path("client", "fra"), n.path("fra", "client"), DefaultWindow)
			return c, b, err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
				n := ocean(t, c.link)
				a, b, err := c.make(n)
				return a, b, func() { a.Close(); b.Close(); n.Close() }, err
			})
		})
	}
}

func TestHalfCloseOverTCP(t *testing.T) {
	before := runtime.NumGoroutine()
	n := ocean(t, Link{Delay: 5 * ms})
	near, there, err := tcp(t, n)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b, _ := io.ReadAll(there)
		there.Write(append(b, " heard"...))
		there.Close()
	}()
	near.Write([]byte("question"))
	if err := near.(*Conn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := near.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after CloseWrite: %v", err)
	}
	if b, err := io.ReadAll(near); err != nil || string(b) != "question heard" {
		t.Errorf("%q, %v", b, err)
	}
	near.Close()
	n.Close()
	settle(t, before)
}

func TestPipeHasNoHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := far(t, ocean(t, Link{}), 0)
		if err := near.(*Conn).CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("CloseWrite: %v", err)
		}
	})
}
