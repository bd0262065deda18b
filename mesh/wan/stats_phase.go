package wan

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"
)

// What a phase may be late by, to be worth anything.
const (
	PhaseP99 = 500 * time.Microsecond
	PhaseMax = 5 * time.Millisecond
)

// Phase is what a network did during a part of a measurement.
type Phase struct {
	Name    string
	Took    time.Duration
	Packets uint64        // handed on after a delay, which the next three are about
	LateP50 time.Duration // by which they were handed on too late, to a sixteenth
	LateP99 time.Duration
	LateMax time.Duration // exact
	Stolen  time.Duration // the processors' time that this machine's host gave to others; 0 where it does not say
	Links   []LinkPhase   // that carried something or lost something, by their sites
}

// LinkPhase is what became, in a Phase, of what was offered to one direction
// of a link.
type LinkPhase struct {
	From, To                Site
	Passed                  uint64 // that arrive, however often
	Lost, Full, Cut, TooBig uint64
}

// Late says what makes the phase worthless, if the router was too late in it.
func (p Phase) Late() error {
	switch {
	case p.LateP99 > PhaseP99:
		return fmt.Errorf("packets were late: p99 %v is more than %v", p.LateP99, PhaseP99)
	case p.LateMax > PhaseMax:
		return fmt.Errorf("packets were late: one by %v, more than %v", p.LateMax, PhaseMax)
	}
	return nil
}

// Phase begins a phase and returns what ends it. Phases follow each other;
// one that begins while another lasts makes the other's LateMax its own.
func (n *Network) Phase(name string) (end func() Phase) {
	start, late, links, stolen := time.Now(), n.stats.late.counts(), n.fates(), stolenTime()
	n.stats.late.phase.Store(0)
	return func() Phase {
		during := n.stats.late.counts().since(late)
		longest := time.Duration(n.stats.late.phase.Load())
		return Phase{
			Name: name, Took: time.Since(start), Packets: during.total(),
			LateP50: min(longest, during.quantile(0.50)),
			LateP99: min(longest, during.quantile(0.99)),
			LateMax: longest,
			Stolen:  stolenTime() - stolen,
			Links:   busy(n.fates(), links),
		}
	}
}

// fates are how many packets met each fate.
type fates [tooBig + 1]uint64

// fates are those of each way so far.
func (n *Network) fates() map[way]fates {
	n.mu.RLock()
	defer n.mu.RUnlock()
	out := map[way]fates{}
	for w, p := range n.paths {
		p.mu.Lock()
		out[w] = p.fates
		p.mu.Unlock()
	}
	return out
}

func busy(now, before map[way]fates) (out []LinkPhase) {
	for w, f := range now {
		was := before[w]
		if f == was {
			continue
		}
		out = append(out, LinkPhase{
			From: w.from, To: w.to, Passed: f[arrives] - was[arrives],
			Lost: f[lost] - was[lost], Full: f[full] - was[full], Cut: f[cut] - was[cut], TooBig: f[tooBig] - was[tooBig],
		})
	}
	slices.SortFunc(out, func(a, b LinkPhase) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return out
}

// stolenTime is how long the machine's host has run others in its place, in
// steps of ten milliseconds (proc(5), /proc/stat).
func stolenTime() time.Duration {
	const column, ticks = 8, 100
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	words := bytes.Fields(line)
	if len(words) <= column {
		return 0
	}
	n, err := strconv.ParseUint(string(words[column]), 10, 63)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second / ticks
}
