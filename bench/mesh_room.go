package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// room is a thread in a network namespace of its own. What it starts lives
// there too, and is killed when the room is closed.
type room struct {
	tid   int
	tasks chan func()
	ended chan struct{}
}

func newRoom() (*room, error) {
	r := &room{tasks: make(chan func()), ended: make(chan struct{})}
	ready := make(chan error, 1)
	go r.live(ready)
	if err := <-ready; err != nil {
		<-r.ended
		return nil, fmt.Errorf("a network namespace (it takes root): %w", err)
	}
	return r, nil
}

// live is the thread's life: it stays locked, so the thread and its namespace
// end with the goroutine. The process's first thread cannot end, so it is
// kept while another does the work.
func (r *room) live(ready chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		go r.live(ready)
		<-r.ended
		runtime.UnlockOSThread()
		return
	}
	defer close(r.ended)
	r.tid = unix.Gettid()
	err := unix.Unshare(unix.CLONE_NEWNET)
	if ready <- err; err != nil {
		return
	}
	for f := range r.tasks {
		f()
	}
}

// path names the namespace to other programs.
func (r *room) path() string { return fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), r.tid) }

func (r *room) do(f func() error) error {
	done := make(chan error, 1)
	r.tasks <- func() { done <- f() }
	return <-done
}

// start starts a command in the room; it dies with the room.
func (r *room) start(c *exec.Cmd) error {
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return r.do(c.Start)
}

// ip runs lines of ip-link(8) and its kin.
func (r *room) ip(ctx context.Context, lines ...string) error {
	c := exec.CommandContext(ctx, "ip", "-batch", "-")
	var out bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(strings.Join(lines, "\n")), &out, &out
	err := r.start(c)
	if err == nil {
		err = c.Wait()
	}
	if err != nil {
		return fmt.Errorf("ip: %w\n%s", err, out.String())
	}
	return nil
}

func (r *room) close() {
	close(r.tasks)
	<-r.ended
}

// veth is what the rooms of a pair call the wire between them.
const veth = "wire"

// pair are two rooms with a wire between them.
type pair [2]*room

// pairAddr is the address of an end of a wire.
func pairAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 99, 0, byte(i + 1)}) }

// newPair makes them; the kernel says nothing on the wire by itself.
func newPair(ctx context.Context) (p pair, err error) {
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	for i := range p {
		if p[i], err = newRoom(); err != nil {
			return p, err
		}
	}
	if err := p[0].ip(ctx, "link add "+veth+" type veth peer name "+veth+" netns "+p[1].path()); err != nil {
		return p, err
	}
	for i, r := range p {
		if err := r.ip(ctx, "link set lo up", "link set "+veth+" addrgenmode none up", fmt.Sprintf("addr add %v/24 dev %s", pairAddr(i), veth)); err != nil {
			return p, err
		}
	}
	return p, nil
}

// addrs are those of both ends.
func (p pair) addrs() (out []netip.Addr) {
	for i := range p {
		out = append(out, pairAddr(i))
	}
	return out
}

func (p pair) close() {
	for _, r := range p {
		if r != nil {
			r.close()
		}
	}
}
