package join

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/mapsync"
)

// The control is killed again and again while it invites and servers join,
// two for each token. What is on disk afterwards is old or new, whoever was
// told that he is a node is one, and no token ever serves both.
func TestKilledControlKeepsItsWord(t *testing.T) {
	if dir := os.Getenv("JOIN_TEST_DIR"); dir != "" {
		inviteForEver(t, dir)
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	rounds := 6
	if os.Getenv("LANDFALL_SOAK") != "" {
		rounds = 200
	}
	dir := t.TempDir()
	var all []*rivals
	for range rounds {
		all = append(all, killedRound(t, dir, len(all))...)
	}
	if len(all) < rounds {
		t.Fatalf("%d tokens in %d rounds", len(all), rounds)
	}
	h := reopen(t, dir)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	h.must(err)
	h.work.Go(func() { h.server.Run(h.ctx, l) })
	before, joined := 0, 0
	for i, r := range all {
		if r.told() > 0 {
			before++
		}
		joined += r.settle(t, 1<<15+i, l.Addr().String())
	}
	if joined != len(all) {
		t.Errorf("%d of %d tokens could be used in the end", joined, len(all))
	}
	t.Logf("%d tokens, %d used before the control was killed", len(all), before)
}

// rivals are two servers with one token.
type rivals struct {
	token   Token
	servers [2]machine
	won     [2]bool
}

func (r *rivals) told() (n int) {
	for _, w := range r.won {
		if w {
			n++
		}
	}
	return n
}

// join lets one of the two try, at the control's address, if it is known.
func (r *rivals) join(ctx context.Context, i, seat int, address string) error {
	srv := r.servers[i]
	from := netip.AddrFrom4([4]byte{127, byte(i + 1), byte(seat >> 8), byte(seat)}) // each a visitor of its own
	_, err := Join(ctx, Config{
		Token: r.token, Key: srv.key.Public(), Sealing: srv.sealing, WireGuardPort: 51820,
		Local:     []netip.Addr{from},
		Advertise: []netip.Addr{netip.AddrFrom4([4]byte{203, byte(i), byte(seat >> 8), byte(seat)})},
		Dial: func(ctx context.Context, network, there string) (net.Conn, error) {
			if network != "tcp4" {
				return nil, net.ErrClosed
			}
			d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
			if address != "" {
				there = address
			}
			return d.DialContext(ctx, network, there)
		},
	})
	if err == nil {
		r.won[i] = true
	}
	return err
}

// settle lets both try in peace and counts who is the node.
func (r *rivals) settle(t *testing.T, seat int, address string) int {
	before := r.won
	if r.told() > 1 {
		t.Errorf("%s: both servers were told that they are it", r.token.Node)
	}
	r.won = [2]bool{}
	for i := range r.servers {
		if err := r.join(t.Context(), i, seat, address); err != nil && code(err) != CodeUsed {
			t.Errorf("%s: %v", r.token.Node, err)
		}
		if before[i] && !r.won[i] {
			t.Errorf("%s: server %d was told that it is the node, and is not", r.token.Node, i)
		}
	}
	return r.told()
}

// killedRound runs the control in a process and kills it at a random moment,
// and returns the tokens that it made.
func killedRound(t *testing.T, dir string, before int) (all []*rivals) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledControlKeepsItsWord$")
	cmd.Env = append(os.Environ(), "JOIN_TEST_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }).Stop() // should it never speak
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var work sync.WaitGroup
	defer work.Wait()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		text, ok := strings.CutPrefix(lines.Text(), "TOKEN ")
		if !ok {
			continue
		}
		token, err := ParseToken(text)
		if err != nil {
			t.Fatal(err)
		}
		r := &rivals{token: token, servers: [2]machine{newMachine(t), newMachine(t)}}
		seat := before + len(all)
		for i := range r.servers {
			work.Go(func() { r.join(ctx, i, seat, "") })
		}
		if all = append(all, r); len(all) == 1 {
			time.AfterFunc(rand.N(150*time.Millisecond), func() { cmd.Process.Kill(); cancel() })
		}
	}
	return all
}

// reopen opens the directory that a killed control left.
func reopen(t *testing.T, dir string) *home {
	t.Helper()
	h := &home{t: t, dir: dir}
	h.ctx, h.cancel = context.WithCancel(t.Context())
	t.Cleanup(func() { h.cancel(); h.work.Wait() })
	var err error
	h.key, err = mapsync.OpenSigningKey(subdir(t, dir, "key"))
	h.must(err)
	h.open()
	return h
}

// inviteForEver is the process that is killed.
func inviteForEver(t *testing.T, dir string) {
	h := reopen(t, dir)
	m, err := h.control.Begin(t.Context(), firstMap())
	h.must(err)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	h.must(err)
	h.work.Go(func() { h.server.Run(h.ctx, l) })
	for n := m.Serial; h.ctx.Err() == nil; n++ {
		inv := nyc(landfall.NodeID(fmt.Sprintf("n%d", n)))
		if n > m.Serial+200 {
			t.Fatal("nobody kills us")
		}
		inv.Endpoints = []string{l.Addr().String()}
		token, err := h.book.Invite(t.Context(), inv)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("TOKEN " + token.Reveal())
	}
}

func TestJoinOverRealSockets(t *testing.T) {
	h := newHome(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	h.must(err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- h.server.Run(ctx, l) }()
	inv := nyc("nyc1")
	inv.Endpoints = []string{l.Addr().String()}
	token, err := h.book.Invite(t.Context(), inv)
	h.must(err)
	cfg := newMachine(t).config(h, token)
	cfg.Dial = new(net.Dialer).DialContext
	cfg.Advertise = addrs("198.51.100.7")
	r, err := Join(t.Context(), cfg)
	if err != nil || r.Self.State != landfall.Active {
		t.Errorf("join: %v", err)
	}
	silent, err := net.Dial("tcp4", l.Addr().String())
	h.must(err)
	defer silent.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	_, err = Join(t.Context(), cfg)
	// Refused; or reset, where the kernel was still closing the listener.
	if f, ok := err.(*Failure); !ok || f.Kind != Unreachable || !strings.Contains(err.Error(), l.Addr().String()+": connect: connection re") || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("nobody there: %v", err)
	}
}
