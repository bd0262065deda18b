package sqlite_test

import (
	"path/filepath"
	"testing"

	"landfall/origin/chat"
	"landfall/origin/chat/chattest"
	"landfall/origin/store/sqlite"
)

func open(t *testing.T, dir string) chat.Log {
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	l, err := sqlite.NewLog(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLog(t *testing.T) {
	chattest.LogSuite(t, func(t *testing.T) chat.Log { return open(t, t.TempDir()) })
}

func TestKilledProcessLosesNothing(t *testing.T) {
	chattest.KillLog(t, open)
}
