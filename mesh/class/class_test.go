package class

import (
	"testing"

	"landfall"
)

func TestClassesKeepTheirMark(t *testing.T) {
	for c, want := range map[landfall.Class]uint8{landfall.Control: 48, landfall.Interactive: 34, landfall.Normal: 0, landfall.Bulk: 1, 99: 0} {
		if got := DSCP(c); got != want {
			t.Errorf("class %d bears %d, want %d", c, got, want)
		}
		if back := Of(DSCP(c)); c <= landfall.Control && back != c {
			t.Errorf("class %d comes back as %d", c, back)
		}
	}
}

func TestForeignMarks(t *testing.T) {
	want := map[uint8]landfall.Class{
		48: landfall.Control, 56: landfall.Control,
		46: landfall.Interactive, 44: landfall.Interactive, 40: landfall.Interactive, 32: landfall.Interactive,
		34: landfall.Interactive, 36: landfall.Interactive, 38: landfall.Interactive,
		8: landfall.Bulk, 1: landfall.Bulk, 10: landfall.Bulk, 12: landfall.Bulk, 14: landfall.Bulk,
	}
	for dscp := range 256 {
		if got := Of(uint8(dscp)); got != want[uint8(dscp)] { // of the others, Normal
			t.Errorf("DSCP %d is of class %d, want %d", dscp, got, want[uint8(dscp)])
		}
	}
}

func TestCongestionStandsBesideTheMark(t *testing.T) {
	for ecn := range uint8(4) {
		if got := TOS(landfall.Interactive, ecn|0xf0); got != 34<<2|ecn {
			t.Errorf("TOS with ECN %d is %#x", ecn, got)
		}
	}
}
