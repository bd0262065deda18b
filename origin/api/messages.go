package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"landfall/origin/chat"
	"landfall/origin/wire"
)

// Limits of a list of messages.
const (
	defaultLimit = 30
	maxLimit     = 100
)

// post is POST to messages, at the root, of a flow, or of a thread.
func (a *API) post(c *call) error {
	p, err := c.params()
	if err != nil {
		return err
	}
	kind := chat.KindMessage
	if p.has("event") {
		kind = chat.Kind(p.text(chat.Invalid{}, "event"))
	}
	return a.submit(c, p, kind)
}

// comment is POST to comments, at the root or of a message.
func (a *API) comment(c *call) error {
	p, err := c.params()
	if err != nil {
		return err
	}
	if id := c.PathValue("id"); id != "" {
		p["message"] = id
	}
	return a.submit(c, p, chat.KindComment)
}

// submit hands a draft to the backend and answers with the message. Clients
// want 201 and the message; 200 is for those who ask to wait for it, which
// everybody does here.
func (a *API) submit(c *call, p params, kind chat.Kind) error {
	bad := chat.Invalid{}
	d := chat.Draft{
		By: c.user.ID, Kind: kind, Content: p.text(bad, "content"), Tags: p.list(bad, "tags"),
		UUID: p.text(bad, "uuid"), Thread: chat.ThreadID(p.text(bad, "thread_id")),
		External: p.text(bad, "external_user_name"),
	}
	if thread := c.PathValue("thread"); thread != "" {
		d.Thread = chat.ThreadID(thread)
	}
	if kind == chat.KindComment {
		d.Parent = chat.Seq(p.number(bad, "message", 1, 0))
	}
	ref := c.ref()
	if c.PathValue("flow") == "" {
		var err error
		if ref, err = chat.ParseFlowRef(p.text(bad, "flow")); err != nil {
			bad.Add("flow", "must be the id of a flow, or organization/flow")
		}
	}
	if err := bad.Err(); err != nil {
		return err
	}
	f, err := a.backend.Write(c.Context(), c.user.ID, ref)
	if err != nil {
		return err
	}
	d.Flow = f.ID
	m, _, err := a.backend.Post(c.Context(), d)
	if err != nil {
		return err
	}
	comments := c.base.API("flows", f.Org.Slug, f.Slug, "messages", fmt.Sprint(m.Seq), "comments")
	c.w.Header().Set("Link", "<"+comments+`>; rel="comments"`)
	status := http.StatusCreated
	if c.Header.Get("X-Flowdock-Wait-For-Message") != "" {
		status = http.StatusOK
	}
	return c.reply(status, wire.NewMessage(m))
}

// messages is GET of the messages of a flow or a thread.
func (a *API) messages(c *call) error {
	f, err := a.backend.Enter(c.Context(), c.user.ID, c.ref())
	if err != nil {
		return err
	}
	p, err := c.params()
	if err != nil {
		return err
	}
	q, err := p.query()
	if err != nil {
		return err
	}
	q.Flow, q.Thread = f.ID, chat.ThreadID(c.PathValue("thread"))
	events, err := a.backend.Messages(c.Context(), q)
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, wire.Messages(events))
}

// query reads what part of a flow is asked for.
func (p params) query() (chat.Query, error) {
	bad := chat.Invalid{}
	q := chat.Query{
		Since: chat.Seq(p.number(bad, "since_id", 0, 0)),
		Until: chat.Seq(p.number(bad, "until_id", 0, 0)),
		Limit: int(min(p.number(bad, "limit", 1, defaultLimit), maxLimit)),
		Words: strings.Fields(p.text(bad, "search")),
		Tags:  chat.NormalTags(p.list(bad, "tags")),
	}
	if names := p.list(bad, "event"); len(names) > 0 {
		if q.Kinds = chat.KnownKinds(names); len(q.Kinds) == 0 {
			q.Limit = 0 // the log has nothing of the kind
		}
	}
	if len(q.Words) > chat.MaxWords {
		bad.Add("search", "has too many words (maximum is %d)", chat.MaxWords)
	}
	q.Oldest = p.choice(bad, "sort", "desc", "asc")
	q.AnyTag = p.choice(bad, "tag_mode", "and", "or")
	if len(q.Words) > 0 { // a search goes through all of the flow
		q.Since, q.Until = 0, 0
		q.Skip = int(min(p.number(bad, "skip", 0, 0), 1<<20))
	}
	return q, bad.Err()
}

// choice says whether a parameter has its second value and not its first,
// which is the default.
func (p params) choice(bad chat.Invalid, name, first, second string) bool {
	switch v := strings.ToLower(p.text(bad, name)); v {
	case "", first:
		return false
	case second:
		return true
	}
	bad.Add(name, "must be %s or %s", first, second)
	return false
}

// findFlow is how a request comes to its flow: to read it, or to write to it.
type findFlow func(context.Context, chat.UserID, chat.FlowRef) (chat.Flow, error)

// pathMessage finds the flow and the number of the message in the path.
func (c *call) pathMessage(find findFlow) (chat.Flow, chat.Seq, error) {
	f, err := find(c.Context(), c.user.ID, c.ref())
	if err != nil {
		return f, 0, err
	}
	id, err := c.id("id")
	return f, chat.Seq(id), err
}

// message is GET of one message.
func (a *API) message(c *call) error {
	f, id, err := c.pathMessage(a.backend.Enter)
	if err != nil {
		return err
	}
	m, err := a.backend.Message(c.Context(), f.ID, id)
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, wire.NewMessage(m))
}

// change is PUT of a message: its content, by who wrote it; its tags, by
// every member.
func (a *API) change(c *call) error {
	f, id, err := c.pathMessage(a.backend.Write)
	if err != nil {
		return err
	}
	p, err := c.params()
	if err != nil {
		return err
	}
	bad := chat.Invalid{}
	content, tags := p.text(bad, "content"), p.list(bad, "tags")
	if err := bad.Err(); err != nil {
		return err
	}
	if p.has("content") {
		if err := a.backend.Edit(c.Context(), f.ID, id, c.user.ID, content); err != nil {
			return err
		}
	}
	if p.has("tags") {
		if err := a.backend.Retag(c.Context(), f.ID, id, c.user.ID, tags); err != nil {
			return err
		}
	}
	return c.reply(http.StatusOK, struct{}{})
}

// remove is DELETE of a message.
func (a *API) remove(c *call) error {
	f, id, err := c.pathMessage(a.backend.Write)
	if err != nil {
		return err
	}
	if err := a.backend.Delete(c.Context(), f.ID, id, c.user.ID); err != nil {
		return err
	}
	return c.reply(http.StatusOK, struct{}{})
}
