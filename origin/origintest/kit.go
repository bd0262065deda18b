// Package origintest is a chat with a few people in it, for tests of the ways
// in and out: the real storage in a directory of the test's own, with fixed
// identifiers and a clock that stands still.
package origintest

import (
	"path/filepath"
	"testing"
	"time"

	accounts "landfall/origin/accounts/sqlite"
	"landfall/origin/auth"
	"landfall/origin/backend"
	"landfall/origin/bus/local"
	"landfall/origin/chat"
	"landfall/origin/chat/chattest"
	store "landfall/origin/store/sqlite"
)

// The tokens of the people: Ann and Bob are in the flow acme/main, Cid is
// only in the organization Acme, Zoe is in the organization Rival.
const (
	Ann = "11111111111111111111111111111111"
	Bob = "22222222222222222222222222222222"
	Cid = "33333333333333333333333333333333"
	Zoe = "99999999999999999999999999999999"
)

// Password is Ann's.
const Password = "correct horse battery staple"

// The flows: Main may be joined by everybody in Acme, Closed has only Ann in
// it, Rival is Zoe's.
var (
	Main   = chattest.FlowID(1)
	Closed = chattest.FlowID(2)
	Rival  = chattest.FlowID(3)
)

// Kit is the chat.
type Kit struct {
	Log      chat.Log
	Accounts chat.Accounts
	Auth     *auth.Auth
	Backend  *backend.Backend // does not run
}

// Now is what the clock shows.
func Now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC) }

// New makes the chat. Whoever lets it end something closes the kit before.
func New(t testing.TB) *Kit {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "chat.db"))
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	k := &Kit{}
	k.Log, err = store.NewLog(t.Context(), db)
	check(t, err)
	k.Accounts, err = accounts.New(t.Context(), db.Write, db.Read, db.Path)
	check(t, err)
	k.Auth, err = auth.New(k.Accounts, Now)
	check(t, err)
	k.Backend = k.NewBackend(t, k.Log)
	k.people(t)
	_, err = db.Write.ExecContext(t.Context(), `INSERT INTO organizations (id, slug, name, user_limit, active) VALUES (2, 'rival', 'Rival', 5, TRUE)`)
	check(t, err)
	stranger := chattest.NewUser("zoe")
	stranger.Email = "zoe@rival.test"
	zoe, err := k.Accounts.AddUser(t.Context(), 2, stranger)
	check(t, err)
	k.token(t, zoe.ID, Zoe)
	k.flow(t, chat.Flow{ID: Rival, Org: chat.Organization{ID: 2}, Slug: "main", Name: "Main", Access: chat.AccessOrganization}, zoe.ID)
	return k
}

// NewBackend makes one more backend, over a log in place of the kit's.
func (k *Kit) NewBackend(t testing.TB, log chat.Log) *backend.Backend {
	t.Helper()
	b, err := backend.New(backend.Config{Log: log, Accounts: k.Accounts, Bus: new(local.Bus), Now: Now})
	check(t, err)
	return b
}

// people makes the organization Acme.
func (k *Kit) people(t testing.TB) {
	f := chattest.Founding()
	f.User.Password = auth.HashPassword(Password)
	f.Token.Hash = auth.HashToken(Ann)
	_, err := k.Accounts.Found(t.Context(), f)
	check(t, err)
	org, err := k.Accounts.Organization(t.Context(), "acme")
	check(t, err)
	bob := chattest.AddUser(t, k.Accounts, org.ID, "bob")
	chattest.Join(t, k.Accounts, Main, bob.ID)
	k.token(t, bob.ID, Bob)
	k.token(t, chattest.AddUser(t, k.Accounts, org.ID, "cid").ID, Cid)
	k.flow(t, chat.Flow{ID: Closed, Org: org, Slug: "closed", Name: "Closed", Access: chat.AccessInvitation}, 1)
}

func (k *Kit) flow(t testing.TB, f chat.Flow, first chat.UserID) {
	check(t, k.Accounts.AddFlow(t.Context(), f, chat.Join{User: first, UUID: "join-" + f.ID.String(), When: Now()}))
}

func (k *Kit) token(t testing.TB, user chat.UserID, token string) {
	check(t, k.Accounts.AddToken(t.Context(), chat.Token{Hash: auth.HashToken(token), User: user, Kind: chat.TokenAPI}))
}

// Post posts a message of Ann's to a flow.
func (k *Kit) Post(t testing.TB, flow chat.FlowID, uuid, text string) chat.Event {
	t.Helper()
	e, _, err := k.Backend.Post(t.Context(), chat.Draft{Flow: flow, By: 1, Kind: chat.KindMessage, Content: text, UUID: uuid})
	check(t, err)
	return e
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
