package mesh_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/meshtest"
)

// initiator tells which of two nodes starts the handshakes.
func initiator(w *world, a, b landfall.NodeID) (first, second landfall.NodeID) {
	ka, kb := w.nodes[a].key.Public(), w.nodes[b].key.Public()
	if bytes.Compare(ka[:], kb[:]) < 0 {
		return a, b
	}
	return b, a
}

// greet exchanges one line on a fresh stream.
func greet(w *world, from, to landfall.NodeID) error {
	c, err := w.dial(from, to)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "hello"); err != nil {
		return err
	}
	got := make([]byte, 5)
	_, err = io.ReadFull(c, got)
	return err
}

// healed dials until it works, and returns how long that took.
func healed(w *world, from, to landfall.NodeID) time.Duration {
	start := time.Now()
	for {
		err := greet(w, from, to)
		if err == nil {
			return time.Since(start)
		}
		if time.Since(start) > 15*time.Second {
			w.t.Fatalf("%s to %s: still %v", from, to, err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestPairIsUpWithinAFewRoundTrips(t *testing.T) {
	wire := meshtest.NewPackets(75 * time.Millisecond)
	w := newWorld(t, wire, "a", "b")
	serveEcho(t, w, "a")
	if took := healed(w, "b", "a"); took > 2*time.Second {
		t.Errorf("first stream after %v", took)
	} else {
		t.Logf("first stream after %v", took)
	}
}

func TestRestartHeals(t *testing.T) {
	for _, who := range []string{"initiator", "other side"} {
		for _, dials := range []string{"initiator", "other side"} {
			if testing.Short() && who == dials {
				continue
			}
			t.Run(fmt.Sprintf("%s restarts, %s dials", who, dials), func(t *testing.T) {
				w := newWorld(t, meshtest.NewPackets(75*time.Millisecond), "a", "b")
				role := map[string]landfall.NodeID{}
				role["initiator"], role["other side"] = initiator(w, "a", "b")
				from, to := role[dials], role["initiator"]
				if dials == "initiator" {
					to = role["other side"]
				}
				serveEcho(t, w, to)
				healed(w, from, to)
				w.restart(role[who])
				if role[who] == to {
					serveEcho(t, w, to)
				}
				took := healed(w, from, to)
				t.Logf("healed after %v", took)
				if took > 2*time.Second {
					t.Errorf("healed after %v", took)
				}
			})
		}
	}
}

func TestStreamsToADeadPeerEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a timeout")
	}
	wire := meshtest.NewPackets(5 * time.Millisecond)
	w := newWorld(t, wire, "a", "b")
	serveEcho(t, w, "b")
	healed(w, "a", "b")
	c := w.mustDial("a", "b")
	defer c.Close()
	wire.Cut(w.nodes["b"].addr, true)
	start := time.Now()
	if _, err := c.Write([]byte("anyone?")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() || time.Since(start) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	_, err = w.dial("a", "b")
	want := fmt.Sprintf("peer b not reachable: no answer from %v for ", w.nodes["b"].addr)
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s…", err, want)
	}
	wire.Cut(w.nodes["b"].addr, false)
	healed(w, "a", "b")
}

func TestIdleStreamsToADeadPeerEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for keep-alives")
	}
	wire := meshtest.NewPackets(5 * time.Millisecond)
	w := newWorld(t, wire, "a", "b")
	serveEcho(t, w, "b")
	c := w.mustDial("a", "b")
	defer c.Close()
	wire.Cut(w.nodes["b"].addr, true)
	start := time.Now()
	_, err := c.Read(make([]byte, 1))
	if !errors.Is(err, syscall.ETIMEDOUT) || time.Since(start) > 15*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestStoppedPeerResetsItsStreams(t *testing.T) {
	w := newWorld(t, nil, "a", "b")
	serveEcho(t, w, "b")
	healed(w, "a", "b")
	c := w.mustDial("a", "b")
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	w.nodes["b"].stop()
	if took := time.Since(start); took > 500*time.Millisecond {
		t.Errorf("Run ended after %v", took)
	}
	_, err := c.Read(make([]byte, 1))
	if err == nil || time.Since(start) > time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	t.Log(err, time.Since(start))
}

func TestGoneNodeIsCutOff(t *testing.T) {
	w := newWorld(t, nil, "a", "b", "c")
	serveEcho(t, w, "b")
	serveEcho(t, w, "c")
	toB, toC := w.mustDial("a", "b"), w.mustDial("a", "c")
	defer toB.Close()
	defer toC.Close()
	w.gone("b")
	if _, err := toB.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "removed") || !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("stream to a node that is gone: %v", err)
	}
	if _, err := w.dial("a", "b"); err == nil || err.Error() != "node b is gone in map serial 2" {
		t.Error(err)
	}
	if _, err := w.dial("b", "a"); err == nil {
		t.Error("a node that is gone could dial")
	}
	echo(t, toC, randomBytes(100_000))
}

func TestNewNodeDisturbsNobody(t *testing.T) {
	w := newWorld(t, nil, "a", "b")
	serveEcho(t, w, "b")
	c := w.mustDial("a", "b")
	defer c.Close()
	before := w.nodes["a"].Paths()[0].Handshake
	w.add("c")
	w.publish()
	serveEcho(t, w, "c")
	echo(t, w.mustDial("a", "c"), randomBytes(1000))
	echo(t, c, randomBytes(100_000))
	for _, p := range w.nodes["a"].Paths() {
		if p.Peer == "b" && !p.Handshake.Equal(before) {
			t.Errorf("session with b was renewed at %v, it was from %v", p.Handshake, before)
		}
	}
}

func TestRunEndsAtOnceWhateverIsGoingOn(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 4
	}
	for round := 0; round < 12; round += step {
		w := newWorld(t, nil, "a", "b", "c")
		serveEcho(t, w, "a")
		dialling := make(chan error, 2)
		for _, id := range []landfall.NodeID{"b", "c"} {
			go func() { dialling <- greet(w, id, "a") }()
		}
		<-time.After(time.Duration(round) * 4 * time.Millisecond) // from before the first probe to after the stream
		start := time.Now()
		for _, n := range w.nodes {
			n.stop()
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("three nodes ended after %v", took)
		}
		for range 2 {
			<-dialling // ends too, one way or the other
		}
	}
}
