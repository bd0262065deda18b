package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"landfall/origin/chat"
)

// commitTimeout bounds one commit. It is far longer than a healthy disk needs
// and longer than busy_timeout, so that it only ends what is stuck.
const commitTimeout = 15 * time.Second

// maxGroup is how many appends share one commit.
const maxGroup = 128

// Append implements chat.Log. Should ctx end first, the event may be in the
// log or not; the same UUID tells.
func (l *Log) Append(ctx context.Context, e chat.Event) (chat.Event, bool, error) {
	a := &pending{event: e, turn: make(chan struct{}), done: make(chan struct{})}
	l.commits.join(a)
	select {
	case <-a.done:
	case <-a.turn:
		l.lead(ctx)
	case <-ctx.Done():
		if !l.commits.leave(a) {
			return chat.Event{}, false, wrap(context.Cause(ctx), e.Flow, "append")
		}
		l.lead(ctx)
	}
	return a.event, a.added, wrap(a.err, e.Flow, "append")
}

// pending is an append on its way to the disk.
type pending struct {
	event chat.Event // as it came; once done, as it is stored
	added bool
	err   error
	turn  chan struct{} // closed when it is this one's turn to lead
	done  chan struct{}
}

// committer gathers appends into groups. It has no goroutine: one of those
// who wait leads, commits for all, and passes the lead on to the next.
type committer struct {
	mu      sync.Mutex
	waiting []*pending
	leader  *pending // the first of waiting, until it takes the group
	busy    bool     // somebody leads
}

// join queues an append; the first one leads at once.
func (c *committer) join(a *pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, a)
	if !c.busy {
		c.choose()
	}
}

// choose makes the first who waits the leader.
func (c *committer) choose() {
	c.leader, c.busy = nil, len(c.waiting) > 0
	if c.busy {
		c.leader = c.waiting[0]
		close(c.leader.turn)
	}
}

// leave takes back an append that is not yet being committed. It returns true
// when that cannot be, because all the others wait for this one to lead.
func (c *committer) leave(a *pending) (mustLead bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leader == a {
		return true
	}
	c.waiting = slices.DeleteFunc(c.waiting, func(p *pending) bool { return p == a })
	return false
}

// take is the next group, the leader first.
func (c *committer) take() []*pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.waiting), maxGroup)
	group := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	c.leader = nil
	return group
}

// pass hands the lead on.
func (c *committer) pass() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.choose()
}

// lead commits one group. It is not only the leader's, so the end of the
// leader's ctx does not end it.
func (l *Log) lead(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	group := l.commits.take()
	err := l.commit(ctx, group)
	l.commits.pass()
	for _, a := range group {
		if err != nil {
			a.added, a.err = false, err
		}
		close(a.done)
	}
}

// commit writes a group in one transaction, all of it or nothing.
func (l *Log) commit(ctx context.Context, group []*pending) error {
	tx, err := l.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() // after Commit there is nothing to roll back
	for _, a := range group {
		if err := appendOne(ctx, tx, a); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func appendOne(ctx context.Context, tx *sql.Tx, a *pending) error {
	known, err := find(ctx, tx, a.event.Flow, a.event.UUID)
	if err == nil {
		a.event = known
		return nil
	}
	if !errors.Is(err, chat.ErrNotFound) {
		return fmt.Errorf("find uuid: %w", err)
	}
	e := a.event
	row := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) + 1 FROM events WHERE flow = $1`, e.Flow.String())
	if err := row.Scan(&e.Seq); err != nil {
		return fmt.Errorf("next number: %w", err)
	}
	doc, err := e.Document()
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO events (flow, seq, uuid, kind, thread, target, doc) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		e.Flow.String(), int64(e.Seq), e.UUID, string(e.Kind), string(e.Thread), int64(e.Target), string(doc))
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	a.event, a.added = e, true
	return nil
}

// Redact implements chat.Log.
func (l *Log) Redact(ctx context.Context, flow chat.FlowID, seq chat.Seq, form func(chat.Event) chat.Event) error {
	tx, err := l.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return wrap(err, flow, "redact %d", seq)
	}
	defer tx.Rollback() // after Commit there is nothing to roll back
	events, err := query(ctx, tx, `SELECT doc FROM events WHERE flow = $1 AND seq = $2`, flow.String(), int64(seq))
	if err != nil || len(events) == 0 {
		return wrap(err, flow, "redact %d", seq)
	}
	doc, err := form(events[0]).Document()
	if err != nil {
		return wrap(err, flow, "redact %d", seq)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE events SET doc = $1 WHERE flow = $2 AND seq = $3`, string(doc), flow.String(), int64(seq)); err != nil {
		return wrap(err, flow, "redact %d", seq)
	}
	return wrap(tx.Commit(), flow, "redact %d", seq)
}
