package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"landfall"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/node"
	"landfall/mesh/join"
)

// Joining is how a server becomes a node.
type Joining struct {
	Dir       string
	Token     join.Token
	Addresses []netip.Addr // that users are told; empty: as the control sees us
	WireGuard uint16
	Geo       string
	Front     string // of the mesh; see config.LocalMesh
	Version   string
	Progress  func(string) // hears what is going on
}

// Join makes this server a node, and leaves in the state directory what Run
// starts from. Killed at any moment, it can be called again with the same
// token: who is that node already is told so by the control. What the control
// refuses is a *join.Failure.
func Join(ctx context.Context, j Joining) (m *landfall.Map, self landfall.Node, err error) {
	if err := checkGeo(j.Geo); err != nil { // while the token is good still
		return nil, self, err
	}
	if err := os.MkdirAll(j.Dir, 0o700); err != nil {
		return nil, self, fmt.Errorf("state directory: %w: choose another place with --dir", err)
	}
	err = AsOwner(j.Dir, func() error {
		m, self, err = j.join(ctx)
		return err
	})
	return m, self, err
}

func (j Joining) join(ctx context.Context) (m *landfall.Map, self landfall.Node, err error) {
	l, err := ReadLocal(j.Dir)
	again := err == nil
	switch {
	case again && (l.Network != j.Token.Network || l.Node != j.Token.Node || l.MapKey != j.Token.Key):
		return nil, self, fmt.Errorf("%s is already node %s of the network %s, and the token is for %s of %s: a server is one node; to start over, remove that node at its home and move %s away",
			j.Dir, l.Node, l.Network, j.Token.Node, j.Token.Network, j.Dir)
	case !again && !errors.Is(err, ErrNoNode):
		return nil, self, err
	}
	lock, err := node.Lock(j.Dir)
	if err != nil && !again { // a node that runs may ask its home who it is
		return nil, self, err
	}
	defer lock.Close()
	keys, err := node.MakeKeys(j.Dir)
	if err != nil {
		return nil, self, err
	}
	got, err := j.ask(ctx, keys)
	if err != nil {
		return nil, self, err
	}
	if err := node.KeepMap(j.Dir, j.Token.Key, got.Doc); err != nil {
		return nil, self, err
	}
	if again {
		j.Progress(fmt.Sprintf("this server is node %s of the network %s already", l.Node, l.Network))
		return got.Map, got.Self, nil
	}
	return got.Map, got.Self, writeLocal(j.Dir, config.Local{Network: got.Map.Network, Node: got.Self.ID, MapKey: j.Token.Key, WireGuard: j.WireGuard, Geo: j.Geo, Mesh: config.LocalMesh{Front: j.Front}})
}

// ask proves the token to the control.
func (j Joining) ask(ctx context.Context, keys *node.State) (*join.Result, error) {
	ours, err := interfaces()
	if err != nil {
		return nil, err
	}
	for _, a := range slices.Concat(j.Addresses, j.Token.Addresses) {
		if own(a) {
			ours = append(ours, a) // one that no interface lists, such as 127.0.0.2
		}
	}
	return join.Join(ctx, join.Config{
		Token: j.Token, Key: keys.Key.Public(), Sealing: keys.Sealing, Local: ours, Advertise: j.Addresses, WireGuardPort: j.WireGuard,
		Dial: join.Dialer(join.Segment), Narrow: join.Dialer(join.NarrowSegment), Version: j.Version, Progress: j.Progress,
	})
}

// interfaces are the addresses that this machine has.
func interfaces() ([]netip.Addr, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("own addresses: %w", err)
	}
	var out []netip.Addr
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr().Unmap())
		}
	}
	return out, nil
}
