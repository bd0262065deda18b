package filter

import (
	"fmt"
	"strconv"
	"strings"
)

// Protocols (IANA, Assigned Internet Protocol Numbers).
const (
	protoTCP      = 6
	protoUDP      = 17
	protoFragment = 44
	protoICMP     = 58
)

// Rule is something that peers may reach. The zero Rule is everything.
type Rule struct {
	Protocol uint8  // 6 is TCP, 17 is UDP
	Port     uint16 // on this machine
}

// ParseRule reads "tcp/PORT", "udp/PORT" or "all".
func ParseRule(s string) (Rule, error) {
	if s == "all" {
		return Rule{}, nil
	}
	name, number, _ := strings.Cut(s, "/")
	r := Rule{Protocol: map[string]uint8{"tcp": protoTCP, "udp": protoUDP}[name]}
	port, err := strconv.ParseUint(number, 10, 16)
	if r.Protocol == 0 || err != nil || port == 0 {
		return Rule{}, fmt.Errorf("%q says nothing that peers may reach: want \"tcp/PORT\", \"udp/PORT\" or \"all\"", s)
	}
	r.Port = uint16(port)
	return r, nil
}

// String is what ParseRule reads.
func (r Rule) String() string {
	switch r.Protocol {
	case protoTCP:
		return fmt.Sprintf("tcp/%d", r.Port)
	case protoUDP:
		return fmt.Sprintf("udp/%d", r.Port)
	}
	return "all"
}

// ports is a set of ports.
type ports [1 << 16 / 64]uint64

func (p *ports) add(port uint16)      { p[port/64] |= 1 << (port % 64) }
func (p *ports) has(port uint16) bool { return p[port/64]>>(port%64)&1 != 0 }

// Config says what peers may reach.
type Config struct {
	// First and Last are the TCP ports of the mesh's own services, which peers
	// always reach; 0 and 0 are none.
	First, Last uint16
	Allow       []Rule
}

// Filter judges packets. It does not change; make it with New.
type Filter struct {
	first, last uint16
	all         bool
	tcp, udp    ports
}

// New makes a filter.
func New(cfg Config) *Filter {
	f := &Filter{first: cfg.First, last: cfg.Last}
	for _, r := range cfg.Allow {
		switch r.Protocol {
		case protoTCP:
			f.tcp.add(r.Port)
		case protoUDP:
			f.udp.add(r.Port)
		default:
			f.all = true
		}
	}
	return f
}

// service reports whether a TCP port is one of the mesh's own.
func (f *Filter) service(port uint16) bool { return port != 0 && port >= f.first && port <= f.last }
