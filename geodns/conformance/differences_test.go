package conformance

import (
	"encoding/binary"
	"regexp"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Who is right where servers differ.
const (
	weAre = "Landfall"
	both  = "both"
	they  = "they"
)

// difference is a way in which this server answers unlike another.
type difference struct {
	what   string // is done by whom
	right  string
	rule   string // by which
	peers  string
	aspect *regexp.Regexp // of an answer, see aspects
	when   func(x *exchange) bool
}

// covers reports whether the difference is what one aspect of an exchange
// shows.
func (d *difference) covers(x *exchange, aspect string) bool {
	return strings.Contains(d.peers, x.peer) && d.aspect.MatchString(aspect) && (d.when == nil || d.when(x))
}

// flawed finds messages with one of some flaws.
func flawed(some ...flaw) func(*exchange) bool {
	return func(x *exchange) bool { return slices.Contains(some, x.sense.found) }
}

// asking finds questions for one of some types.
func asking(types ...uint16) func(*exchange) bool {
	return func(x *exchange) bool {
		return len(x.msg.Question) == 1 && slices.Contains(types, x.msg.Question[0].Qtype)
	}
}

func all(fs ...func(*exchange) bool) func(*exchange) bool {
	return func(x *exchange) bool {
		return !slices.ContainsFunc(fs, func(f func(*exchange) bool) bool { return !f(x) })
	}
}

func is(pattern string) *regexp.Regexp { return regexp.MustCompile("^(" + pattern + ")$") }

// broken are the flaws by which a message cannot be read to its end.
var broken = []flaw{noMessage, badName, endsEarly, goesOn, misplaced, badOptions, badSubnet, badCookie}

// differences are all there are. The first that covers an aspect explains it.
func differences() []difference {
	return slices.Concat(unreadable(), unserved(), otherEDNS(), otherContent())
}

// unreadable are those over messages that are not well-formed.
func unreadable() []difference {
	silent, refused := is("they are silent"), is("rcode FORMERR, not .*")
	return []difference{
		{"A message with a header and nothing that can be read behind it is told FORMERR; others drop it.",
			weAre, "RFC 1035, 4.1.1; RFC 8906, 1", "knot nsd", silent, flawed(broken...)},
		{"What cannot be read to its end is FORMERR, also where the question alone could be answered.",
			weAre, "RFC 1035, 4.1.1", "knot nsd gdnsd", refused, flawed(endsEarly, goesOn, badName, badOptions)},
		{"OPT where it has no place, or twice, is FORMERR.",
			weAre, "RFC 6891, 6.1.1", "knot nsd gdnsd", refused, flawed(misplaced)},
		{"A client subnet that is not as it must be is FORMERR; servers that do not heed it cannot tell.",
			weAre, "RFC 7871, 7.1.2, 7.2.1", "knot nsd gdnsd", refused, flawed(badSubnet)},
		{"A cookie of a length that none can have is FORMERR; servers without cookies cannot tell.",
			weAre, "RFC 7873, 5.2.2", "knot nsd gdnsd", refused, flawed(badCookie)},
		{"Several questions are FORMERR, whatever else there is; others drop the message.",
			weAre, "RFC 9619, 4", "knot nsd gdnsd", is("they are silent|rcode FORMERR, not .*"), flawed(questions)},
		{"No question is FORMERR; another drops the message, or calls it a success.",
			weAre, "RFC 1035, 4.1.2; RFC 7873, 5.4", "knot nsd", is("they are silent|rcode FORMERR, not NOERROR"), flawed(noQuestion)},
		{"No question, but a cookie, asks for a cookie: NOERROR, or BADCOOKIE if it is an old one.",
			weAre, "RFC 7873, 5.4", "knot nsd gdnsd", is("they are silent|rcode (NOERROR|BADCOOKIE), not .*"), all(flawed(noQuestion), having(dns.EDNS0COOKIE))},
		{"FORMERR repeats the question where it could be read.",
			weAre, "RFC 1035, 4.1.1", "nsd", is("question"), func(x *exchange) bool { return x.ours.rcode() == "FORMERR" && len(x.theirs.msg.Question) == 0 }},
		{"FORMERR has OPT where OPT could be read.",
			weAre, "RFC 6891, 7", "knot nsd gdnsd", is("OPT"), func(x *exchange) bool { return x.ours.rcode() == "FORMERR" }},
		{"FORMERR has no OPT where the fault stands before it, or in it.",
			both, "RFC 6891, 7", "knot gdnsd", is("no OPT"), func(x *exchange) bool { return x.ours.rcode() == "FORMERR" }},
		{"RD is repeated in FORMERR, and in BADVERS, as in every answer.",
			weAre, "RFC 1035, 4.1.1", "nsd", is("RD set"), nil},
		{"Several questions are not repeated in FORMERR.",
			both, "RFC 9619, 4", "gdnsd", is("question"), flawed(questions)},
	}
}

// unserved are those over questions for what this server does not serve.
func unserved() []difference {
	return []difference{
		{"OPT and NXNAME are no types to ask for: FORMERR.",
			weAre, "RFC 6891, 6.1.1; RFC 9824, 3.5", "knot nsd gdnsd", is("they are silent|rcode FORMERR, not .*|rcode REFUSED, not NOTIMP"), flawed(metaType)},
		{"TKEY, TSIG, MAILA and other kinds of question that stand for something else than data are NOTIMP; others look for data of that type.",
			both, "RFC 1035, 4.1.1; RFC 6895, 3.1", "knot nsd gdnsd", is("they are silent|rcode NOTIMP, not .*"), flawed(otherPseudo)},
		{"Other operations are NOTIMP, whatever their name and options; others look at those first, or drop the message.",
			weAre, "RFC 1035, 4.1.1; RFC 8906, 3.1.4", "knot nsd gdnsd", is("they are silent|rcode NOTIMP, not .*"), flawed(operation)},
		{"NOTIMP is a header alone: the rest of the message may have another form.",
			both, "RFC 8906, 8.1.4", "knot nsd gdnsd", is("question|no OPT"), flawed(operation)},
		{"An answer to another operation has no flags but RD.",
			both, "RFC 1035, 4.1.1", "knot nsd gdnsd", is("(RA|TC|AD|CD|Z|RD|AA) (clear|set)"), flawed(operation)},
		{"Classes beside IN are refused, ANY among them; others answer for ANY.",
			both, "RFC 1035, 6.2; RFC 8482, 7", "knot nsd gdnsd", is("rcode (REFUSED|NOTIMP), not .*|they are silent"), flawed(otherClass)},
		{"REFUSED repeats the question.",
			weAre, "RFC 1035, 4.1.1", "nsd", is("question"), flawed(otherClass)},
		{"Transfers that are not allowed are refused, by UDP, too; another does not know them by UDP.",
			both, "RFC 5936, 4.2; RFC 1995, 2", "knot nsd gdnsd", is("rcode (REFUSED, not (NOTIMP|NOTAUTH|NOERROR|NXDOMAIN)|NOTAUTH, not (NOTIMP|REFUSED|NOERROR|NXDOMAIN))"), asking(dns.TypeAXFR, dns.TypeIXFR)},
		{"Type 0 is one that there is nothing of.",
			both, "RFC 6895, 3.1; RFC 3597, 2", "knot", is("rcode .*, not NOTIMP"), asking(0)},
		{"ANY is answered by HINFO; others choose one set, or tell all.",
			weAre, "RFC 8482, 4.2", "knot nsd gdnsd", is("(answer|authority|additional) .*|TC clear"), asking(dns.TypeANY)},
		{"A query with an rcode of its own is answered: the field means nothing there. Another drops it, or calls it FORMERR.",
			weAre, "RFC 1035, 4.1.1; RFC 8906, 3.1.3", "nsd", is("they are silent|rcode .*, not FORMERR|question"), func(x *exchange) bool { return header(x)&15 != 0 }},
		{"Records that a query need not have are passed over, whatever is in them; others drop the query, or call it FORMERR.",
			weAre, "RFC 1035, 4.1.1; RFC 8906, 3.1.3", "knot nsd", is("they are silent|rcode .*, not FORMERR|question"), crowded},
	}
}

// otherEDNS are those over EDNS.
func otherEDNS() []difference {
	return []difference{
		{"Answers by UDP have 1232 bytes at most, and OPT says that we take as much; gdnsd takes 1024.",
			both, "RFC 6891, 6.2.3; RFC 9715, 3", "gdnsd", is("OPT size"), nil},
		{"A client subnet is returned with its scope; others do not know the option.",
			weAre, "RFC 7871, 7.2.1", "knot nsd gdnsd", is("option 8"), nil},
		{"Cookies are answered; others are not told to.",
			weAre, "RFC 7873, 5.2", "knot nsd", is("option 10"), nil},
		{"Cookies are those that several servers of one name can share; gdnsd's are its own.",
			weAre, "RFC 9018, 4", "gdnsd", is("option 10 other"), nil},
		{"On connections, how long they may be idle is told to who asks.",
			weAre, "RFC 7828, 3.3.2", "knot nsd", is("option 11"), nil},
		{"It is not told by UDP, nor to who does not ask; gdnsd does.",
			weAre, "RFC 7828, 3.3.2", "gdnsd", is("no option 11"), func(x *exchange) bool { return !having(dns.EDNS0TCPKEEPALIVE)(x) }},
		{"The server has no name to tell (NSID); knot tells that of the machine.",
			both, "RFC 5001, 2.1", "knot", is("no option 3"), nil},
		{"When the zone expires is not told.",
			both, "RFC 7314, 2", "knot", is("no option 9"), nil},
		{"Extended errors tell why there is no answer, and no more: they are a courtesy.",
			both, "RFC 8914, 2", "knot nsd", is("no option 15"), nil},
		{"Names of no zone here are told to be that, other classes to be not supported, and NXNAME to be no type to ask for; others do not say so, or call another class a name of no zone.",
			weAre, "RFC 8914, 4.21, 4.22; RFC 9824, 3.5", "knot nsd gdnsd", is("option 15( other)?"), nil},
		{"A payload size below 512 is taken for 512; knot calls it FORMERR.",
			weAre, "RFC 6891, 6.2.3", "knot", is("rcode .*, not FORMERR"), func(x *exchange) bool { return x.sense.opts > 0 && x.sense.size < 512 }},
		{"What NSID holds in a query is ignored; gdnsd calls it FORMERR.",
			weAre, "RFC 5001, 2.2", "gdnsd", is("rcode .*, not FORMERR"), having(dns.EDNS0NSID)},
		{"BADVERS keeps DO, and no bit of the header but RD.",
			both, "RFC 6891, 6.1.3, 6.1.4", "nsd", is("OPT flags|(AA|Z|CD|AD|TC|RA) clear"), func(x *exchange) bool { return x.theirs.rcode() == "BADVERS" }},
		{"FORMERR has a cookie where one was read; gdnsd has not always.",
			weAre, "RFC 7873, 5.2", "gdnsd", is("option 10"), func(x *exchange) bool { return x.ours.rcode() == "FORMERR" }},
		{"How long a connection may be idle is each server's own affair.",
			both, "RFC 7828, 3.3.2", "gdnsd", is("option 11 other"), nil},
		{"Of two client subnets the first is returned.",
			both, "RFC 7871, 7.2.1", "gdnsd", is("option 8 other"), flawed(badSubnet)},
		{"A query of another EDNS version is BADVERS; others drop it, or call it FORMERR.",
			weAre, "RFC 6891, 6.1.3", "knot nsd", is("they are silent|rcode BADVERS, not FORMERR"), flawed(badVersion)},
		{"The CO flag is returned.",
			weAre, "RFC 9824, 5.1", "knot nsd gdnsd", is("OPT flags"), func(x *exchange) bool { return x.ours.opt.Hdr.Ttl&0x4000 != 0 }},
	}
}

// otherContent are those over what answers say.
func otherContent() []difference {
	alias := func(x *exchange) bool { return slices.ContainsFunc(x.ours.msg.Answer, isAlias) }
	referral := func(x *exchange) bool { return !x.ours.msg.Authoritative && len(x.ours.sections[1]) > 0 }
	return []difference{
		{"gdnsd has no DNAME, no DS and no HINFO, and no aliases that lead nowhere: it lacks some names.",
			weAre, "RFC 6672; RFC 4035, 2.4; RFC 1035, 3.3.2", "gdnsd", is("rcode .*, not NXDOMAIN|(answer|authority|additional) .*|AA .*|TC set"), lacked},
		{"An answer of more than ten times the question goes to nobody who has not proved his address: TC. So does one that is longer than 1232 bytes.",
			weAre, "RFC 7873, 5.2.1; RFC 5358, 4; RFC 9715, 3", "knot nsd gdnsd", is("TC set"), large},
		{"Names in the data of aliases are not compressed, so that an answer may be truncated some bytes earlier.",
			both, "RFC 1035, 4.1.4", "knot nsd gdnsd", is("TC set"), func(x *exchange) bool {
				return slices.ContainsFunc(x.theirs.msg.Answer, isAlias) && len(x.theirs.raw)+256 > x.sense.limit()
			}},
		{"A truncated answer has no records; others leave some.",
			both, "RFC 2181, 9", "knot nsd gdnsd", is("(answer|authority|additional) .*|rcode .*"), func(x *exchange) bool { return x.ours.msg.Truncated && x.theirs.msg.Truncated }},
		{"YXDOMAIN comes without SOA: it is not about what does not exist. Knot adds it.",
			both, "RFC 6672, 3.2", "knot", is("authority empty"), func(x *exchange) bool { return x.ours.rcode() == "YXDOMAIN" }},
		{"Names of the zone's servers are told where they are asked for; nsd adds them to every answer.",
			both, "RFC 1034, 4.3.2; RFC 2181, 5.4.1", "nsd", is("(authority|additional) empty|additional shorter"), func(x *exchange) bool { return len(x.ours.msg.Answer) > 0 && x.ours.rcode() == "NOERROR" }},
		{"The addresses of mail exchangers and other hosts are not added: a resolver may not believe them.",
			both, "RFC 1035, 3.3.9; RFC 2181, 5.4.1", "knot gdnsd", is("additional empty"), asking(dns.TypeMX, dns.TypeSRV, dns.TypeSVCB, dns.TypeHTTPS, dns.TypePTR, dns.TypeAFSDB, dns.TypeKX, dns.TypeRP, dns.TypeNAPTR)},
		{"Aliases are followed within the zone for all types; gdnsd leaves that to the resolver.",
			both, "RFC 1034, 4.3.2, step 3a", "gdnsd", is("answer longer|authority not empty|additional not empty|rcode NXDOMAIN, not NOERROR|rcode NOERROR, not NXDOMAIN"), alias},
		{"Aliases are followed for RRSIG and NSEC as well: in a zone that is not signed, no name has those itself.",
			both, "RFC 1034, 3.6.2; RFC 4035, 2.5", "knot nsd", is("(answer|authority|additional) .*|rcode .*"), all(alias, asking(dns.TypeRRSIG, dns.TypeNSEC, dns.TypeSIG, dns.TypeNSEC3))},
		{"DS of a delegation is the upper zone's to answer, with its SOA if there is none; gdnsd refers to the lower.",
			weAre, "RFC 4035, 3.1.4.1", "gdnsd", is("AA set|(authority|additional) .*"), asking(dns.TypeDS)},
		{"Who asks for CNAME below a DNAME is told what is at its end, as for any other type; others stop at the CNAME that they made.",
			weAre, "RFC 6672, 3.2", "knot nsd", is("answer longer|(authority|additional) .*|rcode .*|TC set"), all(asking(dns.TypeCNAME), redirected)},
		{"A delegation comes with all addresses that the zone has of its servers; gdnsd has those within the delegation.",
			weAre, "RFC 9471, 3", "gdnsd", is("additional .*"), referral},
		{"NS records at the zone's top come with their servers' addresses.",
			both, "RFC 1034, 4.3.2", "gdnsd", is("additional not empty"), asking(dns.TypeNS)},
		{"An SOA record has its own TTL where it is asked for; gdnsd cuts that down to the negative TTL.",
			weAre, "RFC 2308, 3", "gdnsd", is("answer other"), asking(dns.TypeSOA, dns.TypeANY)},
	}
}

func isAlias(rr dns.RR) bool {
	return rr.Header().Rrtype == dns.TypeCNAME || rr.Header().Rrtype == dns.TypeDNAME
}

// redirected finds questions below a DNAME; what is answered may be truncated.
func redirected(x *exchange) bool {
	return slices.ContainsFunc(x.theirs.msg.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeDNAME })
}

