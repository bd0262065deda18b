package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// deathWindow is how long after a cut what is sent counts as sent because of
// it; it begins a round trip before, as that is what was under way.
const deathWindow = 2 * time.Second

// read makes sense of what the users wrote down.
func (d *death) read() (*felt, error) {
	f := &felt{began: d.began, cuts: len(d.cuts), spoilt: d.spoilt, bare: d.bare, late: d.late}
	f.requests.why, f.messages.why = map[string]int{}, map[string]int{}
	file, err := os.Open(d.log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if err := f.line(lines.Text(), d.cuts); err != nil {
			return nil, fmt.Errorf("%s: %w", d.log, err)
		}
	}
	for _, k := range []*feltKind{&f.requests, &f.messages} {
		slices.Sort(k.before)
		slices.Sort(k.when)
	}
	return f, lines.Err()
}

// line counts one line of the users' log.
func (f *felt) line(s string, cuts []time.Time) error {
	var what string
	var sentAt, tookFor int64
	if _, err := fmt.Sscan(s, &what, &sentAt, &tookFor); err != nil {
		return fmt.Errorf("%q: %w", s, err)
	}
	sent, took := time.UnixMicro(sentAt), time.Duration(tookFor)*time.Microsecond
	end := sent.Add(took)
	if end.Before(f.began) {
		return nil // while all was getting ready
	}
	if end.After(f.ended) {
		f.ended = end
	}
	_, why, bad := strings.Cut(s, `"`)
	switch what {
	case didDrop:
		f.dropped++
	case didOpen:
		f.opens++
	case didRequest:
		f.requests.add(sent, took, why, bad, cuts)
	case didMessage:
		f.messages.add(sent, took, why, bad, cuts)
	default:
		return fmt.Errorf("%q: unknown", s)
	}
	return nil
}

func (k *feltKind) add(sent time.Time, took time.Duration, why string, bad bool, cuts []time.Time) {
	k.all++
	if bad {
		k.failed++
		k.why[strings.TrimSuffix(why, `"`)]++
		return
	}
	i, _ := slices.BinarySearchFunc(cuts, sent, func(cut, sent time.Time) int { return cut.Add(deathWindow).Compare(sent) })
	if i == len(cuts) {
		return
	}
	const length = deathWindow + deathRTT
	switch first := cuts[i].Add(-deathRTT); {
	case !sent.Before(first):
		k.when = append(k.when, took)
	case !sent.Before(first.Add(-length)):
		k.before = append(k.before, took)
	}
}
