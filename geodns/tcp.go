package geodns

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

func (s *Server) serveTCP(ctx context.Context, l net.Listener) {
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
		client, gaveWay := s.conns.add(conn)
		if client == nil {
			conn.Close()
			continue
		}
		if gaveWay {
			if n := s.count.evicted.Add(1); s.crowded.due() {
				s.log.Warn("tcp connection closed for a new one", "times", n, "remote", client.client)
			}
		}
		running.Go(func() {
			defer s.conns.remove(client)
			s.serveConn(client)
		})
	}
}

// serveConn answers the queries of one connection in their order (RFC 7766,
// 6.2.1). What gets silence by UDP ends the connection: it is not DNS.
func (s *Server) serveConn(conn *tcpConn) {
	in, out := make([]byte, 512), make([]byte, 0, 512)
	for conn.SetDeadline(time.Now().Add(s.conns.patience())) == nil {
		if _, err := io.ReadFull(conn, in[:2]); err != nil {
			return
		}
		size := int(binary.BigEndian.Uint16(in))
		in = slices.Grow(in[:0], size)[:max(size, 2)]
		req := in[:size]
		if _, err := io.ReadFull(conn, req); err != nil {
			return
		}
		s.conns.asked(conn)
		out = append(out[:0], 0, 0)
		msg := s.respond(req, conn.client, viaTCP, out[2:])
		if len(msg) == 0 {
			return
		}
		// One write for both (RFC 7766, 8).
		out = append(out[:0], byte(len(msg)>>8), byte(len(msg)))
		out = append(out, msg...)
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}
