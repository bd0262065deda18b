package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// side is an end in a process of its own, as the harness sees it.
type side struct {
	config  endConfig
	process *exec.Cmd
	orders  io.WriteCloser
	to      *json.Encoder
	from    *json.Decoder
	said    *bytes.Buffer
}

// startSide starts it in a room.
func startSide(r *room, c endConfig) (*side, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	s := &side{config: c, process: exec.Command(self, meshEnd, string(b)), said: new(bytes.Buffer)}
	s.process.Stderr = s.said
	var out io.Reader
	if s.orders, err = s.process.StdinPipe(); err == nil {
		out, err = s.process.StdoutPipe()
	}
	if err == nil {
		err = r.start(s.process)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Kind, err)
	}
	s.to, s.from = json.NewEncoder(s.orders), json.NewDecoder(out)
	return s, nil
}

// tell gives an order and waits for what comes of it.
func (s *side) tell(o order) (a seen, err error) {
	if err = s.to.Encode(o); err == nil {
		err = s.from.Decode(&a)
	}
	if err == nil && a.Err != "" {
		err = errors.New(a.Err)
	}
	if err != nil {
		return a, fmt.Errorf("%s, end %d: %s: %w\n%s", s.config.Kind, s.config.Self, o.Do, err, s.said)
	}
	return a, nil
}

// stop ends it and waits for it.
func (s *side) stop() error {
	err := s.orders.Close()
	if e := s.process.Wait(); e != nil {
		err = errors.Join(err, fmt.Errorf("%s, end %d: %w\n%s", s.config.Kind, s.config.Self, e, s.said))
	}
	return err
}

// kill ends it at once, as a machine's power does.
func (s *side) kill() {
	s.process.Process.Kill()
	s.process.Wait()
	s.orders.Close()
}

// rig is a path between two rooms: the processes of its tunnel, and those of
// the load, which are the same where a tunnel has a TCP of its own.
type rig struct {
	tunnel, load []*side
}

// newRig starts what a path of that kind takes, and brings it up.
func newRig(ctx context.Context, rooms pair, c endConfig) (r *rig, err error) {
	r = new(rig)
	defer func() {
		if err != nil {
			err = errors.Join(err, r.stop())
		}
	}()
	for i, room := range rooms {
		c.Self = i
		if c.Kind == ourTUN || c.Kind == itsTUN {
			t, err := r.start(room, c)
			if err != nil {
				return r, err
			}
			r.tunnel = append(r.tunnel, t)
		}
	}
	behind := len(r.tunnel) > 0
	for i, room := range rooms {
		c.Self = i
		if behind {
			c.Kind, c.Inside, c.Profile = noTunnel, true, ""
		}
		l, err := r.start(room, c)
		if err != nil {
			return r, err
		}
		r.load = append(r.load, l)
	}
	if err := ctx.Err(); err != nil {
		return r, err
	}
	_, err = r.load[1].tell(order{Do: "serve"})
	return r, err
}

func (r *rig) start(room *room, c endConfig) (*side, error) {
	if c.Profile != "" {
		c.Profile = fmt.Sprintf("%s.%d", c.Profile, c.Self)
	}
	s, err := startSide(room, c)
	if err != nil {
		return nil, err
	}
	if _, err := s.tell(order{Do: "open"}); err != nil {
		s.kill()
		return nil, err
	}
	return s, nil
}

func (r *rig) stop() error {
	var faults []error
	for _, s := range append(r.load, r.tunnel...) {
		faults = append(faults, s.stop())
	}
	return errors.Join(faults...)
}

// snapshot is what all have done so far.
type snapshot struct{ tunnel, load []seen }

func (r *rig) look() (s snapshot, err error) {
	for _, g := range []struct {
		sides []*side
		to    *[]seen
	}{{r.tunnel, &s.tunnel}, {r.load, &s.load}} {
		for _, side := range g.sides {
			a, err := side.tell(order{Do: "look"})
			if err != nil {
				return s, err
			}
			*g.to = append(*g.to, a)
		}
	}
	return s, nil
}
