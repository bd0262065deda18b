package udp

import (
	"errors"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernel answers sendmmsg as one does that knows runs or not, on a device with
// an MTU, with a socket that is full now and then, and with errors about
// datagrams sent earlier.
type kernel struct {
	*rand.Rand
	mtu     int           // for the payload
	noRuns  syscall.Errno // how runs are refused; 0 takes them
	unkind  bool          // full at times, slow, and with news of earlier datagrams
	blocked syscall.Errno // all that is sent; 0 takes it
	earlier bool          // the last answer was such news

	got   []string
	calls int
	waits int
}

func (k *kernel) attach(w *writer) {
	w.now = func(uintptr) { k.sendmmsg(w) }
	w.wait = func() error {
		for k.waits++; w.errno == unix.EAGAIN; {
			k.sendmmsg(w)
		}
		return nil
	}
}

func (k *kernel) sendmmsg(w *writer) {
	k.calls++
	w.n, w.errno = 0, 0
	for i := w.next; i < w.end; i++ {
		errno := k.send(&w.messages[i])
		if errno != 0 {
			if w.n == 0 {
				w.errno = errno
			}
			return
		}
		w.n++
	}
}

func (k *kernel) send(m *message) syscall.Errno {
	segment := 0
	for b := unsafe.Slice(m.Control, m.Controllen); len(b) > 0; {
		h, data, rest, err := unix.ParseOneSocketControlMessage(b)
		if err != nil {
			return unix.EINVAL
		}
		if h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_SEGMENT {
			segment = int(*(*uint16)(unsafe.Pointer(&data[0])))
		}
		b = rest
	}
	vectors := unsafe.Slice(m.Iov, m.Iovlen)
	switch {
	case k.blocked != 0:
		return k.blocked
	case k.unkind && k.IntN(4) == 0:
		return unix.EAGAIN
	case k.unkind && !k.earlier && k.IntN(4) == 0:
		k.earlier = true
		return []syscall.Errno{unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH}[k.IntN(3)]
	case segment > 0 && k.noRuns != 0:
		return k.noRuns
	case int(vectors[0].Len) > k.mtu:
		if segment > 0 && k.IntN(2) == 0 {
			return unix.EINVAL // older kernels
		}
		return unix.EMSGSIZE
	}
	k.earlier = false
	for _, v := range vectors {
		k.got = append(k.got, string(unsafe.Slice(v.Base, v.Len)))
	}
	return 0
}

// writerOn is a writer of a socket that splits, before a kernel.
func writerOn(t *testing.T, k *kernel) *writer {
	c, err := New(listen(t, "127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter(c.(*socket), Batch)
	w.segmenting.Store(true)
	k.attach(w)
	return w
}

// Whatever a kernel answers, what it could carry is sent once and in order, and
// the rest is told of.
func TestEverythingThatCanBeSentIs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 400 {
		k := &kernel{Rand: r, mtu: 100 + r.IntN(1500), unkind: r.IntN(2) == 0, noRuns: []syscall.Errno{0, 0, unix.EIO, unix.EINVAL}[r.IntN(4)]}
		w := writerOn(t, k)
		bufs := made(lengths(r, 1+r.IntN(300)))
		err := w.write(bufs, somewhere, 0)
		var want []string
		for _, b := range bufs {
			if len(b) <= k.mtu {
				want = append(want, string(b))
			}
		}
		st := w.Stats()
		if !slices.Equal(k.got, want) {
			t.Fatalf("round %d: %d datagrams sent, want %d of %d", round, len(k.got), len(want), len(bufs))
		}
		if big := len(bufs) - len(want); big > 0 != errors.Is(err, ErrTooBig) || (err != nil) != (big > 0) || st.TooBig != uint64(big) || st.Sent != uint64(len(want)) || st.Unsent != 0 {
			t.Fatalf("round %d: %d too big, %d fit, but %v and %+v", round, big, len(want), err, st)
		}
		if off := st.Segmenting == 0; off && k.noRuns == 0 {
			t.Fatalf("round %d: gave up runs, which the kernel takes", round)
		}
		w.Close()
	}
}

func TestRunsAreGivenUpOnceAKernelRefusesThem(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.EIO, unix.EINVAL} {
		k := &kernel{Rand: rand.New(rand.NewPCG(1, 1)), mtu: 1500, noRuns: errno}
		w := writerOn(t, k)
		for range 2 {
			if err := w.write(made(repeat(100, 64)), somewhere, 0); err != nil {
				t.Error(err)
			}
		}
		if st := w.Stats(); st.Segmenting != 0 || st.Segmented != 0 || st.Sent != 128 || k.calls != 3 {
			t.Errorf("%v: %d calls, %+v", errno, k.calls, st)
		}
	}
}

func TestDeadAddressIsNotTriedForEveryDatagram(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.ENETUNREACH, unix.EPERM, unix.EINVAL} {
		k := &kernel{Rand: rand.New(rand.NewPCG(1, 1)), mtu: 1500, blocked: errno}
		w := writerOn(t, k)
		err := w.write(made(repeat(100, 200)), somewhere, 0)
		if !errors.Is(err, errno) || errors.Is(err, ErrTooBig) {
			t.Errorf("%v: %v", errno, err)
		}
		if st := w.Stats(); st.Unsent != 200 || st.Sent != 0 || k.calls > 5 || st.Segmenting != 1 {
			t.Errorf("%v: %d calls, %+v", errno, k.calls, st)
		}
	}
}
