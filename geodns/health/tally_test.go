package health

import (
	"maps"
	"strings"
	"testing"

	"landfall"
)

// me is who tallies; v to z are other vantage points, all of them edges too
// where they are voted on, and a to c edges that are none.
const me = landfall.NodeID("me")

type views = map[landfall.NodeID]Votes

type tally struct {
	name     string
	vantages string
	votes    views
	before   Down
	want     Down
}

func (tt tally) run(t *testing.T) {
	t.Helper()
	given := maps.Clone(tt.before)
	var vantages []landfall.NodeID
	for id := range strings.FieldsSeq(tt.vantages) {
		vantages = append(vantages, landfall.NodeID(id))
	}
	if got := Tally(me, vantages, tt.votes, tt.before); !maps.Equal(got, tt.want) {
		t.Errorf("got %v, want %v", got, tt.want)
	}
	if !maps.Equal(given, tt.before) {
		t.Errorf("the verdict before was changed")
	}
}

func TestTallyOfOne(t *testing.T) {
	for _, tt := range []tally{
		{"no vote", "me", nil, Down{"a": true}, Down{"a": true}},
		{"it decides alone", "me", views{me: {"a": Good, "b": Bad}}, nil, Down{"b": true}},
		{"it brings back", "me", views{me: {"a": Good, "b": Good}}, Down{"b": true}, Down{}},
		{"it judges itself", "me", views{me: {me: Bad}}, nil, Down{me: true}},
		{"it judges itself up", "me", views{me: {me: Good}}, Down{me: true}, Down{}},
		{"it wavers about itself", "me", views{me: {me: Unsure}}, Down{me: true}, Down{me: true}},
		{"of two, one may be down", "me", views{me: {me: Good, "a": Bad}}, nil, Down{"a": true}},
		{"it sees none of several", "me", views{me: {"a": Bad, "b": Bad}}, Down{"b": true}, Down{"b": true}},
		{"it sees none of several but itself", "me", views{me: {me: Good, "a": Bad, "b": Bad}}, Down{me: true}, Down{me: true}},
		{"it loses sight of all", "me", views{me: {me: Good, "a": Unsure, "b": Bad}}, nil, Down{}},
	} {
		t.Run(tt.name, tt.run)
	}
}

func TestTallyOfTwo(t *testing.T) {
	for _, tt := range []tally{
		{"both are right", "me v", views{me: {"a": Bad, "b": Good}, "v": {"a": Bad, "b": Good}}, nil, Down{"a": true}},
		{"in a tie we believe ourselves that it is down", "me v", views{me: {"a": Bad, "b": Good}, "v": {"a": Good, "b": Good}}, nil, Down{"a": true}},
		{"in a tie we believe ourselves that it is up", "me v", views{me: {"a": Good, "b": Good}, "v": {"a": Bad, "b": Good}}, Down{"a": true}, Down{}},
		{"who wavers does not count", "me v", views{me: {"a": Unsure, "b": Good}, "v": {"a": Bad, "b": Good}}, nil, Down{"a": true}},
		{"nor does who is not heard", "me v", views{me: {"a": Bad, "b": Good}}, nil, Down{"a": true}},
		{"the other lies about us", "me v", views{me: {me: Good, "v": Good}, "v": {me: Bad, "v": Good}}, nil, Down{}},
		{"the other lies about us, who were down", "me v", views{me: {me: Good, "v": Good}, "v": {me: Bad, "v": Good}}, Down{me: true}, Down{}},
		{"the other lies about itself", "me v", views{me: {me: Good, "v": Bad}, "v": {me: Good, "v": Good}}, nil, Down{"v": true}},
		{"the other died", "me v", views{me: {me: Good, "v": Bad}}, nil, Down{"v": true}},
		{"we do not reach ourselves, the other does", "me v", views{me: {me: Bad, "v": Good}, "v": {me: Good, "v": Good}}, nil, Down{}},
		{"we do not reach ourselves, nor does the other", "me v", views{me: {me: Bad, "v": Good}, "v": {me: Bad, "v": Good}}, nil, Down{me: true}},
		{"only it votes on itself", "me v", views{"v": {"v": Bad, me: Good}, me: {me: Good}}, nil, Down{"v": true}},
		{"we see none of several, the other does", "me v", views{me: {"a": Bad, "b": Bad}, "v": {"a": Good, "b": Bad}}, Down{"a": true}, Down{"b": true}},
		{"the other sees none of several", "me v", views{me: {"a": Good, "b": Unsure}, "v": {"a": Bad, "b": Bad}}, nil, Down{}},
		{"both see none of several", "me v", views{me: {me: Good, "v": Bad, "a": Bad}, "v": {"v": Good, me: Bad, "a": Bad}}, Down{"a": true}, Down{"a": true}},
		{"no vote counts twice", "me v", views{me: {"a": Good, "b": Good}, "v": {"a": -100, "b": Good}}, nil, Down{}},
	} {
		t.Run(tt.name, tt.run)
	}
}

