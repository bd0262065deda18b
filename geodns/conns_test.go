package geodns

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// asks reports whether a connection answers.
func asks(t *testing.T, conn net.Conn) bool {
	t.Helper()
	if _, err := conn.Write(framed(t, question("chat.landfall.test", dns.TypeA))); err != nil {
		return false
	}
	return len(readFramed(t, conn).Answer) == 1
}

// closed reports whether the server has closed a connection.
func closed(conn net.Conn) bool {
	conn.SetReadDeadline(time.Now().Add(time.Nanosecond))
	defer conn.SetReadDeadline(time.Time{})
	_, err := conn.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// One client takes as many connections as it can, and asks on each again and
// again, so that none is ever idle for long.
func TestOneClientCannotTakeAllConnections(t *testing.T) {
	for name, from := range map[string]func(i int) string{
		"one address": func(int) string { return "203.0.113.9" },
		"one /64":     func(i int) string { return fmt.Sprintf("2001:db8::%x", i+1) },
	} {
		t.Run(name, func(t *testing.T) {
			tcpTest(t, func(t *testing.T, s *Server, l *pipes) {
				var all []net.Conn
				for i := range maxConns {
					all = append(all, l.dialFrom(from(i)))
				}
				synctest.Wait()
				for _, conn := range all {
					if !closed(conn) && !asks(t, conn) {
						t.Fatal("no answer")
					}
				}
				for range 12 {
					other := l.dialFrom("10.1.0.1")
					if !asks(t, other) {
						t.Fatal("another client gets no answer")
					}
					other.Close()
				}
				synctest.Wait()
				if n := s.Stats().Conns; n != maxShare {
					t.Errorf("%d connections, want %d", n, maxShare)
				}
				if n := s.Stats().Evicted; n != maxConns-maxShare {
					t.Errorf("%d gave way, want %d", n, maxConns-maxShare)
				}
			})
		})
	}
}

// Many clients take everything; the one that asked longest ago gives way.
func TestLongestIdleConnectionGivesWay(t *testing.T) {
	tcpTest(t, func(t *testing.T, s *Server, l *pipes) {
		var all []net.Conn
		for i := range maxConns {
			all = append(all, l.dialFrom(fmt.Sprintf("198.51.100.%d", i%64)))
		}
		synctest.Wait()
		if n := s.Stats(); n.Conns != maxConns || n.Evicted != 0 {
			t.Fatalf("figures: %+v", n)
		}
		if got := s.conns.patience(); got != idle/10 {
			t.Errorf("patience under load is %v", got)
		}
		asks(t, all[0])
		asks(t, all[1])
		late := []net.Conn{l.dialFrom("10.1.0.1"), l.dialFrom("198.51.100.9")}
		synctest.Wait()
		for i, gone := range map[int]bool{0: false, 1: false, 2: true, 3: true, 4: false, maxConns - 1: false} {
			if got := closed(all[i]); got != gone {
				t.Errorf("connection %d: closed is %v, want %v", i, got, gone)
			}
		}
		for _, conn := range late {
			if !asks(t, conn) {
				t.Error("a late client gets no answer")
			}
		}
		if n := s.Stats(); n.Conns != maxConns || n.Evicted != 2 {
			t.Errorf("figures: %+v", n)
		}
	})
}

func TestWarningsAreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s seldom
		written := 0
		for range 30 { // a minute
			if s.due() {
				written++
			}
			time.Sleep(2 * time.Second)
		}
		if written != 6 {
			t.Errorf("%d lines in a minute, want 6", written)
		}
	})
}
