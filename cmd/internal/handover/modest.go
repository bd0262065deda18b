package handover

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
)

// modest is how far a successor steps back for the process that serves while it
// gets ready (nice(2)): both may have to do with one processor, and reading a
// database of the world must not be at the cost of queries.
const modest = 10

// stepBack lowers the priority of this process, where it may be raised again,
// and returns what does that.
func stepBack() (stepUp func()) {
	before, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		return func() {}
	}
	before = 20 - before // as the system call has it
	low := min(before+modest, 19)
	if !reversible(before, low) {
		return func() {}
	}
	prioritize(low)
	return func() { prioritize(before) }
}

// reversible tries a change and its way back, which takes a privilege, on a
// thread that ends with it.
func reversible(before, low int) bool {
	result := make(chan bool)
	go func() {
		runtime.LockOSThread() // and never unlocked
		tid := syscall.Gettid()
		result <- syscall.Setpriority(syscall.PRIO_PROCESS, tid, low) == nil && syscall.Setpriority(syscall.PRIO_PROCESS, tid, before) == nil
	}()
	return <-result
}

// prioritize gives all threads a priority. A thread that another began
// meanwhile has that one's, so it looks again until there is none.
func prioritize(nice int) {
	done := map[string]bool{}
	for more := true; more; {
		more = false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return
		}
		for _, t := range tasks {
			if tid, err := strconv.Atoi(t.Name()); err == nil && !done[t.Name()] {
				_ = syscall.Setpriority(syscall.PRIO_PROCESS, tid, nice) // it may have ended
				done[t.Name()], more = true, true
			}
		}
	}
}
