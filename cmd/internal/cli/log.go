package cli

import "log/slog"

// log is the logger of a command: on the standard error, with the operators'
// lines or, if verbose, with ours too.
func (e *Env) log(verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(e.Stderr, &slog.HandlerOptions{Level: level}))
}

// serviceLog is the logger of a service: with the operators' lines, or if
// verbose with ours too.
func (e *Env) serviceLog(verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(e.Stderr, &slog.HandlerOptions{Level: level}))
}
