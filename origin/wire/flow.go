package wire

import (
	"landfall/origin/chat"
)

// User is a user as clients see one.
type User struct {
	ID      chat.UserID `json:"id"`
	Email   string      `json:"email"`
	Name    string      `json:"name"`
	Nick    string      `json:"nick"`
	Avatar  string      `json:"avatar"` // empty: none
	Website string      `json:"website"`
	Admin   *bool       `json:"admin,omitempty"` // only among an organization's users
}

// NewUser is the public form of u.
func NewUser(u chat.User) User {
	return User{ID: u.ID, Email: u.Email, Name: u.Name, Nick: u.Nick, Website: u.Website}
}

// NewColleague is the public form of c.
func NewColleague(c chat.Colleague) User {
	u := NewUser(c.User)
	u.Admin = &c.Admin
	return u
}

// FlowUser is a member in the list that a flow carries. Some clients pass
// over everybody without in_flow; what is not known of a user is null.
type FlowUser struct {
	ID           chat.UserID `json:"id"`
	Nick         string      `json:"nick"`
	Name         string      `json:"name"`
	Email        string      `json:"email"`
	Avatar       string      `json:"avatar"`
	Status       *string     `json:"status"`
	Disabled     bool        `json:"disabled"`
	LastActivity *int64      `json:"last_activity"`
	LastPing     *int64      `json:"last_ping"`
	InFlow       bool        `json:"in_flow"`
}

// FlowUsers are the public forms of a flow's members.
func FlowUsers(members []chat.Member) []FlowUser {
	out := make([]FlowUser, len(members))
	for i, m := range members {
		out[i] = FlowUser{ID: m.ID, Nick: m.Nick, Name: m.Name, Email: m.Email, Disabled: m.Disabled, InFlow: true}
	}
	return out
}

// Organization is an organization as clients see one.
type Organization struct {
	ID           chat.OrgID    `json:"id"`
	Slug         string        `json:"parameterized_name"`
	Name         string        `json:"name"`
	UserLimit    int           `json:"user_limit"`
	UserCount    int           `json:"user_count"`
	Active       bool          `json:"active"`
	URL          string        `json:"url"`
	Subscription *Subscription `json:"subscription,omitempty"`
	Users        []User        `json:"users,omitempty"`
}

// Subscription is what an organization pays: nothing, nor is it on trial.
type Subscription struct {
	Trial bool `json:"trial"`
}

// NewOrganization is the public form of o, as it appears inside flows.
func NewOrganization(o chat.Organization, b Base) Organization {
	return Organization{
		ID: o.ID, Slug: o.Slug, Name: o.Name, UserLimit: o.UserLimit, UserCount: o.UserCount, Active: o.Active,
		URL: b.API("organizations", o.Slug),
	}
}

// FullOrganization is NewOrganization with its users.
func FullOrganization(o chat.Organization, users []chat.Colleague, b Base) Organization {
	out := NewOrganization(o, b)
	out.Subscription = &Subscription{}
	for _, u := range users {
		out.Users = append(out.Users, NewColleague(u))
	}
	return out
}

// Flow is a flow as one user sees it.
type Flow struct {
	ID             chat.FlowID     `json:"id"`
	Name           string          `json:"name"`
	Slug           string          `json:"parameterized_name"`
	Organization   Organization    `json:"organization"`
	UnreadMentions int             `json:"unread_mentions"`
	Open           bool            `json:"open"`
	Joined         bool            `json:"joined"`
	URL            string          `json:"url"`
	WebURL         string          `json:"web_url"`
	AccessMode     chat.AccessMode `json:"access_mode"`
	Disabled       bool            `json:"disabled"`
	Users          []FlowUser      `json:"users,omitempty"`
}

// NewFlow is the public form of s, without its users.
func NewFlow(s chat.Standing, b Base) Flow {
	f := s.Flow
	return Flow{
		ID: f.ID, Name: f.Name, Slug: f.Slug, Organization: NewOrganization(f.Org, b),
		UnreadMentions: s.Unread, Open: s.Open, Joined: s.Joined,
		URL: b.API("flows", f.Org.Slug, f.Slug), WebURL: b.Web("app", f.Org.Slug, f.Slug),
		AccessMode: f.Access, Disabled: f.Archived,
	}
}
