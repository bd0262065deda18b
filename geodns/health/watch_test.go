package health

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"landfall"
)

func TestVoteChangesAfterResultsInARow(t *testing.T) {
	tests := []struct{ name, results, votes string }{ // + is good, - is bad, ? is unsure
		{"one bad probe is a hiccup", "x.x.xx.", "?+?+??+"},
		{"three bad probes in a row", "xxxx", "??--"},
		{"two good ones bring it back", "xxx..", "??-?+"},
		{"one good one does not", "xxx.xx.x.", "??-?--?-?"},
		{"it takes three again", "xxx..xx.xxx", "??-?+??+??-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var w Watch
			w.Expect([]landfall.NodeID{"a"})
			var got strings.Builder
			for i, r := range tt.results {
				before := w.Votes()["a"]
				changed := w.Observe("a", r == '.')
				now := w.Votes()["a"]
				if changed != (before != now) {
					t.Errorf("result %d: changed is %v", i, changed)
				}
				got.WriteString(map[Vote]string{Good: "+", Bad: "-", Unsure: "?"}[now])
			}
			if got.String() != tt.votes {
				t.Errorf("%s: votes %s, want %s", tt.results, got.String(), tt.votes)
			}
		})
	}
}

func TestThresholdsAreSettable(t *testing.T) {
	w := Watch{Rules: Rules{Rise: 1, Fall: 1}}
	w.Expect([]landfall.NodeID{"a"})
	for _, ok := range []bool{false, true} {
		w.Observe("a", ok)
		if got, want := w.Votes()["a"], map[bool]Vote{true: Good, false: Bad}[ok]; got != want {
			t.Errorf("after one result %v: vote %d, want %d", ok, got, want)
		}
	}
}

func TestNewcomersProveThemselves(t *testing.T) {
	var w Watch
	if joined := w.Expect([]landfall.NodeID{"a", "b"}); joined != nil || !maps.Equal(w.Votes(), Votes{"a": Good, "b": Good}) {
		t.Fatalf("in the beginning: %v joined, votes %v", joined, w.Votes())
	}
	if joined := w.Expect([]landfall.NodeID{"a", "b", "c", "d", "e"}); !slices.Equal(joined, []landfall.NodeID{"c", "d", "e"}) {
		t.Errorf("joined: %v", joined)
	}
	if joined := w.Expect([]landfall.NodeID{"a", "c", "d", "e"}); joined != nil {
		t.Errorf("joined twice: %v", joined)
	}
	w.Observe("e", true)
	for range 2 {
		w.Observe("c", true)
		w.Observe("b", true) // gone: a probe that was still under way
	}
	for range 3 {
		w.Observe("d", false)
	}
	if want := (Votes{"a": Good, "c": Good, "d": Bad, "e": Unsure}); !maps.Equal(w.Votes(), want) {
		t.Errorf("votes %v, want %v", w.Votes(), want)
	}
}

// The others stop answering, each in its turn, and come back, each in its turn:
// at no time is there a vote against one of them.
func TestBlindnessTakesNobodyDown(t *testing.T) {
	w := Watch{Self: "a"}
	w.Expect([]landfall.NodeID{"a", "b", "c", "d"})
	story := []struct {
		node landfall.NodeID
		ok   bool
	}{
		{"b", true}, {"c", true}, {"d", true},
		{"b", false}, {"c", false}, {"b", false}, {"c", false}, {"d", false}, // now blind
		{"b", false}, {"c", false}, {"d", false}, {"a", true}, {"b", false}, {"c", false}, {"d", false},
		{"b", false}, {"c", false}, {"d", false}, {"a", true}, {"b", false}, {"c", false}, {"d", false},
		{"b", true}, {"a", true}, {"c", false}, {"b", true}, {"d", false}, {"c", true}, {"d", false}, {"d", true},
	}
	for i, s := range story {
		w.Observe(s.node, s.ok)
		for id, v := range w.Votes() {
			if v == Bad {
				t.Errorf("after result %d, %s %v: vote against %s", i, s.node, s.ok, id)
			}
		}
	}
	for range 3 { // a single one that fails is no blindness
		w.Observe("b", true)
		w.Observe("c", true)
		w.Observe("d", false)
	}
	if want := (Votes{"a": Good, "b": Good, "c": Good, "d": Bad}); !maps.Equal(w.Votes(), want) {
		t.Errorf("votes %v, want %v", w.Votes(), want)
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
		{"we are cut off, and vouch for ourselves", views{me: {me: up, "v": down, "w": down}, "v": {me: down, "v": up, "w": up}}, nil, Down{me: true}},
		{"in a tie among others we waver", views{me: {"a": wavers, "b": up}, "v": {"a": down, "b": up}, "w": {"a": up, "b": up}}, Down{"a": true}, Down{"a": true}},
		{"in a tie among others we are cut off", views{me: {"a": down, "b": down}, "v": {"a": down, "b": up}, "w": {"a": up, "b": up}}, nil, Down{}},
		{"who sees nobody changes nothing", views{"v": {"a": down, "b": down}}, Down{"b": true}, Down{"b": true}},
		{"who sees only itself changes nothing", views{"a": {"a": up, "b": down, "c": down}}, nil, Down{}},
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
