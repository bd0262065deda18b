package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestGroupStopsInReverseOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		g := newGroup(slog.New(slog.DiscardHandler))
		var stopped []string
		for _, name := range []string{"mesh", "edge", "geodns"} {
			g.start(ctx, name, func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Second) // a grace of its own
				stopped = append(stopped, name)
				return nil
			})
		}
		time.AfterFunc(time.Minute, cancel)
		if err := g.wait(ctx); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(stopped, []string{"geodns", "edge", "mesh"}) {
			t.Errorf("stopped %v", stopped)
		}
	})
}

func TestGroupStopsAllWhenOneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(slog.New(slog.DiscardHandler))
		broken := errors.New("disk full")
		g.start(t.Context(), "mesh", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		g.start(t.Context(), "origin", func(context.Context) error { time.Sleep(time.Hour); return broken })
		err := g.wait(t.Context())
		if !errors.Is(err, broken) || err.Error() != "origin: disk full" {
			t.Errorf("got %v", err)
		}
	})
}

func TestGroupTellsOfAPartThatEndsWithoutReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(slog.New(slog.DiscardHandler))
		g.start(t.Context(), "origin", func(context.Context) error { return nil })
		if err := g.wait(t.Context()); err == nil {
			t.Error("no word of it")
		}
	})
}

// TestTheCauseIsTold: without what ended because of it.
func TestTheCauseIsTold(t *testing.T) {
	device, shut := errors.New("device lf-shop is gone"), fmt.Errorf("http: accept: %w", net.ErrClosed)
	for _, c := range []struct{ errs, want []error }{
		{nil, nil},
		{[]error{shut, device, shut}, []error{device}},
		{[]error{shut, shut}, []error{shut, shut}},
	} {
		if got := causes(c.errs); !slices.Equal(got, c.want) {
			t.Errorf("of %v it tells %v", c.errs, got)
		}
	}
}
