package origin

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"landfall/origin/auth"
	"landfall/origin/chat"
)

// userLimit is how many users an organization may have.
const userLimit = 10_000

// First is what EnsureFirst makes. Empty fields have the defaults named.
type First struct {
	Organization string   // "Landfall"
	Flows        []string // "Main"
	Email        string   // "admin@" and the domain
	Nick         string   // what comes before the @ of Email
	Name         string   // Nick
}

// Credentials are what a new user signs in with. They are shown this once:
// only hashes are kept.
type Credentials struct {
	Organization string   // its slug
	Flows        []string // slugs
	Email        string
	Password     string
	Token        string // for the API
}

// EnsureFirst makes the first organization with its flows and a first user,
// who is its admin. Where there is an organization already it does nothing
// and returns false.
func (s *Server) EnsureFirst(ctx context.Context, f First) (c Credentials, created bool, err error) {
	f.Organization = cmp.Or(f.Organization, "Landfall")
	if len(f.Flows) == 0 {
		f.Flows = []string{"Main"}
	}
	f.Email = cmp.Or(f.Email, "admin@"+s.cfg.Domain)
	p := Person{Email: f.Email, Nick: f.Nick, Name: f.Name, Admin: true}
	user, c, err := p.user()
	if err != nil {
		return Credentials{}, false, fmt.Errorf("origin: first user: %w", err)
	}
	now := s.now()
	founding := chat.Founding{
		Org:   chat.Organization{Name: f.Organization, UserLimit: userLimit},
		User:  user,
		Token: chat.Token{Hash: auth.HashToken(c.Token), Kind: chat.TokenAPI},
	}
	if founding.Org.Slug, err = slug("organization", f.Organization); err != nil {
		return Credentials{}, false, err
	}
	for _, name := range f.Flows {
		slug, err := slug("flow", name)
		if err != nil {
			return Credentials{}, false, err
		}
		founding.Flows = append(founding.Flows, chat.Flow{ID: newFlowID(), Slug: slug, Name: name, Access: chat.AccessOrganization})
		founding.Joins = append(founding.Joins, chat.Join{UUID: newFlowID().String(), When: now})
		c.Flows = append(c.Flows, slug)
	}
	c.Organization = founding.Org.Slug
	created, err = s.accounts.Found(ctx, founding)
	if err != nil || !created {
		return Credentials{}, false, err
	}
	return c, true, nil
}

// slug is what stands in URLs for the name of an organization or a flow.
func slug(what, name string) (string, error) {
	slug, fault := chat.Slug(name), chat.CheckName(name)
	if slug == "" {
		fault = "must have a letter or a digit"
	}
	if fault != "" {
		return "", fmt.Errorf("origin: %s %q: the name %s", what, name, fault)
	}
	return slug, nil
}

// Person is somebody to be made a user.
type Person struct {
	Email string
	Nick  string // empty: what comes before the @ of Email
	Name  string // empty: Nick
	Admin bool   // may manage the organization
}

// AddUser makes a user of an organization, by its slug, with a password and a
// token, and a member of those of its flows that everybody may join.
func (s *Server) AddUser(ctx context.Context, organization string, p Person) (Credentials, error) {
	org, err := s.accounts.Organization(ctx, organization)
	if err != nil {
		return Credentials{}, fmt.Errorf("origin: organization %q: %w", organization, err)
	}
	user, c, err := p.user()
	if err != nil {
		return Credentials{}, fmt.Errorf("origin: user %q: %w", p.Email, err)
	}
	made, err := s.accounts.AddUser(ctx, org.ID, user)
	if err != nil {
		return Credentials{}, fmt.Errorf("origin: user %q: %w", p.Email, err)
	}
	token := chat.Token{Hash: auth.HashToken(c.Token), User: made.ID, Kind: chat.TokenAPI}
	if err := s.accounts.AddToken(ctx, token); err != nil {
		return Credentials{}, fmt.Errorf("origin: user %q: %w", p.Email, err)
	}
	c.Organization = org.Slug
	c.Flows, err = s.joinOpen(ctx, made.ID)
	return c, err
}

// joinOpen makes the user a member of all flows that everybody may join.
func (s *Server) joinOpen(ctx context.Context, user chat.UserID) (slugs []string, err error) {
	all, err := s.accounts.Standings(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("origin: flows of user %d: %w", user, err)
	}
	for _, st := range all {
		if st.Visibility() != chat.Listed {
			continue
		}
		if err := s.backend.JoinFlow(ctx, st.Flow.ID, user); err != nil {
			return slugs, fmt.Errorf("origin: %w", err)
		}
		slugs = append(slugs, st.Flow.Slug)
	}
	return slugs, nil
}

// user makes the secrets of a person, and the user that goes with them.
func (p Person) user() (chat.NewUser, Credentials, error) {
	local, domain, ok := strings.Cut(p.Email, "@")
	if !ok || local == "" || domain == "" || strings.ContainsAny(p.Email, " \t\r\n:") {
		return chat.NewUser{}, Credentials{}, fmt.Errorf("%q is not an e-mail address", p.Email)
	}
	nick := cmp.Or(p.Nick, chat.Slug(local))
	if fault := chat.CheckNick(nick); fault != "" {
		return chat.NewUser{}, Credentials{}, fmt.Errorf("nick %q %s", nick, fault)
	}
	name := cmp.Or(p.Name, nick)
	if fault := chat.CheckName(name); fault != "" {
		return chat.NewUser{}, Credentials{}, fmt.Errorf("name %q %s", name, fault)
	}
	c := Credentials{Email: strings.ToLower(p.Email), Password: auth.NewPassword(), Token: auth.NewToken()}
	u := chat.User{Email: c.Email, Nick: nick, Name: name}
	return chat.NewUser{User: u, Password: auth.HashPassword(c.Password), Admin: p.Admin}, c, nil
}

func (s *Server) now() time.Time {
	if s.cfg.Now != nil {
		return s.cfg.Now()
	}
	return time.Now()
}

func newFlowID() chat.FlowID {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	return chat.NewFlowID(random)
}
