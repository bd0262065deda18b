package labrouter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"landfall/mesh/wan"
)

// Client is a router in another process. Its methods are for several
// goroutines.
type Client struct {
	cmd      *exec.Cmd
	talk     *os.File
	priority string
	said     bytes.Buffer  // what the process printed; for reading once done is closed
	done     chan struct{} // closed when the process has ended
	err      error         // how it ended; set before done closes

	mu  sync.Mutex // one order at a time
	in  *json.Decoder
	out *json.Encoder
}

// Start runs a command, which must call Serve, on a device, and closes this
// process's own copy of it.
func Start(seed uint64, dev *os.File, cmd *exec.Cmd) (*Client, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("router: sockets: %w", err)
	}
	here, there := os.NewFile(uintptr(ends[0]), "router"), os.NewFile(uintptr(ends[1]), "lab")
	defer there.Close()
	c := &Client{cmd: cmd, talk: here, done: make(chan struct{}), in: json.NewDecoder(here), out: json.NewEncoder(here)}
	c.cmd.ExtraFiles = []*os.File{dev, there}
	c.cmd.Stdout, c.cmd.Stderr = &c.said, &c.said
	// A group of its own: Ctrl-C is for the lab, which needs it to the end.
	// And it outlives this process by a moment: see Guard.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.cmd.Start(); err != nil {
		here.Close()
		return nil, fmt.Errorf("router: %w", err)
	}
	go func() {
		defer close(c.done)
		c.err = c.cmd.Wait()
	}()
	a, err := c.ask(order{Do: doStart, Seed: seed})
	if err != nil {
		c.Close()
		return nil, err
	}
	c.priority = a.Priority
	dev.Close()
	return c, nil
}

// Priority is what the kernel granted the router's thread: see wan.Router.
func (c *Client) Priority() string { return c.priority }

// PID is the number of the router's process.
func (c *Client) PID() int { return c.cmd.Process.Pid }

// Done is closed when the router has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// SetSite says where an address is.
func (c *Client) SetSite(a netip.Addr, s wan.Site) error {
	return c.tell(order{Do: doSite, Addr: a, From: s})
}

// SetLink sets one direction of a link, also while it is in use.
func (c *Client) SetLink(from, to wan.Site, l wan.Link) error {
	return c.tell(order{Do: doLink, From: from, To: to, Link: l})
}

// SetNAT puts hosts behind a NAT: see wan.Router.
func (c *Client) SetNAT(n wan.NAT, inside ...netip.Addr) error {
	return c.tell(order{Do: doNAT, NAT: n, Inside: inside})
}

// Guard has the router kill all that is left in some network namespaces when
// it ends: when a lab is killed, its programs die with it, but not the
// children that they have started.
func (c *Client) Guard(namespaces []uint64) error {
	return c.tell(order{Do: doGuard, Guard: namespaces})
}

// Begin begins a measured phase.
func (c *Client) Begin(phase string) error { return c.tell(order{Do: doBegin, Phase: phase}) }

// End ends it.
func (c *Client) End() (wan.Phase, error) {
	a, err := c.ask(order{Do: doEnd})
	return a.Phase, err
}

func (c *Client) tell(o order) error {
	_, err := c.ask(o)
	return err
}

func (c *Client) ask(o order) (a answer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.out.Encode(o); err != nil {
		return a, c.lost(err)
	}
	if err := c.in.Decode(&a); err != nil {
		return a, c.lost(err)
	}
	if a.Err != "" {
		return a, fmt.Errorf("router: %s: %s", o.Do, a.Err)
	}
	return a, nil
}

// lost is why there is no answer: as a rule the process is about to end, and
// soon knows why.
func (c *Client) lost(err error) error {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-c.done:
		return fmt.Errorf("the router's process has ended: %w: %s", errors.Join(c.err, err), bytes.TrimSpace(c.said.Bytes()))
	case <-t.C:
		return fmt.Errorf("router: %w", err)
	}
}

// Close ends the process and waits for it.
func (c *Client) Close() error {
	select {
	case <-c.done:
		c.talk.Close()
		return c.lost(nil)
	default:
	}
	c.talk.Close() // which it takes for the end
	<-c.done
	if c.err != nil {
		return c.lost(c.err)
	}
	return nil
}
