package prefix

import (
	"runtime"
	"slices"
)

// How many steps of a loop are taken at one go: some hundred microseconds.
const (
	ManySteps = 1 << 14 // a few nanoseconds each
	FewSteps  = 1 << 12 // with a caller's work in each
)

// Rest lets others run after so many steps, i being the number of one. A table
// of the world takes tens of milliseconds, and whoever answers queries beside
// that should not wait for as long: a kernel that schedules by ticks looks only
// every few of them, whatever the priorities. A goroutine that has a thread to
// itself gives up its processor here, any other its turn. Packages that make
// plans of tables rest in the same way.
func Rest(i, each int) {
	if i%each == each-1 {
		runtime.Gosched()
	}
}

// Pace counts the steps of many short loops, none of which is long enough to
// rest in.
type Pace struct{ taken int }

// Rest does as the function does, after so many more of FewSteps.
func (p *Pace) Rest(steps int) {
	if p.taken += steps; p.taken >= FewSteps {
		p.taken = 0
		runtime.Gosched()
	}
}

// Sort does as slices.SortFunc, and rests.
func Sort[E any](all []E, compare func(a, b E) int) {
	n := 0
	slices.SortFunc(all, func(a, b E) int {
		n++
		Rest(n, ManySteps)
		return compare(a, b)
	})
}
