package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
)

// group runs parts that need one another: each starts after those before it
// and stops before they do. The first that ends by itself stops all.
type group struct {
	log   *slog.Logger
	parts []*running
	ended chan *running // the first that ended
}

type running struct {
	name string
	stop context.CancelFunc
	done chan struct{}
	err  error // set before done is closed
}

// start runs a part. Its context ends when it is its turn to stop, not when
// the caller's does.
func (g *group) start(ctx context.Context, name string, run func(context.Context) error) {
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &running{name: name, stop: stop, done: make(chan struct{})}
	g.parts = append(g.parts, r)
	go func() {
		r.err = run(own)
		close(r.done)
		select {
		case g.ended <- r:
		default: // another ended first
		}
	}()
}

// wait blocks until ctx ends or a part does, stops all parts in reverse and
// returns what went wrong.
func (g *group) wait(ctx context.Context) error {
	var failed *running
	select {
	case <-ctx.Done():
		g.log.Debug("stopping", "err", context.Cause(ctx))
	case failed = <-g.ended:
		g.log.Debug("part ended", "part", failed.name, "err", failed.err)
	}
	var errs []error
	if failed != nil && failed.err == nil {
		errs = append(errs, fmt.Errorf("%s: ended by itself", failed.name))
	}
	for i := len(g.parts) - 1; i >= 0; i-- {
		p := g.parts[i]
		p.stop()
		<-p.done
		if p.err != nil && !errors.Is(p.err, context.Canceled) {
			errs = append(errs, fmt.Errorf("%s: %w", p.name, p.err))
		}
	}
	return errors.Join(causes(errs)...)
}

// causes are those errors that say more than that something was closed; where
// none does, all.
func causes(errs []error) []error {
	closed := func(err error) bool { return errors.Is(err, net.ErrClosed) }
	if all := slices.DeleteFunc(slices.Clone(errs), closed); len(all) > 0 {
		return all
	}
	return errs
}

func newGroup(log *slog.Logger) *group {
	return &group{log: log, ended: make(chan *running, 1)}
}
