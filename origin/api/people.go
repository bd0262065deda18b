package api

import (
	"net/http"
	"slices"

	"landfall/origin/chat"
	"landfall/origin/wire"
)

// self is GET /user.
func (a *API) self(c *call) error { return c.reply(http.StatusOK, wire.NewUser(c.user)) }

// users is GET /users: everybody in the organizations of the asker.
func (a *API) users(c *call) error {
	users, err := a.colleagues(c)
	if err != nil {
		return err
	}
	out := make([]wire.User, len(users))
	for i, u := range users {
		out[i] = wire.NewUser(u.User)
	}
	return c.reply(http.StatusOK, out)
}

// user is GET /users/:id, for the same people as users.
func (a *API) user(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	users, err := a.colleagues(c)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(users, func(u chat.Colleague) bool { return u.ID == chat.UserID(id) })
	if i < 0 {
		return chat.ErrNotFound
	}
	return c.reply(http.StatusOK, wire.NewUser(users[i].User))
}

// colleagues are the users of all organizations of the asker, by id.
func (a *API) colleagues(c *call) ([]chat.Colleague, error) {
	orgs, err := a.accounts.Organizations(c.Context(), c.user.ID)
	if err != nil {
		return nil, err
	}
	var all []chat.Colleague
	for _, o := range orgs {
		users, err := a.accounts.Colleagues(c.Context(), o.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, users...)
	}
	slices.SortFunc(all, func(a, b chat.Colleague) int { return int(a.ID - b.ID) })
	return slices.CompactFunc(all, func(a, b chat.Colleague) bool { return a.ID == b.ID }), nil
}

// organizations is GET /organizations.
func (a *API) organizations(c *call) error {
	orgs, err := a.accounts.Organizations(c.Context(), c.user.ID)
	if err != nil {
		return err
	}
	out := make([]wire.Organization, len(orgs))
	for i, o := range orgs {
		users, err := a.accounts.Colleagues(c.Context(), o.ID)
		if err != nil {
			return err
		}
		out[i] = wire.FullOrganization(o, users, c.base)
	}
	return c.reply(http.StatusOK, out)
}

// organization is GET /organizations/:org.
func (a *API) organization(c *call) error {
	return a.replyOrganization(c, func(o chat.Organization) bool { return o.Slug == c.PathValue("org") })
}

// findOrganization is GET /organizations/find?id=.
func (a *API) findOrganization(c *call) error {
	p, err := c.params()
	if err != nil {
		return err
	}
	bad := chat.Invalid{}
	id := p.number(bad, "id", 1, 0)
	if err := bad.Err(); err != nil {
		return err
	}
	return a.replyOrganization(c, func(o chat.Organization) bool { return o.ID == chat.OrgID(id) })
}

func (a *API) replyOrganization(c *call, is func(chat.Organization) bool) error {
	o, users, err := a.findOrg(c, is)
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, wire.FullOrganization(o, users, c.base))
}

// organizationUsers is GET /organizations/:org/users.
func (a *API) organizationUsers(c *call) error {
	_, users, err := a.findOrg(c, func(o chat.Organization) bool { return o.Slug == c.PathValue("org") })
	if err != nil {
		return err
	}
	out := make([]wire.User, len(users))
	for i, u := range users {
		out[i] = wire.NewColleague(u)
	}
	return c.reply(http.StatusOK, out)
}

// findOrg finds one of the asker's organizations, and who is in it.
func (a *API) findOrg(c *call, is func(chat.Organization) bool) (chat.Organization, []chat.Colleague, error) {
	orgs, err := a.accounts.Organizations(c.Context(), c.user.ID)
	if err != nil {
		return chat.Organization{}, nil, err
	}
	i := slices.IndexFunc(orgs, is)
	if i < 0 {
		return chat.Organization{}, nil, chat.ErrNotFound
	}
	users, err := a.accounts.Colleagues(c.Context(), orgs[i].ID)
	return orgs[i], users, err
}
