package health

import (
	"maps"
	"slices"
	"testing"
	"time"

	"landfall"
)

// results are probes half a second apart in short: . is answered at once, x
// refused at once, and s silent for the three seconds before.
func results(w *Watch, id landfall.NodeID, from time.Time, short string) (votes string) {
	for i, c := range short {
		now := from.Add(time.Duration(i) * 500 * time.Millisecond)
		before := w.Votes(now)[id]
		r := map[rune]Result{'.': {Answered, now, now}, 'x': {Refused, now, now}, 's': {Silent, now.Add(-3 * time.Second), now}}[c]
		changed := w.Observe(id, r)
		after := w.Votes(now)[id]
		if changed != (before != after) {
			votes += "!"
		}
		votes += map[Vote]string{Good: "+", Bad: "-", Unsure: "?"}[after]
	}
	return votes
}

func TestVoteChangesAfterResultsInARow(t *testing.T) {
	tests := []struct{ name, results, votes string }{ // + is good, - is bad, ? is unsure
		{"two good ones bring it up", "..", "?+"},
		{"one bad probe is a hiccup", "..x.x.xx.", "?+?+?+??+"},
		{"three bad probes in a row", "..xxxx", "?+??--"},
		{"two good ones bring it back", "..xxx..", "?+??-?+"},
		{"one good one does not", "..xxx.xx.x.", "?+??-?--?-?"},
		{"it takes three again", "..xxx..xx.xxx", "?+??-?+??+??-"},
		{"from nothing, too", "xxxx..", "??--?+"},
		{"silence is a row", "s..", "-?+"},
		{"a late one among answers is none", "........s.ss.", "?++++++++++++"},
		{"the late ones after the last answer", "........xssss", "?+++++++?????"},
		{"and silence since then", "........xsssssss", "?+++++++?????---"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var w Watch
			w.Expect([]landfall.NodeID{"a"})
			if got := results(&w, "a", time.Unix(1000, 0), tt.results); got != tt.votes {
				t.Errorf("%s: votes %s, want %s", tt.results, got, tt.votes)
			}
		})
	}
}

func TestThresholdsAreSettable(t *testing.T) {
	w := Watch{Rules: Rules{Rise: 1, Fall: 1}}
	w.Expect([]landfall.NodeID{"a"})
	if got := results(&w, "a", time.Unix(1000, 0), "x.x"); got != "-+-" {
		t.Errorf("votes %s", got)
	}
}

func TestNewcomersProveThemselves(t *testing.T) {
	var w Watch
	if joined := w.Expect([]landfall.NodeID{"a", "b"}); len(joined) != 2 || !maps.Equal(w.Votes(time.Unix(1000, 0)), Votes{"a": Unsure, "b": Unsure}) {
		t.Fatalf("in the beginning: %v joined, votes %v", joined, w.Votes(time.Unix(1000, 0)))
	}
	if joined := w.Expect([]landfall.NodeID{"a", "c", "d", "e"}); !slices.Equal(joined, []landfall.NodeID{"c", "d", "e"}) {
		t.Errorf("joined: %v", joined)
	}
	if joined := w.Expect([]landfall.NodeID{"a", "c", "d", "e"}); joined != nil {
		t.Errorf("joined twice: %v", joined)
	}
	for id, short := range map[landfall.NodeID]string{"b": "..", "c": "..", "d": "xxx", "e": "."} { // b is gone: a probe that was still under way
		results(&w, id, time.Unix(1000, 0), short)
	}
	if want := (Votes{"a": Unsure, "c": Good, "d": Bad, "e": Unsure}); !maps.Equal(w.Votes(time.Unix(1000, 0)), want) {
		t.Errorf("votes %v, want %v", w.Votes(time.Unix(1000, 0)), want)
	}
}

func TestGapsMakeAWayLossy(t *testing.T) {
	start := time.Unix(1000, 0)
	for name, tt := range map[string]struct {
		gaps []time.Duration // between answers
		want bool
	}{
		"steady":            {[]time.Duration{time.Second, time.Second, DefaultGap - 1}, false},
		"a gap":             {[]time.Duration{time.Second, time.Second, DefaultGap}, true},
		"a gap long ago":    {append([]time.Duration{time.Second, DefaultGap}, slices.Repeat([]time.Duration{time.Second}, int(wary/time.Second))...), false},
		"while it was down": {[]time.Duration{DefaultGap, DefaultGap}, false}, // the first two bring it up
	} {
		var w Watch
		w.Expect([]landfall.NodeID{"a"})
		now := start
		for i, d := range tt.gaps {
			now = now.Add(d)
			if name == "while it was down" && i == 1 {
				w.Observe("a", Result{Silent, now, now})
			}
			w.Observe("a", Result{Answered, now, now})
		}
		if got := w.Lossy("a", now); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
