package sqlite_test

import (
	"path/filepath"
	"testing"

	accounts "landfall/origin/accounts/sqlite"
	"landfall/origin/chat"
	"landfall/origin/chat/chattest"
	store "landfall/origin/store/sqlite"
)

func TestAccounts(t *testing.T) {
	chattest.AccountsSuite(t, func(t *testing.T) chat.Accounts {
		db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "chat.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		a, err := accounts.New(t.Context(), db.Write, db.Read, db.Path)
		if err != nil {
			t.Fatal(err)
		}
		return a
	})
}
