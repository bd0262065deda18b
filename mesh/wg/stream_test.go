package wg

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"landfall"
)

// picky is a sink that takes what it feels like, and asks for more from
// another goroutine. It notices calls that overlap or come after Closed.
type picky struct {
	t      *testing.T
	inside atomic.Int32
	resume chan struct{}
	room   chan struct{}
	over   chan error

	mu     sync.Mutex
	random *rand.Rand
	got    bytes.Buffer
	eofs   int
	closed bool
}

func newPicky(t *testing.T, seed uint64) *picky {
	return &picky{
		t: t, random: rand.New(rand.NewPCG(seed, 0)),
		resume: make(chan struct{}, 1), room: make(chan struct{}, 1), over: make(chan error, 1),
	}
}

func (p *picky) enter() func() {
	if p.inside.Add(1) != 1 {
		p.t.Error("two calls at once")
	}
	p.mu.Lock()
	if p.closed {
		p.t.Error("a call after Closed")
	}
	return func() {
		p.mu.Unlock()
		p.inside.Add(-1)
	}
}

func (p *picky) Data(b []byte) int {
	defer p.enter()()
	if p.eofs > 0 || len(b) == 0 {
		p.t.Errorf("%d bytes after %d EOFs", len(b), p.eofs)
	}
	n := p.random.IntN(len(b) + 1)
	p.got.Write(b[:n])
	if n < len(b) {
		signal(p.resume)
	}
	return n
}

func (p *picky) EOF() {
	defer p.enter()()
	p.eofs++
}

func (p *picky) Writable() {
	defer p.enter()()
	signal(p.room)
}

func (p *picky) Closed(err error) {
	defer p.enter()()
	p.closed = true
	p.over <- err
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// resumes resumes the stream when the sink took less than it was given.
func (p *picky) resumes(s *Stream) (stop func()) {
	var resuming sync.WaitGroup
	ended := make(chan struct{})
	resuming.Go(func() {
		for {
			select {
			case <-p.resume:
				s.Resume()
			case <-ended:
				return
			}
		}
	})
	return func() {
		close(ended)
		resuming.Wait()
	}
}

func TestOpenFeedsASinkAsItAsks(t *testing.T) {
	p := newPair(t)
	serveEcho(t, p)
	sent := make([]byte, 3*startBuffer)
	for i := range sent {
		sent[i] = byte(i * i >> 8)
	}
	sink := newPicky(t, 1)
	s, err := p.a.Open(t.Context(), netip.AddrPortFrom(p.bAddr, echoPort), sent[:1000], sink)
	if err != nil {
		t.Fatal(err)
	}
	stop := sink.resumes(s)
	for n := 1000; n < len(sent); {
		k, err := s.Write(sent[n:])
		if err != nil {
			t.Fatal(err)
		}
		if n += k; n < len(sent) {
			<-sink.room
		}
	}
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := <-sink.over; err != nil {
		t.Errorf("closed: %v", err)
	}
	stop()
	if !bytes.Equal(sink.got.Bytes(), sent) || sink.eofs != 1 {
		t.Errorf("got %d bytes of %d, %d EOFs", sink.got.Len(), len(sent), sink.eofs)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after the end: %v", err)
	}
}

func TestCloseFromWithinTheSink(t *testing.T) {
	p := newPair(t)
	serveEcho(t, p)
	sink := &closer{opened: make(chan landfall.Stream, 1), over: make(chan error, 1)}
	s, err := p.a.Open(t.Context(), netip.AddrPortFrom(p.bAddr, echoPort), []byte("hello"), sink)
	if err != nil {
		t.Fatal(err)
	}
	sink.opened <- s
	if err := <-sink.over; err != nil {
		t.Errorf("closed by its owner, and told %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// closer answers the first bytes and closes, all from within Data.
type closer struct {
	opened chan landfall.Stream
	over   chan error
}

func (c *closer) Data(b []byte) int {
	s := <-c.opened
	if _, err := s.Write(b); err != nil {
		c.over <- err
	}
	s.Close()
	return len(b)
}
func (c *closer) EOF()             {}
func (c *closer) Writable()        {}
func (c *closer) Closed(err error) { c.over <- err }

func TestRemovedPeerLosesItsStreams(t *testing.T) {
	p := newPair(t)
	serveEcho(t, p)
	c := p.dial(t, echoPort)
	defer c.Close()
	roundTrip(t, c)
	why := errors.New("it is gone")
	p.a.RemovePeer(Peer{Key: p.keys[1].Public(), Addr: p.bAddr}, why)
	if _, err := io.ReadAll(c); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	if n := len(p.a.Sessions()); n != 0 {
		t.Errorf("%d sessions left", n)
	}
}

func TestSessionsCountAndTell(t *testing.T) {
	p := newPair(t)
	serveEcho(t, p)
	roundTrip(t, p.dial(t, echoPort))
	s := p.a.Sessions()[p.keys[1].Public()]
	if s.Handshake.IsZero() || s.RxBytes == 0 || s.TxBytes == 0 {
		t.Errorf("%+v", s)
	}
}
