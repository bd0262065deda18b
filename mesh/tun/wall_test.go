//go:build linux

package tun

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/fronttest"
	"landfall/mesh/tun/filter"
)

// database is a port that other programs than the mesh listen on.
const database = 5432

// walled is two machines, of which the second allows something.
func walled(t *testing.T, allow ...filter.Rule) (a, b fronttest.Side, spaces [2]*namespace) {
	t.Helper()
	var s [2]fronttest.Side
	for i, id := range []landfall.NodeID{"a", "b"} {
		cfg := config(id)
		spaces[i] = newNamespace(t)
		cfg.inside = spaces[i].do
		if id == "b" {
			cfg.Filter.Allow = allow
		}
		f, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s[i] = fronttest.Side{Front: f, Addr: cfg.Addr}
	}
	fronttest.Join(t, s[0], s[1])
	return s[0], s[1], spaces
}

// TestPeersReachWhatIsAllowed: and nothing else that listens here.
func TestPeersReachWhatIsAllowed(t *testing.T) {
	needRoot(t)
	rule, err := filter.ParseRule("tcp/5432")
	if err != nil {
		t.Fatal(err)
	}
	for name, allow := range map[string][]filter.Rule{"nothing": nil, "the port": {rule}} {
		t.Run(name, func(t *testing.T) {
			a, b, _ := walled(t, allow...)
			if err := b.Front.Listen(database, func(s front.Stream) { s.Start(nil) }); err != nil {
				t.Fatal(err)
			}
			patience := 300 * time.Millisecond
			if len(allow) > 0 {
				patience = 10 * time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err := a.Front.Open(ctx, netip.AddrPortFrom(b.Addr, database), landfall.Normal, nil, nil)
			f := b.Front.(*Front)
			refused, last := f.Stats().Refused["tcp"], f.LastRefused()
			if len(allow) > 0 {
				if err != nil || refused != 0 {
					t.Errorf("%v; %d refused", err, refused)
				}
				return
			}
			if !errors.Is(err, context.DeadlineExceeded) || refused == 0 || last != (Refusal{a.Addr, rule}) {
				t.Errorf("%v; %d refused, the last %v", err, refused, last)
			}
		})
	}
}

// TestUDPThatWasAskedForIsLetIn: what a peer sends of itself is not.
func TestUDPThatWasAskedForIsLetIn(t *testing.T) {
	needRoot(t)
	a, b, spaces := walled(t, filter.Rule{Protocol: unix.IPPROTO_UDP, Port: 53})
	var ends [2]*net.UDPConn
	for i, side := range []fronttest.Side{a, b} {
		err := spaces[i].do(func() (err error) {
			ends[i], err = net.ListenUDP("udp6", net.UDPAddrFromAddrPort(netip.AddrPortFrom(side.Addr, []uint16{4000, 53}[i])))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		defer ends[i].Close()
		if err := ends[i].SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	client, server := netip.AddrPortFrom(a.Addr, 4000), netip.AddrPortFrom(b.Addr, 53)
	send := func(from int, what string, to netip.AddrPort) {
		t.Helper()
		if _, err := ends[from].WriteToUDPAddrPort([]byte(what), to); err != nil {
			t.Fatal(err)
		}
	}
	f := a.Front.(*Front)
	send(1, "unasked", client)
	for start := time.Now(); f.Stats().Refused["udp"] == 0; <-time.After(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("what nobody asked for was not refused")
		}
	}
	send(0, "question", server)
	buf := make([]byte, 100)
	if n, _, err := ends[1].ReadFromUDPAddrPort(buf); err != nil || string(buf[:n]) != "question" {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	send(1, "answer", client)
	if n, _, err := ends[0].ReadFromUDPAddrPort(buf); err != nil || string(buf[:n]) != "answer" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}
