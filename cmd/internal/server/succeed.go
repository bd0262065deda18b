package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"

	"landfall"
	"landfall/cmd/internal/control"
	"landfall/cmd/internal/handover"
	"landfall/cmd/internal/node"
	"landfall/cmd/internal/systemd"
)

// errReplaced ends a node whose successor answers for it.
var errReplaced = errors.New("another process takes this one's place")

// errAlone ends a session whose successor is gone.
var errAlone = errors.New("the process that was to take this one's place is gone")

// known is what a successor is told.
type known struct {
	Down []landfall.NodeID `json:"down,omitempty"` // edges that are not to be named
}

// enter makes the state directory this process's: alone, or with the process
// that it is to replace.
func (s *server) enter(ctx context.Context) (err error) {
	if s.handed, err = systemd.Inherit(); err != nil {
		return err
	}
	if !s.cfg.Replace {
		return s.found()
	}
	if s.legacy, err = handover.TakeOrEnter(ctx, s.cfg.Dir, s.found); err != nil || s.legacy == nil {
		return err
	}
	return errors.Join(s.handed.Close(), s.inherit())
}

// found makes the state directory this process's alone.
func (s *server) found() (err error) {
	if s.state, err = node.OpenState(s.cfg.Dir); err != nil {
		return err
	}
	return s.sweep()
}

// inherit takes up what the process before had.
func (s *server) inherit() (err error) {
	var lock *os.File
	var given []*os.File
	for _, one := range s.legacy.Sockets {
		switch {
		case one.Name == lockSocket:
			lock = one.File
		case strings.HasPrefix(one.Name, managed):
			given = append(given, one.File)
		default:
			s.held = append(s.held, one)
		}
	}
	if lock == nil {
		return errors.New("the process that serves has no state directory to give")
	}
	if s.state, err = node.TakeState(s.cfg.Dir, lock); err != nil {
		return err
	}
	s.handed, err = systemd.Take(given, managed)
	return err
}

// leave gives back what enter took.
func (s *server) leave() error {
	errs := []error{s.held.Close()}
	if s.handed != nil {
		errs = append(errs, s.handed.Close())
	}
	if s.state != nil {
		errs = append(errs, s.state.Close())
	}
	return errors.Join(errs...)
}

// settle tells the process before, if there is one, that this one serves, or
// why it cannot.
func (s *server) settle(err error) {
	switch {
	case s.legacy == nil:
		return
	case err != nil:
		s.legacy.Fail(err)
	default:
		s.legacy.Thank()
	}
	s.legacy = nil
}

// give is what a successor gets.
func (s *server) give() (handover.Parcel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sockets := handover.Sockets{{Name: lockSocket, File: s.state.Lock()}}
	for name, f := range s.handed.All {
		sockets = append(sockets, handover.Socket{Name: managed + name, File: f})
	}
	var k known
	if s.node != nil {
		k.Down = s.node.Status().Down
	}
	know, err := json.Marshal(k)
	return handover.Parcel{Sockets: append(sockets, s.held...), Know: know}, err
}

// hold has a successor get these sockets of the name server from here on.
func (s *server) hold(sockets node.Sockets) error {
	held, err := holdDNS(sockets)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.held
	s.held = held
	return before.Close()
}

// await has the node end when a successor answers.
func (s *server) await(ctx context.Context, cease context.CancelCauseFunc) error {
	heir, err := s.old.Await(ctx)
	if err != nil {
		return nil // ctx has ended
	}
	s.heir = heir
	cease(errReplaced)
	return nil
}

// release lets the successor alone go on.
func (s *server) release(ctx context.Context) error {
	heir := s.heir
	s.heir = nil
	if err := heir.Release(context.WithoutCancel(ctx)); err != nil {
		s.cfg.Log.Error("starting anew", "node", s.local.Node, "err", err)
		return errAlone
	}
	s.replaced = true
	s.cfg.Log.Info("replaced", "node", s.local.Node, "pid", heir.PID)
	if err := systemd.MainPID(heir.PID); err != nil {
		s.cfg.Log.Warn("service manager not told", "err", err)
	}
	return nil
}

// start starts a successor, as this process was started.
func (s *server) start(ctx context.Context) (pid int, err error) {
	program, err := handover.Program(os.Args)
	if err != nil {
		return 0, err
	}
	return s.old.Start(ctx, program, slices.Clone(os.Args[1:]), handover.Environ(os.Environ()))
}

// operators is where operators ask: for another process here, else at the desk.
func (s *server) operators() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /replace", control.Replacing(s.start, s.cfg.Log))
	mux.Handle("/", s.desk)
	return mux
}
