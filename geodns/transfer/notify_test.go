package transfer

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall/geodns/tsig"

	"github.com/miekg/dns"
)

// post is a network on which each message to a secondary is a pipe's.
type post struct {
	mu    sync.Mutex
	heard map[netip.AddrPort][]time.Time
	// answer makes the answer to a message; nil stays silent.
	answer func(to netip.AddrPort, m *dns.Msg, raw []byte) []byte
	// forged are others' that come before it.
	forged []func(m *dns.Msg) []byte
}

func (p *post) dial(_ context.Context, to netip.AddrPort) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		buf := make([]byte, 2048)
		n, err := theirs.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.heard[to] = append(p.heard[to], time.Now())
		p.mu.Unlock()
		m := new(dns.Msg)
		if m.Unpack(buf[:n]) != nil {
			return
		}
		if out := p.answer(to, m, buf[:n]); out != nil {
			theirs.Write([]byte("\x00\x00 from somebody else"))
			for _, b := range p.forged {
				theirs.Write(b(m))
			}
			theirs.Write(out)
		}
		theirs.Read(buf) // until they hang up
	}()
	return ours, nil
}

// times is when a secondary heard, since a beginning.
func (p *post) times(to netip.AddrPort, since time.Time) (out []time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range p.heard[to] {
		out = append(out, at.Sub(since))
	}
	return out
}

func reply(m *dns.Msg, rcode int) []byte {
	b, _ := new(dns.Msg).SetRcode(m, rcode).Pack()
	return b
}

var (
	one = Target{Zone: apex, Address: netip.MustParseAddrPort("192.0.2.7:53")}
	two = Target{Zone: apex, Address: netip.MustParseAddrPort("192.0.2.8:53")}
)

