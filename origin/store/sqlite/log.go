package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"landfall/origin/chat"
	"landfall/origin/store/migrate"
)

//go:embed schema/*.sql
var schema embed.FS

// Log is a chat.Log in a SQLite database.
type Log struct {
	db      *DB
	commits committer
}

var _ chat.Log = (*Log)(nil)

// NewLog brings the log's part of the schema up to date and returns the log.
func NewLog(ctx context.Context, db *DB) (*Log, error) {
	dir, err := fs.Sub(schema, "schema")
	if err != nil {
		return nil, fmt.Errorf("log schema: %w", err)
	}
	if err := migrate.Run(ctx, db.Write, db.Path, "log", dir); err != nil {
		return nil, err
	}
	return &Log{db: db}, nil
}

// Find implements chat.Log.
func (l *Log) Find(ctx context.Context, flow chat.FlowID, uuid string) (chat.Event, error) {
	e, err := find(ctx, l.db.Read, flow, uuid)
	if errors.Is(err, chat.ErrNotFound) {
		return e, err
	}
	return e, wrap(err, flow, "find uuid %s", uuid)
}

// querier is what *sql.DB and *sql.Tx have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func find(ctx context.Context, q querier, flow chat.FlowID, uuid string) (chat.Event, error) {
	events, err := query(ctx, q, `SELECT doc FROM events WHERE flow = $1 AND uuid = $2`, flow.String(), uuid)
	if err != nil {
		return chat.Event{}, err
	}
	if len(events) == 0 {
		return chat.Event{}, chat.ErrNotFound
	}
	return events[0], nil
}

// Read implements chat.Log.
func (l *Log) Read(ctx context.Context, flow chat.FlowID, s chat.Span) ([]chat.Event, error) {
	w := where{}
	w.add("flow = ?", flow.String())
	w.add("seq > ?", int64(s.After))
	if s.Before > 0 {
		w.add("seq < ?", int64(s.Before))
	}
	if s.Thread != "" {
		w.add("thread = ?", string(s.Thread))
	}
	w.in("kind", s.Kinds)
	order := " ORDER BY seq LIMIT "
	if s.Newest {
		order = " ORDER BY seq DESC LIMIT "
	}
	events, err := query(ctx, l.db.Read, "SELECT doc FROM events"+w.String()+order+strconv.Itoa(s.Limit), w.args...)
	if s.Newest {
		slices.Reverse(events)
	}
	return events, wrap(err, flow, "read after %d", s.After)
}

// Changes implements chat.Log.
func (l *Log) Changes(ctx context.Context, flow chat.FlowID, targets []chat.Seq) ([]chat.Event, error) {
	var changes []chat.Event
	for some := range slices.Chunk(targets, 500) {
		w := where{}
		w.add("flow = ?", flow.String())
		w.add("target > ?", 0) // lets the partial index serve
		inSeqs(&w, some)
		events, err := query(ctx, l.db.Read, "SELECT doc FROM events"+w.String()+" ORDER BY seq", w.args...)
		if err != nil {
			return nil, wrap(err, flow, "read changes")
		}
		changes = append(changes, events...)
	}
	slices.SortFunc(changes, func(a, b chat.Event) int { return int(a.Seq - b.Seq) })
	return changes, nil
}

// Heads implements chat.Log.
func (l *Log) Heads(ctx context.Context, flows []chat.FlowID) (map[chat.FlowID]chat.Seq, error) {
	heads := make(map[chat.FlowID]chat.Seq, len(flows))
	for _, flow := range flows {
		row := l.db.Read.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM events WHERE flow = $1`, flow.String())
		var head chat.Seq
		if err := row.Scan(&head); err != nil {
			return nil, wrap(err, flow, "read head")
		}
		heads[flow] = head
	}
	return heads, nil
}

// query runs a statement whose rows are documents.
func query(ctx context.Context, q querier, text string, args ...any) ([]chat.Event, error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var events []chat.Event
	for rows.Next() {
		var doc []byte
		if err := rows.Scan(&doc); err != nil {
			return nil, err
		}
		e, err := chat.ParseDocument(doc)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, rows.Err()
}

// wrap says of which flow and deed an error is.
func wrap(err error, flow chat.FlowID, deed string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("flow %s: %s: %w", flow, fmt.Sprintf(deed, args...), err)
}

// where builds the conditions of a statement with numbered parameters, the
// form that SQLite and PostgreSQL share.
type where struct {
	conds []string
	args  []any
}

func (w *where) add(cond string, arg any) {
	w.args = append(w.args, arg)
	w.conds = append(w.conds, strings.Replace(cond, "?", "$"+strconv.Itoa(len(w.args)), 1))
}

func (w *where) in(column string, kinds []chat.Kind) {
	values := make([]any, len(kinds))
	for i, k := range kinds {
		values[i] = string(k)
	}
	w.inValues(column, values)
}

func inSeqs(w *where, seqs []chat.Seq) {
	values := make([]any, len(seqs))
	for i, s := range seqs {
		values[i] = int64(s)
	}
	w.inValues("target", values)
}

// inValues adds a condition that no values leave out.
func (w *where) inValues(column string, values []any) {
	if len(values) == 0 {
		return
	}
	marks := make([]string, len(values))
	for i, v := range values {
		w.args = append(w.args, v)
		marks[i] = "$" + strconv.Itoa(len(w.args))
	}
	w.conds = append(w.conds, column+" IN ("+strings.Join(marks, ", ")+")")
}

func (w *where) String() string { return " WHERE " + strings.Join(w.conds, " AND ") }
