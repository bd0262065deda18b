package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"landfall/bench/ecs"
)

// clientCookie is our half of every cookie: any eight bytes will do, if
// answers hold them nowhere else (RFC 7873, 4.1).
const clientCookie = "\xc0\x0c\x1e\x5a\x96\x3b\xd1\x07"

// Cookie asks a server for its half of a cookie, and gives both: what a client
// at an address of this machine shows with all its questions.
func Cookie(server netip.AddrPort, zone ecs.Name) ([]byte, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	q := Question{Name: zone, Type: TypeSOA, Cookie: []byte(clientCookie)}
	if _, err := conn.Write(q.Append(nil)); err != nil {
		return nil, err
	}
	buf := make([]byte, answerSize)
	n, err := conn.Read(buf)
	if err != nil {
		return nil, fmt.Errorf("ask %v for a cookie: %w", server, err)
	}
	return cookieIn(buf[:n])
}

func cookieIn(answer []byte) ([]byte, error) {
	at := bytes.Index(answer, []byte(clientCookie))
	if at < 4 {
		return nil, errors.New("the server has no cookies")
	}
	end := at + int(binary.BigEndian.Uint16(answer[at-2:]))
	if end > len(answer) || end-at <= len(clientCookie) {
		return nil, errors.New("the server's cookie ends early")
	}
	return bytes.Clone(answer[at:end]), nil
}
