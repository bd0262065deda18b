package handover

import (
	"os"
	"strconv"
	"syscall"
	"testing"
)

func TestSuccessorsStepBackAndUp(t *testing.T) {
	before := priorities(t)
	stepUp := stepBack()
	if os.Geteuid() == 0 {
		for tid, nice := range priorities(t) {
			if was, known := before[tid]; known && nice != min(was+modest, 19) {
				t.Errorf("thread %d is at %d, was at %d", tid, nice, was)
			}
		}
	}
	stepUp()
	for tid, nice := range priorities(t) {
		if was, known := before[tid]; known && nice != was {
			t.Errorf("thread %d stays at %d, was at %d", tid, nice, was)
		}
	}
}

// priorities are those of all threads.
func priorities(t *testing.T) map[int]int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]int{}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Fatal(err)
		}
		if raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, tid); err == nil {
			out[tid] = 20 - raw
		}
	}
	return out
}
