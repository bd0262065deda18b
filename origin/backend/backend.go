package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"landfall/origin/budget"
	"landfall/origin/chat"
)

// DefaultPoll is how often subscribed flows are looked at for events whose
// hints were lost.
const DefaultPoll = time.Second

// DefaultQueue is how many bytes may wait for a subscriber.
const DefaultQueue = 256 << 10

// A user may write so much at once, and once more every writesEvery.
const (
	writesAtOnce = 1000
	writesEvery  = 50 * time.Millisecond
)

// Config is what a Backend needs.
type Config struct {
	Log      chat.Log
	Accounts chat.Accounts
	Bus      chat.Bus

	Logger *slog.Logger     // nil: silent
	Now    func() time.Time // the clock for messages; nil: time.Now
	Poll   time.Duration    // how often to look for what hints did not tell; 0: DefaultPoll
	Queue  int              // bytes that may wait for a subscriber before it is cut; 0: DefaultQueue
}

// Backend takes messages in and hands them out. It is ready once made; Run
// does what follows from messages and mends what the bus has lost.
type Backend struct {
	log      chat.Log
	accounts chat.Accounts
	bus      chat.Bus
	logger   *slog.Logger
	now      func() time.Time
	poll     time.Duration
	queue    int

	writes   budget.Budget[chat.UserID]
	searches chan struct{} // holds a token for each search that goes on

	worker   *worker
	counters counters

	mu    sync.Mutex
	feeds map[chat.FlowID]*feed // flows with subscribers
}

// counters is what Stats shows.
type counters struct {
	posted, repeated, changed atomic.Uint64
	delivered, cut            atomic.Uint64
	subscribers               atomic.Int64
}

// New makes a Backend.
func New(cfg Config) (*Backend, error) {
	if cfg.Log == nil || cfg.Accounts == nil || cfg.Bus == nil {
		return nil, errors.New("message backend: needs a log, accounts and a bus")
	}
	b := &Backend{
		log: cfg.Log, accounts: cfg.Accounts, bus: cfg.Bus,
		logger: cfg.Logger, now: cfg.Now, poll: cfg.Poll, queue: cfg.Queue,
		writes:   budget.Budget[chat.UserID]{Burst: writesAtOnce, Every: writesEvery, Now: time.Now},
		searches: make(chan struct{}, searching),
		worker:   newWorker(),
		feeds:    map[chat.FlowID]*feed{},
	}
	if b.logger == nil {
		b.logger = slog.New(slog.DiscardHandler)
	}
	if b.now == nil {
		b.now = time.Now
	}
	if b.poll == 0 {
		b.poll = DefaultPoll
	}
	if b.queue == 0 {
		b.queue = DefaultQueue
	}
	return b, nil
}

// Run does derived work and looks after feeds until ctx ends.
func (b *Backend) Run(ctx context.Context) error {
	tick := time.NewTicker(b.poll)
	defer tick.Stop()
	var failed error
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.worker.ready:
			failed = b.derive(ctx)
			b.report(ctx, "derived work stopped; will try again", failed)
		case <-tick.C:
			b.report(ctx, "look for missed events failed; will try again", b.refresh(ctx))
			if failed != nil {
				b.worker.wake()
			}
		}
	}
}

// report logs a fault that Run met, unless it is only that Run must end.
func (b *Backend) report(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		b.logger.Error(what, "err", err)
	}
}

// committed tells everybody who should know of an event that is in the log,
// whether or not the one who sent it still waits.
func (b *Backend) committed(ctx context.Context, e chat.Event) {
	s := chat.Signal{Flow: e.Flow, Head: e.Seq}
	b.hear(s, &e)
	if err := b.bus.Publish(context.WithoutCancel(ctx), s); err != nil {
		b.logger.Warn("hint not published; others will find the event when they look", "flow", e.Flow, "err", err)
	}
	b.worker.flow(e.Flow)
}

// newUUID is a random UUID (RFC 9562, 5.4), for events that came without one.
func newUUID() string {
	var r [16]byte
	_, _ = rand.Read(r[:]) // never fails
	return chat.NewFlowID(r).String()
}

// Flow finds a flow that the user may know of.
func (b *Backend) Flow(ctx context.Context, user chat.UserID, ref chat.FlowRef) (chat.Standing, error) {
	s, err := b.accounts.Standing(ctx, user, ref)
	if err != nil {
		return chat.Standing{}, err
	}
	return s, s.See()
}

// Enter finds a flow that the user may read.
func (b *Backend) Enter(ctx context.Context, user chat.UserID, ref chat.FlowRef) (chat.Flow, error) {
	s, err := b.accounts.Standing(ctx, user, ref)
	if err != nil {
		return chat.Flow{}, err
	}
	return s.Flow, s.Enter()
}

// Write finds a flow that the user may write to.
func (b *Backend) Write(ctx context.Context, user chat.UserID, ref chat.FlowRef) (chat.Flow, error) {
	f, err := b.Enter(ctx, user, ref)
	if err == nil && f.Archived {
		err = chat.ErrArchived
	}
	return f, err
}

// maxNamed is how many flows a reader may name.
const maxNamed = 1000

// Choose finds the flows that a reader names, by id or by organization and
// slug, all of which the user must be allowed to read. None named are all that
// the user has joined. However many there are, the accounts are asked once.
func (b *Backend) Choose(ctx context.Context, user chat.UserID, names []string) ([]chat.FlowID, error) {
	if len(names) > maxNamed {
		return nil, chat.Invalid{"filter": {fmt.Sprintf("has too many flows (maximum is %d)", maxNamed)}}
	}
	all, err := b.accounts.Standings(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("flows of user %d: %w", user, err)
	}
	var flows []chat.FlowID
	known := make(map[chat.FlowRef]chat.Standing, 2*len(all))
	for _, s := range all {
		known[chat.FlowRef{ID: s.Flow.ID}] = s
		known[chat.FlowRef{Org: s.Flow.Org.Slug, Slug: s.Flow.Slug}] = s
		if len(names) == 0 && s.Enter() == nil {
			flows = append(flows, s.Flow.ID)
		}
	}
	for _, name := range names {
		ref, err := chat.ParseFlowRef(name)
		if err != nil {
			return nil, chat.Invalid{"filter": {err.Error()}}
		}
		s := known[ref] // nobody's flow, if it is not known
		if err := s.Enter(); err != nil {
			return nil, err
		}
		flows = append(flows, s.Flow.ID)
	}
	return flows, nil
}

// Joined returns the flows that the user has joined and may read.
func (b *Backend) Joined(ctx context.Context, user chat.UserID) ([]chat.Standing, error) {
	all, err := b.accounts.Standings(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("flows of user %d: %w", user, err)
	}
	var joined []chat.Standing
	for _, s := range all {
		if s.Enter() == nil {
			joined = append(joined, s)
		}
	}
	return joined, nil
}
