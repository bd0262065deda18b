package ecs

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Pace is a client that asks at a steady rate, whether answered or not.
type Pace struct {
	Server netip.AddrPort
	Name   Name
	Rate   int // questions a second
	For    time.Duration
	Client func(i int) netip.Prefix
}

// Paced is what it saw.
type Paced struct {
	Took []time.Duration // of each answer, in order of size
	Lost int
}

// At is how long the given share of answers took at most.
func (p Paced) At(share float64) time.Duration {
	if len(p.Took) == 0 {
		return 0
	}
	return p.Took[min(int(share*float64(len(p.Took))), len(p.Took)-1)]
}

// tick is how often questions are sent, a few at a time: timers are no finer.
const tick = time.Millisecond

// Run asks, and waits a second for the last answers.
func (p Pace) Run(ctx context.Context) (Paced, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(p.Server))
	if err != nil {
		return Paced{}, err
	}
	defer conn.Close()
	conn.SetReadBuffer(4 << 20)
	n := int(p.For.Seconds() * float64(p.Rate))
	sent := make([]time.Time, n) // each read only after its answer came
	got := make(chan []time.Duration, 1)
	conn.SetReadDeadline(time.Now().Add(p.For + time.Second))
	go func() { got <- receive(conn, sent) }()
	err = p.send(ctx, conn, sent)
	if err != nil {
		conn.SetReadDeadline(time.Unix(1, 0))
	}
	took := <-got
	slices.Sort(took)
	return Paced{Took: took, Lost: n - len(took)}, err
}

func (p Pace) send(ctx context.Context, conn *net.UDPConn, sent []time.Time) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var buf []byte
	begun := time.Now()
	for i := 0; i < len(sent); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		due := min(int(time.Since(begun).Seconds()*float64(p.Rate)), len(sent))
		for ; i < due; i++ {
			buf = AppendQuery(buf[:0], uint16(i), p.Name, p.Client(i))
			sent[i] = time.Now()
			if _, err := conn.Write(buf); err != nil {
				return err
			}
		}
	}
	return nil
}

// receive takes answers until all are there or the time is over. IDs come
// round: an answer is to the youngest question of its ID that was sent.
func receive(conn *net.UDPConn, sent []time.Time) []time.Duration {
	took := make([]time.Duration, 0, len(sent))
	buf := make([]byte, 4096)
	next := 0 // the question whose answer is due, about
	for len(took) < len(sent) {
		n, err := conn.Read(buf)
		if err != nil {
			return took
		}
		now := time.Now()
		a, err := Parse(buf[:n])
		if err != nil {
			continue
		}
		i := next + int(int16(a.ID-uint16(next)))
		if i < 0 || i >= len(sent) || sent[i].IsZero() {
			continue
		}
		took = append(took, now.Sub(sent[i]))
		next = max(next, i)
	}
	return took
}
