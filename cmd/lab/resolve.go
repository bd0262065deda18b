package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"time"

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

// A question is asked again when nothing comes back, as resolvers do.
const (
	askTries   = 3
	askTimeout = 2 * time.Second
)

// Ask sends one question to a name server or resolver over UDP, and wants an
// answer without an error code; a name that does not exist is one.
func (h *Host) Ask(ctx context.Context, server netip.AddrPort, name string, q dnsmessage.Type) (*dnsmessage.Message, error) {
	var m *dnsmessage.Message
	var err error
	for range askTries {
		if m, err = h.ask(ctx, server, name, q); !errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
			break
		}
	}
	switch {
	case err != nil:
	case m.RCode != dnsmessage.RCodeSuccess:
		err = errors.New(strings.TrimPrefix(m.RCode.String(), "RCode"))
	case m.Truncated:
		err = errors.New("the answer does not fit a datagram")
	default:
		return m, nil
	}
	return nil, fmt.Errorf("host %s: ask %v for %s %s: %w", h.Name, server, name, strings.TrimPrefix(q.String(), "Type"), err)
}

func (h *Host) ask(ctx context.Context, server netip.AddrPort, name string, q dnsmessage.Type) (*dnsmessage.Message, error) {
	n, err := dnsmessage.NewName(strings.TrimSuffix(name, ".") + ".")
	if err != nil {
		return nil, err
	}
	asked := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: uint16(rand.Uint32()), RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: n, Type: q, Class: dnsmessage.ClassINET}},
	}
	b, err := asked.Pack()
	if err != nil {
		return nil, err
	}
	c, err := h.Dial(ctx, "udp", server)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	c.SetDeadline(time.Now().Add(askTimeout))
	if _, err := c.Write(b); err != nil {
		return nil, err
	}
	for b = make([]byte, 65535); ; {
		size, err := c.Read(b)
		if err != nil {
			return nil, err
		}
		var m dnsmessage.Message
		if m.Unpack(b[:size]) == nil && m.ID == asked.ID && m.Response {
			return &m, nil
		}
	}
}
