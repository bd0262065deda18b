package world

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"

	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/node"
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

// coarseFile is the geographic database in a directory, made if it is not
// there. One that is there is used as it is: an operator may have put it.
func coarseFile(dir string) (string, error) {
	name := filepath.Join(dir, "geo.mmdb")
	if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		return name, err
	}
	b, err := coarseDatabase()
	if err != nil {
		return "", err
	}
	return name, node.WriteFile(name, b, 0o644)
}
