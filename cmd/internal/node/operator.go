package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"landfall"
	"landfall/certs"
	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/control"
	"landfall/mesh/join"
	"landfall/mesh/mapsync"
)

// operator does at home what operators ask for.
type operator struct{ node *Node }

// operators is who answers them; nil where the map is not controlled.
func (n *Node) operators() control.Operator {
	if n.cfg.Home == nil {
		return nil
	}
	return operator{n}
}

// SetState implements control.Operator.
func (o operator) SetState(ctx context.Context, id landfall.NodeID, to landfall.State) (landfall.Serial, error) {
	if n, ok := o.node.Map().Node(id); ok && n.State == landfall.Invited && to == "" {
		return o.withdraw(ctx, id)
	}
	m, err := o.node.cfg.Home.Control.Change(ctx, func(m *landfall.Map) error { return setState(m, id, to) })
	if err != nil {
		return 0, err
	}
	return m.Serial, nil
}

func (o operator) withdraw(ctx context.Context, id landfall.NodeID) (landfall.Serial, error) {
	if err := o.node.cfg.Home.book.Withdraw(ctx, id); err != nil {
		return 0, err
	}
	doc, err := o.node.cfg.Home.store.Get(ctx)
	return doc.Serial, err
}

// setState moves a node along its life, or with the empty State out of the
// map. What steps there are, mapsync.Lawful knows.
func setState(m *landfall.Map, id landfall.NodeID, to landfall.State) error {
	i := slices.IndexFunc(m.Nodes, func(n landfall.Node) bool { return n.ID == id })
	if i < 0 {
		return fmt.Errorf("there is no node %q (the nodes are %s)", id, names(m.Nodes))
	}
	was := m.Nodes[i].EffectiveState()
	switch {
	case to == "":
		m.Nodes = slices.Delete(m.Nodes, i, i+1)
		return nil
	case was == landfall.Invited:
		return fmt.Errorf("node %s is invited and has not joined: `landfall remove %s` takes the invitation back", id, id)
	case was == landfall.Gone && to != landfall.Gone:
		return fmt.Errorf("node %s is gone: it has to join again", id)
	}
	before := m.Clone()
	m.Nodes[i].State = to
	return control.Served(before, m)
}

// Set implements control.Operator.
func (o operator) Set(ctx context.Context, s control.Setting) (landfall.Serial, error) {
	m, err := o.node.cfg.Home.Control.Change(ctx, s.Change)
	if err != nil {
		return 0, err
	}
	return m.Serial, nil
}

// CutOff implements control.Operator. The three steps that a node never skips
// follow one another without a pause: the first map that reaches a node may
// be the last of them.
func (o operator) CutOff(ctx context.Context, id landfall.NodeID) (landfall.Serial, error) {
	if n, ok := o.node.Map().Node(id); ok && n.State == landfall.Invited {
		return o.withdraw(ctx, id)
	}
	var serial landfall.Serial
	for _, to := range []landfall.State{landfall.Draining, landfall.Gone, ""} {
		m, err := o.node.cfg.Home.Control.Change(ctx, func(m *landfall.Map) error { return cut(m, id, to) })
		if err != nil {
			return serial, err
		}
		serial = m.Serial
	}
	return serial, o.serves(ctx, serial)
}

// serves waits until this node itself serves by a map: what is sealed after
// that is not sealed to who is cut off.
func (o operator) serves(ctx context.Context, serial landfall.Serial) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for landfall.Serial(o.node.applied.Load()) < serial {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}

// cut moves a node on to a state, if it is not further already.
func cut(m *landfall.Map, id landfall.NodeID, to landfall.State) error {
	i := slices.IndexFunc(m.Nodes, func(n landfall.Node) bool { return n.ID == id })
	origins := m.Origins()
	switch {
	case i < 0:
	case len(origins) == 1 && origins[0].ID == id:
		return fmt.Errorf("node %s is the home of the network, which cannot be cut off from itself: found a new network elsewhere, and let the others join it", id)
	case to == "":
		m.Nodes = slices.Delete(m.Nodes, i, i+1)
	case m.Nodes[i].EffectiveState() == landfall.Active, to == landfall.Gone:
		m.Nodes[i].State = to
	}
	return nil
}

// Apply implements control.Operator.
func (o operator) Apply(ctx context.Context, a control.Application) (control.Applied, error) {
	if a.Declared == nil {
		return control.Applied{}, errors.New("no map to apply")
	}
	var out control.Applied
	m, err := o.node.cfg.Home.Control.ChangeFrom(ctx, a.Base, func(m *landfall.Map) (err error) {
		out.Kept, err = control.Declare(m, a.Declared)
		return err
	})
	if errors.Is(err, mapsync.ErrConflict) {
		return out, fmt.Errorf("%w since serial %d: look at `landfall map diff` again", mapsync.ErrConflict, a.Base)
	}
	if err != nil {
		return out, err
	}
	out.Serial = m.Serial
	return out, nil
}

// Invite implements control.Operator.
func (o operator) Invite(ctx context.Context, i control.Invitation) (control.Invited, error) {
	_, known := o.node.Map().Region(i.Region)
	token, err := o.node.cfg.Home.book.Invite(ctx, join.Invitation{
		Node: i.Node, Region: i.Region, Roles: i.Roles, Place: i.Place, Valid: i.Valid, Addresses: i.Addresses, Ceiling: i.Ceiling,
	})
	if err != nil {
		return control.Invited{}, err
	}
	return control.Invited{Network: token.Network, Token: token.Reveal(), Expires: token.Expires, NewRegion: !known}, nil
}

// Certificates implements control.Operator.
func (o operator) Certificates(context.Context) (out []admin.Certificate, err error) {
	for _, i := range o.node.cfg.Home.keeper.List() {
		out = append(out, admin.Certificate{
			Hosts: i.Hosts, Issuer: cmp.Or(i.Issuer, i.Authority), From: i.NotBefore, Until: i.NotAfter,
			Serial: i.Serial, State: i.State, Error: i.Err, Next: i.Next, Revoking: i.Revoking,
		})
	}
	return out, nil
}

// Renew implements control.Operator.
func (o operator) Renew(ctx context.Context, r control.Renewal) (control.Renewed, error) {
	reason := certs.Wanted
	if r.Revoke {
		reason = certs.KeyCompromise
	}
	err := o.node.cfg.Home.keeper.Renew(ctx, r.Hosts, reason)
	if errors.Is(err, certs.ErrNoRevocation) {
		return control.Renewed{Irrevocable: true}, nil
	}
	return control.Renewed{}, err
}
