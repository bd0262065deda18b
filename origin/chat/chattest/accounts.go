package chattest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"landfall/origin/chat"
)

// AccountsSuite holds chat.Accounts to their contract. open returns empty
// ones.
func AccountsSuite(t *testing.T, open func(t *testing.T) chat.Accounts) {
	tests := []struct {
		name string
		run  func(*testing.T, chat.Accounts)
	}{
		{"FoundOnceAndWhole", found},
		{"UsersAreUniqueAndLimited", users},
		{"TokensAreFoundUntilDropped", tokens},
		{"StandingShowsOnlyWhatIsSo", standing},
		{"JoinAnnouncesOnce", join},
		{"MentionsCountUntilSeen", mentions},
		{"DeriveOnlyFromTheMark", derive},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// Founding is an organization "acme" of up to five users with the flow "main"
// (FlowID(1)), which everybody may join, and the user Ann.
func Founding() chat.Founding {
	return chat.Founding{
		Org:   chat.Organization{Name: "Acme", Slug: "acme", UserLimit: 5},
		User:  NewUser("ann"),
		Token: chat.Token{Hash: "hash of ann's token", Kind: chat.TokenAPI},
		Flows: []chat.Flow{{ID: FlowID(1), Slug: "main", Name: "Main", Access: chat.AccessOrganization}},
		Joins: []chat.Join{{UUID: "join-ann", When: time.UnixMilli(1_700_000_000_000).UTC()}},
	}
}

// NewUser is a user of this nick.
func NewUser(nick string) chat.NewUser {
	return chat.NewUser{
		User:     chat.User{Email: nick + "@acme.test", Nick: nick, Name: "Name of " + nick},
		Password: "hash of " + nick + "'s password",
		Admin:    nick == "ann",
	}
}

// Found makes Founding and returns the organization and Ann.
func Found(t testing.TB, a chat.Accounts) (chat.Organization, chat.User) {
	t.Helper()
	if made, err := a.Found(t.Context(), Founding()); err != nil || !made {
		t.Fatalf("Found = %v, %v", made, err)
	}
	org, err := a.Organization(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	ann, _, err := a.Password(t.Context(), "ann@acme.test")
	if err != nil {
		t.Fatal(err)
	}
	return org, ann
}

// AddUser makes one more user.
func AddUser(t testing.TB, a chat.Accounts, org chat.OrgID, nick string) chat.User {
	t.Helper()
	u, err := a.AddUser(t.Context(), org, NewUser(nick))
	if err != nil {
		t.Fatalf("AddUser(%s): %v", nick, err)
	}
	return u
}

// Join makes a user a member.
func Join(t testing.TB, a chat.Accounts, flow chat.FlowID, user chat.UserID) {
	t.Helper()
	j := chat.Join{User: user, UUID: fmt.Sprintf("join-%s-%d", flow, user), When: time.UnixMilli(1_700_000_000_000)}
	if err := a.Join(t.Context(), flow, j); err != nil {
		t.Fatal(err)
	}
}

func found(t *testing.T, a chat.Accounts) {
	org, ann := Found(t, a)
	want := chat.Organization{ID: org.ID, Slug: "acme", Name: "Acme", UserLimit: 5, UserCount: 1, Active: true}
	if org != want || org.ID == 0 {
		t.Errorf("organization %+v", org)
	}
	if made, err := a.Found(t.Context(), Founding()); made || err != nil {
		t.Errorf("second Found = %v, %v", made, err)
	}
	token, err := a.Token(t.Context(), "hash of ann's token")
	if err != nil || token.User != ann.ID || token.Kind != chat.TokenAPI || !token.Expires.IsZero() {
		t.Errorf("token %+v, %v", token, err)
	}
	colleagues, err := a.Colleagues(t.Context(), org.ID)
	if err != nil || len(colleagues) != 1 || colleagues[0] != (chat.Colleague{User: ann, Admin: true}) {
		t.Errorf("colleagues %+v, %v", colleagues, err)
	}
	members, err := a.Members(t.Context(), FlowID(1))
	if err != nil || len(members) != 1 || members[0] != (chat.Member{User: ann, Joined: Founding().Joins[0].When}) {
		t.Errorf("members %+v, %v", members, err)
	}
}

func users(t *testing.T, a chat.Accounts) {
	org, ann := Found(t, a)
	bob := AddUser(t, a, org.ID, "bob")
	if got, err := a.User(t.Context(), bob.ID); err != nil || got != bob || bob.ID == ann.ID {
		t.Errorf("User = %+v, %v", got, err)
	}
	if _, hash, err := a.Password(t.Context(), "BOB@acme.test"); err != nil || hash != "hash of bob's password" {
		t.Errorf("Password = %q, %v", hash, err)
	}
	sameNick := NewUser("Bob")
	sameNick.Email = "other@acme.test"
	for _, u := range []chat.NewUser{NewUser("bob"), sameNick} {
		if _, err := a.AddUser(t.Context(), org.ID, u); !errors.Is(err, chat.ErrTaken) {
			t.Errorf("AddUser(%s, %s): %v", u.Email, u.Nick, err)
		}
	}
	if _, _, err := a.Password(t.Context(), "other@acme.test"); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("a refused user was left behind: %v", err)
	}
	for _, nick := range []string{"cid", "dan", "eve"} {
		AddUser(t, a, org.ID, nick)
	}
	if _, err := a.AddUser(t.Context(), org.ID, NewUser("fay")); !errors.Is(err, chat.ErrFull) {
		t.Errorf("sixth of five users: %v", err)
	}
	if _, err := a.AddUser(t.Context(), org.ID+1, NewUser("gus")); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("user of no organization: %v", err)
	}
	if _, err := a.User(t.Context(), 999); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("unknown user: %v", err)
	}
}

