package node

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/edge/room"
)

func TestWhatEdgesAreBelievedOnlyEdgesMaySay(t *testing.T) {
	for _, s := range []landfall.MeshService{landfall.MeshChat, landfall.MeshHTTP, landfall.MeshCerts, landfall.MeshTCP} {
		if r := guests(s); len(r) != 1 || r[0] != landfall.RoleEdge {
			t.Errorf("%s is open to %v", s, r)
		}
	}
	if r := guests(landfall.MeshMap); r != nil {
		t.Errorf("the map is open to %v only: nodes without it could never learn", r)
	}
}

// named is a connection from somebody.
type named struct {
	net.Conn
	who string
}

func (n named) RemoteAddr() net.Addr { return addr(n.who) }

// watch is a doorman at a door, who lets in whoever is called an edge.
type watch struct {
	*doorman
	*door
	log strings.Builder
}

func newWatch(t *testing.T, all int) *watch {
	w := &watch{door: newDoor(t)}
	w.doorman = &doorman{
		admit: func(_ landfall.MeshService, who string) (landfall.NodeID, bool) {
			return landfall.NodeID(who), strings.HasPrefix(who, "edge")
		},
		log:     slog.New(slog.NewTextHandler(&w.log, nil)),
		carried: room.Shares[landfall.NodeID]{All: all},
		open:    make(map[string]int64), turned: make(map[string]uint64), shed: make(map[string]uint64),
	}
	return w
}

// dial opens connections from somebody.
func (w *watch) dial(who string, n int) (out []net.Conn) {
	for range n {
		near, far := net.Pipe()
		w.conns <- named{far, who}
		out = append(out, near)
	}
	synctest.Wait()
	return out
}

// over reports whether the other side has closed a connection.
func over(c net.Conn) bool {
	c.SetReadDeadline(time.Now())
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// keepEcho serves until the test ends, and says what it hears.
func (w *watch) keepEcho(t *testing.T, name landfall.MeshService) (stop func()) {
	var running sync.WaitGroup
	running.Go(func() {
		err := w.keep(name, w.door, func(l net.Listener) error {
			for {
				c, err := l.Accept()
				if err != nil {
					return err
				}
				running.Go(func() {
					defer c.Close()
					io.Copy(c, c)
				})
			}
		})
		if !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return func() {
		w.door.Close()
		running.Wait()
	}
}

func speak(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetDeadline(time.Now().Add(time.Second))
	got := make([]byte, 5)
	go io.WriteString(c, "hello")
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDoormanTurnsStrangersAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatch(t, 100)
		stop := w.keepEcho(t, landfall.MeshHTTP)
		for _, c := range w.dial("dns1", 3) {
			if !over(c) {
				t.Error("a stranger was let in")
			}
		}
		c := w.dial("edge1", 1)[0]
		speak(t, c)
		c.Close()
		stop()
		if s := w.Stats(); s.Turned["http"] != 3 || s.Open["http"] != 0 || strings.Count(w.log.String(), "peer turned away") != 1 {
			t.Errorf("%+v\n%s", s, &w.log)
		}
	})
}

// A stolen edge opens thousands and says nothing.
func TestSilentConnectionsOfAPeerAreFew(t *testing.T) {
	for _, name := range []landfall.MeshService{landfall.MeshTCP, landfall.MeshHTTP, landfall.MeshChat} {
		synctest.Test(t, func(t *testing.T) {
			w := newWatch(t, 100_000)
			stop := w.keepEcho(t, name)
			honest := w.dial("edge2", 8)
			thief := w.dial("edge1", 5000)
			if s := w.Stats(); s.Open[string(name)] != silentConns+8 || s.Shed[string(name)] != 5000-silentConns {
				t.Errorf("%+v", s)
			}
			if !over(thief[0]) || over(thief[4999]) {
				t.Error("not the longest silent were shed")
			}
			time.Sleep(patience - time.Minute)
			for _, c := range honest {
				speak(t, c)
				c.Close()
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if s := w.Stats(); s.Open[string(name)] != 0 || w.carried.Taken() != 0 {
				t.Errorf("%v later %+v", patience, s)
			}
			stop()
		})
	}
}

func TestPeersShareThePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatch(t, 100)
		stop := w.keepEcho(t, landfall.MeshHTTP)
		var kept []net.Conn
		for _, c := range w.dial("edge1", 80) {
			if !over(c) {
				speak(t, c)
				kept = append(kept, c)
			}
		}
		if s := w.Stats(); s.Open["http"] != 50 || s.Turned["http"] != 30 {
			t.Errorf("one peer alone: %+v", s)
		}
		other := w.dial("edge2", 1)[0]
		speak(t, other)
		for _, c := range append(kept, other) {
			c.Close()
		}
		stop()
		if w.carried.Taken() != 0 {
			t.Errorf("%d places are taken after the end", w.carried.Taken())
		}
	})
}

func TestCallersOfControlHaveFewConnections(t *testing.T) {
	for _, name := range landfall.MeshServices() {
		if carries(name) {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			w := newWatch(t, 100)
			stop := w.keepEcho(t, name)
			var kept []net.Conn
			for _, c := range w.dial("edge1", 100) {
				if !over(c) {
					speak(t, c)
					kept = append(kept, c)
				}
			}
			if len(kept) != controlConns || w.carried.Taken() != 0 {
				t.Errorf("%s: %d connections of one caller", name, len(kept))
			}
			other := w.dial("edge2", 1)[0]
			speak(t, other)
			for _, c := range append(kept, other) {
				c.Close()
			}
			synctest.Wait()
			again := w.dial("edge1", 1)[0]
			speak(t, again)
			again.Close()
			stop()
		})
	}
}

// A head that has begun does not have the patience that silence has.
func TestHeadOfARequestHasLittleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatch(t, 100)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- w.keep(landfall.MeshHTTP, w.door, func(l net.Listener) error {
				return serveHTTP(ctx, l, http.NotFoundHandler(), headPatience, patience)
			})
		}()
		slow, spare := w.dial("edge1", 1)[0], w.dial("edge1", 1)[0]
		time.Sleep(patience - time.Second)
		go io.WriteString(slow, "GET / HTTP/1.1\r\n")
		go io.WriteString(spare, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		head := make([]byte, 12)
		if _, err := io.ReadFull(spare, head); err != nil || string(head) != "HTTP/1.1 404" {
			t.Errorf("a spare that waited: %q, %v", head, err)
		}
		began := time.Now()
		if _, err := io.ReadAll(slow); err != nil || time.Since(began) != headPatience {
			t.Errorf("half a head: %v after %v", err, time.Since(began))
		}
		spare.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
