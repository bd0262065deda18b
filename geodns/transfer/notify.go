package transfer

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"landfall/geodns/tsig"
	"landfall/geodns/zone"
)

// How a secondary is told (RFC 1996, 3.6): how long an answer may take, how
// long it is left alone after the first attempt, twice as long after each
// other but never longer than the pause, and how often it is told at most. Who
// never answers finds out by the SOA record's refresh time.
const (
	answerTime  = 3 * time.Second
	firstPause  = 5 * time.Second
	longPause   = 5 * time.Minute
	maxAttempts = 10
)

// NotifierConfig is what a Notifier is made of.
type NotifierConfig struct {
	Keys *tsig.Ring // nil: none
	// Dial connects to a secondary by UDP; nil uses the system's choice of an
	// address to come from.
	Dial func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	Log  *slog.Logger // nil discards
}

// Notifier tells secondaries of new serials until each has heard.
type Notifier struct {
	cfg  NotifierConfig
	news chan struct{} // holds one if there is something to do

	mu     sync.Mutex // guards what follows
	calls  map[Target]*call
	counts NotifyStats
}

// NotifyStats are what became of messages.
type NotifyStats struct {
	Heard  uint64 // answered well
	Failed uint64 // not answered, or refused
}

// call is what one secondary is to hear.
type call struct {
	soa      Record
	heard    bool // it has
	busy     bool // it is being told
	attempts int
	due      time.Time
}

// NewNotifier makes a Notifier. It tells nobody until Run.
func NewNotifier(cfg NotifierConfig) *Notifier {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Dial == nil {
		cfg.Dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp", to.String())
		}
	}
	return &Notifier{cfg: cfg, news: make(chan struct{}, 1), calls: map[Target]*call{}}
}

// Tell has the targets, and no others, hear of their zones' SOA records.
func (n *Notifier) Tell(all map[Target]Record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for t := range n.calls {
		if _, still := all[t]; !still {
			delete(n.calls, t)
		}
	}
	for t, soa := range all {
		if c := n.calls[t]; c == nil || serialOf(c.soa) != serialOf(soa) {
			n.calls[t] = &call{soa: soa}
		}
	}
	n.wake()
}

func (n *Notifier) wake() {
	select {
	case n.news <- struct{}{}:
	default: // it will look at all of it
	}
}

// Seen notes that somebody has asked for a zone's serial, and so need not be
// told of it any more.
func (n *Notifier) Seen(apex zone.Name, from netip.Addr, key zone.Name, serial uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for t, c := range n.calls {
		if t.Zone == apex && t.Key == key && t.Address.Addr() == from && serialOf(c.soa) == serial {
			c.heard = true
		}
	}
}

// Stats tells the figures, and of each target whether it has yet to hear.
func (n *Notifier) Stats() (s NotifyStats, behind map[Target]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	behind = map[Target]bool{}
	for t, c := range n.calls {
		behind[t] = !c.heard
	}
	return n.counts, behind
}

// Run tells whom there is to tell until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	var calling sync.WaitGroup
	defer calling.Wait()
	for {
		wait := n.begin(time.Now(), func(t Target, c *call) {
			calling.Go(func() { n.end(t, c, n.tell(ctx, t, c.soa)) })
		})
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-n.news:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// begin starts what is due, and returns how long until there is more.
func (n *Notifier) begin(now time.Time, start func(Target, *call)) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	wait := longPause
	for t, c := range n.calls {
		switch {
		case c.heard || c.busy || c.attempts >= maxAttempts:
		case c.due.After(now):
			wait = min(wait, c.due.Sub(now))
		default:
			c.busy = true
			c.attempts++
			start(t, c)
		}
	}
	return wait
}

// end notes what came of telling somebody.
func (n *Notifier) end(t Target, c *call, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c.busy = false
	if err == nil {
		c.heard = true
		n.counts.Heard++
		return
	}
	n.counts.Failed++
	c.due = time.Now().Add(min(firstPause<<(c.attempts-1), longPause))
	if c.attempts == 1 || c.attempts == maxAttempts {
		n.cfg.Log.Warn("secondary not told of a new serial", "remote", t.Address, "zone", t.Zone.String(), "serial", serialOf(c.soa), "times", c.attempts, "err", err)
	}
	n.wake()
}

// tell sends one message and waits for its answer.
func (n *Notifier) tell(ctx context.Context, t Target, soa Record) error {
	ctx, stop := context.WithTimeout(ctx, answerTime)
	defer stop()
	var session *tsig.Session
	if t.Key != "" {
		k, ok := n.cfg.Keys.Key(t.Key)
		if !ok {
			return fmt.Errorf("no secret for the key %q here", t.Key)
		}
		session = k.Begin()
	}
	conn, err := n.cfg.Dial(ctx, t.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	req := notify(t.Zone, soa)
	if session != nil {
		req = session.Sign(req, time.Now())
	}
	if _, err := conn.Write(req); err != nil {
		return err
	}
	return listen(conn, req, session)
}

// listen waits for a good answer until there is nothing more to read: what else
// comes may be anybody's who makes the message fail (RFC 8945, 5.4).
func listen(conn net.Conn, req []byte, session *tsig.Session) error {
	var bad error
	buf := make([]byte, 65535)
	for {
		m, err := conn.Read(buf)
		switch {
		case err != nil && bad != nil:
			return bad
		case err != nil:
			return fmt.Errorf("no answer: %w", err)
		case !answers(buf[:m], req):
			continue
		}
		if bad = judge(buf[:m], session); bad == nil {
			return nil
		}
	}
}

// notify is the message (RFC 1996, 3.7), with the SOA record as a hint.
func notify(apex zone.Name, soa Record) []byte {
	b := make([]byte, 2, 512)
	rand.Read(b) // never fails
	const opcode, authoritative = 4 << 3, 0x04
	b = append(b, opcode|authoritative, 0, 0, 1, 0, 1, 0, 0, 0, 0)
	b = append(b, apex...)
	b = append(b, 0, typeSOA, 0, 1)
	q := Request{Apex: apex}
	return q.append(b, soa)
}

// answers reports whether a message is the answer to a request.
func answers(msg, req []byte) bool {
	return len(msg) >= headerSize && msg[0] == req[0] && msg[1] == req[1] && msg[2]&0xf8 == req[2]&0x78|0x80
}

// judge tells what is bad about an answer.
func judge(msg []byte, session *tsig.Session) error {
	if session != nil {
		at, ok := tsig.Find(msg)
		if !ok || at == 0 || !session.Answered(msg, at, time.Now()) {
			return errors.New("the answer is not signed as it should be")
		}
	}
	if rcode := binary.BigEndian.Uint16(msg[2:]) & 0xf; rcode != 0 {
		return fmt.Errorf("refused with rcode %d", rcode)
	}
	return nil
}
