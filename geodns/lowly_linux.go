package geodns

import (
	"runtime"
	"syscall"
)

// lowly is how far a thread that makes plans steps back for others (nice(2)).
const lowly = 10

// aside runs f on a thread of low priority, which ends with it, so that answers
// do not wait for plans where both want the same processor.
func aside(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()                                                 // and never unlocked: the thread ends, with its priority
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), lowly) // else it is as others are
		f()
	}()
	<-done
}
