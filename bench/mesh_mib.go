package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"time"

	"landfall/mesh/wan"
)

// The link, what is asked for and given over it, and how long it is silent
// before.
const (
	mibRTT     = 150 * time.Millisecond
	mibRate    = 100_000_000
	mibSize    = 1 << 20
	mibRequest = 200
	mibWarm    = 3 // the first requests, which are not measured
	mibTries   = 5 // of one that the emulator spoilt
	mibLong    = time.Minute
	mibShort   = 5 * time.Second
)

// asker has one connection and asks for a mebibyte on it, now and then.
type asker struct {
	name        string
	config      endConfig
	floor       float64 // ms
	long, short sample  // ms, after so long a silence
	spoilt      int
	late        time.Duration // the worst p99 of a phase that counts
}

// meshMiB measures a mebibyte over an ocean on a connection that was silent.
func meshMiB(ctx context.Context, o options, table, progress io.Writer) error {
	f, err := newFar(ctx, wan.Link{Delay: mibRTT / 2, Rate: mibRate, Queue: int(mibRate / 8 * mibRTT.Seconds())})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	// IPv6 and TCP with time stamps inside WireGuard, UDP and IPv4; and IPv4
	// and TCP alone.
	all := []*asker{
		{name: "landfall, tun, mesh.Dial", config: endConfig{Kind: ourTUN}, floor: mibFloor(1420-40-32, 1420+32+8+20)},
		{name: "no tunnel, cubic", config: endConfig{Kind: noTunnel, Control: "cubic"}, floor: mibFloor(1500-20-32, 1500)},
		{name: "no tunnel, bbr", config: endConfig{Kind: noTunnel, Control: "bbr", Port: loadPort + 1}, floor: mibFloor(1500-20-32, 1500)},
	}
	var turn sync.Mutex
	done := make(chan error, len(all))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i, a := range all {
		go func() {
			err := pause(ctx, mibLong*time.Duration(i)/time.Duration(len(all)))
			if err == nil {
				err = a.live(ctx, o.rounds, f, &turn, progress)
			}
			done <- err
		}()
	}
	var faults []error
	for range all {
		if err := <-done; err != nil {
			faults = append(faults, err)
			cancel()
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return writeMiB(table, o, all)
}

// mibFloor is a round trip and the time that the link takes for all segments,
// in ms.
func mibFloor(payload, packet int) float64 {
	bytes := math.Ceil(float64(mibSize)/float64(payload)) * float64(packet)
	return milli(mibRTT) + bytes*8/mibRate*1e3
}

func milli(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// live opens the connection, warms it, and then lets it be most of the time.
func (a *asker) live(ctx context.Context, rounds int, f *far, turn *sync.Mutex, progress io.Writer) (err error) {
	a.config.Wire = f.addrs()
	var sides [2]*side
	for i, room := range f.pair {
		a.config.Self = i
		s, err := startSide(room, a.config)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		if _, err := s.tell(order{Do: "open"}); err != nil {
			return err
		}
		sides[i] = s
	}
	if _, err := sides[1].tell(order{Do: "serve"}); err != nil {
		return err
	}
	turn.Lock()
	for range mibWarm {
		if _, err := sides[0].tell(order{Do: "mib"}); err != nil {
			turn.Unlock()
			return err
		}
	}
	turn.Unlock()
	for round := range rounds {
		fmt.Fprintf(progress, "%s: %d of %d\n", a.name, round+1, rounds)
		for _, s := range []struct {
			*sample
			silence time.Duration
		}{{&a.long, mibLong}, {&a.short, mibShort}} {
			took, err := a.ask(ctx, sides[0], s.silence, f, turn)
			if err != nil {
				return err
			}
			s.add(took)
		}
	}
	return nil
}

// ask lets the connection be silent and asks, until the emulator was in time.
func (a *asker) ask(ctx context.Context, s *side, silence time.Duration, f *far, turn *sync.Mutex) (took float64, err error) {
	for range mibTries {
		if err := pause(ctx, silence); err != nil {
			return 0, err
		}
		turn.Lock()
		phase, err := f.phase(func() error {
			saw, err := s.tell(order{Do: "mib"})
			if err == nil {
				took = milli(saw.Took[0])
			}
			return err
		})
		turn.Unlock()
		if err != nil {
			return 0, err
		}
		if err = phase.Late(); err == nil {
			a.late = max(a.late, phase.LateP99)
			return took, nil
		}
		a.spoilt++
	}
	return 0, fmt.Errorf("%s: %d times the emulator was late: the machine is too busy", a.name, mibTries)
}

func writeMiB(w io.Writer, o options, all []*asker) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "1 MiB on a connection that was silent, %v and %d Mb/s away behind a queue of one product of both: medians of %d (smallest – largest), ms\n%s\n"+
		"From the request of %d bytes being written to the last byte read; %d such requests before, back to back. The floor is a round trip and the segments with\n"+
		"all their headers at the rate of the link. An answer in whose time the emulator was late is asked for again, after the same silence.\n\n",
		mibRTT, mibRate/1_000_000, o.rounds, machine(o.root), mibRequest, mibWarm)
	heading(&b, "connection", "floor", fmt.Sprintf("after %v", mibLong), fmt.Sprintf("after %v", mibShort), "asked again", "emulator's worst p99, µs")
	for _, a := range all {
		cells(&b, a.name, fmt.Sprintf("%.0f", a.floor), spread(a.long, 0), spread(a.short, 0), fmt.Sprint(a.spoilt), fmt.Sprintf("%.0f", micro(a.late)))
	}
	fmt.Fprintln(&b)
	heading(&b, "aim", "measured", "wanted")
	cells(&b, fmt.Sprintf("after %v, of the floor", mibLong), spread(scaled(all[0].long, 1/all[0].floor), 3), "at most 1.100")
	cells(&b, fmt.Sprintf("after %v, of the floor", mibShort), spread(scaled(all[0].short, 1/all[0].floor), 3), "")
	cells(&b, "cubic's, of ours", spread(ratios(all[1].long, all[0].long), 2), "")
	_, err := w.Write(b.Bytes())
	return err
}

// mib asks for a mebibyte on a connection that is kept.
func (e *end) mib(ctx context.Context) (took time.Duration, err error) {
	if e.kept == nil {
		if e.kept, err = e.connect(ctx, forMiB); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	if _, err := e.kept.Write(make([]byte, mibRequest)); err != nil {
		return 0, err
	}
	if err := e.kept.SetReadDeadline(start.Add(time.Minute)); err != nil {
		return 0, err
	}
	_, err = io.CopyN(io.Discard, e.kept, mibSize)
	return time.Since(start), err
}

// give answers requests for a mebibyte.
func give(c net.Conn) error {
	request, answer := make([]byte, mibRequest), make([]byte, mibSize)
	for {
		if _, err := io.ReadFull(c, request); err != nil {
			return err
		}
		if _, err := c.Write(answer); err != nil {
			return err
		}
	}
}