// notifying runs a Notifier in a bubble.
func notifying(t *testing.T, p *post, keys *tsig.Ring, test func(n *Notifier)) {
	synctest.Test(t, func(t *testing.T) {
		p.heard = map[netip.AddrPort][]time.Time{}
		n := NewNotifier(NotifierConfig{Keys: keys, Dial: p.dial})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- n.Run(ctx) }()
		test(n)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func soa(t *testing.T, serial uint32) Record {
	t.Helper()
	var h *History
	return h.Next(zoneOf(t, serial), told).SOA()
}

func TestSecondariesHearOfSerials(t *testing.T) {
	p := &post{answer: func(_ netip.AddrPort, m *dns.Msg, _ []byte) []byte {
		if m.Opcode != dns.OpcodeNotify || !m.Authoritative || m.Question[0].Name != "landfall.test." || len(m.Answer) != 1 {
			t.Errorf("heard %v", m)
		}
		return reply(m, dns.RcodeSuccess)
	}}
	notifying(t, p, nil, func(n *Notifier) {
		began := time.Now()
		n.Tell(map[Target]Record{one: soa(t, 7), two: soa(t, 7)})
		synctest.Wait()
		n.Tell(map[Target]Record{one: soa(t, 7), two: soa(t, 7)}) // nothing new
		synctest.Wait()
		time.Sleep(time.Hour)
		n.Tell(map[Target]Record{one: soa(t, 8)})
		synctest.Wait()
		if got := p.times(one.Address, began); !slices.Equal(got, []time.Duration{0, time.Hour}) {
			t.Errorf("the first heard at %v", got)
		}
		if got := p.times(two.Address, began); !slices.Equal(got, []time.Duration{0}) {
			t.Errorf("the second heard at %v", got)
		}
		if s, behind := n.Stats(); s.Heard != 3 || s.Failed != 0 || len(behind) != 1 || behind[one] {
			t.Errorf("figures: %+v, %v", s, behind)
		}
	})
}

func TestSilentSecondaryIsToldAgain(t *testing.T) {
	for name, answer := range map[string]func(netip.AddrPort, *dns.Msg, []byte) []byte{
		"silent":  func(netip.AddrPort, *dns.Msg, []byte) []byte { return nil },
		"refuses": func(_ netip.AddrPort, m *dns.Msg, _ []byte) []byte { return reply(m, dns.RcodeRefused) },
	} {
		notifying(t, &post{}, nil, func(n *Notifier) {
			p := &post{heard: map[netip.AddrPort][]time.Time{}, answer: answer}
			n.cfg.Dial = p.dial
			n.Tell(map[Target]Record{one: soa(t, 7)})
			time.Sleep(6 * time.Hour)
			got := p.times(one.Address, time.Now())
			if len(got) != maxAttempts {
				t.Fatalf("%s: told %d times", name, len(got))
			}
			for i := 1; i < len(got); i++ {
				pause := min(firstPause<<(i-1), longPause)
				if gap := got[i] - got[i-1]; gap < pause || gap > pause+answerTime {
					t.Errorf("%s: %v after attempt %d, want %v", name, gap, i, pause)
				}
			}
			if s, behind := n.Stats(); s.Failed != maxAttempts || !behind[one] {
				t.Errorf("%s: figures: %+v, %v", name, s, behind)
			}
		})
	}
}

func TestWhoHasAskedNeedNotBeTold(t *testing.T) {
	p := &post{answer: func(netip.AddrPort, *dns.Msg, []byte) []byte { return nil }}
	notifying(t, p, nil, func(n *Notifier) {
		n.Tell(map[Target]Record{one: soa(t, 7), two: soa(t, 7)})
		time.Sleep(time.Second)
		n.Seen(apex, one.Address.Addr(), "", 7)
		n.Seen(apex, two.Address.Addr(), "", 6)
		time.Sleep(time.Minute)
		if a, b := len(p.times(one.Address, time.Now())), len(p.times(two.Address, time.Now())); a != 1 || b < 3 {
			t.Errorf("told %d and %d times", a, b)
		}
	})
}

func TestNewSerialIsToldAtOnce(t *testing.T) {
	p := &post{answer: func(netip.AddrPort, *dns.Msg, []byte) []byte { return nil }}
	notifying(t, p, nil, func(n *Notifier) {
		began := time.Now()
		n.Tell(map[Target]Record{one: soa(t, 7)})
		time.Sleep(10 * time.Minute) // it is hardly told any more
		before := len(p.times(one.Address, began))
		n.Tell(map[Target]Record{one: soa(t, 8)})
		synctest.Wait()
		if got := p.times(one.Address, began); len(got) != before+1 || got[before] != 10*time.Minute {
			t.Errorf("told at %v", got)
		}
	})
}

// Whoever guesses the id of a message cannot have it fail.
func TestForgedAnswersArePassedOver(t *testing.T) {
	key := tsig.Key{Name: "\x03key\x00", Algorithm: tsig.SHA256, Secret: []byte("a secret of more than sixteen bytes")}
	ring := tsig.NewRing(key)
	refusal := func(m *dns.Msg) []byte { return reply(m, dns.RcodeRefused) }
	consent := func(m *dns.Msg) []byte { return reply(m, dns.RcodeSuccess) }
	signed := one
	signed.Key = key.Name
	for name, tt := range map[string]struct {
		to     Target
		forged []func(*dns.Msg) []byte
		good   bool
	}{
		"a refusal":                  {one, []func(*dns.Msg) []byte{refusal, refusal}, true},
		"unsigned":                   {signed, []func(*dns.Msg) []byte{refusal, consent}, true},
		"unsigned, and nothing else": {signed, []func(*dns.Msg) []byte{consent, consent}, false},
	} {
		p := &post{forged: tt.forged, answer: func(_ netip.AddrPort, m *dns.Msg, raw []byte) []byte {
			out := reply(m, dns.RcodeSuccess)
			if !tt.good || tt.to.Key == "" {
				return out
			}
			at, _ := tsig.Find(raw)
			session, _ := ring.Verify(raw, at, time.Now())
			return session.Sign(out, time.Now())
		}}
		notifying(t, p, ring, func(n *Notifier) {
			n.Tell(map[Target]Record{tt.to: soa(t, 7)})
			time.Sleep(answerTime)
			synctest.Wait()
			if s, behind := n.Stats(); s.Heard+s.Failed != 1 || behind[tt.to] == tt.good {
				t.Errorf("%s: figures: %+v, %v", name, s, behind)
			}
		})
	}
}

func TestMessagesToSecondariesAreSigned(t *testing.T) {
	key := tsig.Key{Name: "\x03key\x00", Algorithm: tsig.SHA512, Secret: []byte("a secret of more than sixteen bytes")}
	ring := tsig.NewRing(key)
	good := true
	p := &post{answer: func(_ netip.AddrPort, m *dns.Msg, raw []byte) []byte {
		at, ok := tsig.Find(raw)
		if !ok || at == 0 {
			t.Errorf("not signed: %v", m)
			return nil
		}
		session, ok := ring.Verify(raw, at, time.Now())
		if !ok || session.Error() != 0 {
			t.Errorf("not signed well: %v", m)
			return nil
		}
		out := reply(m, dns.RcodeSuccess)
		if !good {
			return out
		}
		return session.Sign(out, time.Now())
	}}
	signed, unknown := one, two
	signed.Key, unknown.Key = key.Name, "\x05other\x00"
	notifying(t, p, ring, func(n *Notifier) {
		n.Tell(map[Target]Record{signed: soa(t, 7), unknown: soa(t, 7)})
		synctest.Wait()
		if s, behind := n.Stats(); s.Heard != 1 || behind[signed] || !behind[unknown] || len(p.times(unknown.Address, time.Now())) != 0 {
			t.Errorf("figures: %+v, %v", s, behind)
		}
		good = false
		n.Tell(map[Target]Record{signed: soa(t, 8)})
		time.Sleep(answerTime)
		synctest.Wait()
		if s, behind := n.Stats(); s.Heard != 1 || !behind[signed] {
			t.Errorf("an answer that is not signed is believed: %+v", s)
		}
	})
}
