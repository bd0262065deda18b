package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"landfall/origin/chat"
	"landfall/origin/store/migrate"
)

//go:embed schema/*.sql
var schema embed.FS

// Accounts is chat.Accounts in a SQL database.
type Accounts struct {
	write *sql.DB
	read  *sql.DB
}

var _ chat.Accounts = (*Accounts)(nil)

// New brings the accounts' part of the schema up to date and returns them.
// where names the database in errors. Reads go to read, which may be write.
func New(ctx context.Context, write, read *sql.DB, where string) (*Accounts, error) {
	dir, err := fs.Sub(schema, "schema")
	if err != nil {
		return nil, fmt.Errorf("accounts schema: %w", err)
	}
	if err := migrate.Run(ctx, write, where, "accounts", dir); err != nil {
		return nil, err
	}
	return &Accounts{write: write, read: read}, nil
}

// change runs fn in a transaction and commits it when fn succeeds.
func (a *Accounts) change(ctx context.Context, deed string, fn func(*sql.Tx) error) error {
	tx, err := a.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: begin: %w", deed, err)
	}
	defer tx.Rollback() // after Commit there is nothing to roll back
	if err := fn(tx); err != nil {
		return fmt.Errorf("%s: %w", deed, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%s: commit: %w", deed, err)
	}
	return nil
}

// one runs a statement that gives one row; none is ErrNotFound.
func one(row *sql.Row, deed string, to ...any) error {
	err := row.Scan(to...)
	if errors.Is(err, sql.ErrNoRows) {
		return chat.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("%s: %w", deed, err)
	}
	return nil
}

// all runs a query and hands each row to scan.
func all(ctx context.Context, db *sql.DB, deed string, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", deed, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("%s: %w", deed, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", deed, err)
	}
	return nil
}

// flowID scans a flow id.
type flowID chat.FlowID

// Scan implements sql.Scanner.
func (f *flowID) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("flow id is %T, want text", v)
	}
	id, err := chat.ParseFlowID(s)
	*f = flowID(id)
	return err
}

// millis is how times are stored; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
