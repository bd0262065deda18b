package world

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"landfall/cmd/internal/admin"
)

// control serves the home node's control socket in the world's directory
// until ctx ends.
func (w *World) control(ctx context.Context) error {
	l, err := admin.Listen(w.cfg.Dir)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler:  w.nodes[w.homeID].Admin().Local(),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(done); srv.Close() })
	err = srv.Serve(l)
	if !stop() {
		<-done
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
