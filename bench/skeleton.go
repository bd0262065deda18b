package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// patience bounds every single wait for the binary.
const patience = 2 * time.Minute

// free has the binary choose its ports, so that it runs beside others.
var free = []string{"--https-port", "0", "--dns-port", "0"}

// tour is what `landfall dev --tour --json` prints.
type tour struct {
	ReadyMS  float64 `json:"ready_ms"`
	ServerMS float64 `json:"server_ms"`
	Steps    []step  `json:"steps"`
}

// step is one row of the tour: what was measured and what arithmetic asks
// for, straight to the home region and through the edge.
type step struct {
	Name          string  `json:"name"`
	Straight      float64 `json:"straight_ms"`
	Edge          float64 `json:"edge_ms"`
	StraightFloor float64 `json:"straight_floor_ms"`
	EdgeFloor     float64 `json:"edge_floor_ms"`
}

// figures are all that a skeleton run measures.
type figures struct {
	binary int64 // bytes
	ready  sample
	rss    sample
	pss    sample
	stop   sample
	server sample
	steps  []stepFigures
}

type stepFigures struct {
	name                     string
	straight, edge           sample
	straightFloor, edgeFloor float64
}

// skeleton measures the one-process world: size, start, memory, end and tour.
func skeleton(ctx context.Context, o options, out, progress io.Writer) error {
	dir, err := os.MkdirTemp("", "landfall-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin := o.binary
	if bin == "" {
		fmt.Fprintln(progress, "building landfall")
		if bin, err = build(ctx, o.root, dir); err != nil {
			return err
		}
	}
	info, err := os.Stat(bin)
	if err != nil {
		return err
	}
	f := figures{binary: info.Size()}
	for i := range o.rounds {
		fmt.Fprintf(progress, "round %d of %d: world\n", i+1, o.rounds)
		if err := f.world(ctx, bin, o.idle); err != nil {
			return err
		}
		fmt.Fprintf(progress, "round %d of %d: tour\n", i+1, o.rounds)
		if err := f.tour(ctx, bin); err != nil {
			return err
		}
	}
	return f.write(out, machine(o.root), o.rounds)
}

// world starts one, waits until it serves and then until it is quiet, looks
// at its memory, and interrupts it.
func (f *figures) world(ctx context.Context, bin string, idle time.Duration) error {
	dir, err := os.MkdirTemp("", "landfall-bench-dir-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, bin, append([]string{"dev", "--dir", dir}, free...)...)
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := follow(stdout)
	ready, err := settle(ctx, lines, start, idle)
	if err != nil {
		cancel()
		for range lines {
		}
		return fmt.Errorf("landfall dev: %w\n%s", errors.Join(err, cmd.Wait()), stderr.Bytes())
	}
	mem, err := memory(cmd.Process.Pid)
	if err != nil {
		return err
	}
	end := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	for range lines { // Wait must not close the pipe under the reader
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("landfall dev, interrupted: %w\n%s", err, stderr.Bytes())
	}
	f.ready.add(ready.Seconds())
	f.rss.add(float64(mem.rss) / 1e6)
	f.pss.add(float64(mem.pss) / 1e6)
	f.stop.add(time.Since(end).Seconds())
	return nil
}

// line is a line of output and when it came.
type line struct {
	text string
	at   time.Time
}

// follow hands on lines until the reader ends.
func follow(r io.Reader) <-chan line {
	lines := make(chan line, 1024)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- line{s.Text(), time.Now()}
		}
		io.Copy(io.Discard, r) // after a line too long to scan
	}()
	return lines
}

// settle waits for the line that begins "ready in " and then until nothing
// more is printed for the idle time. It returns how long ready took.
func settle(ctx context.Context, lines <-chan line, start time.Time, idle time.Duration) (ready time.Duration, err error) {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	for {
		select {
		case l, ok := <-lines:
			if !ok {
				return 0, errors.New("it ended by itself")
			}
			if strings.HasPrefix(l.text, "ready in ") {
				ready = l.at.Sub(start)
			}
			if ready > 0 {
				wait.Reset(idle)
			}
		case <-wait.C:
			if ready == 0 {
				return 0, fmt.Errorf("no line %q within %v", "ready in ", patience)
			}
			return ready, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// tour runs one and adds its rows.
func (f *figures) tour(ctx context.Context, bin string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, bin, append([]string{"dev", "--tour", "--json"}, free...)...)
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("landfall dev --tour: %w\n%s", err, stderr.Bytes())
	}
	var t tour
	if err := json.Unmarshal(b, &t); err != nil {
		return fmt.Errorf("landfall dev --tour --json: %w in %.200q", err, b)
	}
	if len(t.Steps) == 0 {
		return fmt.Errorf("landfall dev --tour --json: no steps in %.200q", b)
	}
	f.server.add(t.ServerMS)
	for _, s := range t.Steps {
		f.step(s.Name).add(s)
	}
	return nil
}

// step is the row of a name, made when first seen.
func (f *figures) step(name string) *stepFigures {
	for i := range f.steps {
		if f.steps[i].name == name {
			return &f.steps[i]
		}
	}
	f.steps = append(f.steps, stepFigures{name: name})
	return &f.steps[len(f.steps)-1]
}

func (s *stepFigures) add(t step) {
	s.straight.add(t.Straight)
	s.edge.add(t.Edge)
	s.straightFloor, s.edgeFloor = t.StraightFloor, t.EdgeFloor
}
