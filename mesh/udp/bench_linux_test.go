package udp

import (
	"math/rand/v2"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	wireguard "golang.zx2c4.com/wireguard/conn"
)

// carrier is one end that sends and one that receives.
type carrier struct {
	send func(bufs [][]byte) error
	read func(m *mailbox) (int, error)
}

func ours(b *testing.B) carrier {
	near, far := bind(b, "127.0.0.1:0"), bind(b, "127.0.0.1:0")
	b.Cleanup(func() {
		sent, got := near.Stats(), far.Stats()
		b.Logf("%d datagrams in %d calls, read by %d; %d split, %d joined", sent.Sent, sent.Writes, got.Reads, sent.Segmented, got.Coalesced)
	})
	return carrier{
		send: func(bufs [][]byte) error { return near.Write(bufs, far.LocalAddr(), 0) },
		read: func(m *mailbox) (int, error) { return m.read(far) },
	}
}

func upstream(b *testing.B) carrier {
	near, far := wireguard.NewStdNetBind(), wireguard.NewStdNetBind()
	receive, port, err := far.Open(0)
	if err != nil {
		b.Fatal(err)
	}
	if _, _, err := near.Open(0); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { near.Close(); far.Close() })
	to := &wireguard.StdNetEndpoint{AddrPort: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)}
	from := make([]wireguard.Endpoint, Batch)
	return carrier{
		send: func(bufs [][]byte) error { return near.Send(bufs, to) },
		read: func(m *mailbox) (int, error) { return receive[0](m.bufs, m.sizes, from) },
	}
}

// BenchmarkOneWay sends as fast as it is read: a full window, lengths as they
// come, and single small ones.
func BenchmarkOneWay(b *testing.B) {
	for _, load := range []struct {
		name  string
		sizes []int
	}{
		{"bulk", repeat(1452, Batch)},
		{"mixed", lengths(rand.New(rand.NewPCG(1, 1)), Batch)},
		{"alone", []int{200}},
	} {
		for _, who := range []struct {
			name string
			open func(*testing.B) carrier
		}{{"ours", ours}, {"upstream", upstream}} {
			b.Run(load.name+"/"+who.name, func(b *testing.B) { oneWay(b, who.open(b), load.sizes[:min(len(load.sizes), Batch)]) })
		}
	}
}

func oneWay(b *testing.B, c carrier, sizes []int) {
	const ahead = 8 // calls of Write
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
				<-tokens
			}
		}
	}()
	b.SetBytes(int64(total))
	b.ReportAllocs()
	calls, before := 0, processor()
	for b.Loop() {
		tokens <- struct{}{}
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
