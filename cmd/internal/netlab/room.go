package netlab

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// room is a thread that lives in namespaces of its own, for the network,
// mounts and the hostname, and keeps them alive. Programs that it starts live
// there too, and are killed when it ends.
type room struct {
	name   string
	tid    int
	net    *os.File // its network namespace
	number uint64   // of that
	tasks  chan func()
	ended  chan struct{}
}

// newRoom returns when the thread is in its namespaces.
func newRoom(name string) (*room, error) {
	r := &room{name: name, tasks: make(chan func()), ended: make(chan struct{})}
	ready := make(chan error, 1)
	go r.live(ready)
	if err := <-ready; err != nil {
		<-r.ended
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	return r, nil
}

// live is the thread's life. It is never unlocked, so the thread ends with
// the goroutine and its namespaces with the thread. The process's first thread
// cannot end: it waits while another does the work.
func (r *room) live(ready chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		go r.live(ready)
		<-r.ended
		runtime.UnlockOSThread()
		return
	}
	defer close(r.ended)
	if err := r.move(); err != nil {
		ready <- err
		return
	}
	defer r.net.Close()
	ready <- nil
	for f := range r.tasks {
		f()
	}
}

// move puts the calling thread into new namespaces.
func (r *room) move() error {
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWUTS); err != nil {
		return fmt.Errorf("new namespaces (they take root): %w", err)
	}
	// What is mounted here must not show outside.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Sethostname([]byte(r.name)); err != nil {
		return fmt.Errorf("set hostname: %w", err)
	}
	r.tid = unix.Gettid()
	var err error
	if r.number, err = namespace(r.path()); err != nil {
		return err
	}
	r.net, err = os.Open(r.path())
	return err
}

// path names the network namespace to other programs.
func (r *room) path() string { return fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), r.tid) }

// do runs f on the thread. It must not block for long: tasks take turns.
func (r *room) do(f func() error) error {
	done := make(chan error, 1)
	r.tasks <- func() { done <- f() }
	return <-done
}

// enter runs f on another thread that is in the room's network for as long.
// f must make its sockets itself, not in goroutines that it starts.
func (r *room) enter(f func() error) error {
	runtime.LockOSThread()
	back, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("host %s: %w", r.name, err)
	}
	defer back.Close()
	if err := unix.Setns(int(r.net.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter host %s: %w", r.name, err)
	}
	err = f()
	if lost := unix.Setns(int(back.Fd()), unix.CLONE_NEWNET); lost != nil {
		return errors.Join(err, fmt.Errorf("leave host %s: %w", r.name, lost)) // locked: the thread ends with the goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// close ends the thread and waits for it. Nobody may use the room any more.
func (r *room) close() {
	close(r.tasks)
	<-r.ended
}