// crowded finds questions with records that they need not have.
func crowded(x *exchange) bool {
	for i := range 3 {
		if n := binary.BigEndian.Uint16(x.sent[6+2*i:]); n > 1 || n == 1 && x.msg.IsEdns0() == nil || n == 1 && i < 2 {
			return true
		}
	}
	return false
}

// having finds questions with an option.
func having(code uint16) func(*exchange) bool {
	return func(x *exchange) bool { return slices.Contains(x.sense.codes, code) }
}

// lacked finds questions that lead to names which gdnsd's zone does not have.
func lacked(x *exchange) bool {
	if len(x.msg.Question) == 0 {
		return false
	}
	names := []string{x.msg.Question[0].Name}
	for _, rr := range x.ours.msg.Answer {
		names = append(names, rr.Header().Name)
		if c, ok := rr.(*dns.CNAME); ok {
			names = append(names, c.Target)
		}
	}
	for _, name := range names {
		for _, gone := range x.lacks {
			gone = strings.TrimPrefix(gone, "*.")
			if dns.IsSubDomain(gone, strings.ToLower(name)) || dns.IsSubDomain(name, gone) && name != static+"." {
				return true
			}
		}
	}
	return false
}

// large finds answers that are longer than this server gives to who has proved
// nothing: ten times the question.
func large(x *exchange) bool {
	return len(x.theirs.raw) > min(10*len(x.sent), 1232) || x.sense.limit() < len(x.theirs.raw)
}

func header(x *exchange) uint16 { return binary.BigEndian.Uint16(x.sent[2:]) }
