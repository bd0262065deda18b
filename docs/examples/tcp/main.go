// A small TCP application: it repeats each line, and knows who says it by the
// PROXY protocol, version 2. PORT=4000 go run .; TLS has ended at the edge.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, cmp.Or(os.Getenv("PORT"), "4000")); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, port string) error {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	fmt.Printf("listening on tcp://%v\n", l.Addr())
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			if err := echo(c); err != nil {
				log.Print(err)
			}
		}()
	}
}

func echo(c net.Conn) error {
	r := bufio.NewReader(c)
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	client, err := readProxy(r)
	if err != nil {
		return err
	}
	c.SetReadDeadline(time.Time{})
	fmt.Fprintf(c, "hello %v\n", client)
	_, err = io.Copy(c, r)
	return err
}

var signature = [12]byte{'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'}

// readProxy reads the header that comes before the client's first byte and
// returns the client's address.
func readProxy(r io.Reader) (netip.AddrPort, error) {
	var none netip.AddrPort
	var head struct {
		Signature                [12]byte
		VersionCommand, Protocol byte
		Length                   uint16
	}
	if err := binary.Read(r, binary.BigEndian, &head); err != nil {
		return none, err
	}
	if head.Signature != signature || head.VersionCommand>>4 != 2 {
		return none, errors.New(`no header of the PROXY protocol: is proxy = "off" in network.toml?`)
	}
	rest := make([]byte, head.Length)
	if _, err := io.ReadFull(r, rest); err != nil {
		return none, err
	}
	const overIPv4, overIPv6 = 0x11, 0x21 // both TCP
	switch {
	case head.Protocol == overIPv4 && len(rest) >= 12:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(rest)), binary.BigEndian.Uint16(rest[8:])), nil
	case head.Protocol == overIPv6 && len(rest) >= 36:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(rest)), binary.BigEndian.Uint16(rest[32:])), nil
	}
	return none, fmt.Errorf("PROXY protocol: family and transport %#x are not TCP over IP", head.Protocol)
}
