package certs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// asking is a renewal that somebody waits for.
type asking struct {
	hosts  []string
	reason Reason

	waiting map[*group]bool
	faults  []error
	done    chan struct{} // closed when nothing is waited for any more
}

// ErrStopped says that the keeper ended before it had renewed.
var ErrStopped = errors.New("certificates: the keeper stopped; what was begun goes on when it starts again")

// Renew has the certificates of hosts, or of all services where hosts is
// empty, made anew, each with a fresh key, and returns once each was tried.
// With KeyCompromise the old ones are revoked: those too of services that
// are no more, where hosts is empty. A revocation that fails is tried again,
// but for ErrNoRevocation. Run must be running.
func (k *Keeper) Renew(ctx context.Context, hosts []string, reason Reason) error {
	if reason != Wanted && reason != KeyCompromise {
		return fmt.Errorf("renew certificates: unknown reason %q (want %q or %q)", reason, Wanted, KeyCompromise)
	}
	a := &asking{hosts: hosts, reason: reason, waiting: map[*group]bool{}, done: make(chan struct{})}
	k.mu.Lock()
	k.asked = append(k.asked, a)
	k.mu.Unlock()
	k.poke()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-a.done:
		return errors.Join(a.faults...)
	}
}

// take starts what was asked for: it overrides the wait after a failure.
func (k *Keeper) take() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range k.asked {
		if len(a.waiting) > 0 {
			continue
		}
		groups, err := k.find(a)
		for _, g := range groups {
			if g.rec.Renew != KeyCompromise {
				g.rec.Renew = a.reason
			}
			g.rec.Tried = ""
			a.waiting[g] = true
		}
		if err != nil || len(groups) == 0 {
			a.faults = append(a.faults, err)
			close(a.done)
		}
	}
	k.asked = slices.DeleteFunc(k.asked, func(a *asking) bool { return len(a.waiting) == 0 })
}

// find is the groups that a renewal is about.
func (k *Keeper) find(a *asking) ([]*group, error) {
	if k.unsigned != nil {
		return nil, fmt.Errorf("renew certificates: nobody signs: %w", k.unsigned)
	}
	var out []*group
	missing := slices.Clone(a.hosts)
	for _, name := range slices.Sorted(maps.Keys(k.groups)) {
		g := k.groups[name]
		all := len(a.hosts) == 0 && (g.wanted || g.cert != nil && a.reason == KeyCompromise)
		if all || g.wanted && slices.ContainsFunc(a.hosts, func(h string) bool { return slices.Contains(g.rec.Hosts, h) }) {
			out = append(out, g)
		}
		if g.wanted {
			missing = slices.DeleteFunc(missing, func(h string) bool { return slices.Contains(g.rec.Hosts, h) })
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("renew certificates: no service is called %s (landfall certs list tells the names)", strings.Join(missing, ", "))
	}
	return out, nil
}

// answer tells those who wait for a group how it went.
func (k *Keeper) answer(g *group, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = slices.DeleteFunc(k.asked, func(a *asking) bool {
		if !a.waiting[g] {
			return false
		}
		delete(a.waiting, g)
		a.faults = append(a.faults, err)
		if len(a.waiting) == 0 {
			close(a.done)
		}
		return len(a.waiting) == 0
	})
}

// abandon tells all who wait that Run has ended.
func (k *Keeper) abandon() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range k.asked {
		a.faults = append(a.faults, ErrStopped)
		close(a.done)
	}
	k.asked = nil
}
