package conformance

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// TestDigFindsNoOddity walks the checks of RFC 8906, section 8, with dig, as an
// operator would, against a zone that is signed and one that is not.
func TestDigFindsNoOddity(t *testing.T) {
	outside(t)
	plain := landfallServer(t, "")
	secure := signedProgram(t)
	const noOPT, opt = "!OPT PSEUDOSECTION", "EDNS: version: 0, flags:[a-z ]*;"
	for _, tt := range []struct {
		section string
		args    string
		want    []string // found in what dig says, or with ! before it, not found
	}{
		{"8.1.1, is the server there", "+noedns +noad +norec SOA", []string{"status: NOERROR", "flags: qr aa;", "\tSOA\t", noOPT}},
		{"8.1.2, unknown type", "+noedns +noad +norec TYPE1000", []string{"status: NOERROR", "flags: qr aa;", "ANSWER: 0,", noOPT}},
		{"8.1.3.1, CD", "+noedns +noad +norec +cd SOA", []string{"status: NOERROR", "flags: qr aa;", "\tSOA\t", noOPT}},
		{"8.1.3.2, AD", "+noedns +norec +ad SOA", []string{"status: NOERROR", "flags: qr aa;", "\tSOA\t", noOPT}},
		{"8.1.3.3, reserved bit", "+noedns +noad +norec +zflag SOA", []string{"status: NOERROR", "flags: qr aa;", "\tSOA\t", "!MBZ", noOPT}},
		{"8.1.3.4, recursion", "+noedns +noad +rec SOA", []string{"status: NOERROR", "flags: qr aa rd;", "\tSOA\t", noOPT}},
		{"8.1.4, unknown opcode", "+noedns +noad +norec +opcode=15 +header-only SOA", []string{"opcode: RESERVED15", "status: NOTIMP", "flags: qr;", "!\tSOA\t", noOPT}},
		{"8.1.5, TCP", "+noedns +noad +norec +tcp SOA", []string{"status: NOERROR", "flags: qr aa;", "\tSOA\t", noOPT}},
		{"8.2.1, EDNS", "+edns=0 +nocookie +noad +norec SOA", []string{"status: NOERROR", "flags: qr aa;", "\tSOA\t", opt}},
		{"8.2.2, unknown version", "+edns=1 +noednsneg +nocookie +noad +norec SOA", []string{"status: BADVERS", "!\tSOA\t", opt}},
		{"8.2.3, unknown option", "+edns=0 +nocookie +noad +norec +ednsopt=100 SOA", []string{"status: NOERROR", "\tSOA\t", opt, "!OPT=100"}},
		{"8.2.4, unknown flag", "+edns=0 +nocookie +noad +norec +ednsflags=0x40 SOA", []string{"status: NOERROR", "\tSOA\t", opt, "!MBZ"}},
		{"8.2.5, unknown version and flag", "+edns=1 +noednsneg +nocookie +noad +norec +ednsflags=0x40 SOA", []string{"status: BADVERS", "!\tSOA\t", opt, "!MBZ"}},
		{"8.2.6, unknown version and option", "+edns=1 +noednsneg +nocookie +noad +norec +ednsopt=100 SOA", []string{"status: BADVERS", "!\tSOA\t", opt, "!OPT=100"}},
		{"8.2.7, truncated", "+norec +dnssec +bufsize=512 +ignore +nocookie +noad DNSKEY", []string{"status: NOERROR", opt, "flags: qr aa( tc)?;"}},
		{"8.2.8, DO", "+edns=0 +nocookie +noad +norec +dnssec SOA", []string{"status: NOERROR", "\tSOA\t", "EDNS: version: 0, flags: do;"}},
		{"8.2.9, unknown version and DO", "+edns=1 +noednsneg +nocookie +noad +norec +dnssec SOA", []string{"status: BADVERS", "!\tSOA\t", "EDNS: version: 0, flags: do;"}},
		{"8.2.10, several options", "+edns=0 +noad +norec +cookie +nsid +expire +subnet=0.0.0.0/0 SOA", []string{"status: NOERROR", "\tSOA\t", opt, "COOKIE: .*good", "CLIENT-SUBNET: 0.0.0.0/0/0"}},
	} {
		for _, s := range []*server{plain, {name: "signed", addr: secure.addr}} {
			for _, zone := range []string{static, domain} {
				args := append([]string{"dig", "@" + s.addr.Addr().String(), "-p", fmt.Sprint(s.addr.Port()), "-q", zone + "."}, strings.Fields(tt.args)...)
				args = append(args[:len(args)-1], "-t", args[len(args)-1])
				out := output(t, args...)
				for _, want := range tt.want {
					unwanted := strings.HasPrefix(want, "!")
					if regexp.MustCompile(strings.TrimPrefix(want, "!")).MatchString(out) == unwanted {
						t.Errorf("%s at %s for %s: %s\n%s", tt.section, s.name, zone, want, out)
					}
				}
			}
		}
	}
}
