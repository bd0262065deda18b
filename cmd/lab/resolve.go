package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Resolve asks the host's resolver for the addresses of a name, of the
// families that the host has: IPv6 first, each family in the resolver's order.
func (h *Host) Resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	resolver := netip.MustParseAddrPort("127.0.0.1:53")
	var out []netip.Addr
	for _, q := range []dnsmessage.Type{dnsmessage.TypeAAAA, dnsmessage.TypeA} {
		if q == dnsmessage.TypeAAAA && !h.has6() {
			continue
		}
		m, err := h.Ask(ctx, resolver, name, q)
		if err != nil {
			return nil, err
		}
		for _, r := range m.Answers {
			switch b := r.Body.(type) {
			case *dnsmessage.AResource:
				out = append(out, netip.AddrFrom4(b.A))
			case *dnsmessage.AAAAResource:
				out = append(out, netip.AddrFrom16(b.AAAA))
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("host %s: %s has no address", h.Name, name)
	}
	return out, nil
}

func (h *Host) has6() bool {
	for _, a := range h.Addresses {
		if a.Is6() {
			return true
		}
	}
	return false
}

// Ask sends one question to a name server or resolver over TCP, which loses
// and cuts nothing off, and wants an answer without an error code; a name that
// does not exist is one.
func (h *Host) Ask(ctx context.Context, server netip.AddrPort, name string, q dnsmessage.Type) (*dnsmessage.Message, error) {
	m, err := h.ask(ctx, server, name, q)
	if err == nil && m.RCode != dnsmessage.RCodeSuccess {
		err = errors.New(strings.TrimPrefix(m.RCode.String(), "RCode"))
	}
	if err != nil {
		return nil, fmt.Errorf("host %s: ask %v for %s %s: %w", h.Name, server, name, strings.TrimPrefix(q.String(), "Type"), err)
	}
	return m, nil
}

func (h *Host) ask(ctx context.Context, server netip.AddrPort, name string, q dnsmessage.Type) (*dnsmessage.Message, error) {
	n, err := dnsmessage.NewName(strings.TrimSuffix(name, ".") + ".")
	if err != nil {
		return nil, err
	}
	ask := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: uint16(rand.Uint32()), RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: n, Type: q, Class: dnsmessage.ClassINET}},
	}
	b, err := ask.AppendPack(make([]byte, 2, 512))
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint16(b, uint16(len(b)-2)) // RFC 1035, 4.2.2
	c, err := h.Dial(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := c.Write(b); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	b = make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		return nil, err
	}
	var m dnsmessage.Message
	if err := m.Unpack(b); err != nil {
		return nil, err
	}
	if m.ID != ask.ID || !m.Response {
		return nil, errors.New("the answer is to another question")
	}
	return &m, nil
}
