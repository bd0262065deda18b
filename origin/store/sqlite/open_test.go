package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"landfall/origin/store/migrate"
	"landfall/origin/store/sqlite"
)

func TestOpenKeepsWhatItDoesNotKnow(t *testing.T) {
	page := bytes.Repeat([]byte("not a database, but somebody's data "), 200)
	tests := []struct {
		name, want string
		make       func(t *testing.T, path string)
	}{
		{"noise", "is damaged", func(t *testing.T, path string) { write(t, path, page) }},
		{"short noise", "is damaged", func(t *testing.T, path string) { write(t, path, page[:300]) }},
		{"a foreign database", "was not made by landfall", foreign},
		{"a truncated database", "is damaged", func(t *testing.T, path string) {
			db, err := sqlite.Open(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sqlite.NewLog(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, 4096+100); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "chat.db")
			test.make(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			db, err := sqlite.Open(t.Context(), path)
			if err == nil {
				_, err = sqlite.NewLog(t.Context(), db)
				db.Close()
			}
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that names the file and %q", err, test.want)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// foreign makes a database that some other program might have made.
func foreign(t *testing.T, path string) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE songs (title TEXT)"); err != nil {
		t.Fatal(err)
	}
}

func TestNewerSchemaIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.db")
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := sqlite.NewLog(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Write.Exec("UPDATE schema_versions SET version = 99 WHERE part = 'log'"); err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.NewLog(t.Context(), db)
	newer, ok := errors.AsType[*migrate.Newer](err)
	if !ok || newer.Has != 99 || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "run the newer program") {
		t.Errorf("error %v", err)
	}
}

func TestOnlyTheOwnerMayRead(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f, info.Mode())
		}
	}
}

func TestReadersCannotWrite(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a dir with? signs%20.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Read.Exec("CREATE TABLE t (x)"); err == nil {
		t.Error("a reader made a table")
	}
	for _, pragma := range []struct{ name, want string }{{"journal_mode", "wal"}, {"synchronous", "2"}, {"foreign_keys", "1"}} {
		var got string
		if err := db.Write.QueryRow("PRAGMA " + pragma.name).Scan(&got); err != nil || got != pragma.want {
			t.Errorf("%s = %s, %v, want %s", pragma.name, got, err, pragma.want)
		}
	}
}
