//go:build !linux

package udp

import "net"

// open moves one datagram at a time: batches are Linux's.
func open(c *net.UDPConn) (Conn, error) { return newPlain(c), nil }
