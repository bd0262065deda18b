package api

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"

	"landfall/origin/chat"
	"landfall/origin/wire"
)

// joinedFlows is GET /flows.
func (a *API) joinedFlows(c *call) error {
	return a.replyFlows(c, func(s chat.Standing) bool { return s.Enter() == nil })
}

// allFlows is GET /flows/all: also those that the asker may join.
func (a *API) allFlows(c *call) error {
	return a.replyFlows(c, func(s chat.Standing) bool { return s.See() == nil })
}

// organizationFlows is GET /flows/:org.
func (a *API) organizationFlows(c *call) error {
	is := func(o chat.Organization) bool { return o.Slug == c.PathValue("org") }
	if _, _, err := a.findOrg(c, is); err != nil {
		return err
	}
	return a.replyFlows(c, func(s chat.Standing) bool { return is(s.Flow.Org) && s.See() == nil })
}

func (a *API) replyFlows(c *call, want func(chat.Standing) bool) error {
	p, err := c.params()
	if err != nil {
		return err
	}
	bad := chat.Invalid{}
	withUsers := p.flag(bad, "users")
	if err := bad.Err(); err != nil {
		return err
	}
	all, err := a.accounts.Standings(c.Context(), c.user.ID)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(s chat.Standing) bool { return !want(s) })
	out := make([]wire.Flow, len(all))
	for i, s := range all {
		if out[i], err = a.newFlow(c, s, withUsers); err != nil {
			return err
		}
	}
	return c.reply(http.StatusOK, out)
}

// newFlow is the public form of a flow, perhaps with its users.
func (a *API) newFlow(c *call, s chat.Standing, withUsers bool) (wire.Flow, error) {
	f := wire.NewFlow(s, c.base)
	if !withUsers {
		return f, nil
	}
	members, err := a.accounts.Members(c.Context(), s.Flow.ID)
	f.Users = wire.FlowUsers(members)
	return f, err
}

// flow is GET /flows/:org/:flow.
func (a *API) flow(c *call) error { return a.replyFlow(c, http.StatusOK, c.ref()) }

// findFlow is GET /flows/find?id=.
func (a *API) findFlow(c *call) error {
	p, err := c.params()
	if err != nil {
		return err
	}
	bad := chat.Invalid{}
	ref, err := chat.ParseFlowRef(p.text(bad, "id"))
	if err != nil {
		return chat.ErrNotFound
	}
	return a.replyFlow(c, http.StatusOK, ref)
}

func (a *API) replyFlow(c *call, status int, ref chat.FlowRef) error {
	s, err := a.backend.Flow(c.Context(), c.user.ID, ref)
	if err != nil {
		return err
	}
	f, err := a.newFlow(c, s, true)
	if err != nil {
		return err
	}
	return c.reply(status, f)
}

// addFlow is POST /flows/:org.
func (a *API) addFlow(c *call) error {
	org, _, err := a.findOrg(c, func(o chat.Organization) bool { return o.Slug == c.PathValue("org") })
	if err != nil {
		return err
	}
	p, err := c.params()
	if err != nil {
		return err
	}
	bad := chat.Invalid{}
	name := strings.TrimSpace(p.text(bad, "name"))
	slug := chat.Slug(name)
	if slug == "" {
		bad.Add("name", "must have a letter or a digit")
	} else if fault := chat.CheckName(name); fault != "" {
		bad.Add("name", "%s", fault)
	}
	if err := bad.Err(); err != nil {
		return err
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	f := chat.Flow{ID: chat.NewFlowID(random), Org: org, Slug: slug, Name: name, Access: chat.AccessInvitation}
	err = a.backend.AddFlow(c.Context(), f, c.user.ID)
	if errors.Is(err, chat.ErrTaken) {
		return chat.Invalid{"name": {"has already been taken"}}
	}
	if err != nil {
		return err
	}
	return a.replyFlow(c, http.StatusCreated, chat.FlowRef{ID: f.ID})
}

// openFlow is PUT /flows/:org/:flow with open: to open a flow is to join it.
func (a *API) openFlow(c *call) error {
	s, err := a.backend.Flow(c.Context(), c.user.ID, c.ref())
	if err != nil {
		return err
	}
	p, err := c.params()
	if err != nil {
		return err
	}
	bad := chat.Invalid{}
	open := p.flag(bad, "open")
	for name := range p {
		if name != "open" && name != "access_token" {
			bad.Add(name, "cannot be changed here")
		}
	}
	if err := bad.Err(); err != nil {
		return err
	}
	if open && !s.Joined {
		if err := a.backend.JoinFlow(c.Context(), s.Flow.ID, c.user.ID); err != nil {
			return err
		}
	}
	if p.has("open") {
		if err := a.accounts.SetOpen(c.Context(), s.Flow.ID, c.user.ID, open); err != nil {
			return err
		}
	}
	return a.replyFlow(c, http.StatusOK, chat.FlowRef{ID: s.Flow.ID})
}

// flowUsers is GET /flows/:org/:flow/users.
func (a *API) flowUsers(c *call) error {
	s, err := a.backend.Flow(c.Context(), c.user.ID, c.ref())
	if err != nil {
		return err
	}
	members, err := a.accounts.Members(c.Context(), s.Flow.ID)
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, wire.FlowUsers(members))
}

// addFlowUser is POST /flows/:org/:flow/users: a member brings in somebody
// of the same organization.
func (a *API) addFlowUser(c *call) error {
	f, err := a.backend.Enter(c.Context(), c.user.ID, c.ref())
	if err != nil {
		return err
	}
	p, err := c.params()
	if err != nil {
		return err
	}
	bad := chat.Invalid{}
	id := chat.UserID(p.number(bad, "id", 1, 0))
	if err := bad.Err(); err != nil {
		return err
	}
	s, err := a.accounts.Standing(c.Context(), id, chat.FlowRef{ID: f.ID})
	if err != nil {
		return err
	}
	if !s.Colleague {
		return chat.Invalid{"id": {"is nobody in this organization"}}
	}
	if err := a.backend.JoinFlow(c.Context(), f.ID, id); err != nil {
		return err
	}
	return c.reply(http.StatusOK, struct{}{})
}
