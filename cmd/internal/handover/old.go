package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"landfall/cmd/internal/admin"

	"golang.org/x/sys/unix"
)

// socketName is the name of the socket, in a state directory, that a successor
// connects to.
const socketName = "handover.sock"

// How long processes wait for each other.
const (
	// readyTime is for a successor to be ready.
	readyTime = time.Minute
	// yieldTime is for the old one to answer what it has read.
	yieldTime = time.Minute
	// thanksTime is for a successor to open the rest, and for what takes no time.
	thanksTime = 30 * time.Second
)

// Parcel is what a successor is given.
type Parcel struct {
	Sockets Sockets
	Know    json.RawMessage // what it has to know besides
}

// Config is what an Old is made of.
type Config struct {
	Dir string // the state directory, which is this process's
	// Give is what to give to a successor. The sockets stay the caller's.
	Give func() (Parcel, error)
	// Ready is for a successor to be ready; 0 means a minute.
	Ready time.Duration
	Log   *slog.Logger // nil: no log
}

// Old is a process that a successor may take the place of.
type Old struct {
	cfg Config
	l   *net.UnixListener

	mu    sync.Mutex
	fates map[int]chan error // by the process that was started: nil has taken over
}

// Open opens the socket for successors in the state directory.
func Open(cfg Config) (*Old, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Ready == 0 {
		cfg.Ready = readyTime
	}
	l, err := admin.ListenIn(cfg.Dir, network, socketName)
	if err != nil {
		return nil, err
	}
	return &Old{cfg: cfg, l: l.(*net.UnixListener), fates: map[int]chan error{}}, nil
}

// Close no longer waits for successors.
func (o *Old) Close() error { return o.l.Close() }

// Heir is a successor that is ready.
type Heir struct {
	PID  int
	old  *Old
	link link
}

// Await returns when a successor answers: it is time to cease, and to Release
// it. It gives what there is to one after the other until then, and returns an
// error when ctx ends.
func (o *Old) Await(ctx context.Context) (*Heir, error) {
	stop := context.AfterFunc(ctx, func() { _ = o.l.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		conn, err := o.l.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil, context.Cause(ctx)
		case errors.Is(err, os.ErrDeadlineExceeded):
			_ = o.l.SetDeadline(time.Time{}) // it was that of an Await before
			continue
		case err != nil:
			return nil, fmt.Errorf("handover: %w", err)
		}
		cred := peer(conn)
		h := &Heir{PID: int(cred.Pid), old: o, link: link{conn}}
		if err := h.prepare(ctx, int(cred.Uid)); err != nil {
			conn.Close()
			o.cfg.Log.Warn("successor not ready", "pid", h.PID, "err", err)
			h.fate(err)
			continue
		}
		return h, nil
	}
}

// peer is the process at the other end; process 0 of user 0 if nobody can tell.
func peer(conn *net.UnixConn) (cred unix.Ucred) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return cred
	}
	_ = raw.Control(func(fd uintptr) {
		if c, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			cred = *c
		}
	})
	return cred
}

// prepare gives a successor what there is, and returns when it is ready. What
// another user's process makes in the directory, the next could not read.
func (h *Heir) prepare(ctx context.Context, user int) error {
	defer h.link.bound(ctx, h.old.cfg.Ready)()
	var p Parcel
	err := fmt.Errorf("it is user %d's: start the successor as that user", os.Geteuid())
	if user == os.Geteuid() {
		p, err = h.old.cfg.Give()
	}
	if err != nil {
		_ = h.link.say(message{No: err.Error()}, nil) // which is logged here, too
		return err
	}
	for _, s := range p.Sockets {
		if err := h.link.say(message{Socket: s.Name}, s.File); err != nil {
			return fmt.Errorf("give %s: %w", s.Name, err)
		}
	}
	if err := h.link.say(message{Given: new(len(p.Sockets)), Know: p.Know}, nil); err != nil {
		return fmt.Errorf("give: %w", err)
	}
	m, err := h.link.expect()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("not ready within %v", h.old.cfg.Ready)
	case errors.Is(err, io.EOF):
		return errors.New("ended before it was ready; its log says why")
	case err != nil:
		return err
	case m.Failed != "":
		return errors.New(m.Failed)
	case !m.Ready:
		return errors.New("said neither that it is ready nor why not")
	}
	return nil
}

// expect is a message that comes without a socket.
func (l link) expect() (message, error) {
	m, fd, err := l.hear()
	if fd >= 0 {
		unix.Close(fd)
		err = errors.New("a socket from a process that has none to give")
	}
	return m, err
}

// Release tells the successor that nobody else answers any more. After an
// error it is gone, and whoever called it has to go on.
func (h *Heir) Release(ctx context.Context) (err error) {
	defer func() { h.link.Close(); h.fate(err) }()
	defer h.link.bound(ctx, thanksTime)()
	if err := h.link.say(message{Yours: true}, nil); err != nil {
		return fmt.Errorf("successor %d is gone: %w", h.PID, err)
	}
	m, err := h.link.expect()
	if err == nil && !m.Thanks {
		err = errors.New("it does not say that it goes on")
	}
	if err != nil {
		return fmt.Errorf("successor %d is gone: %w", h.PID, err)
	}
	return nil
}

// fate tells whoever started the process what became of it.
func (h *Heir) fate(err error) {
	h.old.mu.Lock()
	defer h.old.mu.Unlock()
	if told, ok := h.old.fates[h.PID]; ok {
		told <- err
		delete(h.old.fates, h.PID)
	}
}
