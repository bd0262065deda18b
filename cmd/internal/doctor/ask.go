package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// How a question is put: by UDP twice, and by TCP where the answer is cut.
const (
	askTime  = 2 * time.Second
	askTries = 2
)

// ParseResolvers reads the resolvers of a resolv.conf(5); lines that say
// something else, or nothing of use, are passed over.
func ParseResolvers(text string) []netip.AddrPort {
	var out []netip.AddrPort
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil {
			out = append(out, netip.AddrPortFrom(a, 53))
		}
	}
	return out
}

// asker asks name servers.
type asker struct {
	port uint16 // of those that are not ours
}

// one asks one server one question.
func (asker) one(ctx context.Context, server netip.AddrPort, name string, rrtype uint16, recurse bool) (*dns.Msg, error) {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), rrtype)
	m.RecursionDesired = recurse
	m.SetEdns0(1232, false)
	var r *dns.Msg
	var err error
	for range askTries {
		c := dns.Client{Net: "udp", Timeout: askTime}
		if r, _, err = c.ExchangeContext(ctx, m, server.String()); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err == nil && r.Truncated {
		c := dns.Client{Net: "tcp", Timeout: askTime}
		r, _, err = c.ExchangeContext(ctx, m, server.String())
	}
	if err != nil {
		return nil, fmt.Errorf("%v does not answer: %w", server, err)
	}
	return r, nil
}

// resolve asks the resolvers, one after the other until one knows.
func (p *patient) resolve(ctx context.Context, name string, rrtype uint16) (*dns.Msg, error) {
	if len(p.Resolvers) == 0 {
		return nil, errors.New("there is no resolver to ask")
	}
	var errs []error
	for _, server := range p.Resolvers {
		r, err := p.ask.one(ctx, server, name, rrtype, true)
		if err == nil && r.Rcode != dns.RcodeSuccess && r.Rcode != dns.RcodeNameError {
			err = fmt.Errorf("%v answers %s for %s %s", server, dns.RcodeToString[r.Rcode], name, dns.Type(rrtype))
		}
		if err == nil {
			return r, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// addresses resolves a host, IPv4 first.
func (p *patient) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	var out []netip.Addr
	var errs error
	for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		r, err := p.resolve(ctx, host, rrtype)
		if err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		for _, rr := range r.Answer {
			out = append(out, addressOf(rr)...)
		}
	}
	if len(out) > 0 {
		errs = nil
	}
	return out, errs
}

// addressOf is the address in a record; none if it is of another type.
func addressOf(rr dns.RR) []netip.Addr {
	var raw []byte
	switch rr := rr.(type) {
	case *dns.A:
		raw = rr.A.To4()
	case *dns.AAAA:
		raw = rr.AAAA.To16()
	}
	if a, ok := netip.AddrFromSlice(raw); ok {
		return []netip.Addr{a}
	}
	return nil
}

// bare is a name as people and maps write it.
func bare(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// up is the name without its first label; of a name of one label it is empty,
// the root.
func up(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}

// owned are the records of a type that a name has, in a section of an answer.
func owned[T dns.RR](section []dns.RR, name string) (out []T) {
	for _, rr := range section {
		if t, ok := rr.(T); ok && bare(rr.Header().Name) == bare(name) {
			out = append(out, t)
		}
	}
	return out
}

// sorted are values in order, each once.
func sorted[T ~string](list []T) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
