package dnssec

import "time"

// How long signatures hold. A clock may be off by an hour on either side, and a
// zone whose name servers can make no new signatures stays good for Left.
const (
	Step = 4 * 24 * time.Hour  // signatures are made anew each Step
	Left = 10 * 24 * time.Hour // and have this long left when the next ones take their place
	Skew = 24 * time.Hour      // they are good from this long before they are first made
)

// Window is the time for which signatures hold (RFC 4034, 3.1.5).
type Window struct {
	From  time.Time // inception
	Until time.Time // expiration
	Next  time.Time // when the next window begins to be used
}

// WindowAt is the window of the signatures to be used at a time. It is the same
// for all who ask in the same Step.
func WindowAt(now time.Time) Window {
	begin := now.UTC().Truncate(Step)
	return Window{From: begin.Add(-Skew), Until: begin.Add(Step + Left), Next: begin.Add(Step)}
}
