package geodns

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// seldomEvery is the time between two log lines of one kind.
const seldomEvery = 10 * time.Second

// seldom is a kind of log line that strangers can cause: it is written at most
// once in a while. The zero seldom has written nothing yet.
type seldom struct {
	last atomic.Pointer[time.Time]
}

// warn writes the line if it is time.
func (s *seldom) warn(log *slog.Logger, msg string, args ...any) {
	now, last := time.Now(), s.last.Load()
	if (last == nil || now.Sub(*last) >= seldomEvery) && s.last.CompareAndSwap(last, &now) {
		log.Warn(msg, args...)
	}
}
