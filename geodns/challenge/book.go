package challenge

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"landfall"
)

// margin is what a name server's timer may be late.
const margin = time.Second

// BookConfig is what a Book is made of.
type BookConfig struct {
	// Caller says which node a request comes from, by its address on the
	// mesh. Required.
	Caller func(*http.Request) (landfall.NodeID, bool)
	// Log hears of each set and of name servers out of touch; nil discards it.
	Log *slog.Logger
}

// Book holds, at home, the challenges that name servers should serve, and
// answers their questions for them as an http.Handler. A network has one book
// that answers at a time: the issuer's.
type Book struct {
	cfg   BookConfig
	epoch string
	begun time.Time
	mux   *http.ServeMux

	mu        sync.Mutex
	mapped    bool
	servers   []landfall.NodeID
	version   uint64
	txt       map[string][]string
	heard     map[landfall.NodeID]heard // also of those that left, while they may serve what they were told
	changed   chan struct{}             // closed and replaced when any of the above changes
	questions uint64
	outOfTime uint64
}

// heard is what is known of one name server.
type heard struct {
	serves uint64    // the version in its last question
	told   time.Time // when it was answered last
	which  uint64    // with which version
	older  time.Time // when it was answered last with an older one than that
}

// last is when a name server was told last what is older than version, or a
// moment after that.
func (h heard) last(version uint64) time.Time {
	if h.which < version {
		return h.told
	}
	return h.older
}

// NewBook makes a book without challenges.
func NewBook(cfg BookConfig) (*Book, error) {
	if cfg.Caller == nil {
		return nil, errors.New("challenges: no way to tell callers apart")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	b := &Book{
		cfg: cfg, epoch: rand.Text(), begun: time.Now(), mux: http.NewServeMux(),
		version: 1, heard: map[landfall.NodeID]heard{}, changed: make(chan struct{}),
	}
	b.mux.HandleFunc("GET "+path, b.answer)
	return b, nil
}

// SetMap makes the name servers of m those that are answered. One that left is
// not, but for as long as it may serve what it was told it is waited for:
// resolvers that have cached its name still ask it.
func (b *Book) SetMap(m *landfall.Map) {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.servers
	b.mapped, b.servers = true, nil
	for n := range m.Having(landfall.RoleDNS) {
		b.servers = append(b.servers, n.ID)
	}
	for _, n := range m.Nodes {
		if n.State == landfall.Gone && n.Has(landfall.RoleDNS) {
			left = append(left, n.ID) // the process before this one may have told it something
		}
	}
	for _, id := range left {
		if _, ok := b.heard[id]; !ok {
			b.heard[id] = heard{}
		}
	}
	maps.DeleteFunc(b.heard, func(id landfall.NodeID, h heard) bool {
		return !slices.Contains(b.servers, id) && b.silent(h, time.Now())
	})
	b.stir()
}

// Present replaces the whole set of TXT records, by name, and returns nil once
// no name server serves another: each has confirmed this set or a later one, or
// has been out of touch, or of the map, for so long that it answers SERVFAIL,
// which takes eleven seconds at most. It is an error if there are records and
// nobody serves them, and if ctx ends first; the set stays presented.
func (b *Book) Present(ctx context.Context, txt map[string][]string) error {
	version, err := b.write(txt)
	if err != nil {
		return err
	}
	for {
		pending, until, changed := b.pending(version)
		if len(pending) == 0 {
			return b.served(version, len(txt))
		}
		timer := time.NewTimer(time.Until(until))
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("challenges: waiting for the name servers %v: %w", pending, context.Cause(ctx))
		}
		timer.Stop()
	}
}

// write makes the next version.
func (b *Book) write(txt map[string][]string) (version uint64, err error) {
	own := make(map[string][]string, len(txt))
	for name, values := range txt {
		own[name] = slices.Clone(values)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.mapped {
		return 0, errors.New("challenges: there is no map yet, and so no name server: try again in a moment")
	}
	b.version++
	b.txt = own
	b.stir()
	return b.version, nil
}

// stir wakes all who wait, with b.mu held.
func (b *Book) stir() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// pending are the name servers that may serve something older than version,
// and until when the first of them may.
func (b *Book) pending(version uint64) (ids []landfall.NodeID, until time.Time, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for _, id := range b.waitedFor() {
		h := b.heard[id]
		end := b.end(h.last(version))
		if h.serves >= version || !now.Before(end) {
			continue
		}
		ids = append(ids, id)
		if until.IsZero() || end.Before(until) {
			until = end
		}
	}
	return ids, until, b.changed
}

// waitedFor are the name servers of the map and those that left it not long
// ago, with b.mu held.
func (b *Book) waitedFor() []landfall.NodeID {
	ids := slices.AppendSeq(slices.Clone(b.servers), maps.Keys(b.heard))
	slices.Sort(ids)
	return slices.Compact(ids)
}

// end is when no name server serves any more what it was told then. Before
// this process began it may have been told by the one before.
func (b *Book) end(told time.Time) time.Time {
	if told.Before(b.begun) {
		told = b.begun
	}
	return told.Add(Silence + margin)
}

func (b *Book) silent(h heard, now time.Time) bool { return !now.Before(b.end(h.told)) }

// served judges a version that nobody is waited for any more.
func (b *Book) served(version uint64, names int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var serving, lost []landfall.NodeID
	for _, id := range b.servers {
		if b.heard[id].serves >= version {
			serving = append(serving, id)
			continue
		}
		lost = append(lost, id)
		b.outOfTime++
	}
	b.cfg.Log.Info("challenges presented", "names", names, "by", serving)
	if len(lost) > 0 {
		b.cfg.Log.Warn("name servers out of touch: they answer SERVFAIL for challenges", "peer", lost)
	}
	switch {
	case names == 0 || len(serving) > 0:
		return nil
	case len(lost) == 0:
		return errors.New(`challenges: nobody answers for the domain: give a node the role "dns"`)
	}
	return fmt.Errorf("challenges: no name server is in touch (%v): see landfall status, and whether landfall runs there", lost)
}

// BookStats are the figures of a Book since its start.
type BookStats struct {
	Version   uint64 `metric:"version" help:"Sets of challenges presented since the start, and one."`
	Names     int64  `metric:"names" help:"Names with a challenge now."`
	Questions uint64 `metric:"questions_total" help:"Questions of name servers."`
	Serving   int64  `metric:"name_servers_serving" help:"Name servers that said they serve the set of now."`
	Silent    int64  `metric:"name_servers_silent" help:"Name servers out of touch for so long that they answer SERVFAIL for challenges."`
	Missed    uint64 `metric:"missed_total" help:"Sets that a name server did not take up, for it was out of touch."`
}

// Stats tells the figures.
func (b *Book) Stats() BookStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := BookStats{Version: b.version, Names: int64(len(b.txt)), Questions: b.questions, Missed: b.outOfTime}
	for _, id := range b.servers {
		h := b.heard[id]
		if h.serves == b.version {
			s.Serving++
		}
		if b.silent(h, time.Now()) {
			s.Silent++
		}
	}
	return s
}
