package measure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

const (
	fileName  = "round-trips"
	saveEvery = 6 // epochs
)

// Run makes a View at the beginning of each epoch, and whenever the map
// changes, and hands it on, until ctx ends. With Config.Keep it begins with what was kept, and keeps what it
// learns every half an hour and in the end.
func (b *Book) Run(ctx context.Context) error {
	if b.cfg.World == nil || b.cfg.Changed == nil {
		return errors.New("measure: Run wants World, to know what a view depends on, and Changed, to hand it to")
	}
	b.load()
	for epochs := 0; ; {
		select {
		case <-b.mapped: // is heeded now
		default:
		}
		b.cfg.Changed(b.Freeze(b.cfg.World()))
		next := time.NewTimer(b.cfg.Epoch - time.Duration(b.cfg.Now().UnixNano()%int64(b.cfg.Epoch)))
		select {
		case <-ctx.Done():
			next.Stop()
			return b.save()
		case <-b.mapped:
			next.Stop()
			continue
		case <-next.C:
		}
		if epochs++; epochs%saveEvery == 0 {
			if err := b.save(); err != nil {
				b.cfg.Log.Error("round trips are not kept", "err", err)
			}
		}
	}
}

// load begins with nothing where there is nothing good.
func (b *Book) load() {
	if b.cfg.Keep == nil {
		return
	}
	if err := b.Load(b.cfg.Keep, fileName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.cfg.Log.Warn("round trips are measured anew", "err", err)
	}
}

func (b *Book) save() error {
	if b.cfg.Keep == nil {
		return nil
	}
	if err := b.Save(b.cfg.Keep, fileName); err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	return nil
}
