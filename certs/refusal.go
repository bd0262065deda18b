package certs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
)

// maxAgain bounds how long an authority can make us wait.
const maxAgain = 7 * 24 * time.Hour

// explain turns what the authority said into Refusals, and names the
// authority in everything else.
func (a *ACME) explain(err error, hosts []string, now time.Time) error {
	var out []error
	for _, one := range parts(err) {
		switch e := one.(type) {
		case *acme.AuthorizationError:
			out = append(out, a.authorization(e, hosts, now))
		case *acme.OrderError:
			if e.Problem == nil {
				out = append(out, fmt.Errorf("authority %s: the order for %s is %s, and it does not say why", a.Name(), names(hosts), e.Status))
				continue
			}
			out = append(out, a.problem(e.Problem, hosts, only(hosts), now))
		case *acme.Error:
			out = append(out, a.problem(e, hosts, only(hosts), now))
		default:
			out = append(out, fmt.Errorf("authority %s: %w", a.Name(), unreached(one)))
		}
	}
	return errors.Join(out...)
}

// parts takes apart what errors.Join joined.
func parts(err error) []error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()
	}
	return []error{err}
}

// only is the host if there is one: of several we cannot know which is meant.
func only(hosts []string) string {
	if len(hosts) == 1 {
		return hosts[0]
	}
	return ""
}

// ours is the host that the authority speaks of, if it was asked about it.
func ours(host string, hosts []string) string {
	if host = strings.ToLower(host); slices.Contains(hosts, host) {
		return host
	}
	return only(hosts)
}

func unreached(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer in time: %w", err)
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%w (can this server reach it, and does it trust its certificate?)", err)
	}
	return err
}

// authorization explains why a host was not proved.
func (a *ACME) authorization(e *acme.AuthorizationError, hosts []string, now time.Time) error {
	host := ours(e.Identifier, hosts)
	for _, one := range e.Errors {
		if p, ok := errors.AsType[*acme.Error](one); ok {
			return a.problem(p, hosts, host, now)
		}
	}
	return &Refusal{Host: host, Words: e.Error(), Cure: a.lookAt(host)}
}

// problem explains a problem document, and each of its parts where it has
// some (RFC 8555, 6.7.1). host is whom it is about, empty if that is not known.
func (a *ACME) problem(p *acme.Error, hosts []string, host string, now time.Time) error {
	if len(p.Subproblems) == 0 {
		return a.refusal(p.ProblemType, p.Detail, host, p, now)
	}
	var out []error
	for _, s := range p.Subproblems {
		about := host
		if s.Identifier != nil {
			about = ours(s.Identifier.Value, hosts)
		}
		out = append(out, a.refusal(s.Type, s.Detail, about, p, now))
	}
	return errors.Join(out...)
}

func (a *ACME) refusal(urn, detail, host string, p *acme.Error, now time.Time) *Refusal {
	kind := urn[strings.LastIndexByte(urn, ':')+1:]
	if strings.ContainsFunc(kind, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) {
		kind = "" // none of those that there are
	}
	r := &Refusal{Host: host, Type: kind, Words: cmp.Or(detail, kind)}
	if wait, limited := acme.RateLimit(p); limited {
		r.Again = now.Add(min(max(wait, 0), maxAgain))
	}
	r.Cure = a.cure(kind, host, r.Again, p)
	return r
}

// cure says what to do about a kind of problem (RFC 8555, 6.7).
func (a *ACME) cure(kind, host string, again time.Time, p *acme.Error) string {
	switch kind {
	case "dns", "unauthorized", "incorrectResponse", "connection":
		return a.lookAt(host)
	case "caa":
		return fmt.Sprintf("a CAA record (RFC 8659) forbids this authority: let one allow it, at %s or above", cmp.Or(host, "the hosts"))
	case "rateLimited":
		return fmt.Sprintf("wait: it is asked again at %s, and not before", again.UTC().Format(time.RFC3339))
	case "rejectedIdentifier", "unsupportedIdentifier":
		return "it never signs for this name: take the service out, or choose another authority"
	case "userActionRequired":
		return fmt.Sprintf("read and do what it says at %.200q", cmp.Or(p.Instance, "its web site"))
	case "invalidContact", "unsupportedContact":
		return "correct email under [acme] in network.toml"
	case "accountDoesNotExist":
		return "it has lost our account: a new one is made at the next try"
	}
	return "it is tried again later"
}

// lookAt says where a name's proof can go astray.
func (a *ACME) lookAt(host string) string {
	name := ChallengeName(host, a.cfg.Map)
	switch {
	case host == "":
		return fmt.Sprintf("see that %s is delegated to the network's name servers (landfall doctor)", a.cfg.Map.Domain)
	case a.cfg.Map.Holds(host):
		return fmt.Sprintf("see that %s is delegated to the network's name servers, which answer for %s (landfall doctor)", a.cfg.Map.Zone(host), name)
	}
	return fmt.Sprintf("in the zone of %s, make %s%s an alias: CNAME %s", host, challengeLabel, host, name)
}
