package backend

// Stats are the numbers of a Backend.
type Stats struct {
	Posted      uint64 `metric:"messages_posted_total" help:"Messages committed."`
	Repeated    uint64 `metric:"messages_repeated_total" help:"Posts answered with the message that their UUID has already."`
	Changed     uint64 `metric:"messages_changed_total" help:"Edits, tag changes and deletions committed."`
	Delivered   uint64 `metric:"events_delivered_total" help:"Events handed to subscribers."`
	Cut         uint64 `metric:"subscribers_cut_total" help:"Subscribers cut because they were too slow."`
	Subscribers int64  `metric:"subscribers" help:"Subscribers now."`
}

// Stats returns the numbers of now.
func (b *Backend) Stats() Stats {
	c := &b.counters
	return Stats{
		Posted: c.posted.Load(), Repeated: c.repeated.Load(), Changed: c.changed.Load(),
		Delivered: c.delivered.Load(), Cut: c.cut.Load(), Subscribers: c.subscribers.Load(),
	}
}
