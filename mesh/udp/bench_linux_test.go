package udp

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	wireguard "golang.zx2c4.com/wireguard/conn"
)

// carrier is one end that sends and one that receives.
type carrier struct {
	send func(bufs [][]byte) error
	read func(m *mailbox) (int, error)
}

// road is two hosts, and the address of the second.
type road struct {
	near, far *host
	to        string
}

// hosts is a road between namespaces; joins has the device join datagrams.
func hosts(b *testing.B, joins bool) road {
	near, far := wire(b)
	if joins {
		far.feature(b, "wire0", "rx-gro")
		far.feature(b, "wire0", "rx-udp-gro-forwarding")
	}
	return road{near, far, "10.0.0.2"}
}

func ours(b *testing.B, r road) carrier {
	near, far := r.near.bind(b, "0.0.0.0:0"), r.far.bind(b, "0.0.0.0:0")
	to := at(far, r.to)
	b.Cleanup(func() {
		sent, got := near.Stats(), far.Stats()
		b.Logf("%d datagrams in %d calls, read by %d; %d split, %d joined", sent.Sent, sent.Writes, got.Reads, sent.Segmented, got.Coalesced)
	})
	return carrier{
		send: func(bufs [][]byte) error { return near.Write(bufs, to, 0) },
		read: func(m *mailbox) (int, error) { return m.read(far) },
	}
}

func upstream(b *testing.B, r road) carrier {
	near, far := wireguard.NewStdNetBind(), wireguard.NewStdNetBind()
	var receive []wireguard.ReceiveFunc
	var port uint16
	var err, err2 error
	r.far.do(func() { receive, port, err = far.Open(0) })
	r.near.do(func() { _, _, err2 = near.Open(0) })
	if err := errors.Join(err, err2); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { near.Close(); far.Close() })
	to := &wireguard.StdNetEndpoint{AddrPort: netip.AddrPortFrom(netip.MustParseAddr(r.to), port)}
	from := make([]wireguard.Endpoint, Batch)
	return carrier{
		send: func(bufs [][]byte) error { return near.Send(bufs, to) },
		read: func(m *mailbox) (int, error) { return receive[0](m.bufs, m.sizes, from) },
	}
}

// BenchmarkOneWay sends as fast as it is read, by loopback and between hosts
// whose device joins datagrams or not: as many as fit into a call, alike or
// not, and single small ones. It takes root.
func BenchmarkOneWay(b *testing.B) {
	var unalike []int
	for i := range Batch {
		unalike = append(unalike, 1452-Batch+i)
	}
	for _, load := range []struct {
		name  string
		sizes []int
	}{{"bulk", repeat(1452, Batch)}, {"unalike", unalike}, {"alone", []int{200}}} {
		for _, where := range []struct {
			name string
			road func(*testing.B) road
		}{
			{"loopback", func(b *testing.B) road { h := newHost(b); return road{h, h, "127.0.0.1"} }},
			{"wire", func(b *testing.B) road { return hosts(b, false) }},
			{"joining", func(b *testing.B) road { return hosts(b, true) }},
		} {
			for _, who := range []struct {
				name string
				open func(*testing.B, road) carrier
			}{{"ours", ours}, {"upstream", upstream}} {
				b.Run(load.name+"/"+where.name+"/"+who.name, func(b *testing.B) { oneWay(b, who.open(b, where.road(b)), load.sizes) })
			}
		}
	}
}

func oneWay(b *testing.B, c carrier, sizes []int) {
	const ahead = 4 // calls of Write; what a device's queue has room for
	bufs, total := [][]byte{}, 0
	for _, n := range sizes {
		bufs = append(bufs, make([]byte, n, bigBuffer)) // upstream joins datagrams in the first
		total += n
	}
	tokens := make(chan struct{}, ahead)
	go func() {
		m, got := newMailbox(Batch, bigBuffer), 0
		for {
			n, err := c.read(m)
			if err != nil {
				return
			}
			for got += n; got >= len(sizes); got -= len(sizes) {
				select {
				case <-tokens:
				default: // given up as lost
				}
			}
		}
	}()
	b.SetBytes(int64(total))
	b.ReportAllocs()
	calls, before := 0, processor()
	for b.Loop() {
		select {
		case tokens <- struct{}{}:
		case <-time.After(100 * time.Millisecond): // a datagram was lost
			for len(tokens) > 1 {
				<-tokens
			}
		}
		if err := c.send(bufs); err != nil {
			b.Fatal(err)
		}
		calls++
	}
	used := processor() - before
	b.ReportMetric(used/(float64(calls)*float64(total)/1e9), "cpu-s/GB")
	b.ReportMetric(used/float64(calls*len(sizes))*1e9, "cpu-ns/datagram")
}

// processor is the time of processors that this process has used, in seconds.
func processor() float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(syscall.TimevalToNsec(syscall.Timeval(u.Utime))+syscall.TimevalToNsec(syscall.Timeval(u.Stime))) / 1e9
}