func TestTallyOfThree(t *testing.T) {
	all := Votes{me: Good, "v": Good, "w": Good, "a": Good}
	but := func(changes Votes) Votes {
		out := maps.Clone(all)
		maps.Copy(out, changes)
		return out
	}
	for _, tt := range []tally{
		// An edge that is no vantage point: all three vote on it.
		{"one of three is wrong", "me v w", views{me: but(Votes{"a": Bad}), "v": all, "w": all}, nil, Down{}},
		{"one of three, one wavers", "me v w", views{me: but(Votes{"a": Bad}), "v": but(Votes{"a": Unsure}), "w": all}, nil, Down{}},
		{"one of three, nobody else is heard", "me v w", views{me: but(Votes{"a": Bad})}, nil, Down{}},
		{"two of three are right", "me v w", views{me: but(Votes{"a": Bad}), "v": but(Votes{"a": Bad}), "w": all}, nil, Down{"a": true}},
		{"two of three, the third is not heard", "me v w", views{me: but(Votes{"a": Bad}), "v": but(Votes{"a": Bad})}, nil, Down{"a": true}},
		{"two others, we do not see it", "me v w", views{me: all, "v": but(Votes{"a": Bad}), "w": but(Votes{"a": Bad})}, nil, Down{"a": true}},
		{"one does not bring it up", "me v w", views{me: all, "v": but(Votes{"a": Bad}), "w": but(Votes{"a": Unsure})}, Down{"a": true}, Down{"a": true}},
		{"nor does one where nobody else is heard", "me v w", views{me: all}, Down{"a": true}, Down{"a": true}},
		{"two bring it up", "me v w", views{me: all, "v": all, "w": but(Votes{"a": Bad})}, Down{"a": true}, Down{}},
		{"nobody votes on it", "me v w", views{me: {"v": Good}, "v": {me: Good}}, Down{"z": true}, Down{"z": true}},
		// One that is: its own vote is one of three to bring it up, none to take it down.
		{"it died", "me v w", views{me: but(Votes{"w": Bad}), "v": but(Votes{"w": Bad})}, nil, Down{"w": true}},
		{"it died, its last word stands", "me v w", views{me: but(Votes{"w": Bad}), "v": but(Votes{"w": Bad}), "w": all}, nil, Down{"w": true}},
		{"it died, only we saw it yet", "me v w", views{me: but(Votes{"w": Bad}), "v": all, "w": all}, nil, Down{}},
		{"one lies about us", "me v w", views{me: all, "v": all, "w": but(Votes{me: Bad})}, nil, Down{}},
		{"one lies about us, one wavers", "me v w", views{me: all, "v": but(Votes{me: Unsure}), "w": but(Votes{me: Bad})}, nil, Down{}},
		{"a firewall hides us", "me v w", views{me: all, "v": but(Votes{me: Bad}), "w": but(Votes{me: Bad})}, nil, Down{me: true}},
		{"one reaches us again, as we do", "me v w", views{me: all, "v": all, "w": but(Votes{me: Bad})}, Down{me: true}, Down{}},
		{"only we reach ourselves", "me v w", views{me: all, "v": but(Votes{me: Unsure}), "w": but(Votes{me: Bad})}, Down{me: true}, Down{me: true}},
		{"one reaches us again, we cannot", "me v w", views{me: but(Votes{me: Bad}), "v": all, "w": but(Votes{me: Bad})}, Down{me: true}, Down{me: true}},
		{"one says we are down, and so do we", "me v w", views{me: but(Votes{me: Bad}), "v": all, "w": but(Votes{me: Bad})}, nil, Down{}},
		{"its name server is gone, the others see it", "me v w", views{me: all, "v": all}, Down{"w": true}, Down{}},
		// After one has gone, two are left.
		{"the second dies, we still see another", "me v w", views{me: but(Votes{"v": Bad, "w": Bad})}, Down{"w": true}, Down{"w": true, "v": true}},
		{"the second dies, we see nobody", "me v w", views{me: {me: Good, "v": Bad, "w": Bad}}, Down{"w": true}, Down{"w": true}},
		{"it comes back before the first", "me v w", views{me: but(Votes{"w": Bad})}, Down{"w": true, "v": true}, Down{"w": true}},
		// Isolation.
		{"we see nobody", "me v w", views{me: {me: Good, "v": Bad, "w": Bad}}, nil, Down{}},
		{"we see nobody, but hear that they do", "me v w", views{me: {me: Good, "v": Bad, "w": Bad}, "v": {me: Bad, "v": Good, "w": Good}, "w": {me: Bad, "v": Good, "w": Good}}, Down{"v": true}, Down{me: true}},
		{"nobody sees anybody", "me v w", views{me: {me: Good, "v": Bad, "w": Bad}, "v": {me: Bad, "v": Good, "w": Bad}, "w": {me: Bad, "v": Bad, "w": Good}}, nil, Down{}},
		{"one sees nobody", "me v w", views{me: all, "v": {"a": Bad, "w": Bad, me: Bad}, "w": but(Votes{"a": Bad})}, nil, Down{}},
	} {
		t.Run(tt.name, tt.run)
	}
}

