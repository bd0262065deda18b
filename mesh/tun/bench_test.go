//go:build linux

package tun

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"landfall"
	"landfall/mesh/conn"
	"landfall/mesh/front"
	"landfall/mesh/fronttest"
)

// BenchmarkBulk and BenchmarkRoundTrip compare the front's streams, as
// net.Conns, with net.TCPConns on the same devices.

func BenchmarkBulk(b *testing.B) {
	for name, dial := range dialers() {
		b.Run(name, func(b *testing.B) {
			near, far := dial(b)
			var reading sync.WaitGroup
			var read int64
			reading.Go(func() {
				read, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{far}, make([]byte, 256<<10))
			})
			buf := make([]byte, 256<<10)
			b.SetBytes(int64(len(buf)))
			before := cpu()
			for b.Loop() {
				if _, err := near.Write(buf); err != nil {
					b.Fatal(err)
				}
			}
			near.Close()
			reading.Wait()
			b.ReportMetric((cpu()-before).Seconds()/float64(read)*1e9, "cpu-s/GB")
		})
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	for name, dial := range dialers() {
		b.Run(name, func(b *testing.B) {
			near, far := dial(b)
			go func() {
				_, _ = io.Copy(struct{ io.Writer }{far}, struct{ io.Reader }{far})
				far.Close()
			}()
			defer near.Close()
			buf := make([]byte, 1<<10)
			before := cpu()
			for b.Loop() {
				if _, err := near.Write(buf); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(near, buf); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// dialers give both ends of a connection.
func dialers() map[string]func(b *testing.B) (near, far net.Conn) {
	return map[string]func(b *testing.B) (near, far net.Conn){
		"streams": func(b *testing.B) (net.Conn, net.Conn) {
			a, c := sides(b, 0)
			fronttest.Join(b, a, c)
			return dialStreams(b, a, c)
		},
		"kernel": dialKernel,
	}
}

func dialStreams(b *testing.B, x, y fronttest.Side) (near, far net.Conn) {
	b.Helper()
	accepted := make(chan net.Conn, 1)
	wrap := func(open func(landfall.Sink) (front.Stream, error)) net.Conn {
		c, err := conn.Open(func(sink landfall.Sink) (landfall.Stream, net.Addr, net.Addr, error) {
			s, err := open(sink)
			return s, nil, nil, err
		})
		if err != nil {
			b.Error(err)
		}
		return c
	}
	if err := y.Front.Listen(9, func(s front.Stream) {
		accepted <- wrap(func(sink landfall.Sink) (front.Stream, error) { s.Start(sink); return s, nil })
	}); err != nil {
		b.Fatal(err)
	}
	near = wrap(func(sink landfall.Sink) (front.Stream, error) {
		return x.Front.Open(b.Context(), netip.AddrPortFrom(y.Addr, 9), landfall.Normal, nil, sink)
	})
	return near, <-accepted
}

func dialKernel(b *testing.B) (near, far net.Conn) {
	cfgs, spaces := [2]Config{config("a"), config("b")}, [2]*namespace{newNamespace(b), newNamespace(b)}
	var s [2]fronttest.Side
	for i := range s {
		cfgs[i].inside = spaces[i].do
		f, err := New(cfgs[i])
		if err != nil {
			b.Fatal(err)
		}
		s[i] = fronttest.Side{Front: f, Addr: cfgs[i].Addr}
	}
	fronttest.Join(b, s[0], s[1])
	var l net.Listener
	bbr := func(_, _ string, c syscall.RawConn) (err error) {
		_ = c.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion)
		})
		return err
	}
	err := spaces[1].do(func() (err error) {
		l, err = (&net.ListenConfig{Control: bbr}).Listen(context.Background(), "tcp6", netip.AddrPortFrom(cfgs[1].Addr, 9).String())
		return err
	})
	if err == nil {
		err = spaces[0].do(func() (err error) {
			near, err = (&net.Dialer{Control: bbr}).DialContext(b.Context(), "tcp6", netip.AddrPortFrom(cfgs[1].Addr, 9).String())
			return err
		})
	}
	if err != nil {
		b.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return near, far
}

// cpu is what the process has used.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
