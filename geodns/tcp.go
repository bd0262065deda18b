package geodns

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

const (
	// together is how many bytes of answers leave in one write, at most, when
	// their queries came together.
	together = 16 << 10
	// maxTransfers are the transfers of zones that go on at once by one
	// connection, and maxQueue those that it has asked for: the rest wait
	// their turn, while other queries are answered.
	maxTransfers = 4
	maxQueue     = 128
	// maxQuery is how long a query may be that comes by a connection: one that
	// makes sense has some hundred bytes. It is read where it lies in the
	// connection's buffer, and announcing a longer one holds no more memory.
	maxQuery = 4<<10 - 2
)

// serveTCP answers whoever connects, until ctx ends; shake makes a connection
// one that can be read, with TLS.
func (s *Server) serveTCP(ctx context.Context, l net.Listener, via transport, shake func(net.Conn) net.Conn) {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			if s.broken(ctx, "accept", err) {
				return
			}
			continue
		}
		if held := s.admit(conn, via); held != nil {
			running.Go(func() {
				defer s.conns.remove(held)
				s.serveConn(held, shake(held), via)
			})
		}
	}
}

// admit takes a connection in; nil if there will be no more of them.
func (s *Server) admit(conn net.Conn, via transport) *tcpConn {
	held, gaveWay := s.conns.add(conn, via)
	if held == nil {
		conn.Close()
		return nil
	}
	if gaveWay {
		if n := s.count.evicted.Add(1); s.crowded.due() {
			s.log.Warn("tcp connection closed for a new one", "times", n, "remote", held.client)
		}
	}
	return held
}

// stream is a connection that queries come by, one after the other.
type stream struct {
	s    *Server
	held *tcpConn
	via  transport
	conn net.Conn // held, or TLS on it
	in   *bufio.Reader
	req  []byte // the query read last; it lies in the buffer of in until the next

	transfers sync.WaitGroup
	queue     chan struct{} // one for each transfer asked for
	slots     chan struct{} // one for each that goes on
	running   atomic.Int32

	turn chan struct{} // full while somebody writes; who waits has it in order
}

// serveConn answers the queries of one connection in their order (RFC 7766,
// 6.2.1), but for transfers of zones, which take their time beside: nobody
// waits for them. What gets silence by UDP, or is longer than any query, ends
// the connection: it is not DNS.
// A client that closes its half still gets the answers to what it has asked.
func (s *Server) serveConn(held *tcpConn, conn net.Conn, via transport) {
	t := &stream{
		s: s, held: held, via: via, conn: conn, in: bufio.NewReaderSize(conn, 2+maxQuery),
		queue: make(chan struct{}, maxQueue), slots: make(chan struct{}, maxTransfers), turn: make(chan struct{}, 1),
	}
	defer conn.Close()
	defer t.transfers.Wait()
	defer s.survive()
	var out []byte
	for t.next() == nil {
		s.conns.asked(held)
		answer, ok := t.answer(out)
		if out = answer; !t.more() || len(out) >= together || !ok {
			if err := t.write(out); err != nil || !ok {
				return
			}
			if out = out[:0]; cap(out) > maxQuery { // nobody keeps much for long
				out = nil
			}
		}
	}
}

// next reads a query. One that has not come as a whole in time never will, nor
// is one too long of any use; but who is being sent a zone need not ask for
// more meanwhile.
func (t *stream) next() error {
	for {
		if err := t.conn.SetReadDeadline(time.Now().Add(t.s.conns.rest(t.held))); err != nil {
			return err
		}
		head, err := t.in.Peek(2)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && len(head) == 0 && t.running.Load() > 0 && !t.s.conns.parting():
			continue
		case err != nil:
			return err
		}
		size := int(binary.BigEndian.Uint16(head))
		if size > maxQuery {
			return bufio.ErrBufferFull
		}
		whole, err := t.in.Peek(2 + size)
		if err == nil {
			t.req = whole[2:]
			t.in.Discard(len(whole)) // which are there
		}
		return err
	}
}

// more reports whether another query is there as a whole.
func (t *stream) more() bool {
	if t.in.Buffered() < 2 {
		return false
	}
	head, _ := t.in.Peek(2) // which are there
	return t.in.Buffered() >= 2+int(binary.BigEndian.Uint16(head))
}

// answer adds the answer to the query read last; false if this is not DNS. A
// transfer only begins.
func (t *stream) answer(out []byte) (_ []byte, ok bool) {
	if zone := t.s.transfer(t.req, t.held.client); zone != nil {
		if err := t.write(out); err != nil { // others do not wait for room in the queue
			return out, false
		}
		t.queue <- struct{}{}
		t.running.Add(1)
		t.transfers.Go(func() { t.send(zone) })
		return out[:0], true
	}
	start := len(out)
	out = slices.Grow(out, 2+dns.MinMsgSize)
	msg := t.s.respond(t.req, t.held.client, t.via, out[start+2:start+2])
	if len(msg) == 0 {
		return out, false
	}
	return append(binary.BigEndian.AppendUint16(out, uint16(len(msg))), msg...), true
}

// send makes a transfer, in its turn. Whoever got it may think about it before
// the next query.
func (t *stream) send(zone *copying) {
	defer t.s.survive()
	t.slots <- struct{}{}
	defer func() {
		t.running.Add(-1)
		<-t.slots
		<-t.queue
	}()
	zone.send(t.emit)
	t.conn.SetReadDeadline(time.Now().Add(t.s.conns.rest(t.held)))
}

// survive keeps a fault of ours from being more than the end of a connection.
func (s *Server) survive() {
	if p := recover(); p != nil {
		s.faulty(p)
	}
}

// emit sends one message of a transfer.
func (t *stream) emit(msg []byte) error {
	t.s.conns.asked(t.held)
	out := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(msg)), uint16(len(msg)))
	return t.write(append(out, msg...))
}

// write sends messages with their lengths at once (RFC 7766, 8).
func (t *stream) write(b []byte) error {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	if err := t.conn.SetWriteDeadline(time.Now().Add(t.s.conns.patience())); err != nil || len(b) == 0 {
		return err
	}
	_, err := t.conn.Write(b)
	return err
}
