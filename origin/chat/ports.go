package chat

import (
	"context"
	"time"
)

// Log keeps the events of all flows. Per flow it is a sequence without gaps
// that only grows; what Append returned survives the machine's next crash.
// An unknown flow is an empty one.
type Log interface {
	// Append commits e as the next event of its flow and returns it with its
	// number; the number that e came with does not count. Where the flow has
	// an event with e's UUID already, nothing is written: that event is
	// returned, and added is false.
	Append(ctx context.Context, e Event) (stored Event, added bool, err error)
	// Find returns the event that a flow has under a UUID, or ErrNotFound.
	Find(ctx context.Context, flow FlowID, uuid string) (Event, error)
	// Read returns events of a flow in ascending order.
	Read(ctx context.Context, flow FlowID, s Span) ([]Event, error)
	// Changes returns, in ascending order, the events whose Target is one of
	// these.
	Changes(ctx context.Context, flow FlowID, targets []Seq) ([]Event, error)
	// Heads returns the number of the newest event of each flow; 0 for a
	// flow without any.
	Heads(ctx context.Context, flows []FlowID) (map[FlowID]Seq, error)
	// Redact replaces an event by a form of it with less in it, such as
	// Event.Redacted, once and for all. To do so twice, or to an event that
	// is not there, is no error.
	Redact(ctx context.Context, flow FlowID, seq Seq, form func(Event) Event) error
}

// Span is a part of a flow's log.
type Span struct {
	After  Seq      // only greater numbers
	Before Seq      // only smaller numbers; 0: no bound
	Kinds  []Kind   // only these; none: all
	Thread ThreadID // only this; empty: all
	Newest bool     // where there are more than Limit, keep the newest
	Limit  int      // at most this many
}

// Bus carries signals between the processes that serve flows. Signals may be
// lost, doubled or come in any order: they only say where to look.
type Bus interface {
	// Publish tells every subscriber of s.Flow.
	Publish(ctx context.Context, s Signal) error
	// Subscribe calls hear for the signals of a flow, from any goroutine and
	// perhaps from several at once, until cancel is called. Neither hear nor
	// Subscribe and cancel themselves may block. A call of hear that was
	// under way when cancel was called may still end after it.
	Subscribe(flow FlowID, hear func(Signal)) (cancel func())
}

// Signal is what a Bus carries.
type Signal struct {
	Flow      FlowID // zero: of no flow, for what concerns a user
	User      UserID // what this user may do has changed: look
	Head      Seq    // the log has an event with this number; 0: nothing said
	Ephemeral *Event // something that is gone once it was heard, such as typing
}

// Accounts keeps organizations, users, flows, who is in them, and tokens.
// Single things that are not there give ErrNotFound.
type Accounts interface {
	// Found makes the first organization with its first user, the user's
	// token and the flows, all or nothing; it does nothing and returns false
	// where there is an organization already.
	Found(ctx context.Context, f Founding) (bool, error)
	// AddUser makes a user of an organization. ErrTaken: the address belongs
	// to somebody, or the nick to somebody in the organization. ErrFull: the
	// organization has no room.
	AddUser(ctx context.Context, org OrgID, u NewUser) (User, error)
	// AddFlow makes a flow in its organization, with a first member.
	// ErrTaken: the organization has a flow with this slug.
	AddFlow(ctx context.Context, f Flow, first Join) error
	// Join makes a user a member of a flow and leaves an Announcement of it,
	// in one commit. Who is a member stays one, and nothing is announced.
	Join(ctx context.Context, flow FlowID, j Join) error
	// SetOpen notes whether a member has the flow open.
	SetOpen(ctx context.Context, flow FlowID, user UserID, open bool) error

	User(ctx context.Context, id UserID) (User, error)
	// Password returns who has this address and the hash of their password.
	Password(ctx context.Context, email string) (User, string, error)
	// AddToken stores a token, Token finds one by its hash, DropToken
	// forgets it. Tokens are returned whether or not they have expired.
	AddToken(ctx context.Context, t Token) error
	Token(ctx context.Context, hash string) (Token, error)
	DropToken(ctx context.Context, hash string) error
	// DropExpired forgets the tokens that expire before a time.
	DropExpired(ctx context.Context, before time.Time) error

	// Organization finds one by its slug.
	Organization(ctx context.Context, slug string) (Organization, error)
	// Organizations returns those that the user belongs to, by id.
	Organizations(ctx context.Context, user UserID) ([]Organization, error)
	// Colleagues returns the users of an organization, by id.
	Colleagues(ctx context.Context, org OrgID) ([]Colleague, error)
	// Standings returns all flows of the user's organizations, by slug.
	Standings(ctx context.Context, user UserID) ([]Standing, error)
	// Standing returns how a user stands to a flow, whoever they are.
	Standing(ctx context.Context, user UserID, ref FlowRef) (Standing, error)
	// Members returns the members of a flow, by id.
	Members(ctx context.Context, flow FlowID) ([]Member, error)

	// Seen notes that a member has seen a flow up to an event, and so every
	// mention up to there.
	Seen(ctx context.Context, flow FlowID, user UserID, seq Seq) error
	// Derived returns up to where the work in the flows' outboxes is marked
	// as done.
	Derived(ctx context.Context) (map[FlowID]Seq, error)
	// Derive counts mentions and moves the flow's mark, in one commit. It
	// does nothing and returns false where the mark is not at from: another
	// has moved it.
	Derive(ctx context.Context, flow FlowID, from, to Seq, m []Mention) (bool, error)

	// Announcements returns the oldest that were not withdrawn, and Withdraw
	// forgets one that has reached the log.
	Announcements(ctx context.Context, limit int) ([]Announcement, error)
	Withdraw(ctx context.Context, id string) error
}

// Founding is what Accounts.Found makes.
type Founding struct {
	Org   Organization
	User  NewUser // admin of Org
	Token Token   // its User is set by Found
	Flows []Flow  // in Org
	Joins []Join  // of the user, one for each flow; their User is set by Found
}

// NewUser is a user to be made.
type NewUser struct {
	User
	Password string // its hash
	Admin    bool
}

// Join is somebody's entry into a flow.
type Join struct {
	User UserID
	UUID string // of the event that announces it
	When time.Time
}

// Mention is an unread mention to be counted.
type Mention struct {
	Seq  Seq
	User UserID // 0: everybody but By
	By   UserID
}

// Announcement is a change of accounts on its way into the log of a flow: it
// is committed with the change, and appended under its UUID however often.
type Announcement struct {
	UUID string
	Flow FlowID
	User UserID
	Type string // of the action, such as "join"
	When time.Time
}

// Event is what the announcement becomes in the log.
func (a Announcement) Event() Event {
	return Event{
		Flow: a.Flow, UUID: a.UUID, Kind: KindAction, App: "chat",
		User: a.User, By: a.User, Thread: ThreadOf(a.Flow, a.UUID),
		Content: encode(map[string]any{"type": a.Type}), Sent: stamp(a.When),
	}
}
