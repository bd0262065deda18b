package chat

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Organization is a company or a team of people with flows of their own. It
// is the boundary that nothing crosses.
type Organization struct {
	ID        OrgID
	Slug      string // in URLs
	Name      string
	UserLimit int // how many users it may have
	UserCount int
	Active    bool
}

// User is a person or a bot.
type User struct {
	ID       UserID
	Email    string // in lower case
	Nick     string // without @; see CheckNick
	Name     string
	Website  string
	Disabled bool
}

// Colleague is a user in an organization.
type Colleague struct {
	User
	Admin bool
}

// Member is a user in a flow.
type Member struct {
	User
	Joined time.Time
}

// AccessMode says who of an organization may join a flow.
type AccessMode string

// The access modes.
const (
	AccessInvitation   AccessMode = "invitation"   // only who was invited
	AccessLink         AccessMode = "link"         // whoever has the link
	AccessOrganization AccessMode = "organization" // everybody in the organization
)

// Flow is a conversation: a log of events that its members read and write.
type Flow struct {
	ID       FlowID
	Org      Organization
	Slug     string // in URLs
	Name     string
	Access   AccessMode
	Archived bool
}

// Standing is a flow as one user sees it.
type Standing struct {
	Flow      Flow
	Colleague bool // the user belongs to the flow's organization
	Joined    bool // the user is a member of the flow
	Open      bool // the user has the flow open
	Unread    int  // mentions that the user has not seen
}

// Visibility is how much of a flow somebody may know.
type Visibility int

// The visibilities, least first.
const (
	Hidden Visibility = iota // as if it did not exist
	Listed                   // may be seen and joined, not read
	Full                     // may be read and written
)

// Visibility decides what the user may know of the flow. Membership alone is
// not enough: who left the organization has left its flows.
func (s Standing) Visibility() Visibility {
	switch {
	case !s.Colleague || !s.Flow.Org.Active:
		return Hidden
	case s.Joined:
		return Full
	case s.Flow.Access == AccessOrganization:
		return Listed
	}
	return Hidden
}

// See is nil when the user may know of the flow.
func (s Standing) See() error {
	if s.Visibility() == Hidden {
		return ErrNotFound
	}
	return nil
}

// Enter is nil when the user may read and write the flow.
func (s Standing) Enter() error {
	if s.Visibility() == Listed {
		return ErrForbidden
	}
	return s.See()
}

// Token is a secret that stands for a user; stores keep only its hash.
type Token struct {
	Hash    string
	User    UserID
	Kind    TokenKind
	Expires time.Time // zero: never
}

// TokenKind says what a token is for.
type TokenKind string

// The kinds of tokens.
const (
	TokenAPI     TokenKind = "api"     // personal, for programs
	TokenSession TokenKind = "session" // of a browser
)

// Slug makes a name into the lower-case word that stands for it in URLs:
// letters and digits stay, everything between becomes one dash. It is empty
// when nothing stays.
func Slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	return strings.Join(words, "-")
}

// MaxName is how many characters the name of anything may have.
const MaxName = 100

// CheckName says what is wrong with the name of a person, a flow or an
// organization, or nothing.
func CheckName(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "can't be blank"
	case utf8.RuneCountInString(name) > MaxName:
		return "is too long (maximum is " + strconv.Itoa(MaxName) + " characters)"
	case !utf8.ValidString(name), strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }):
		return "may hold only characters that can be seen"
	}
	return ""
}

// CheckNick says what is wrong with a nick, or nothing.
func CheckNick(nick string) string {
	switch {
	case nick == "":
		return "can't be blank"
	case len(nick) > 64:
		return "is too long (maximum is 64 bytes)"
	case wordAt(nick) != len(nick):
		return "may hold only letters, digits, _ and single inner dashes"
	case everyone(strings.ToLower(nick)):
		return "is reserved"
	}
	return ""
}
