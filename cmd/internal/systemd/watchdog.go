package systemd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// WatchdogConfig is what a Watchdog is made of.
type WatchdogConfig struct {
	// Alive returns nil while the service does its work, or what is wrong. It
	// should answer at once; while it does not, the manager hears nothing.
	Alive func(context.Context) error
	Log   *slog.Logger // nil: no log
}

// Watchdog gives the manager a sign of life, three times within each
// WatchdogSec, while the service is alive. When the signs stay out, the
// manager restarts the service.
type Watchdog struct {
	cfg   WatchdogConfig
	every time.Duration // 0: nobody waits for signs
	sign  func() error
	sick  error // what Alive said last
}

// NewWatchdog makes a Watchdog of what the manager has asked for
// ($WATCHDOG_USEC); where it has not, Run only waits.
func NewWatchdog(cfg WatchdogConfig) (*Watchdog, error) {
	if cfg.Alive == nil {
		return nil, errors.New("watchdog: Alive is missing")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return nil, fmt.Errorf("watchdog: $WATCHDOG_USEC: %w", err)
	}
	return &Watchdog{cfg: cfg, every: limit / 3, sign: func() error { return notify(daemon.SdNotifyWatchdog) }}, nil
}

// Run gives signs until ctx ends, and returns nil then. A sign that could not
// be sent is logged: the next may pass.
func (w *Watchdog) Run(ctx context.Context) error {
	if w.every <= 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		w.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look asks once, and gives a sign if all is well.
func (w *Watchdog) look(ctx context.Context) {
	err := w.cfg.Alive(ctx)
	if ctx.Err() != nil {
		return
	}
	if (err == nil) != (w.sick == nil) {
		w.turned(err)
	}
	if w.sick = err; err != nil {
		return
	}
	if err := w.sign(); err != nil {
		w.cfg.Log.Warn("watchdog not told", "err", err)
	}
}

// turned says that the service fell ill or is well again.
func (w *Watchdog) turned(err error) {
	if err == nil {
		w.cfg.Log.Info("watchdog is told again")
		return
	}
	w.cfg.Log.Error("watchdog is told nothing while this lasts", "err", err)
}
