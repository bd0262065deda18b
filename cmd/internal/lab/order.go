package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"landfall/cmd/internal/config"
)

// controlFile is the socket by which users change a lab that runs.
const controlFile = "control.sock"

// How long an order may take to be said, and to be carried out.
const (
	orderTime = 2 * time.Second
	deedTime  = 10 * time.Second
)

// maxOrder bounds what is read of an order, in bytes.
const maxOrder = 16 << 10

// order is what a user wants to happen, in the words of the command line.
type order struct {
	Verb string   `json:"verb"`
	Args []string `json:"args"`
}

// outcome is what became of it.
type outcome struct {
	Fault string `json:"fault,omitempty"`
}

// Order has something happen in the lab that runs in a directory, as an event
// of its file would: verb is cut, heal, change, unplug or plug, and args are
// two places or a host, and what a change sets, as in loss=5%. It returns
// when it has happened.
func Order(ctx context.Context, dir, verb string, args []string) error {
	if _, err := running(dir); err != nil {
		return err
	}
	in, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer in.Close()
	c, err := new(net.Dialer).DialContext(ctx, "unix", socketIn(in))
	if errors.Is(err, os.ErrPermission) {
		return errors.New("a lab is root's: try sudo")
	}
	if err != nil {
		return fmt.Errorf("the lab in %s takes no orders: %w", dir, err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	c.SetDeadline(time.Now().Add(orderTime + deedTime))
	var o outcome
	if err := errors.Join(json.NewEncoder(c).Encode(order{verb, args}), json.NewDecoder(c).Decode(&o)); err != nil {
		return fmt.Errorf("the lab in %s does not answer: %w", dir, err)
	}
	if o.Fault != "" {
		return errors.New(o.Fault)
	}
	return nil
}

// socketIn is the socket's name by way of an open directory: it is short,
// which sockets' names have to be (unix(7)).
func socketIn(dir *os.File) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), controlFile)
}

// obey takes users' orders until stop is called, which waits for the last.
func (r *runner) obey(s *state) (stop func(), err error) {
	in, err := os.Open(s.dir)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	l, err := net.Listen("unix", socketIn(in))
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // by that name it may be another lab's
	if err := os.Chmod(filepath.Join(s.dir, controlFile), 0o600); err != nil {
		l.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // it is closed
			}
			work.Go(func() { r.hear(ctx, c) })
		}
	})
	return func() {
		cancel()
		l.Close()
		work.Wait()
	}, nil
}

// hear carries out one order.
func (r *runner) hear(ctx context.Context, c net.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	c.SetDeadline(time.Now().Add(orderTime))
	var o order
	var said outcome
	err := json.NewDecoder(io.LimitReader(c, maxOrder)).Decode(&o)
	if err == nil {
		c.SetDeadline(time.Now().Add(deedTime))
		err = r.do(ctx, o)
	}
	if err != nil {
		said.Fault = err.Error()
	}
	_ = json.NewEncoder(c).Encode(said) // who asked may be gone
}

// do makes happen what an order says.
func (r *runner) do(ctx context.Context, o order) error {
	e, err := config.ParseLabOrder(r.config.Lab, o.Verb, o.Args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, deedTime)
	defer cancel()
	if err := r.happen(ctx, e); err != nil {
		return err
	}
	verb, to := e.What()
	r.tell("%s, by hand", strings.TrimSpace(strings.Join([]string{verb, strings.Join(to, " - "), strings.Join(o.Args[len(to):], " ")}, " ")))
	return nil
}
