package world

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"
)

// optionClientSubnet is the EDNS option of RFC 7871, 6.
const optionClientSubnet = 8

// lookup asks one name server for the IPv4 addresses of a host as a resolver
// of clients in a subnet would.
func lookup(ctx context.Context, server netip.AddrPort, host string, subnet netip.Prefix) ([]netip.Addr, error) {
	query, err := addressQuery(host, subnet)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	c, err := new(net.Dialer).DialContext(ctx, "udp", server.String())
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := c.Write(query); err != nil {
		return nil, fmt.Errorf("look up %s at %v: %w", host, server, err)
	}
	reply := make([]byte, 1232)
	n, err := c.Read(reply)
	if err != nil {
		return nil, fmt.Errorf("look up %s at %v: %w", host, server, errors.Join(context.Cause(ctx), err))
	}
	var m dnsmessage.Message
	if err := m.Unpack(reply[:n]); err != nil {
		return nil, fmt.Errorf("look up %s at %v: %w", host, server, err)
	}
	if m.RCode != dnsmessage.RCodeSuccess {
		return nil, fmt.Errorf("look up %s at %v: %v", host, server, m.RCode)
	}
	return addressesOf(m), nil
}

func addressesOf(m dnsmessage.Message) []netip.Addr {
	var out []netip.Addr
	for _, a := range m.Answers {
		if r, ok := a.Body.(*dnsmessage.AResource); ok {
			out = append(out, netip.AddrFrom4(r.A))
		}
	}
	return out
}

func addressQuery(host string, subnet netip.Prefix) ([]byte, error) {
	name, err := dnsmessage.NewName(host + ".")
	if err != nil {
		return nil, err
	}
	// RFC 7871, 6: family, source and scope prefix length, and as many bytes
	// of the address as the prefix covers.
	family := uint16(1)
	if subnet.Addr().Is6() {
		family = 2
	}
	option := binary.BigEndian.AppendUint16(nil, family)
	option = append(option, byte(subnet.Bits()), 0)
	option = append(option, subnet.Masked().Addr().AsSlice()[:(subnet.Bits()+7)/8]...)
	var opt dnsmessage.ResourceHeader
	if err := opt.SetEDNS0(1232, dnsmessage.RCodeSuccess, false); err != nil {
		return nil, err
	}
	q := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 1, RecursionDesired: true}, // one question on a socket of its own
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
		Additionals: []dnsmessage.Resource{{Header: opt, Body: &dnsmessage.OPTResource{
			Options: []dnsmessage.Option{{Code: optionClientSubnet, Data: option}},
		}}},
	}
	return q.Pack()
}