func tokens(t *testing.T, a chat.Accounts) {
	_, ann := Found(t, a)
	want := chat.Token{Hash: "h", User: ann.ID, Kind: chat.TokenSession, Expires: time.UnixMilli(1_800_000_000_123).UTC()}
	if err := a.AddToken(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Token(t.Context(), "h"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Token = %+v, %v", got, err)
	}
	for range 2 {
		if err := a.DropToken(t.Context(), "h"); err != nil {
			t.Errorf("DropToken: %v", err)
		}
	}
	if _, err := a.Token(t.Context(), "h"); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("dropped token: %v", err)
	}
	expires := map[string]time.Time{"past": time.UnixMilli(1000), "now": time.UnixMilli(2000), "later": time.UnixMilli(3000), "never": {}}
	for hash, when := range expires {
		if err := a.AddToken(t.Context(), chat.Token{Hash: hash, User: ann.ID, Kind: chat.TokenSession, Expires: when}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.DropExpired(t.Context(), time.UnixMilli(2000)); err != nil {
		t.Fatal(err)
	}
	for hash := range expires {
		if _, err := a.Token(t.Context(), hash); (err == nil) != (hash != "past") {
			t.Errorf("token %q after those of the past were dropped: %v", hash, err)
		}
	}
}

func standing(t *testing.T, a chat.Accounts) {
	org, ann := Found(t, a)
	bob := AddUser(t, a, org.ID, "bob")
	f := chat.Flow{ID: FlowID(2), Org: org, Slug: "closed", Name: "Closed", Access: chat.AccessInvitation}
	if err := a.AddFlow(t.Context(), f, chat.Join{User: ann.ID, UUID: "j", When: time.UnixMilli(1)}); err != nil {
		t.Fatal(err)
	}
	f.ID = FlowID(3)
	if err := a.AddFlow(t.Context(), f, chat.Join{User: ann.ID, UUID: "k", When: time.UnixMilli(1)}); !errors.Is(err, chat.ErrTaken) {
		t.Errorf("second flow of one slug: %v", err)
	}
	bySlug, err := a.Standing(t.Context(), bob.ID, chat.FlowRef{Org: "acme", Slug: "closed"})
	byID, err2 := a.Standing(t.Context(), bob.ID, chat.FlowRef{ID: FlowID(2)})
	org.UserCount = 2
	f.ID, f.Org = FlowID(2), org
	want := chat.Standing{Flow: f, Colleague: true}
	if err != nil || err2 != nil || bySlug != want || byID != want {
		t.Errorf("Standing = %+v, %v\nand %+v, %v", bySlug, err, byID, err2)
	}
	if s, err := a.Standing(t.Context(), 999, chat.FlowRef{ID: FlowID(1)}); err != nil || s.Colleague || s.Joined {
		t.Errorf("a stranger stands as %+v, %v", s, err)
	}
	if _, err := a.Standing(t.Context(), ann.ID, chat.FlowRef{ID: FlowID(3)}); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("unknown flow: %v", err)
	}
	if err := a.SetOpen(t.Context(), FlowID(2), ann.ID, false); err != nil {
		t.Fatal(err)
	}
	all, err := a.Standings(t.Context(), ann.ID)
	if err != nil || len(all) != 2 || all[0].Flow.Slug != "closed" || all[0].Open || !all[0].Joined || !all[1].Open {
		t.Errorf("Standings = %+v, %v", all, err)
	}
}

func join(t *testing.T, a chat.Accounts) {
	org, ann := Found(t, a)
	bob := AddUser(t, a, org.ID, "bob")
	Join(t, a, FlowID(1), bob.ID)
	Join(t, a, FlowID(1), bob.ID)
	list, err := a.Announcements(t.Context(), 10)
	if err != nil || len(list) != 2 {
		t.Fatalf("announcements %+v, %v", list, err)
	}
	want := chat.Announcement{UUID: "join-ann", Flow: FlowID(1), User: ann.ID, Type: "join", When: Founding().Joins[0].When}
	if list[0] != want || list[1].User != bob.ID {
		t.Errorf("announcements %+v", list)
	}
	for range 2 {
		if err := a.Withdraw(t.Context(), "join-ann"); err != nil {
			t.Errorf("Withdraw: %v", err)
		}
	}
	if list, err = a.Announcements(t.Context(), 10); err != nil || len(list) != 1 || list[0].User != bob.ID {
		t.Errorf("after Withdraw %+v, %v", list, err)
	}
}

// unread is what a user has unread in FlowID(1).
func unread(t *testing.T, a chat.Accounts, user chat.UserID) int {
	t.Helper()
	s, err := a.Standing(t.Context(), user, chat.FlowRef{ID: FlowID(1)})
	if err != nil {
		t.Fatal(err)
	}
	return s.Unread
}

func mentions(t *testing.T, a chat.Accounts) {
	org, ann := Found(t, a)
	bob, cid := AddUser(t, a, org.ID, "bob"), AddUser(t, a, org.ID, "cid")
	Join(t, a, FlowID(1), bob.ID)
	seen := func(user chat.UserID, seq chat.Seq) {
		t.Helper()
		if err := a.Seen(t.Context(), FlowID(1), user, seq); err != nil {
			t.Fatal(err)
		}
	}
	seen(bob.ID, 2) // before the mentions are counted
	moved, err := a.Derive(t.Context(), FlowID(1), 0, 5, []chat.Mention{
		{Seq: 1, User: bob.ID, By: ann.ID}, {Seq: 3, User: bob.ID, By: ann.ID},
		{Seq: 4, By: bob.ID},               // everybody but Bob
		{Seq: 5, User: cid.ID, By: ann.ID}, // who is no member
	})
	if err != nil || !moved {
		t.Fatalf("Derive = %v, %v", moved, err)
	}
	got := []int{unread(t, a, ann.ID), unread(t, a, bob.ID), unread(t, a, cid.ID)}
	if !slices.Equal(got, []int{1, 1, 0}) {
		t.Errorf("unread of ann, bob, cid: %v", got)
	}
	seen(ann.ID, 3)
	seen(bob.ID, 3)
	seen(bob.ID, 1) // looking back changes nothing
	if got := []int{unread(t, a, ann.ID), unread(t, a, bob.ID)}; !slices.Equal(got, []int{1, 0}) {
		t.Errorf("unread of ann, bob: %v", got)
	}
}

func derive(t *testing.T, a chat.Accounts) {
	_, ann := Found(t, a)
	for _, step := range []struct {
		from, to chat.Seq
		moved    bool
	}{{0, 4, true}, {0, 4, false}, {4, 6, true}, {2, 9, false}} {
		moved, err := a.Derive(t.Context(), FlowID(1), step.from, step.to, []chat.Mention{{Seq: step.to, User: ann.ID}})
		if err != nil || moved != step.moved {
			t.Errorf("Derive from %d = %v, %v", step.from, moved, err)
		}
	}
	if marks, err := a.Derived(t.Context()); err != nil || len(marks) != 1 || marks[FlowID(1)] != 6 {
		t.Errorf("marks %v, %v", marks, err)
	}
	if n := unread(t, a, ann.ID); n != 2 {
		t.Errorf("unread %d", n)
	}
}
