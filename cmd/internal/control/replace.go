package control

import (
	"context"
	"log/slog"
	"net/http"
)

// Replaced is the answer to who had a process replaced.
type Replaced struct {
	PID int `json:"pid"` // of the successor
}

// Replacing answers operators who want the process that answers to be
// replaced. start starts a successor, and returns when that has taken over.
func Replacing(start func(context.Context) (pid int, err error), log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /replace", post(log, func(ctx context.Context, _ struct{}) (Replaced, error) {
		pid, err := start(ctx)
		return Replaced{PID: pid}, err
	}))
	return mux
}
