// Package migrate brings the schema of a database up to date: numbered SQL
// files go in, and those that the database has not seen yet are run, each in
// a transaction of its own. It speaks only SQL that SQLite and PostgreSQL
// share. It never takes a schema back.
package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Newer says that a database was written by a later version than this one.
type Newer struct {
	Where      string // the database, for people
	Part       string
	Has, Knows int
}

// Error names the database and the cure.
func (n *Newer) Error() string {
	return fmt.Sprintf("%s: schema %q is version %d, this program knows up to %d: run the newer program, or restore the backup made before it ran",
		n.Where, n.Part, n.Has, n.Knows)
}

// Run applies the files of dir, in the order of their names, that part of the
// database has not seen. The version of a part is the number of files it has
// seen, so files are only ever added. where names the database in errors.
func Run(ctx context.Context, db *sql.DB, where, part string, dir fs.FS) error {
	files, err := fs.Glob(dir, "*.sql")
	if err != nil {
		return fmt.Errorf("%s: schema %q: %w", where, part, err)
	}
	slices.Sort(files)
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_versions (
		part TEXT PRIMARY KEY, version BIGINT NOT NULL)`); err != nil {
		return fmt.Errorf("%s: read schema versions: %w", where, err)
	}
	for {
		more, err := step(ctx, db, where, part, dir, files)
		if err != nil || !more {
			return err
		}
	}
}

// step applies at most one file and says whether there may be more. It looks
// at the version inside the transaction: another process may be at it too.
func step(ctx context.Context, db *sql.DB, where, part string, dir fs.FS, files []string) (bool, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("%s: schema %q: begin: %w", where, part, err)
	}
	defer tx.Rollback() // after Commit there is nothing to roll back
	version := 0
	err = tx.QueryRowContext(ctx, `SELECT version FROM schema_versions WHERE part = $1`, part).Scan(&version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("%s: schema %q: read version: %w", where, part, err)
	}
	if version > len(files) {
		return false, &Newer{Where: where, Part: part, Has: version, Knows: len(files)}
	}
	if version == len(files) {
		return false, nil
	}
	text, err := fs.ReadFile(dir, files[version])
	if err != nil {
		return false, fmt.Errorf("%s: schema %q: %w", where, part, err)
	}
	if _, err := tx.ExecContext(ctx, string(text)); err != nil {
		return false, fmt.Errorf("%s: schema %q: run %s: %w", where, part, files[version], err)
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO schema_versions (part, version) VALUES ($1, $2)
		ON CONFLICT (part) DO UPDATE SET version = excluded.version`, part, version+1); err != nil {
		return false, fmt.Errorf("%s: schema %q: write version: %w", where, part, err)
	}
	if err := tx.Commit(); err != nil {
		return false, fmt.Errorf("%s: schema %q: commit %s: %w", where, part, files[version], err)
	}
	return true, nil
}
