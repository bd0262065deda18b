package mapsync

import (
	"errors"
	"sync/atomic"
)

// counts are what a Client's Stats are read from.
type counts struct {
	accepted atomic.Uint64
	maps     atomic.Uint64 // answers that brought a map
	nothing  atomic.Uint64 // answers that there is none newer
	failed   atomic.Uint64 // no answer, or a wrong one
	saved    atomic.Uint64
	unsaved  atomic.Uint64

	reasons [len(reasons)]atomic.Uint64
}

// reasons are why a map may be refused, as refusals name them.
var reasons = [...]string{"malformed", "signature", "faulty", "network", "serial", "older"}

func (c *counts) refused(err error) {
	r, ok := errors.AsType[*refusal](err)
	for i, why := range reasons {
		if ok && r.why == why {
			c.reasons[i].Add(1)
		}
	}
}

func (c *counts) stats() Stats {
	s := Stats{
		Accepted: c.accepted.Load(),
		Refused:  map[string]uint64{},
		Asked:    map[string]uint64{"map": c.maps.Load(), "nothing": c.nothing.Load(), "failed": c.failed.Load()},
		Saved:    map[string]uint64{"ok": c.saved.Load(), "failed": c.unsaved.Load()},
	}
	for i, why := range reasons {
		s.Refused[why] = c.reasons[i].Load()
	}
	return s
}
