package measure

// Stats are the figures of a Book since its start.
type Stats struct {
	Samples uint64            `metric:"samples_total" help:"Samples of round trips that count."`
	Hearsay uint64            `metric:"samples_hearsay_total" help:"Samples of clients that were never sent to that edge: hints, no more."`
	Dropped map[string]uint64 `metric:"samples_dropped_total" label:"reason" help:"Samples that were dropped."`
	Evicted uint64            `metric:"prefixes_evicted_total" help:"Prefixes forgotten to make room for others."`

	Prefixes     int64   `metric:"prefixes" help:"Prefixes that are remembered."`
	Moved        int64   `metric:"prefixes_moved" help:"Prefixes that measurement puts in another order than geography."`
	Led          float64 `metric:"traffic_moved_ratio" help:"Part of the traffic whose first edge is not geography's."`
	Withheld     int64   `metric:"prefixes_withheld" help:"Prefixes that an edge would draw to itself beyond what it may."`
	Contradicted int64   `metric:"prefixes_contradicted" help:"Prefixes of which two edges cannot both be as near as they say."`
	Explored     int64   `metric:"prefixes_explored" help:"Prefixes with an edge on trial in this epoch."`
	OnTrial      float64 `metric:"traffic_explored_ratio" help:"Part of the traffic that leads to edges on trial."`
	Changes      uint64  `metric:"leads_changed_total" help:"Changes of the edge that measurement puts first for a prefix."`
	Epoch        uint64  `metric:"epoch" help:"Number of the epoch of the last view."`
}

// Stats tells the figures.
func (b *Book) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.stats
	out.Dropped = map[string]uint64{}
	for r, n := range b.dropped {
		out.Dropped[reason(r).String()] = n
	}
	out.Prefixes, out.Epoch = int64(len(b.entries)), b.frozen
	return out
}
