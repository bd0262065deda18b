package control

import (
	"context"

	"landfall"
	"landfall/cmd/internal/admin"
)

// Client asks the node that runs in a state directory, to look (by what it is
// built on) and to change.
type Client struct{ *admin.Client }

// NewClient makes a Client for a state directory.
func NewClient(dir string) *Client { return &Client{admin.NewClient(dir)} }

// Map is the newest map that the node has.
func (c *Client) Map(ctx context.Context) (*landfall.Map, error) {
	m := new(landfall.Map)
	return m, c.Get(ctx, "/map", m)
}

// SetState moves a node along its life; the empty State leaves it out of the
// map. It returns the serial of the map that says so.
func (c *Client) SetState(ctx context.Context, node landfall.NodeID, to landfall.State) (landfall.Serial, error) {
	var a Applied
	err := c.Post(ctx, "/state", stateRequest{node, to}, &a)
	return a.Serial, err
}

// Set changes what a node brought with it. It returns the serial of the map
// that says so.
func (c *Client) Set(ctx context.Context, s Setting) (landfall.Serial, error) {
	var a Applied
	err := c.Post(ctx, "/set", s, &a)
	return a.Serial, err
}

// CutOff takes a node out of the map at once. It returns the serial of the map
// that says so.
func (c *Client) CutOff(ctx context.Context, node landfall.NodeID) (landfall.Serial, error) {
	var a Applied
	err := c.Post(ctx, "/cut", stateRequest{Node: node}, &a)
	return a.Serial, err
}

// Invite lets a server join under a name.
func (c *Client) Invite(ctx context.Context, i Invitation) (a Invited, err error) {
	return a, c.Post(ctx, "/invite", i, &a)
}

// Apply makes the declared part of a map that of the network's.
func (c *Client) Apply(ctx context.Context, what Application) (a Applied, err error) {
	return a, c.Post(ctx, "/map", what, &a)
}

// Certificates lists the certificates of the fleet.
func (c *Client) Certificates(ctx context.Context) (list []admin.Certificate, err error) {
	return list, c.Get(ctx, "/certificates", &list)
}

// Replace starts a process anew, as it was started, and returns when that has
// taken the place of the one that was asked.
func (c *Client) Replace(ctx context.Context) (pid int, err error) {
	var r Replaced
	err = c.Post(ctx, "/replace", struct{}{}, &r)
	return r.PID, err
}

// Renew orders certificates anew, with fresh keys, and returns when the edges
// can have them.
func (c *Client) Renew(ctx context.Context, r Renewal) (a Renewed, err error) {
	return a, c.Post(ctx, "/renew", r, &a)
}