func TestTallyOfMore(t *testing.T) {
	for _, tt := range []tally{
		{"two of four are half", "me v w x", views{me: {"a": Bad, "b": Good}, "v": {"a": Bad, "b": Good}, "w": {"a": Good, "b": Good}, "x": {"a": Good, "b": Good}}, nil, Down{}},
		{"and leave it down", "me v w x", views{me: {"a": Bad, "b": Good}, "v": {"a": Bad, "b": Good}, "w": {"a": Good, "b": Good}, "x": {"a": Good, "b": Good}}, Down{"a": true}, Down{"a": true}},
		{"three of four", "me v w x", views{me: {"a": Bad, "b": Good}, "v": {"a": Bad, "b": Good}, "w": {"a": Bad, "b": Good}}, nil, Down{"a": true}},
		{"two of four do not reach us, of three others", "me v w x", views{me: {me: Good, "x": Good}, "v": {me: Bad, "x": Good}, "w": {me: Bad, "x": Good}, "x": {me: Good, "w": Good}}, nil, Down{me: true}},
		{"one of four lies for a dead one", "me v w x", views{me: {"v": Bad, "x": Good}, "w": {"v": Good, "x": Good}, "x": {"v": Bad, me: Good}}, nil, Down{"v": true}},
		{"the few of five do not decide", "me v w x y", views{me: {"v": Good, "w": Bad, "x": Bad, "y": Bad}, "v": {me: Good, "w": Bad, "x": Bad, "y": Bad}}, nil, Down{}},
		{"the many do", "me v w x y", views{me: {"v": Good, "w": Good, "x": Bad, "y": Bad}, "v": {me: Good, "w": Good, "x": Bad, "y": Bad}, "w": {me: Good, "v": Good, "x": Bad, "y": Bad}}, nil, Down{"x": true, "y": true}},
		{"of those left two decide", "me v w x y", views{me: {"v": Good, "w": Bad, "x": Bad, "y": Bad}, "v": {me: Good, "w": Bad, "x": Bad, "y": Bad}}, Down{"x": true, "y": true}, Down{"w": true, "x": true, "y": true}},
		{"strangers do not vote", "me v w", views{me: {"a": Bad, "b": Good}, "s": {"a": Bad, "b": Good}, "t": {"a": Bad, "b": Good}}, nil, Down{}},
	} {
		t.Run(tt.name, tt.run)
	}
}
