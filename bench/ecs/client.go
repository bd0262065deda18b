package ecs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// patience is how long an answer may take, and how often a question is asked.
const (
	patience = 2 * time.Second
	tries    = 5
)

// Load is what a client does.
type Load struct {
	Server netip.AddrPort
	Name   Name
	Count  int                        // questions in all
	Flight int                        // questions that are waiting for an answer at any time
	Client func(i int) netip.Prefix   // who asks the question of a number
	Got    func(i int, answer Answer) // is told each answer, in no order
}

// slot is a question in flight: its number among the slots is the ID of it.
type slot struct {
	question int
	asked    int // how often
	busy     bool
}

type asker struct {
	Load
	conn  *net.UDPConn
	slots []slot
	next  int
	buf   []byte
}

// Run asks all questions, and again those that nobody answers in time.
func (l Load) Run(ctx context.Context) (again int, err error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(l.Server))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	a := &asker{Load: l, conn: conn, slots: make([]slot, l.Flight)}
	for i := range a.slots {
		if err := a.refill(i); err != nil {
			return 0, err
		}
	}
	in := make([]byte, 4096)
	for done := 0; done < l.Count; {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return again, err
		}
		n, err := conn.Read(in)
		switch {
		case ctx.Err() != nil:
			return again, ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			lost, err := a.repeat()
			if again += lost; err != nil {
				return again, err
			}
			continue
		case err != nil:
			return again, err
		}
		answer, err := Parse(in[:n])
		if err != nil {
			return again, err
		}
		id := int(answer.ID)
		if id >= len(a.slots) || !a.slots[id].busy {
			continue // a second answer to a question asked twice
		}
		l.Got(a.slots[id].question, answer)
		done++
		if err := a.refill(id); err != nil {
			return again, err
		}
	}
	return again, nil
}

// refill asks the next question from a slot.
func (a *asker) refill(i int) error {
	a.slots[i] = slot{}
	if a.next == a.Count {
		return nil
	}
	a.slots[i] = slot{question: a.next, busy: true}
	a.next++
	return a.ask(i)
}

func (a *asker) ask(i int) error {
	s := &a.slots[i]
	if s.asked++; s.asked > tries {
		return fmt.Errorf("no answer from %v for %v, asked %d times", a.Server, a.Client(s.question), tries)
	}
	a.buf = AppendQuery(a.buf[:0], uint16(i), a.Name, a.Client(s.question))
	_, err := a.conn.Write(a.buf)
	return err
}

// repeat asks everything again that is in flight.
func (a *asker) repeat() (n int, err error) {
	for i := range a.slots {
		if a.slots[i].busy {
			n++
			if err := a.ask(i); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}
