package challenge

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Silence is how long a name server goes by what it heard last.
const Silence = 10 * time.Second

// hold is how long a question is kept while there is no news: often enough for
// one to be lost within Silence.
const hold = 4 * time.Second

// maxAnswer bounds an answer: ten thousand challenges fit.
const maxAnswer = 2 << 20

// path is where a Book is asked.
const path = "/challenges"

// mark names one state of one book. The epoch is another each time a home
// starts, so that the versions of two processes are never taken for another.
type mark struct {
	epoch   string
	version uint64 // from 1 on; 0 is of no book
}

func (m mark) query() url.Values {
	if m.version == 0 {
		return url.Values{}
	}
	return url.Values{"epoch": {m.epoch}, "have": {strconv.FormatUint(m.version, 10)}}
}

// parseQuestion reads what a name server says it serves: the zero mark if
// nothing.
func parseQuestion(q url.Values) (mark, error) {
	epoch, have := q.Get("epoch"), q.Get("have")
	if epoch == "" && have == "" {
		return mark{}, nil
	}
	version, err := strconv.ParseUint(have, 10, 64)
	if err != nil || version == 0 || epoch == "" || len(epoch) > 64 {
		return mark{}, errors.New("want epoch and have, the version that is served, or neither")
	}
	return mark{epoch, version}, nil
}

// answer is what a Book says.
type answer struct {
	Epoch   string              `json:"epoch"`
	Version uint64              `json:"version"`
	Held    int64               `json:"held_us"`       // microseconds from the question's arrival to this answer
	TXT     map[string][]string `json:"txt,omitempty"` // all challenges; left out where the asker has this version
}

func (a answer) mark() mark { return mark{a.Epoch, a.Version} }

func parseAnswer(b []byte) (answer, error) {
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		return answer{}, fmt.Errorf("malformed answer: %w", err)
	}
	if a.Epoch == "" || len(a.Epoch) > 64 || a.Version == 0 || a.Held < 0 {
		return answer{}, fmt.Errorf("malformed answer: epoch %.80q, version %d, held for %d us", a.Epoch, a.Version, a.Held)
	}
	return a, nil
}

// freshUntil is when what an answer says becomes too old. The question left
// at asked, so the book had it no earlier, and answered no earlier than held
// after that; nor did it hold it longer than we waited.
func (a answer) freshUntil(asked, now time.Time) time.Time {
	held := time.Duration(min(a.Held, now.Sub(asked).Microseconds())) * time.Microsecond
	return asked.Add(held + Silence)
}
