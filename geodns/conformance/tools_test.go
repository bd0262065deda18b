package conformance

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// known are questions of every kind.
var known = []struct{ name, rrtype string }{
	{"edge.test", "SOA"}, {"edge.test", "NS"}, {"edge.test", "DNSKEY"},
	{"chat.edge.test", "A"}, {"chat.edge.test", "AAAA"}, {"chat.edge.test", "HTTPS"}, {"irc.edge.test", "A"}, {"app.conf.test", "A"}, {"app.conf.test", "HTTPS"},
	{"www.edge.test", "A"}, {"any.wild.edge.test", "TXT"}, {"a.b.c.edge.test", "TXT"},
	{"conf.test", "MX"}, {"conf.test", "CAA"}, {"conf.test", "TXT"}, {"www.conf.test", "A"}, {"chain1.conf.test", "AAAA"}, {"towild.conf.test", "TXT"},
	{"any.wild.conf.test", "A"}, {"any.wild.conf.test", "MX"}, {"x.cwild.conf.test", "A"}, {"x.dname.conf.test", "A"}, {"c.dname.conf.test", "AAAA"},
	{"secure.conf.test", "DS"}, {"naptr.conf.test", "NAPTR"}, {"svcb.conf.test", "SVCB"}, {"https.conf.test", "HTTPS"}, {"loc.conf.test", "LOC"},
	{"unknown.conf.test", "TYPE65400"}, {"many.conf.test", "A"}, {"bigtxt.conf.test", "TXT"}, {"mixedcase.conf.test", "A"},
}

// missing are questions that there is no answer to.
var missing = []struct{ name, rrtype string }{
	{"nothing.edge.test", "A"}, {"a.b.nothing.edge.test", "A"}, {"chat.edge.test", "MX"}, {"irc.edge.test", "HTTPS"}, {"c.edge.test", "A"},
	{"any.wild.edge.test", "A"}, {"nothing.conf.test", "A"}, {"x.host.wild.conf.test", "A"}, {"z.wild.conf.test", "TXT"}, {"lost.conf.test", "A"},
	{"no.dname.conf.test", "A"}, {"sub.conf.test", "DS"}, {"www.conf.test", "DS"}, {"conf.test", "SRV"}, {"*.wild.conf.test", "SRV"},
}

// TestDigReadsEveryAnswer has dig and kdig read all kinds of answers, with and
// without signatures, by UDP and TCP.
func TestDigReadsEveryAnswer(t *testing.T) {
	outside(t)
	s := signedProgram(t)
	for _, how := range []string{"+notcp", "+tcp", "+dnssec", "+nocookie", "+bufsize=512", "+noedns", "+subnet=60.1.2.0/24"} {
		for _, tool := range []string{"dig", "kdig"} {
			args := []string{tool, "@" + s.addr.Addr().String(), "-p", fmt.Sprint(s.addr.Port())}
			for _, q := range append(known, missing...) {
				args = append(args, q.name, q.rrtype, how, "+norec")
			}
			out := output(t, args...)
			if n, want := strings.Count(out, "flags: qr")+strings.Count(out, "Flags: qr"), len(known)+len(missing); n != want {
				t.Errorf("%s %s: %d answers to %d questions\n%s", tool, how, n, want, out)
			}
			out = strings.ReplaceAll(out, "WARNING: truncated reply", "truncated reply")
			if odd := regexp.MustCompile(`(?im)^;;.*(warning|malformed|bad packet|extra data|error:|FORMERR|SERVFAIL|REFUSED).*`).FindString(out); odd != "" {
				t.Errorf("%s %s: %s", tool, how, odd)
			}
		}
	}
}

// TestDelvValidatesEveryAnswer has delv go from the keys that it is told to
// trust to every kind of answer, and of none.
func TestDelvValidatesEveryAnswer(t *testing.T) {
	outside(t)
	s := signedProgram(t)
	dir := t.TempDir()
	for _, root := range []string{domain, static} {
		k := s.keys[root]
		anchors := fmt.Sprintf("trust-anchors { %s static-key %d %d %d %q; };\n", k.Hdr.Name, k.Flags, k.Protocol, k.Algorithm, k.PublicKey)
		file := write(t, dir, root+".anchors", anchors)
		ask := func(name, rrtype string) string {
			return output(t, "delv", "@"+s.addr.Addr().String(), "-p", fmt.Sprint(s.addr.Port()), "-a", file, "+root="+root, name, rrtype)
		}
		for _, q := range known {
			if strings.HasSuffix(q.name, root) {
				if out := ask(q.name, q.rrtype); !strings.Contains(out, "; fully validated") {
					t.Errorf("%s %s: %s", q.name, q.rrtype, out)
				}
			}
		}
		for _, q := range missing {
			if strings.HasSuffix(q.name, root) {
				if out := ask(q.name, q.rrtype); !strings.Contains(out, "fully validated") || !strings.Contains(out, "resolution failed: ncache nx") {
					t.Errorf("%s %s: %s", q.name, q.rrtype, out)
				}
			}
		}
		if out := ask("host.sub.conf.test", "A"); root == static && !strings.Contains(out, "failed") && !strings.Contains(out, "unsigned") {
			t.Errorf("a delegation that is not signed: %s", out)
		}
	}
}

// TestTransferredZonesVerify copies zones, and has ldns-verify-zone check every
// signature and the chain of names.
func TestTransferredZonesVerify(t *testing.T) {
	outside(t)
	s := signedProgram(t)
	dir := t.TempDir()
	for _, name := range []string{domain, static} {
		text := output(t, "dig", "@"+s.addr.Addr().String(), "-p", fmt.Sprint(s.addr.Port()), name, "AXFR", "+onesoa", "+nocomments", "+nocmd", "+nostats")
		file := write(t, dir, name, text)
		anchors := write(t, dir, name+".ds", s.keys[name].ToDS(dns.SHA256).String()+"\n")
		if out := output(t, "ldns-verify-zone", "-k", anchors, "-e", "P3D", file); !strings.Contains(out, "Zone is verified and complete") {
			t.Errorf("%s: %s\n%s", name, out, text)
		}
	}
}
