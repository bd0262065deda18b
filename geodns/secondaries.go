package geodns

import (
	"context"
	"maps"
	"time"

	"landfall"
	"landfall/geodns/plan"
	"landfall/geodns/transfer"
	"landfall/geodns/zone"
)

// copyEvery is how often it is looked whether secondaries have something to
// hear: what changes within that time is told as one.
const copyEvery = time.Second

// histories are the zones that secondaries have copies of, by name.
type histories map[zone.Name]*transfer.History

// keepCopied numbers zones anew whenever they change, and has secondaries
// told, until ctx ends.
func (s *Server) keepCopied(ctx context.Context) {
	tick := time.NewTicker(copyEvery)
	defer tick.Stop()
	for seen := (*snapshot)(nil); ; {
		if now := s.current.Load(); now != seen {
			seen = s.recopy(now)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// recopy gives the zones of a snapshot that have secondaries their serials,
// and remembers what is in them. It returns the snapshot that this was done by.
func (s *Server) recopy(snap *snapshot) *snapshot {
	serials := map[zone.Name]uint32{}
	aside(func() { s.renumber(snap, serials) })
	if !maps.Equal(serials, snap.in.serials) {
		s.set(func(in *inputs) {
			in.serials = serials
			in.zones = in.plain.Numbered(serials)
			in.changed()
		})
		snap = s.current.Load()
	}
	aside(func() { s.remember(snap) })
	return snap
}

// renumber finds the serials that zones with secondaries have to have.
func (s *Server) renumber(snap *snapshot, serials map[zone.Name]uint32) {
	was := s.histories()
	for _, z := range snap.zones.All() {
		if snap.in.access.Any(z.Apex) && !snap.in.rings.withholds(z.Apex) {
			serials[z.Apex] = was[z.Apex].Renumber(z, snap.in.plain.Of(z.Apex).Serial(), snap.nobody, time.Now())
		}
	}
}

// remember keeps what is in the zones of a snapshot, and has it told.
func (s *Server) remember(snap *snapshot) {
	was, next, told := s.histories(), histories{}, map[transfer.Target]transfer.Record{}
	for _, z := range snap.zones.All() {
		if _, numbered := snap.in.serials[z.Apex]; !numbered {
			continue
		}
		next[z.Apex] = was[z.Apex].Next(z, snap.nobody)
		for _, t := range snap.in.access.Targets(z.Apex) {
			told[t] = next[z.Apex].SOA()
		}
	}
	s.copied.Store(&next)
	s.notifier.Tell(told)
}

// unarmed warns of secondaries whose key we do not have.
func (s *Server) unarmed(m *landfall.Map) {
	for _, to := range m.Secondaries {
		name, err := zone.ParseName(to.Key)
		if _, known := s.secrets.Key(name); err == nil && !known {
			s.log.Warn("no secret for the key of a secondary: it gets no copies here", "serial", m.Serial, "remote", to.Who(), "key", to.Key)
		}
	}
}

func (s *Server) histories() histories {
	if h := s.copied.Load(); h != nil {
		return *h
	}
	return nil
}

// nobody are the sets of a steered name as somebody hears them of whom nothing
// is known.
func (s *snapshot) nobody(name zone.Name, n *zone.Node) (out []zone.Set) {
	for _, kind := range []plan.Kind{plan.A, plan.AAAA, plan.Both} {
		if kind == plan.Both && !n.Steered.HTTPS() {
			continue
		}
		i := s.plan.Nobody(kind)
		if set := s.choices[i].set(n.Steered, kind); len(set.Data) > 0 {
			set.Sigs = s.signature(name, set, kind, i)
			out = append(out, set)
		}
	}
	return out
}

// TransferStats are the figures of what secondaries are given.
type TransferStats struct {
	Sent       map[string]uint64 `metric:"sent_total" label:"kind" help:"Zones sent: whole, as differences, or the SOA record alone, where there is nothing newer or no room for more."`
	Failed     uint64            `metric:"failed_total" help:"Zones that could not be sent to their end."`
	Refused    uint64            `metric:"refused_total" help:"Zones asked for by who may not have them, or in another way than by TCP or TLS."`
	Unbelieved uint64            `metric:"unbelieved_total" help:"Signed queries (RFC 8945) of an unknown key, with a false signature or at another time."`
	Notified   map[string]uint64 `metric:"notified_total" label:"result" help:"Messages that told a secondary of a new serial: heard, or failed, which is tried again."`
	Behind     map[string]int64  `metric:"secondary_behind" label:"secondary" help:"1 while a secondary has not heard of a zone's serial."`
	Serial     map[string]uint64 `metric:"serial" label:"zone" help:"Serial of a zone that secondaries have."`
	Records    map[string]int64  `metric:"records" label:"zone" help:"Records of a zone that secondaries have."`
	Steps      map[string]int64  `metric:"steps" label:"zone" help:"Serials back from which a secondary is told the differences alone."`
}

// TransferStats tells the figures.
func (s *Server) TransferStats() TransferStats {
	c := &s.handed
	notified, behind := s.notifier.Stats()
	out := TransferStats{
		Sent:   map[string]uint64{"whole": c.whole.Load(), "differences": c.differences.Load(), "alone": c.alone.Load()},
		Failed: c.failed.Load(), Refused: c.refused.Load(), Unbelieved: c.unbelieved.Load(),
		Notified: map[string]uint64{"heard": notified.Heard, "failed": notified.Failed},
		Behind:   map[string]int64{}, Serial: map[string]uint64{}, Records: map[string]int64{}, Steps: map[string]int64{},
	}
	for t, yet := range behind {
		out.Behind[t.String()] = 0
		if yet {
			out.Behind[t.String()] = 1
		}
	}
	for apex, h := range s.histories() {
		records, steps := h.Len()
		name := apex.String()
		out.Serial[name], out.Records[name], out.Steps[name] = uint64(h.Serial()), int64(records), int64(steps)
	}
	return out
}
