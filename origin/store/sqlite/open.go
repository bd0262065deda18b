package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// applicationID marks our files in their header ("LFch"), so that we never
// write into somebody else's database.
const applicationID = 0x4c466368

// readers is how many connections read at once.
const readers = 4

// DB is an open database. SQLite has one writer at a time: with a single
// connection, writers queue in Go, in order, instead of polling its lock.
type DB struct {
	Path  string
	Write *sql.DB // one connection; its transactions begin by taking the write lock
	Read  *sql.DB // refuses to write
}

// Open opens the database in a file, and makes it where there is none. A file
// that is damaged, or not ours, is an error that names it; it stays as it is.
func Open(ctx context.Context, path string) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	size, err := touch(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if size > 0 {
		if err := inspect(ctx, path); err != nil {
			return nil, err
		}
	}
	db := &DB{Path: path}
	if db.Write, err = sql.Open("sqlite", dsn(path, "immediate")); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db.Write.SetMaxOpenConns(1)
	if db.Read, err = sql.Open("sqlite", dsn(path, "deferred", "query_only(1)")); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Write.Close())
	}
	db.Read.SetMaxOpenConns(readers)
	db.Read.SetMaxIdleConns(readers)
	if _, err := db.Write.ExecContext(ctx, "PRAGMA application_id = "+strconv.Itoa(applicationID)); err != nil {
		return nil, errors.Join(explain(path, err), db.Close())
	}
	return db, nil
}

// touch makes sure that the file is there and only its owner may read it,
// and returns its size. SQLite gives the files beside it the same mode.
func touch(path string) (int64, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	return info.Size(), f.Close()
}

// dsn is the driver's name for the file. Each pragma runs on every new
// connection.
func dsn(path, lock string, pragmas ...string) string {
	q := url.Values{"_txlock": {lock}, "_pragma": append([]string{
		"busy_timeout(5000)", // first: what follows may meet another process
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"foreign_keys(1)",
	}, pragmas...)}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// inspect checks, without touching the file, that it is ours. One that is not
// marked may still be new, if there are no tables in it.
func inspect(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&_pragma=busy_timeout(5000)"}).String())
	if err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	defer db.Close()
	var id, tables int
	row := db.QueryRowContext(ctx, `SELECT application_id, (SELECT count(*) FROM sqlite_master) FROM pragma_application_id`)
	if err := row.Scan(&id, &tables); err != nil {
		return explain(path, err)
	}
	if id != applicationID && (id != 0 || tables > 0) {
		return fmt.Errorf("database %s was not made by landfall: name another directory, or move the file away", path)
	}
	return nil
}

// explain names the file and, where the fault is in the file itself, the cure.
func explain(path string, err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
			return fmt.Errorf("database %s is damaged and was left as it is: move it away with its -wal and -shm files and restore a backup: %w", path, err)
		}
	}
	return fmt.Errorf("database %s: %w", path, err)
}

// Close ends all connections, once what they are doing is done.
func (db *DB) Close() error {
	err := errors.Join(db.Read.Close(), db.Write.Close())
	if err != nil {
		return fmt.Errorf("close database %s: %w", db.Path, err)
	}
	return nil
}
