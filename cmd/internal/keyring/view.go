package keyring

import (
	"context"
	"net/netip"
	"os"
	"time"

	"landfall"
	"landfall/cmd/internal/doctor"
	"landfall/geodns/dnssec/look"
	"landfall/geodns/dnssec/roll"
	"landfall/geodns/zone"
)

// Resolvers are those of this machine.
func Resolvers() []netip.AddrPort {
	b, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return nil // the notes of look say so
	}
	return doctor.ParseResolvers(string(b))
}

// Looking makes a Keeper's Look: at the name servers that a map has, at further
// ones, and at the parent zone.
func Looking(now func() *landfall.Map, more func() []netip.AddrPort) func(context.Context, roll.State, time.Time) (roll.Facts, []string) {
	return func(ctx context.Context, s roll.State, at time.Time) (roll.Facts, []string) {
		m := now()
		if m == nil {
			return roll.Facts{}, []string{"there is no map yet"}
		}
		l := look.Looker{Resolvers: Resolvers()}
		f, notes := l.Facts(ctx, s, append(nameServers(m), more()...), at)
		f.ZoneTTL = longest(m, s.Zone)
		return f, notes
	}
}

// nameServers are the addresses of the name servers of a map.
func nameServers(m *landfall.Map) (out []netip.AddrPort) {
	for _, n := range zone.Servers(m) {
		for _, a := range n.Advertised {
			out = append(out, netip.AddrPortFrom(a, m.Ports.EffectiveDNS()))
		}
	}
	for _, s := range m.Secondaries {
		if s.Address.IsValid() {
			out = append(out, s.Address)
		}
	}
	return out
}

// longest is the longest TTL of the records that a map has in a zone.
func longest(m *landfall.Map, name string) time.Duration {
	out := time.Hour
	apex, err := zone.ParseName(name)
	if err != nil {
		return out
	}
	look := func(records []landfall.Record) {
		for _, r := range records {
			if n, err := zone.ParseName(r.Name); err == nil && n.Within(apex) {
				out = max(out, r.TTL)
			}
		}
	}
	look(m.Records)
	for _, z := range m.Zones {
		look(z.Records)
	}
	return out
}

// lookTime bounds how long a command asks the parent zone.
const lookTime = 10 * time.Second

// Attend has the keys of a zone move on that nobody looks after, and returns
// what is known of them: the parent zone is asked what it shows, unless offline.
// The notes are for people. Keys that a Keeper looks after stay as they are.
func (d Dir) Attend(ctx context.Context, name string, now time.Time, offline bool) (s roll.State, notes []string, err error) {
	s, err = d.State(name)
	if err != nil || !s.Policy.Carried {
		return s, nil, err
	}
	now = second(now)
	var f roll.Facts
	if !offline && s.Waits(now) {
		ctx, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		f, notes = look.Looker{Resolvers: Resolvers()}.Facts(ctx, s, nil, now)
	}
	s, err = d.Change(name, func(s roll.State) (roll.State, error) {
		s, _, _ = s.Next(now, f)
		return s, nil
	})
	return s, notes, err
}
