package tunnel

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"
)

// rejected notes a stream that has not brought a header.
func (f *Front) rejected(c net.Conn, err error) {
	switch log := f.cfg.Log.With("node", f.cfg.Self, "remote", c.RemoteAddr()); {
	case errors.Is(err, errCrowded):
		f.tally.crowded.Add(1)
		if n := f.crowded.Count(time.Now()); n > 0 {
			log.Warn("streams refused: their peer opens too many and says nothing", "times", n, "err", err)
		}
	case !silent(err):
		f.tally.headers.Add(1)
		log.Warn("stream refused", "err", err)
	}
}

// unconnected notes a stream whose upstream it could not be given.
func (f *Front) unconnected(log *slog.Logger, err error) {
	if !errors.Is(err, errFull) {
		f.tally.unreachable.Add(1)
		log.Warn("upstream not reached", "err", err, "cure", "start the application, or correct the service's upstream")
		return
	}
	f.tally.full.Add(1)
	if n := f.full.Count(time.Now()); n > 0 {
		log.Warn("streams refused: no room for connections to upstreams", "times", n, "err", err, "cure", "see who opens so many, or let this server open more files (LimitNOFILE)")
	}
}

// ended notes how a stream broke.
func (f *Front) ended(log *slog.Logger, err error) {
	level := slog.LevelDebug
	switch b, broken := errors.AsType[*Broken](err); {
	case errors.Is(err, errStopping):
		f.tally.stopped.Add(1)
	case broken && !b.Near:
		level = slog.LevelWarn
		f.tally.upstream.Add(1)
	default:
		f.tally.edge.Add(1)
	}
	log.Log(context.Background(), level, "stream broken", "err", err)
}
