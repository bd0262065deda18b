package path

import (
	"testing"
	"time"
)

func TestDelayFollowsRFC6298(t *testing.T) {
	const ms = time.Millisecond
	var d delay
	if d.late(spare) != unknownLate {
		t.Error("unknown round trip:", d.late(spare))
	}
	d.add(100 * ms)
	if d.smooth != 100*ms || d.swing != 50*ms {
		t.Error("first sample:", d.smooth, d.swing)
	}
	d.add(180 * ms)
	if d.smooth != 110*ms || d.swing != 57500*time.Microsecond || d.jitter != 5*ms {
		t.Error("second sample:", d.smooth, d.swing, d.jitter)
	}
	for _, v := range []time.Duration{300, 90, 95} {
		d.add(v * ms)
	}
	if d.recent() != 100*ms {
		t.Error("the median of 100, 180, 300, 90 and 95 is", d.recent())
	}
	if least, most, ok := d.span(); least != 90*ms || most != 300*ms || !ok {
		t.Error("the last three lie between", least, most, ok)
	}
}

func TestOneLostProbeSaysNothing(t *testing.T) {
	var f fate
	for range 30 {
		f.add(false)
	}
	f.add(true)
	if f.loss() != 0 {
		t.Error("one lost of 31:", f.loss())
	}
	f.add(true)
	if got := f.loss(); got != 1.0/32 {
		t.Error("two lost of 32, one forgiven:", got)
	}
	for range 64 {
		f.add(false)
	}
	if f.loss() != 0 {
		t.Error("64 answers later:", f.loss())
	}
}

// TestCarryAccounts plays accounts, a second apart.
func TestCarryAccounts(t *testing.T) {
	type account struct {
		sent, heard uint32
		trust, mute bool
	}
	for name, c := range map[string]struct {
		accounts []account
		loss     float64
	}{
		"all heard":             {[]account{{0, 0, true, false}, {100, 100, true, false}, {200, 200, true, false}}, 0},
		"a tenth lost":          {[]account{{0, 0, true, false}, {100, 90, true, false}, {200, 180, true, false}}, 0.1},
		"wraps around":          {[]account{{1<<32 - 50, 1<<32 - 60, true, false}, {50, 30, true, false}}, 0.1},
		"under way, then there": {[]account{{0, 0, true, false}, {100, 90, true, false}, {200, 200, true, false}}, 0},
		"nothing heard":         {[]account{{0, 0, true, false}, {7, 0, true, false}, {8, 0, true, true}}, 0},
		"only copies":           {[]account{{0, 0, true, false}, {100, 0, false, false}, {200, 0, false, false}}, 0},
		"the peer restarted":    {[]account{{500, 500, true, false}, {600, 10, true, false}, {700, 110, true, false}}, 0},
	} {
		var m carry
		now := instant(time.Minute)
		for i, a := range c.accounts {
			now = now.add(time.Second)
			if mute := m.account(&flight{at: now, sent: a.sent}, a.heard, a.trust, now); mute != a.mute {
				t.Errorf("%s: account %d: mute %v", name, i, mute)
			}
		}
		if m.loss < c.loss-0.001 || m.loss > c.loss+0.001 {
			t.Errorf("%s: loss %v", name, m.loss)
		}
	}
}

func TestMuteLastsLongerEachTime(t *testing.T) {
	var m carry
	now := instant(time.Minute)
	for _, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
		m.mute(now)
		if got := m.until.since(now); got != want*time.Minute {
			t.Errorf("mute for %v, want %v minutes", got, want)
		}
		now = m.until
	}
}

// TestClockCountsWhatPasses: an instant is what has passed since the beginning,
// whatever the wall clock says, and never before it.
func TestClockCountsWhatPasses(t *testing.T) {
	var c clock
	start := time.Now()
	a, b := c.at(start), c.at(start.Add(time.Second))
	if b.since(a) != time.Second || c.ago(time.Time{}) != 0 || !c.time(b).Equal(start.Add(time.Second)) {
		t.Error(a, b)
	}
	if early := c.at(start.Add(-time.Hour)); early != 1 {
		t.Error("before the beginning:", early)
	}
}
