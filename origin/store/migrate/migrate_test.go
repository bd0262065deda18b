package migrate_test

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"landfall/origin/store/migrate"
	"landfall/origin/store/sqlite"
)

func files(texts map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range texts {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func openDB(t *testing.T) *sqlite.DB {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestEachFileRunsOnceInOrder(t *testing.T) {
	db := openDB(t)
	all := map[string]string{
		"001_a.sql": "CREATE TABLE a (x BIGINT); INSERT INTO a VALUES (1);",
		"002_b.sql": "INSERT INTO a SELECT x + 1 FROM a;",
		"notes.txt": "no SQL",
	}
	first := files(map[string]string{"001_a.sql": all["001_a.sql"]})
	for _, dir := range []fstest.MapFS{first, first, files(all), files(all)} {
		if err := migrate.Run(t.Context(), db.Write, "x.db", "part", dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := migrate.Run(t.Context(), db.Write, "x.db", "other", files(map[string]string{"1.sql": "CREATE TABLE b (x BIGINT)"})); err != nil {
		t.Errorf("another part: %v", err)
	}
	var sum int
	if err := db.Read.QueryRow("SELECT SUM(x) FROM a").Scan(&sum); err != nil || sum != 3 {
		t.Errorf("sum %d, %v", sum, err)
	}
}

func TestFailingFileLeavesNothing(t *testing.T) {
	db := openDB(t)
	dir := files(map[string]string{"001_a.sql": "CREATE TABLE a (x BIGINT); CREATE TABL b;"})
	err := migrate.Run(t.Context(), db.Write, "/var/x.db", "part", dir)
	if err == nil || !strings.Contains(err.Error(), "/var/x.db") || !strings.Contains(err.Error(), "001_a.sql") {
		t.Errorf("error %v, want one that names database and file", err)
	}
	var n int
	if err := db.Read.QueryRow("SELECT count(*) FROM sqlite_master WHERE name = 'a'").Scan(&n); err != nil || n != 0 {
		t.Errorf("table a is there: %d, %v", n, err)
	}
}
