package geodns

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"landfall"

	"github.com/miekg/dns"
)

// counted is a connection that counts what the server writes.
type counted struct {
	net.Conn
	writes int
}

func (c *counted) Write(b []byte) (int, error) { c.writes++; return c.Conn.Write(b) }

func TestQueriesThatCameTogetherAreAnsweredTogether(t *testing.T) {
	s := newServer(t, nil)
	ours, theirs := net.Pipe()
	conn := &counted{Conn: theirs}
	held := s.admit(addressed{conn, &net.TCPAddr{IP: net.IPv4(10, 1, 0, 1)}}, viaTCP)
	done := make(chan struct{})
	go func() { s.serveConn(held, held, viaTCP); close(done) }()
	var all []byte
	for i := range 40 {
		m := question("chat.landfall.test", dns.TypeA)
		m.Id = uint16(i)
		all = append(all, framed(t, m)...)
	}
	// The last is cut off: what was asked before it must not wait for it.
	go ours.Write(all[:len(all)-1])
	for i := range 39 {
		if m := readFramed(t, ours); m.Id != uint16(i) || len(m.Answer) != 1 {
			t.Fatalf("answer %d: %v", i, m)
		}
	}
	if conn.writes > 3 {
		t.Errorf("39 answers in %d writes", conn.writes)
	}
	go ours.Write(all[len(all)-1:])
	if m := readFramed(t, ours); m.Id != 39 {
		t.Errorf("the last answer is %v", m)
	}
	ours.Close()
	<-done
}

// Half a connection is enough to hear all that was asked for.
func TestHalfClosedClientHearsEverything(t *testing.T) {
	m := open()
	_, addr := startMap(t, m)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	var all []byte
	for i, q := range []*dns.Msg{question("chat.landfall.test", dns.TypeA), whole(), question("mail.landfall.test", dns.TypeA)} {
		q.Id = uint16(i)
		all = append(all, framed(t, q)...)
	}
	if _, err := conn.Write(all); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	ids, soa := map[uint16]int{}, 0
	for len(got) > 0 {
		size := 2 + int(binary.BigEndian.Uint16(got))
		answer := new(dns.Msg)
		if err := answer.Unpack(got[2:size]); err != nil {
			t.Fatal(err)
		}
		ids[answer.Id]++
		soa += len(slices.DeleteFunc(answer.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype != dns.TypeSOA }))
		got = got[size:]
	}
	if ids[0] != 1 || ids[1] < 15 || ids[2] != 1 || soa != 2 {
		t.Errorf("messages by query: %v, %d SOA records", ids, soa)
	}
}

// startMap runs a server on loopback, once it has the zones that secondaries
// may have.
func startMap(t *testing.T, m *landfall.Map) (*Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{TCP: []net.Listener{l}, Atlas: testAtlas()})
	if err != nil {
		t.Fatal(err)
	}
	s.SetMap(m)
	s.recopy(s.current.Load())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s, l.Addr().String()
}

func TestClientsHearHowLongTheyMayBeIdle(t *testing.T) {
	s := newServer(t, nil)
	asking := question("chat.landfall.test", dns.TypeA).SetEdns0(1232, false)
	asking.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE}}
	req, _ := asking.Pack()
	from := clientOf(addressed{remote: &net.TCPAddr{IP: net.IPv4(10, 1, 0, 1)}})
	for via, want := range map[transport]bool{viaUDP: false, viaTCP: true, viaTLS: true, viaHTTPS: false} { // RFC 7828, 3.3.2; RFC 8484, 6
		m := new(dns.Msg)
		if err := m.Unpack(s.respond(req, from, via, nil)); err != nil {
			t.Fatal(err)
		}
		var told []uint16
		for _, o := range m.IsEdns0().Option {
			if k, ok := o.(*dns.EDNS0_TCP_KEEPALIVE); ok {
				told = append(told, k.Timeout)
			}
		}
		if want != slices.Equal(told, []uint16{uint16(idle / (100 * time.Millisecond))}) {
			t.Errorf("%s: told %d", via, told)
		}
	}
}

func TestQueriesAsLongAsAreOfUse(t *testing.T) {
	tcpTest(t, func(t *testing.T, s *Server, l *pipes) {
		// What fills the buffer to its end is answered, and what comes after it.
		long := question("chat.landfall.test", dns.TypeA).SetEdns0(1232, false)
		long.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_PADDING{Padding: make([]byte, maxQuery-long.Len()-4)}}
		conn := l.dial()
		defer conn.Close()
		all := append(framed(t, long), framed(t, question("chat.landfall.test", dns.TypeA))...)
		if len(all) < 2+maxQuery {
			t.Fatalf("%d bytes", len(all))
		}
		go conn.Write(all)
		for range 2 {
			if m := readFramed(t, conn); len(m.Answer) != 1 {
				t.Errorf("got %v", m)
			}
		}
		// A longer one ends the connection at once, after what was asked before.
		began, over := time.Now(), l.dial()
		go over.Write(append(framed(t, question("chat.landfall.test", dns.TypeA)), (maxQuery+1)>>8, (maxQuery+1)&0xff))
		if m := readFramed(t, over); len(m.Answer) != 1 {
			t.Errorf("got %v", m)
		}
		if n, err := io.Copy(io.Discard, over); n != 0 || err != nil || time.Since(began) != 0 {
			t.Errorf("%d bytes more, %v, after %v", n, err, time.Since(began))
		}
		over.Close()
	})
}

// Who asks for many transfers by one connection gets them in turn, and hears
// all else meanwhile.
func TestManyTransfersKeepNobodyWaiting(t *testing.T) {
	secondaryTest(t, open(), func(t *testing.T, s *Server, l *pipes, _ func() []uint32) {
		conn := l.dial()
		defer conn.Close()
		const transfers = 3 * maxTransfers
		var all []byte
		for i := range transfers {
			m := whole()
			m.Id = uint16(i)
			all = append(all, framed(t, m)...)
		}
		other := question("chat.landfall.test", dns.TypeA)
		other.Id = transfers
		go conn.Write(append(all, framed(t, other)...))
		soa := map[uint16]int{}
		for before, done := 0, 0; done < transfers; before++ {
			m := readFramed(t, conn)
			if m.Id == transfers && before > 2*maxTransfers {
				t.Errorf("%d messages of transfers came first", before)
			}
			for _, rr := range m.Answer {
				if rr.Header().Rrtype == dns.TypeSOA {
					soa[m.Id]++
				}
			}
			if soa[m.Id] == 2 {
				done++
				soa[m.Id]++
			}
		}
		if !asks(t, conn) {
			t.Error("no answer afterwards")
		}
	})
}
