package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"time"

	"landfall/cmd/internal/admin"
)

// ErrNobody says that nobody is there whose place could be taken.
var ErrNobody = errors.New("nobody serves there")

// Legacy is what a predecessor gave.
type Legacy struct {
	Parcel // the sockets are the caller's
	link   link
	stepUp func() // ends the time in which this process steps back for the other
}

// How long a process that ends may still hold what is its own.
const (
	lingerTime  = 5 * time.Second
	lingerRetry = 50 * time.Millisecond
)

// TakeOrEnter is Take where somebody serves. Where nobody does, enter makes the
// directory this process's; it is tried again for a while, as who served may be
// about to end.
func TakeOrEnter(ctx context.Context, dir string, enter func() error) (*Legacy, error) {
	deadline := time.Now().Add(lingerTime)
	for {
		l, err := Take(ctx, dir)
		if !errors.Is(err, ErrNobody) {
			return l, err
		}
		if err = enter(); err == nil || time.Now().After(deadline) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(lingerRetry):
		}
	}
}

// Take asks the process that serves by a state directory for all that it has.
// Until it is Ready this process has a low priority.
func Take(ctx context.Context, dir string) (*Legacy, error) {
	conn, err := admin.DialIn(ctx, dir, network, socketName)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNobody)
	}
	if err != nil {
		return nil, fmt.Errorf("handover: %w", err)
	}
	l := &Legacy{link: link{conn.(*net.UnixConn)}}
	if err := l.receive(ctx); err != nil {
		conn.Close()
		return nil, errors.Join(fmt.Errorf("handover: %w", err), l.Sockets.Close())
	}
	l.stepUp = stepBack()
	return l, nil
}

func (l *Legacy) receive(ctx context.Context) error {
	defer l.link.bound(ctx, thanksTime)()
	for {
		m, fd, err := l.link.hear()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
			return ErrNobody // any more
		case err != nil:
			return err
		case m.No != "":
			return fmt.Errorf("the process that serves stays: %s", m.No)
		case m.Given != nil && *m.Given != len(l.Sockets):
			return fmt.Errorf("%d sockets of %d", len(l.Sockets), *m.Given)
		case m.Given != nil:
			l.Know = m.Know
			return nil
		case fd < 0:
			return errors.New("a message that means nothing here")
		}
		s, err := held(m.Socket, fd)
		if err != nil {
			return err
		}
		l.Sockets = append(l.Sockets, s)
	}
}

// Learn reads what the predecessor would have known.
func (l *Legacy) Learn(into any) error {
	if len(l.Know) == 0 {
		return nil
	}
	if err := json.Unmarshal(l.Know, into); err != nil {
		return fmt.Errorf("handover: what the process before knew: %w", err)
	}
	return nil
}

// Ready says that this process answers, and returns when it is the only one:
// the predecessor has ceased, or it is gone.
func (l *Legacy) Ready(ctx context.Context) error {
	l.stepUp()
	if err := l.link.say(message{Ready: true}, nil); err != nil {
		return nil // it is gone
	}
	defer l.link.bound(ctx, yieldTime)()
	m, err := l.link.expect()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return nil // gone, or as good as that
	case m.No != "":
		return fmt.Errorf("handover: the process that serves stays: %s", m.No)
	}
	return nil
}

// Thank lets the predecessor end. It is called when all is open that it has
// left, or when this process goes on without.
func (l *Legacy) Thank() {
	_ = l.link.say(message{Thanks: true}, nil) // nobody need hear it
	l.link.Close()
}

// Fail says why this process cannot take the predecessor's place.
func (l *Legacy) Fail(why error) {
	_ = l.link.say(message{Failed: why.Error()}, nil) // nobody need hear it
	l.link.Close()
}
