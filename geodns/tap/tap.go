package tap

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a Tap is made of. Without File and Socket it tells nobody.
type Config struct {
	// Sample is of how many queries one is told; 0 and 1 mean all. Each thread
	// counts for itself.
	Sample int
	// File is the name of the file that lines are added to; "-" writes them to
	// Stdout, "" nowhere. Its directory is there already. When the file is moved
	// away, a new one is begun within a second.
	File string
	// Socket is where dnstap is sent to: the name of a unix socket, or HOST:PORT
	// for TCP; "" is nowhere. It is tried again for as long as nobody listens.
	Socket string
	// Whole tells the addresses of clients and their subnets as they are. Else
	// no more is told of them than the /24 or, of IPv6, the /48: where addresses
	// can be those of persons, that is what most questions can do with.
	Whole bool
	// Edge is who has an address that an answer names first; nil, or an empty
	// answer: unknown.
	Edge func(netip.Addr) string
	// Identity and Version are what dnstap is told of the server.
	Identity, Version string
	// Stdout is for the File "-".
	Stdout Writer
	// Log hears of files and sockets that fail; nil discards it.
	Log *slog.Logger
}

// Writer is an io.Writer.
type Writer interface{ Write(b []byte) (int, error) }

// Stats are the figures of a Tap since its start.
type Stats struct {
	Taken  uint64 `metric:"taken_total" help:"Queries that were sampled, with their answers."`
	Lost   uint64 `metric:"lost_total" help:"Queries that were sampled and came too fast to be told."`
	Lines  uint64 `metric:"lines_total" help:"Lines written to the query log."`
	Faults uint64 `metric:"log_faults_total" help:"Lines of the query log that could not be written."`
	Frames uint64 `metric:"dnstap_frames_total" help:"Frames sent by dnstap, two for a query that was answered."`
	Unsent uint64 `metric:"dnstap_unsent_total" help:"Frames for which nobody listened, or too slowly."`
	Joined int64  `metric:"dnstap_connected" help:"1 while somebody takes dnstap."`
}

// Tap tells what is asked.
type Tap struct {
	cfg    Config
	turn   sync.Mutex // of the handle that is shared
	shared *Handle
	file   *file   // nil: no query log
	stream *stream // nil: no dnstap

	mu      sync.Mutex
	handles []*Handle // the shared one is the first

	lines, faults atomic.Uint64
}

// New checks the configuration.
func New(c Config) (*Tap, error) {
	if c.Sample < 0 {
		return nil, errors.New("query log: a sample is 1 of so many, and cannot be less than 1")
	}
	c.Sample = cmp.Or(c.Sample, 1)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	t := &Tap{cfg: c}
	t.shared = newHandle(uint32(c.Sample), &t.turn)
	t.handles = []*Handle{t.shared}
	if c.File != "" {
		t.file = &file{name: c.File, stdout: c.Stdout}
	}
	if c.Socket != "" {
		t.stream = newStream(c.Socket, c.Log)
	}
	return t, nil
}

// Handle is a handle for one thread alone. Of a nil Tap it is nil.
func (t *Tap) Handle() *Handle {
	if t == nil {
		return nil
	}
	h := newHandle(uint32(t.cfg.Sample), nil)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handles = append(t.handles, h)
	return h
}

// Shared is the handle for all that have none of their own; they take turns.
// Of a nil Tap it is nil.
func (t *Tap) Shared() *Handle {
	if t == nil {
		return nil
	}
	return t.shared
}

// How often rings are looked into: often while there is much in them.
const (
	soon = 5 * time.Millisecond
	late = 80 * time.Millisecond
)

// Run tells what handles take until ctx ends, then what they still hold.
func (t *Tap) Run(ctx context.Context) error {
	var sending sync.WaitGroup
	defer sending.Wait()
	if t.stream != nil {
		streaming, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		sending.Go(func() { t.stream.run(streaming) })
	}
	pace := late
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(pace):
		}
		pace = min(2*pace, late)
		if t.round() > 0 {
			pace = soon
		}
	}
	for t.round() > 0 {
	}
	return t.file.close()
}

// round tells what waits in all rings, and how many events that were.
func (t *Tap) round() (n int) {
	t.mu.Lock()
	handles := t.handles
	t.mu.Unlock()
	for _, h := range handles {
		n += h.drain(t.tell)
	}
	written, err := t.file.flush(time.Now())
	t.lines.Add(uint64(written))
	if err != nil {
		t.faults.Add(uint64(max(1, t.file.dropped)))
		t.cfg.Log.Warn("query log not written", "err", err)
	}
	return n
}

// tell gives one event to both outlets.
func (t *Tap) tell(s *slot) {
	if !t.cfg.Whole {
		veil(s)
	}
	if t.file != nil {
		t.file.add(t.describe(s))
	}
	if t.stream != nil {
		t.stream.send(t.frames(s))
	}
}

// Stats tells the figures.
func (t *Tap) Stats() Stats {
	out := Stats{Lines: t.lines.Load(), Faults: t.faults.Load()}
	t.mu.Lock()
	for _, h := range t.handles {
		out.Taken += h.head.Load()
		out.Lost += h.lost.Load()
	}
	t.mu.Unlock()
	out.Taken += out.Lost
	if t.stream != nil {
		out.Frames, out.Unsent, out.Joined = t.stream.sent.Load(), t.stream.unsent.Load(), t.stream.joined.Load()
	}
	return out
}
