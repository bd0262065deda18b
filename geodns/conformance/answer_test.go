package conformance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// answer is what a server said, in a form that can be compared: order,
// compression, the case of names in records (RFC 4343) and the zone's serial do
// not matter, all else does.
type answer struct {
	raw    []byte
	silent bool
	err    error // it cannot be read
	msg    dns.Msg
	opt    *dns.OPT

	sections [3][]string
}

func readAnswer(raw []byte) *answer {
	a := &answer{raw: raw, silent: raw == nil}
	if a.silent {
		return a
	}
	if a.err = a.msg.Unpack(raw); a.err != nil {
		return a
	}
	for i, section := range [][]dns.RR{a.msg.Answer, a.msg.Ns, a.msg.Extra} {
		for _, rr := range section {
			if o, ok := rr.(*dns.OPT); ok && i == 2 {
				a.opt = o
				continue
			}
			if soa, ok := rr.(*dns.SOA); ok {
				soa.Serial = 0 // ours is that of the file and the map's together
			}
			a.sections[i] = append(a.sections[i], strings.ToLower(rr.String()))
		}
		slices.Sort(a.sections[i])
	}
	return a
}

// rcode is the whole of it (RFC 6891, 6.1.3).
func (a *answer) rcode() string {
	code := a.msg.Rcode
	if a.opt != nil {
		code |= int(a.opt.Hdr.Ttl>>24) << 4
	}
	if code == dns.RcodeBadVers {
		return "BADVERS"
	}
	return dns.RcodeToString[code]
}

// aspects are the ways in which two answers differ.
func aspects(ours, theirs *answer) (out []string) {
	add := func(differ bool, what string, values ...any) {
		if differ {
			out = append(out, fmt.Sprintf(what, values...))
		}
	}
	switch {
	case ours.silent && theirs.silent:
		return nil
	case ours.silent:
		return []string{"we are silent"}
	case theirs.silent:
		return []string{"they are silent"}
	case ours.err != nil || theirs.err != nil:
		return []string{"unreadable"}
	}
	o, t := &ours.msg, &theirs.msg
	aa, tc := t.Authoritative, t.Truncated
	if ours.rcode() != theirs.rcode() {
		aa, tc = o.Authoritative, o.Truncated // a consequence
	}
	add(ours.rcode() != theirs.rcode(), "rcode %s, not %s", ours.rcode(), theirs.rcode())
	add(o.Id != t.Id, "id")
	add(o.Opcode != t.Opcode, "opcode")
	for _, f := range []struct {
		name         string
		ours, theirs bool
	}{
		{"QR", o.Response, t.Response}, {"AA", o.Authoritative, aa}, {"TC", o.Truncated, tc}, {"RD", o.RecursionDesired, t.RecursionDesired},
		{"RA", o.RecursionAvailable, t.RecursionAvailable}, {"Z", o.Zero, t.Zero}, {"AD", o.AuthenticatedData, t.AuthenticatedData}, {"CD", o.CheckingDisabled, t.CheckingDisabled},
	} {
		add(f.ours && !f.theirs, "%s set", f.name)
		add(!f.ours && f.theirs, "%s clear", f.name)
	}
	add(!slices.Equal(o.Question, t.Question), "question")
	if ours.rcode() != theirs.rcode() || o.Truncated != t.Truncated {
		return out // all else is a consequence
	}
	for i, name := range []string{"answer", "authority", "additional"} {
		section(ours.sections[i], theirs.sections[i], name, add)
	}
	return append(out, optAspects(ours.opt, theirs.opt)...)
}

// section tells what one section lacks, has too much, or has otherwise.
func section(ours, theirs []string, name string, add func(bool, string, ...any)) {
	switch {
	case slices.Equal(ours, theirs):
	case len(ours) == 0:
		add(true, "%s empty", name)
	case len(theirs) == 0:
		add(true, "%s not empty", name)
	case within(ours, theirs):
		add(true, "%s shorter", name)
	case within(theirs, ours):
		add(true, "%s longer", name)
	default:
		add(true, "%s other", name)
	}
}

func within(small, large []string) bool {
	return !slices.ContainsFunc(small, func(s string) bool { return !slices.Contains(large, s) })
}

func optAspects(ours, theirs *dns.OPT) (out []string) {
	switch {
	case ours == nil && theirs == nil:
		return nil
	case ours == nil:
		return []string{"no OPT"}
	case theirs == nil:
		return []string{"OPT"}
	}
	if ours.UDPSize() != theirs.UDPSize() {
		out = append(out, "OPT size")
	}
	if ours.Version() != theirs.Version() {
		out = append(out, "OPT version")
	}
	if ours.Hdr.Ttl&0xffff != theirs.Hdr.Ttl&0xffff {
		out = append(out, "OPT flags")
	}
	return append(out, optionAspects(optionsOf(ours), optionsOf(theirs))...)
}

func optionAspects(ours, theirs map[uint16]string) (out []string) {
	for code, data := range ours {
		if other, ok := theirs[code]; !ok {
			out = append(out, fmt.Sprintf("option %d", code))
		} else if data != other {
			out = append(out, fmt.Sprintf("option %d other", code))
		}
	}
	for code := range theirs {
		if _, ok := ours[code]; !ok {
			out = append(out, fmt.Sprintf("no option %d", code))
		}
	}
	slices.Sort(out)
	return out
}

// optionsOf are those of an OPT record. No two servers have the same cookies.
func optionsOf(o *dns.OPT) map[uint16]string {
	out := map[uint16]string{}
	for _, e := range o.Option {
		if out[e.Option()] = e.String(); e.Option() == dns.EDNS0COOKIE {
			out[e.Option()] = fmt.Sprint(len(e.String()))
		}
	}
	return out
}
