package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"landfall"
	"landfall/geodns/resolver"
)

// Path is where reports are posted.
const Path = "/report"

// What a report may hold.
const (
	maxReport  = 1 << 20 // octets
	MaxSamples = 4096    // that a name server reads; the rest is dropped
	MaxFetched = 4096    // likewise
	// MaxRequests is more than any edge serves in a second.
	MaxRequests = 1e8
	// maxAge is how old a fetch may be, and maxAhead how far in the future by
	// a clock that is ahead.
	maxAge, maxAhead = 2 * time.Minute, time.Minute
)

// Report is what an edge says of itself. Whose it is, the mesh tells.
type Report struct {
	// Requests is how many requests a second the edge serves now.
	Requests float64           `json:"requests"`
	Samples  []landfall.Sample `json:"samples,omitempty"` // the edge's own: the field edge is not read
	Fetched  []Fetched         `json:"fetched,omitempty"`
}

// Fetched says that a client fetched what a token names.
type Fetched struct {
	Token  string     `json:"token"`
	Client netip.Addr `json:"client"`
	When   time.Time  `json:"when"`
}

// Encode is a report as Decode reads it.
func Encode(r Report) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if len(b) > maxReport {
		return nil, fmt.Errorf("report: %d octets, of which name servers read %d", len(b), maxReport)
	}
	return b, nil
}

// Dropped counts entries of reports by what is wrong with them.
type Dropped struct {
	Malformed int // of a wrong shape
	Surplus   int // more than MaxSamples or MaxFetched
	Untimely  int // a fetch of long ago, or of the future
}

// Decode reads a report. Entries that are wrong are dropped and counted; a
// document that is none, or whose Requests are no sensible number, is refused
// as a whole. Fields it does not know are those of a newer edge, and mean
// nothing.
func Decode(b []byte, now time.Time) (r Report, d Dropped, err error) {
	if len(b) > maxReport {
		return Report{}, d, fmt.Errorf("report: more than %d octets", maxReport)
	}
	var doc struct {
		Requests *float64              `json:"requests"`
		Samples  list[landfall.Sample] `json:"samples"`
		Fetched  list[Fetched]         `json:"fetched"`
	}
	doc.Samples.limit, doc.Fetched.limit = MaxSamples, MaxFetched
	if err := json.Unmarshal(b, &doc); err != nil {
		return Report{}, d, fmt.Errorf("report: %w", err)
	}
	switch {
	case doc.Requests == nil:
		return Report{}, d, errors.New("report: requests is missing")
	case !(*doc.Requests >= 0 && *doc.Requests <= MaxRequests):
		return Report{}, d, fmt.Errorf("report: %g requests a second: want 0 to %g", *doc.Requests, MaxRequests)
	}
	r = Report{Requests: *doc.Requests, Samples: doc.Samples.good}
	d = Dropped{Malformed: doc.Samples.wrong + doc.Fetched.wrong, Surplus: doc.Samples.surplus + doc.Fetched.surplus}
	for _, f := range doc.Fetched.good {
		switch {
		case !resolver.WellFormed(f.Token) || !f.Client.IsValid():
			d.Malformed++
		case f.When.Before(now.Add(-maxAge)) || f.When.After(now.Add(maxAhead)):
			d.Untimely++
		default:
			r.Fetched = append(r.Fetched, f)
		}
	}
	return r, d, nil
}

// list is an array of which one entry that is wrong does not spoil the others.
type list[T any] struct {
	limit          int
	good           []T
	wrong, surplus int
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *list[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return errors.New("want an array")
	}
	for dec.More() {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return err
		}
		var v T
		switch {
		case len(l.good) == l.limit:
			l.surplus++
		case raw[0] != '{' || json.Unmarshal(raw, &v) != nil:
			l.wrong++
		default:
			l.good = append(l.good, v)
		}
	}
	return nil
}
