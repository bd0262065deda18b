package cli

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"landfall"
)

// fileStats are figures of a network file that is followed.
type fileStats struct {
	Refused float64 `metric:"file_refused" help:"1 while the network file, or that of a zone, has faults, and what was read before is served."`
	Loaded  float64 `metric:"file_loaded_seconds" help:"When the files were read that are served, in seconds since 1970."`
}

// Stats are the figures now.
func (f *networkFile) Stats() fileStats {
	s := fileStats{Loaded: float64(f.loaded.Load())}
	if f.wrong.Load() != nil {
		s.Refused = 1
	}
	return s
}

// trouble is why what the files say now is not served; empty if it is.
func (f *networkFile) trouble() string {
	if why := f.wrong.Load(); why != nil {
		return *why
	}
	return ""
}

// serve has a map in force.
func (f *networkFile) serve(m *landfall.Map) {
	f.now.Store(m)
	f.loaded.Store(time.Now().Unix())
}

// tellZones tells which zones came, changed and went from one map to the next.
func tellZones(log *slog.Logger, before, m *landfall.Map) {
	had, has := recordsOf(before), recordsOf(m)
	for _, name := range slices.Sorted(maps.Keys(has)) {
		old, known := had[name]
		switch added, removed := beyond(has[name], old), beyond(old, has[name]); {
		case !known:
			log.Info("zone loaded", "zone", name, "records", len(has[name]))
		case added+removed > 0:
			log.Info("zone changed", "zone", name, "records", len(has[name]), "added", added, "removed", removed)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(had)) {
		if _, still := has[name]; !still {
			log.Warn("zone no longer served", "zone", name, "records", len(had[name]))
		}
	}
}

// recordsOf are the records that files give to the zones of a map.
func recordsOf(m *landfall.Map) map[string]map[landfall.Record]bool {
	all := map[string]map[landfall.Record]bool{}
	for _, name := range zonesOf(m) {
		all[name] = map[landfall.Record]bool{}
	}
	for _, z := range m.Zones {
		for _, r := range z.Records {
			all[z.Name][r] = true
		}
	}
	for _, r := range m.Records {
		if in := all[m.Zone(r.Name)]; in != nil {
			in[r] = true
		}
	}
	return all
}

// beyond counts what one has and the other lacks.
func beyond(one, other map[landfall.Record]bool) (n int) {
	for r := range one {
		if !other[r] {
			n++
		}
	}
	return n
}
