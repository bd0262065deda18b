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
		before := w.Votes()[id]
		r := map[rune]Result{'.': {Answered, now, now}, 'x': {Refused, now, now}, 's': {Silent, now.Add(-3 * time.Second), now}}[c]
		changed := w.Observe(id, r)
		after := w.Votes()[id]
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
	if joined := w.Expect([]landfall.NodeID{"a", "b"}); len(joined) != 2 || !maps.Equal(w.Votes(), Votes{"a": Unsure, "b": Unsure}) {
		t.Fatalf("in the beginning: %v joined, votes %v", joined, w.Votes())
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
	if want := (Votes{"a": Unsure, "c": Good, "d": Bad, "e": Unsure}); !maps.Equal(w.Votes(), want) {
		t.Errorf("votes %v, want %v", w.Votes(), want)
	}
}

func TestGapsMakeAWayLossy(t *testing.T) {
	start := time.Unix(1000, 0)
	for name, tt := range map[string]struct {
		gaps []time.Duration // between answers
		want bool
	}{
		"steady":            {[]time.Duration{time.Second, time.Second, gap - 1}, false},
		"a gap":             {[]time.Duration{time.Second, time.Second, gap}, true},
		"a gap long ago":    {append([]time.Duration{time.Second, gap}, slices.Repeat([]time.Duration{time.Second}, int(wary/time.Second))...), false},
		"while it was down": {[]time.Duration{gap, gap}, false}, // the first two bring it up
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

func TestTally(t *testing.T) {
	type views = map[landfall.NodeID]Votes
	const up, down, wavers = Good, Bad, Unsure
	const me = landfall.NodeID("me")
	tests := []struct {
		name   string
		votes  views
		before Down
		want   Down
	}{
		{"nobody votes", nil, Down{"a": true}, Down{"a": true}},
		{"one vantage point decides alone", views{"v": {"a": up, "b": down}}, nil, Down{"b": true}},
		{"one vantage point brings back", views{"v": {"a": up, "b": up}}, Down{"b": true}, Down{}},
		{"one of three is wrong", views{"v": {"a": down, "b": up}, "w": {"a": up, "b": up}, "x": {"a": up, "b": up}}, nil, Down{}},
		{"two of three are right", views{"v": {"a": down, "b": up}, "w": {"a": down, "b": up}, "x": {"a": up, "b": up}}, nil, Down{"a": true}},
		{"a tie leaves it up", views{"v": {"a": down, "b": up}, "w": {"a": up, "b": up}}, nil, Down{}},
		{"a tie leaves it down", views{"v": {"a": down, "b": up}, "w": {"a": up, "b": up}}, Down{"a": true}, Down{"a": true}},
		{"in a tie we believe ourselves that it is down", views{me: {"a": down, "b": up}, "w": {"a": up, "b": up}}, nil, Down{"a": true}},
		{"in a tie we believe ourselves that it is up", views{me: {"a": up, "b": up}, "w": {"a": down, "b": up}}, Down{"a": true}, Down{}},
		{"in a tie of four, too", views{me: {"a": down, "b": up}, "v": {"a": down, "b": up}, "w": {"a": up, "b": up}, "x": {"a": up, "b": up}}, nil, Down{"a": true}},
		{"we do not outvote two", views{me: {"a": down, "b": up}, "v": {"a": up, "b": up}, "w": {"a": up, "b": up}}, nil, Down{}},
		{"one of two lies about us", views{me: {me: up, "v": up}, "v": {me: down, "v": up}}, nil, Down{}},
		{"one of two lies about us, who were down", views{me: {me: up, "v": up}, "v": {me: down, "v": up}}, Down{me: true}, Down{}},
		{"one of two lies about itself", views{me: {me: up, "v": down}, "v": {me: up, "v": up}}, nil, Down{"v": true}},
		{"one of three lies about us", views{me: {me: up, "b": up}, "v": {me: up, "b": up}, "w": {me: down, "b": up}}, Down{me: true}, Down{}},
		{"one of three lies about us, one wavers", views{me: {me: up, "b": up}, "v": {me: wavers, "b": up}, "w": {me: down, "b": up}}, Down{me: true}, Down{}},
		{"two of three do not reach us", views{me: {me: up, "b": up}, "v": {me: down, "b": up}, "w": {me: down, "b": up}}, nil, Down{me: true}},
		{"one of three lies about another", views{me: {"a": wavers, "b": up}, "a": {"a": up, "b": up}, "v": {"a": down, "b": up}}, nil, Down{}},
		{"one sees it die, one lies, its last word stands", views{me: {"a": down, "b": up}, "a": {"a": up, "b": up}, "v": {"a": up, "b": up}}, nil, Down{"a": true}},
		{"two of four do not reach us", views{me: {me: up, "b": up}, "v": {me: down, "b": up}, "w": {me: down, "b": up}, "x": {me: up, "b": up}}, nil, Down{}},
		{"two of four do not reach another, and we do not", views{me: {"a": down, "b": up}, "a": {"a": up, "b": up}, "v": {"a": down, "b": up}, "w": {"a": up, "b": up}}, nil, Down{"a": true}},
		{"three of four do not reach us", views{me: {me: up, "b": up}, "v": {me: down, "b": up}, "w": {me: down, "b": up}, "x": {me: down, "b": up}}, nil, Down{me: true}},
		{"no name server of its own, one lies", views{me: {"a": up, "b": up}, "v": {"a": down, "b": up}}, nil, Down{}},
		{"no name server of its own, one of three lies", views{me: {"a": up, "b": up}, "v": {"a": down, "b": up}, "w": {"a": up, "b": up}}, nil, Down{}},
		{"we do not reach ourselves, another does", views{me: {me: down, "v": up}, "v": {me: up, "v": up}}, nil, Down{}},
		{"we do not reach ourselves, others tie", views{me: {me: down, "b": up}, "v": {me: up, "b": up}, "w": {me: down, "b": up}}, nil, Down{}},
		{"we do not reach ourselves, nor does another", views{me: {me: down, "v": up}, "v": {me: down, "v": up}}, nil, Down{me: true}},
		{"we are cut off, and vouch for ourselves", views{me: {me: up, "v": down, "w": down}, "v": {me: down, "v": up, "w": up}}, nil, Down{me: true, "v": true}},
		{"in a tie among others we waver", views{me: {"a": wavers, "b": up}, "v": {"a": down, "b": up}, "w": {"a": up, "b": up}}, Down{"a": true}, Down{"a": true}},
		{"in a tie among others we are cut off", views{me: {"a": down, "b": down}, "v": {"a": down, "b": up}, "w": {"a": up, "b": up}}, nil, Down{}},
		{"another who sees nobody changes nothing", views{"v": {"a": down, "b": down}}, Down{"b": true}, Down{"b": true}},
		{"another who sees only itself changes nothing", views{"a": {"a": up, "b": down, "c": down}}, nil, Down{}},
		{"we see nobody, and are told nothing", views{me: {"a": down, "b": down}}, nil, Down{"a": true, "b": true}},
		{"we see only ourselves", views{me: {me: up, "a": down, "b": down}}, Down{me: true}, Down{"a": true, "b": true}},
		{"we see only ourselves, they had a good word for themselves", views{me: {me: up, "a": down, "b": down}, "a": {"a": up}, "b": {"b": up}}, nil, Down{"a": true, "b": true}},
		{"we see only ourselves, they see each other", views{me: {me: up, "a": down, "b": down}, "a": {me: down, "a": up, "b": up}, "b": {me: down, "a": up, "b": up}}, nil, Down{me: true}},
		{"we see only ourselves, so do they", views{me: {me: up, "a": down, "b": down}, "a": {me: down, "a": up, "b": down}, "b": {me: down, "a": down, "b": up}}, nil, Down{"a": true, "b": true}},
		{"we see nobody for sure", views{me: {me: up, "a": wavers, "b": wavers}}, Down{"a": true}, Down{"a": true}},
		{"who is cut off does not outvote", views{"v": {"a": down, "b": down}, "w": {"a": up, "b": up}}, Down{"a": true}, Down{}},
		{"many are cut off", views{"v": {"a": down, "b": down}, "w": {"a": down, "b": down}, "x": {"a": down, "b": up}}, nil, Down{"a": true}},
		{"it says it is up, another does not reach it", views{"a": {"a": up, "b": up}, "b": {"a": down, "b": up, "c": up}}, nil, Down{}},
		{"it says it is up, others do not reach it", views{"a": {"a": up, "b": up}, "b": {"a": down, "b": up, "c": up}, "c": {"a": down, "b": up, "c": up}}, nil, Down{"a": true}},
		{"it says it is down, others reach it", views{"a": {"a": down, "b": up}, "b": {"a": up, "b": up}}, nil, Down{}},
		{"alone, it judges itself", views{"a": {"a": down}}, nil, Down{"a": true}},
		{"alone, it judges itself up", views{"a": {"a": up}}, Down{"a": true}, Down{}},
		{"only it votes on itself", views{"a": {"a": down, "b": up}, "b": {"b": up}}, nil, Down{"a": true}},
		{"of two, one may be down", views{"a": {"a": up, "b": down}}, nil, Down{"b": true}},
		{"who loses sight of all changes nothing", views{"a": {"a": up, "b": wavers, "c": down}}, nil, Down{}},
		{"who wavers does not count", views{"v": {"a": wavers, "b": up}, "w": {"a": down, "b": up}}, nil, Down{"a": true}},
		{"who wavers alone leaves it down", views{"v": {"a": wavers, "b": up}}, Down{"a": true}, Down{"a": true}},
		{"it wavers about itself", views{"a": {"a": wavers}}, Down{"a": true}, Down{"a": true}},
		{"no vote counts twice", views{"v": {"a": -100, "b": up}, "w": {"a": up, "b": up}, "x": {"a": up, "b": up}}, nil, Down{}},
		{"no vote on it", views{"v": {"a": up}}, Down{"z": true}, Down{"z": true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			given := maps.Clone(tt.before)
			if got := Tally(me, tt.votes, tt.before); !maps.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if !maps.Equal(given, tt.before) {
				t.Errorf("the verdict before was changed")
			}
		})
	}
}
