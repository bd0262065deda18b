package config

import (
	"net/netip"
	"time"

	"landfall"
	"landfall/mesh/wan"
)

// Lab is a lab.toml: machines, the internet between them, what they run and
// what happens meanwhile.
type Lab struct {
	Seed     int
	Places   []LabPlace
	Links    []LabLink
	Hosts    []LabHost
	Programs []LabProgram
	Phases   []LabPhase
	Report   LabReport
}

// LabPlace is where hosts stand and links end.
type LabPlace struct {
	Name  wan.Site
	Place landfall.Place // where on Earth; of use to links that say no delay
	known bool
}

// LabLink joins two places, in both directions alike or in one.
type LabLink struct {
	Between []wan.Site // two of them
	OneWay  bool       // from the first to the second only
	Link    wan.Link
}

// LabHost is a machine.
type LabHost struct {
	Name      string
	Place     wan.Site
	Addresses []netip.Addr // what others reach it by
	NAT       LabNAT       // what stands before it; empty is nothing
	Inside    netip.Addr   // the address that it has itself, behind NAT
	Closed    bool         // nothing from outside comes in but answers, ICMP and what Open lists
	Open      []LabPort
}

// LabNAT is a kind of NAT, in the words of RFC 3489, 5.
type LabNAT string

// The kinds of NAT.
const (
	LabOneToOne       LabNAT = "one-to-one"
	LabFullCone       LabNAT = "full-cone"
	LabRestricted     LabNAT = "restricted"
	LabPortRestricted LabNAT = "port-restricted"
	LabSymmetric      LabNAT = "symmetric"
)

// LabPort is a port that a firewall lets in.
type LabPort struct {
	Network string // "tcp" or "udp"
	Port    uint16
}

// LabProgram is what a host runs from the start, or from an event on.
type LabProgram struct {
	Name     string
	Host     string
	Command  []string
	Env      []string      // NAME=VALUE
	Waits    bool          // it is started by an event, not with the lab
	TCP      uint16        // it is ready once it takes connections on this port, 0 being no condition,
	Log      string        // and once a line of what it prints matches this regular expression
	ReadyFor time.Duration // how long it may take to be ready
}

// LabPhase is a stretch of time that is measured by itself.
type LabPhase struct {
	Name    string
	Lasts   time.Duration // or, where there is a command, how long that may take
	Host    string        // where the command runs
	Command []string      // the phase ends when it does
	Events  []LabEvent    // in the order of their times
}

// LabEvent is something that happens in a phase.
type LabEvent struct {
	At time.Duration // since the phase began

	// One of these says what happens, and to what.
	Cut, Heal, Change   []wan.Site
	Unplug, Plug, Crash string // hosts
	Start, Stop, Kill   string // programs

	link wan.Link // what Change sets,
	keys []string // by these keys
}

// LabReport says what becomes of the figures.
type LabReport struct {
	File    string // for all figures as JSON, by its name from the lab's directory; empty is none
	Repeats int    // how often a phase is repeated in which packets were late
}

// LabRepeats is how often a phase is repeated if the file does not say.
const LabRepeats = 2

// ParseLab reads a lab.toml. There is either a Lab or at least one problem.
func ParseLab(name string, src []byte) (Lab, []Problem) {
	var l Lab
	if len(src) > MaxSize {
		s := newSource(name, nil)
		s.fault(span{}, "give a lab's file", "the file has %d bytes, more than %d", len(src), MaxSize)
		return l, s.problems()
	}
	s := newSource(name, src)
	if !s.readable() {
		return l, s.problems()
	}
	root, whole := grow(s)
	d := &decoder{src: s, places: map[string]span{}, whole: whole, apart: true}
	l.Report.Repeats = LabRepeats
	d.fields(spot{}, root, lab(&l))
	if whole {
		(&labCheck{d: d, lab: &l}).all()
	}
	if len(s.found) > 0 {
		return Lab{}, s.problems()
	}
	return l, nil
}

// What happens, in a word, and to what.
func (e LabEvent) What() (verb string, to []string) {
	for _, k := range e.happenings() {
		if len(k.to) > 0 {
			return k.verb, k.to
		}
	}
	return "", nil
}

// happening is one of the things that an event may be.
type happening struct {
	verb string
	kind string // what it happens to
	to   []string
}

func (e LabEvent) happenings() []happening {
	sites := func(s []wan.Site) (out []string) {
		for _, p := range s {
			out = append(out, string(p))
		}
		return out
	}
	one := func(s string) []string {
		if s == "" {
			return nil
		}
		return []string{s}
	}
	return []happening{
		{"cut", "place", sites(e.Cut)}, {"heal", "place", sites(e.Heal)}, {"change", "place", sites(e.Change)},
		{"unplug", "host", one(e.Unplug)}, {"plug", "host", one(e.Plug)}, {"crash", "host", one(e.Crash)},
		{"start", "program", one(e.Start)}, {"stop", "program", one(e.Stop)}, {"kill", "program", one(e.Kill)},
	}
}

// Apply makes of a link what a Change leaves of it.
func (e LabEvent) Apply(l wan.Link) wan.Link {
	for _, key := range e.keys {
		switch key {
		case "rtt", "delay":
			l.Delay = e.link.Delay
		case "jitter":
			l.Jitter = e.link.Jitter
		case "reorder":
			l.Reorder = e.link.Reorder
		case "loss":
			l.Loss = e.link.Loss
		case "burst":
			l.Burst = e.link.Burst
		case "duplicate":
			l.Duplicate = e.link.Duplicate
		case "rate":
			l.Rate = e.link.Rate
		case "queue":
			l.Queue = e.link.Queue
		case "mark":
			l.Mark = e.link.Mark
		case "mtu":
			l.MTU = e.link.MTU
		case "icmp":
			l.ICMP = e.link.ICMP
		}
	}
	return l
}
