package cli

import (
	"context"
	"errors"
)

// patience is room for what may never end.
type patience chan struct{}

var (
	errSlowReading = errors.New("the files were not read within a minute: see whether the disk or file server they are on answers")
	errManyReading = errors.New("files have been read for minutes, to no end: see whether the disk or file server they are on answers")
)

// await does something and waits for it until ctx ends. It then goes on alone,
// since nothing ends a system call on a file, and takes up room.
func await[T any](ctx context.Context, room patience, do func() T) (out T, err error) {
	select {
	case room <- struct{}{}:
	default:
		return out, errManyReading
	}
	done := make(chan T, 1)
	go func() {
		did := do()
		<-room
		done <- did
	}()
	select {
	case out = <-done:
		return out, nil
	case <-ctx.Done():
		return out, context.Cause(ctx)
	}
}
