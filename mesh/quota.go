package mesh

import "time"

// A peer that doubts its ways sends some 70 pings a second, and a search for
// path MTUs a handful beside.
const (
	pingRate  = 200 // of a peer's fresh pings that are answered, each second
	pingBurst = 200
)

// quota bounds how many of a peer's pings are answered. The zero quota is full.
type quota struct {
	used float64
	at   time.Time
}

// take reports whether there is one more.
func (q *quota) take(now time.Time) bool {
	q.used = max(0, q.used-now.Sub(q.at).Seconds()*pingRate)
	q.at = now
	if q.used > pingBurst-1 {
		return false
	}
	q.used++
	return true
}
