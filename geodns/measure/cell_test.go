package measure

import (
	"testing"
	"time"
)

func ms(n float64) uint32 { return uint32(n * 1000) }

// lines fills a cell with epochs of windows.
func lines(c *cell, epoch uint32, epochs [][]float64) uint32 {
	for _, windows := range epochs {
		for i, rtt := range windows {
			c.add(epoch, ms(rtt), 5, epoch*300+uint32(i)*60)
		}
		epoch++
	}
	return epoch
}

func repeat(n int, windows ...float64) (out [][]float64) {
	for range n {
		out = append(out, windows)
	}
	return out
}

func TestEstimates(t *testing.T) {
	for _, c := range []struct {
		name   string
		epochs [][]float64
		want   float64
	}{
		{"one window", [][]float64{{40}}, 40},
		{"one slow window", [][]float64{{40, 41, 900}}, 41},
		{"one window that is too fast", [][]float64{{40, 41, 3}}, 40},
		{"mostly slow windows", repeat(8, 500, 300, 700, 40, 41), 41},
		{"slow epochs", append(repeat(5, 40, 41, 42), repeat(4, 300, 310, 320)...), 41},
		{"a fast epoch", append(repeat(8, 40, 41, 42), repeat(1, 2, 2, 2)...), 41},
		{"what lasts is believed: slower", append(repeat(8, 40, 41, 42), repeat(7, 80, 81, 82)...), 81},
		{"what lasts is believed: faster", append(repeat(8, 40, 41, 42), repeat(4, 10, 11, 12)...), 11},
	} {
		var got cell
		lines(&got, 6_000_000, c.epochs)
		if d := got.estimate(); d != time.Duration(c.want*float64(time.Millisecond)) {
			t.Errorf("%s: %v, want %v ms", c.name, d, c.want)
		}
	}
	if d := new(cell).estimate(); d != 0 {
		t.Errorf("nothing is estimated to be %v", d)
	}
}

func TestEstimatesNeedSamplesEnough(t *testing.T) {
	now := uint32(1_800_000_000)
	var few, thin, enough cell
	for i := range uint32(enoughWindows) {
		if i > 0 {
			few.add(now/300, ms(40), 100, now+window*(i-enoughWindows))
		}
		thin.add(now/300, ms(40), 1, now+window*(i-enoughWindows))
		enough.add(now/300, ms(40), 3, now+window*(i-enoughWindows))
	}
	now -= window // the last of them
	if few.fresh(now) || thin.fresh(now) || !enough.fresh(now) {
		t.Errorf("two windows: %v, three connections: %v, enough of both: %v", few.fresh(now), thin.fresh(now), enough.fresh(now))
	}
	if later := now + uint32(staleAfter/time.Second); !enough.fresh(later) || enough.fresh(later+1) {
		t.Error("an estimate is not stale after a day")
	}
}

// One report may hold any number of samples; what it says of one moment is one
// window, and does not stand for an epoch.
func TestSamplesOfOneMomentAreOneWindow(t *testing.T) {
	now := uint32(1_800_000_000)
	var c cell
	for range 10 * enoughWindows {
		c.add(now/300, ms(40), 100, now)
	}
	if c.fresh(now) {
		t.Errorf("%d windows of one moment", c.windows)
	}
	for i := range uint32(2) {
		c.add(now/300, ms(40), 100, now+window*(i+1))
	}
	for range enoughWindows {
		c.add(now/300, ms(1), 100, now+window*3)
	}
	if got := c.estimate(); !c.fresh(now) || got != 40*time.Millisecond {
		t.Errorf("%v after one moment of 1 ms among four windows", got)
	}
}

func TestConnectionsCountLessWithTime(t *testing.T) {
	var c cell
	c.add(1, ms(40), 100, 1000)
	if got := c.counted(1000 + uint32(countHalves/time.Second)); got != 50 {
		t.Errorf("%v of 100 connections count after %v", got, countHalves)
	}
}

func TestOldEstimatesAreBegunAnew(t *testing.T) {
	var c cell
	epoch := lines(&c, 6_000_000, repeat(9, 40, 41, 42))
	lines(&c, epoch+2*300, repeat(1, 90, 91, 92))
	if got := c.estimate(); got != 91*time.Millisecond {
		t.Errorf("%v after a gap of two days, want 91 ms", got)
	}
}
