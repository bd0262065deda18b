package conformance

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// burst is how many packets go out before their answers are read.
const burst = 32

// TestDamagedPacketsDoNoHarm sends good, spoilt and random messages to the
// program, by UDP and TCP. It goes on answering, no answer is longer than its
// asker takes or than ten times the question, and nothing piles up.
func TestDamagedPacketsDoNoHarm(t *testing.T) {
	outside(t)
	s := landfallServer(t, "")
	zone := zoneText(t)
	const lines = 128
	hit := func(packets, connections int, seed uint64) {
		var working sync.WaitGroup
		for i := range lines {
			l := newLine(t, i, s.addr)
			working.Go(func() {
				a := newAsker(seed+uint64(i), zone)
				for sent := 0; sent < packets/lines; sent += burst {
					if err := a.burst(l); err != nil {
						t.Errorf("by UDP: %v", err)
						return
					}
				}
				for range connections / lines {
					if err := a.connection(s.addr); err != nil {
						t.Errorf("by TCP: %v", err)
						return
					}
				}
				l.conn.Close()
			})
		}
		working.Wait()
		s.alive(t)
	}
	hit(20_000, lines, 1)
	before := holds(t, s)
	hit(sized(180_000, 10_000_000), sized(10*lines, 300*lines), 1000)
	if err := s.ready(static); err != nil {
		t.Error(err)
	}
	// Connections that were left open are closed when they have been idle.
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	enough := time.After(patience)
	for after := holds(t, s); ; after = holds(t, s) {
		if after.files <= before.files && after.threads <= before.threads+8 && after.memory <= before.memory+32<<10 {
			t.Logf("%+v, then %+v", before, after)
			return
		}
		select {
		case <-tick.C:
		case <-enough:
			t.Fatalf("what the server holds grew from %+v to %+v", before, after)
		}
	}
}

// burst sends messages by UDP and looks at the answers.
func (a *asker) burst(l *line) error {
	var sent [burst][]byte
	for i := range sent {
		msg := a.message()
		if a.one(10) {
			msg = a.noise()
		}
		if len(msg) >= 2 {
			binary.BigEndian.PutUint16(msg, uint16(i))
		}
		sent[i] = msg
		if _, err := l.conn.Write(msg); err != nil {
			return err
		}
	}
	for try := uint16(0); ; try++ {
		if err := l.again(sentinel + try); err != nil {
			return err
		}
		err := l.drain(sent[:], sentinel+try)
		if !errors.Is(err, os.ErrDeadlineExceeded) || try == 60 {
			return err
		}
	}
}

// drain reads answers until that to the sentinel comes, which is asked again
// where it was held back.
func (l *line) drain(sent [][]byte, last uint16) error {
	l.conn.SetReadDeadline(time.Now().Add(time.Second))
	for {
		n, err := l.conn.Read(l.buf[:])
		if err != nil {
			return err
		}
		got := l.buf[:n]
		if n < headerSize {
			return fmt.Errorf("%x is no answer", got)
		}
		switch id := binary.BigEndian.Uint16(got); {
		case id == last:
			return nil
		case id >= sentinel:
		case int(id) >= len(sent):
			return fmt.Errorf("an answer to nothing: %x", got)
		default:
			if err := harmless(sent[id], got); err != nil {
				return err
			}
		}
	}
}

// harmless looks at one answer.
func harmless(sent, got []byte) error {
	allowed := dns.MinMsgSize
	var m dns.Msg
	if m.Unpack(sent) == nil {
		if o := m.IsEdns0(); o != nil {
			allowed = min(max(allowed, int(o.UDPSize())), 1232)
		}
	} else {
		allowed = 1232 // it may have been read as far as that
	}
	switch {
	case len(got) > allowed:
		return fmt.Errorf("%d bytes for who takes %d: %x, after %x", len(got), allowed, got, sent)
	case len(got) > 10*len(sent):
		return fmt.Errorf("%d bytes for %d: %x, after %x", len(got), len(sent), got, sent)
	case got[2]&0x80 == 0:
		return fmt.Errorf("%x is no answer, after %x", got, sent)
	}
	return new(dns.Msg).Unpack(got)
}

// connection sends some messages by TCP, reads what comes, and goes in one of
// the ways in which clients go.
func (a *asker) connection(addr netip.AddrPort) error {
	conn, err := net.DialTimeout("tcp", addr.String(), patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	var stream []byte
	for range 1 + a.IntN(20) {
		msg := a.message()
		stream = append(binary.BigEndian.AppendUint16(stream, uint16(len(msg))), msg...)
	}
	switch a.IntN(4) {
	case 0: // a piece is missing, or the lengths are wrong
		stream = a.spoil(stream)
	case 1:
		stream = stream[:a.IntN(len(stream))]
	case 2: // it goes without a word
		conn.Write(stream)
		return nil
	}
	if _, err := conn.Write(stream); err != nil {
		return nil // it had enough of us
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return nil
	}
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return err
			}
			return nil
		}
		got := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, got); err != nil {
			return fmt.Errorf("an answer ends early: %w", err)
		}
		if err := new(dns.Msg).Unpack(got); err != nil {
			return fmt.Errorf("%x: %w", got, err)
		}
	}
}

// holding is what a program has of the system.
type holding struct {
	memory, threads, files int // kB, and numbers
}

func holds(t *testing.T, s *server) (h holding) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", s.cmd.Process.Pid)
	b, err := os.ReadFile(dir + "status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		words := strings.Fields(line)
		switch words[0] {
		case "VmRSS:":
			h.memory, err = strconv.Atoi(words[1])
		case "Threads:":
			h.threads, err = strconv.Atoi(words[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(dir + "fd")
	if err != nil {
		t.Fatal(err)
	}
	h.files = len(files)
	return h
}
