package warm

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"landfall"
	"landfall/mesh/front"
)

// Defaults of Config.
const (
	DefaultSpares  = 2
	DefaultPadding = 512 << 10
	DefaultEvery   = 10 * time.Minute
)

const (
	// openTimeout bounds the opening of spares, and of what replaces one.
	openTimeout = 10 * time.Second
	// fullPadding is how many uses get all of the padding; more share it.
	fullPadding = 8
	// near is the round trip from which padding pays: below, a connection is
	// at full speed before anybody notices that it was not. paddingRate is how
	// much pays, in bytes for each second of the round trip.
	near        = 20 * time.Millisecond
	paddingRate = 3_500_000

	firstPause = time.Second // after a spare could not be opened, or was lost
	maxPause   = time.Minute
	lookAgain  = 5 * time.Second // at nodes that one was not sure of
)

// Use is what streams are opened for.
type Use struct {
	Node    landfall.NodeID
	Service landfall.MeshService
	Class   landfall.Class
}

func (u Use) target() landfall.Target {
	return landfall.Target{Node: u.Node, Service: u.Service, Class: u.Class}
}

// Stream is a stream that the pool has opened.
type Stream interface {
	landfall.Stream
	// Mark says what class our packets have from now on.
	Mark(landfall.Class)
	Local() netip.AddrPort
	Remote() netip.AddrPort
	// Abort resets the stream, for a reason that its sink is told.
	Abort(why error)
}

// Config says how a pool opens and what it may cost.
type Config struct {
	// Open opens a stream as it comes from a front, to a Door. The sink may be
	// nil: then nothing is told before Start.
	Open func(ctx context.Context, t landfall.Target, first []byte, sink landfall.Sink) (front.Stream, error)
	// Sure reports whether the way to a node is known to be good. While it is
	// not, nothing is opened in advance, and no padding asked for. nil is
	// always sure. It must return soon and not call the pool.
	Sure func(landfall.NodeID) bool
	// RTT is the round trip to a node: the shorter, the less padding pays. nil
	// is long ones. It must return soon and not call the pool.
	RTT func(landfall.NodeID) time.Duration
	// Spares is how many connections stand ready for each use; 0 means 2.
	Spares int
	// Padding is how much of it a spare asks for at most, so that the other
	// side learns the path; 0 means 512 KiB, negative is none. With more than
	// eight uses each gets less. A use asks only after something was sent on a
	// stream of it, and once for each of Spares then; one spare of the pool
	// asks after the other.
	Padding int
	// Every is the period in which a use asks for padding Spares times at
	// most; 0 means ten minutes. A spare whose peer had none to give asks again
	// in a tenth of it.
	Every time.Duration
	Log   *slog.Logger // nil means silence
}

// Pool keeps spares. It is made by New.
type Pool struct {
	cfg  Config
	log  *slog.Logger
	kick chan struct{}  // uses or spares have changed
	busy sync.WaitGroup // goroutines that Run waits for

	mu      sync.Mutex
	running context.Context // nil before Run and after it
	uses    map[Use]*shelf
	count   Stats
}

// Stats counts what was opened.
type Stats struct {
	Spares  int64  `metric:"spares" help:"Connections that stand ready."`
	Warm    uint64 `metric:"taken_total" help:"Streams opened on a connection that stood ready."`
	Cold    uint64 `metric:"missed_total" help:"Streams opened on a connection of their own."`
	Retried uint64 `metric:"retried_total" help:"Streams opened once more because the connection that stood ready was gone."`
	Lost    uint64 `metric:"spares_lost_total" help:"Connections that ended while they stood ready."`
	Padding uint64 `metric:"padding_received_bytes_total" help:"Bytes received only for peers to learn the path."`
}

// New makes a pool; it keeps nothing ready before Run.
func New(cfg Config) (*Pool, error) {
	if cfg.Open == nil || cfg.Spares < 0 || cfg.Padding > maxPadding || cfg.Every < 0 {
		return nil, errors.New("warm: a way to open streams is needed, and numbers within their bounds")
	}
	cfg.Spares, cfg.Padding, cfg.Every = cmp.Or(cfg.Spares, DefaultSpares), cmp.Or(cfg.Padding, DefaultPadding), cmp.Or(cfg.Every, DefaultEvery)
	if cfg.Sure == nil {
		cfg.Sure = func(landfall.NodeID) bool { return true }
	}
	if cfg.RTT == nil {
		cfg.RTT = func(landfall.NodeID) time.Duration { return time.Second }
	}
	return &Pool{
		cfg: cfg, log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
		kick: make(chan struct{}, 1), uses: map[Use]*shelf{},
	}, nil
}

// Keep says for what connections stand ready from now on.
func (p *Pool) Keep(uses []Use) {
	p.mu.Lock()
	var drop []*spare
	keep := make(map[Use]*shelf, len(uses))
	for _, u := range uses {
		if keep[u] = p.uses[u]; keep[u] == nil {
			keep[u] = &shelf{use: u}
		}
	}
	for u, sh := range p.uses {
		if keep[u] == nil {
			drop = append(drop, sh.clear()...)
			sh.dropped = true
		}
	}
	p.uses = keep
	p.mu.Unlock()
	for _, s := range drop {
		s.stream.Close()
	}
	p.look()
}

// Forget drops what stands ready for a node, which is not what it was: it has
// restarted, or its way has changed.
func (p *Pool) Forget(id landfall.NodeID) {
	p.mu.Lock()
	var drop []*spare
	for u, sh := range p.uses {
		if u.Node == id {
			drop = append(drop, sh.clear()...)
			sh.fails, sh.pause = 0, time.Time{}
		}
	}
	p.mu.Unlock()
	for _, s := range drop {
		s.stream.Close()
	}
	p.look()
}

// Stats tells what was opened.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.count
	for _, sh := range p.uses {
		s.Spares += int64(len(sh.spares))
	}
	return s
}

// Run keeps connections ready until ctx ends, and closes them then.
func (p *Pool) Run(ctx context.Context) error {
	p.mu.Lock()
	if p.running != nil {
		p.mu.Unlock()
		return errors.New("warm: Run was called twice")
	}
	p.running = ctx
	p.mu.Unlock()
	for ctx.Err() == nil {
		timer := time.NewTimer(p.fill(ctx, time.Now()))
		select {
		case <-ctx.Done():
		case <-p.kick:
		case <-timer.C:
		}
		timer.Stop()
	}
	p.mu.Lock()
	p.running = nil
	p.mu.Unlock()
	p.busy.Wait()
	p.Keep(nil)
	return nil
}

// look makes Run look at once.
func (p *Pool) look() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// spawn runs something for as long as Run does; false if it does not.
func (p *Pool) spawn(do func(ctx context.Context)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx := p.running
	if ctx == nil || ctx.Err() != nil {
		return false
	}
	p.busy.Go(func() { do(ctx) })
	return true
}
