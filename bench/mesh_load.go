package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The first byte of a connection says what it is for.
const (
	forBulk = 'b' // bytes, which the server counts
	forPing = 'p' // messages of pingSize, which it gives back
	forMiB  = 'm' // requests, each of which it answers with a mebibyte
)

const (
	pingSize  = 1 << 10
	bulkWrite = 128 << 10
)

// congestion makes sockets use a congestion control; "" is the system's.
func congestion(name string) func(_, _ string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) (err error) {
		if name == "" {
			return nil
		}
		if e := c.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
		}); e != nil {
			return e
		}
		return err
	}
}

// serve takes load until the process ends.
func (e *end) serve() error {
	l, err := e.listen()
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go e.take(c)
		}
	}()
	return nil
}

func (e *end) take(c net.Conn) {
	defer c.Close()
	var kind [1]byte
	if _, err := io.ReadFull(c, kind[:]); err != nil {
		return
	}
	switch kind[0] {
	case forBulk:
		e.swallow(c)
	case forPing:
		giveBack(c)
	case forMiB:
		give(c)
	}
}

// swallow counts what comes.
func (e *end) swallow(c net.Conn) {
	for b := make([]byte, 4*bulkWrite); ; {
		n, err := c.Read(b)
		e.got.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// giveBack returns messages.
func giveBack(c net.Conn) {
	for b := make([]byte, pingSize); ; {
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// connect opens a connection for something; the other end may still be on its
// way up.
func (e *end) connect(ctx context.Context, kind byte) (c net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		try, stop := context.WithTimeout(ctx, 5*time.Second)
		c, err = e.dial(try)
		stop()
		if err == nil {
			tick.Stop()
			_, err = c.Write([]byte{kind})
			return c, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("connect: %w", err)
		}
	}
}

// bulk begins to send as much as it can, for so long.
func (e *end) bulk(ctx context.Context, lasts time.Duration) error {
	c, err := e.connect(ctx, forBulk)
	if err != nil {
		return err
	}
	go func() {
		defer c.Close()
		b := make([]byte, bulkWrite)
		for until := time.Now().Add(lasts); time.Now().Before(until); {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}()
	return nil
}

// ping sends messages and waits for each to come back, for so long.
func (e *end) ping(ctx context.Context, lasts time.Duration) ([]time.Duration, error) {
	c, err := e.connect(ctx, forPing)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	b := make([]byte, pingSize)
	var took []time.Duration
	for begin := time.Now(); time.Since(begin) < lasts; {
		start := time.Now()
		if _, err := c.Write(b); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(c, b); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	took = took[len(took)/10:] // of what is warm
	slices.Sort(took)
	if len(took) == 0 {
		return nil, errors.New("no message came back")
	}
	return []time.Duration{took[len(took)/2], took[len(took)*99/100]}, nil
}

// wireCount is what has passed a namespace's end of the wire.
type wireCount struct{ Bytes, Packets int64 }

// countWire reads it (proc(5), /proc/net/dev), both directions together,
// without the frames' headers of 14 bytes.
func countWire() (w wireCount, err error) {
	f, err := os.Open("/proc/net/dev")
	if err != nil {
		return w, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		name, rest, _ := strings.Cut(strings.TrimSpace(s.Text()), ":")
		n := strings.Fields(rest)
		if name != veth || len(n) < 10 {
			continue
		}
		for _, at := range []int{0, 8} {
			bytes, err1 := strconv.ParseInt(n[at], 10, 64)
			packets, err2 := strconv.ParseInt(n[at+1], 10, 64)
			if err := errors.Join(err1, err2); err != nil {
				return w, err
			}
			w.Bytes, w.Packets = w.Bytes+bytes-14*packets, w.Packets+packets
		}
	}
	return w, nil
}
