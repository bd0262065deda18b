package certs

import (
	"crypto/tls"
	"errors"
	"time"

	"landfall"
)

// bundle is what came from home.
type bundle struct {
	sealed  []byte
	version string
	certs   []*tls.Certificate
	kept    bool // on disk
}

// table is the certificates in use, by host.
type table map[string]*tls.Certificate

// table takes those that good says nothing against; nil takes all. Of two for
// the same host the one that ends later is taken.
func (b *bundle) table(good func(*tls.Certificate) bool) table {
	t := table{}
	for _, c := range b.certs {
		if good != nil && !good(c) {
			continue
		}
		for _, h := range c.Leaf.DNSNames {
			if have := t[h]; have == nil || have.Leaf.NotAfter.Before(c.Leaf.NotAfter) {
				t[h] = c
			}
		}
	}
	return t
}

// inherit keeps what the table before had for hosts of the map that this one
// has nothing for: an edge does not give up a certificate for none.
func (t table) inherit(before table, m *landfall.Map) {
	for _, v := range m.Services {
		if c := before[v.Host]; c != nil && t[v.Host] == nil {
			t[v.Host] = c
		}
	}
}

// open unseals a bundle.
func (s *Source) open(sealed []byte) (*bundle, error) {
	plain, err := s.cfg.Key.open(sealed, s.cfg.Network, s.cfg.Self)
	if err != nil {
		return nil, err
	}
	certs, err := parseBundle(plain)
	if err != nil {
		return nil, err
	}
	return &bundle{sealed: sealed, version: versionOf(plain), certs: certs}, nil
}

// adopt uses the newest bundle as far as users trust it by the map, and keeps
// it on disk if they trust all of it.
func (s *Source) adopt(now time.Time) {
	if s.now == nil {
		return // whom users trust is not known yet
	}
	if s.latest != nil {
		t, err := s.trusted(now)
		t.inherit(*s.use.Load(), s.now)
		s.use.Store(&t)
		s.keep(err)
	}
	s.announce()
}

// trusted is the certificates of the newest bundle that users trust, and why
// they do not trust the others.
func (s *Source) trusted(now time.Time) (table, error) {
	roots, err := Roots(s.now)
	if err != nil {
		return table{}, err
	}
	var faults []error
	t := s.latest.table(func(c *tls.Certificate) bool {
		err := vouched(c, roots, now)
		faults = append(faults, err)
		return err == nil
	})
	return t, errors.Join(faults...)
}

// keep writes the newest bundle to disk if nothing is wrong with it, and says
// what is, once.
func (s *Source) keep(wrong error) {
	switch {
	case wrong != nil:
		if s.said != wrong.Error() {
			s.said = wrong.Error()
			s.refused.Add(1)
			s.cfg.Log.Warn("certificates from home not used", "err", wrong)
		}
	case !s.latest.kept:
		s.latest.kept, s.said = true, ""
		s.cfg.Log.Info("certificates in use", "version", s.latest.version, "hosts", len(*s.use.Load()))
		if err := writeFile(s.cfg.Dir, bundleFile, s.latest.sealed, 0o600); err != nil {
			s.cfg.Log.Error("certificates not kept: a start without home would have the ones before", "err", err)
		}
	}
}

// announce closes full once the domain's hosts are covered.
func (s *Source) announce() {
	select {
	case <-s.full:
		return
	default:
	}
	t, some := *s.use.Load(), false
	for _, v := range s.now.Services {
		if landfall.InZone(v.Host, s.now.Domain) {
			if some = true; t[v.Host] == nil {
				return
			}
		}
	}
	if some {
		close(s.full)
	}
}
