package prefix

import "runtime"

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
